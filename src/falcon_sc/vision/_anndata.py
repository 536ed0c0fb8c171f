"""Features of images that an AnnData holds: the way of cells, with a fitted model in the end."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.model import Falcon
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import resolve_device

if TYPE_CHECKING:
    import torch


def discover_adata(
    adata: Any, coarse_key: Any, n_fine: Any, use_rep: Any, *, dataset: Any, device: str | torch.device | None,
    save_model: Path | None, **options: Any,
) -> Falcon:  # fmt: skip
    """Run :func:`falcon_sc.tl.discover`, which writes to `adata`, and return its model, fitted."""
    from falcon_sc.tl import discover

    if not isinstance(use_rep, str):
        msg = f"features must name the features in adata.obsm, such as 'X_resnet', found {use_rep!r}."
        raise ValueError(msg)
    where = resolve_device(device)
    distributed.join(where)
    device = None if device is None else str(device)
    with tempfile.TemporaryDirectory() as folder:
        # the leading process alone writes: the others read what it wrote
        path = save_model or distributed.share(lambda: Path(folder) / "model")
        discover(
            adata, coarse_key, n_fine, use_rep=use_rep, dataset_key=dataset, device=device, save_model=path, **options
        )
        distributed.share(lambda: None)  # written
        model = Falcon.load(path, device=where)
        distributed.share(lambda: None)  # read by all, before the folder goes
    known = adata.obs[coarse_key].notna().to_numpy()
    model.proba_ = adata.obsm["falcon_proba"][known]
    model.embedding_ = adata.obsm["X_falcon"][known]
    model.labels_ = model.proba_.argmax(axis=1).astype(np.int64)
    return model
