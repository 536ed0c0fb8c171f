"""Features of images that an AnnData holds: the way of cells, with a fitted model in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.tl._run import run

if TYPE_CHECKING:
    import torch

    from falcon_sc.core.model import Falcon


def discover_adata(
    adata: Any, coarse_key: Any, n_fine: Any, use_rep: Any, *, device: str | torch.device | None, **options: Any
) -> Falcon:
    """Do what :func:`falcon_sc.tl.discover` does, which writes to `adata`, and return the model, fitted."""
    if not isinstance(use_rep, str):
        msg = f"features must name the features in adata.obsm, such as 'X_resnet', found {use_rep!r}."
        raise ValueError(msg)
    where = resolve_device(device)
    distributed.join(where)
    model, _ = run(adata, coarse_key, n_fine, use_rep=use_rep, device=str(where), **options)
    return model
