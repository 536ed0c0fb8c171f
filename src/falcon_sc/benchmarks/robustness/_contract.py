"""What has to hold after any call of `discover`: labels that keep their promises, or an error that names the argument."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from anndata import AnnData

    from falcon_sc.benchmarks.robustness._odd_cells import OddCall

ERRORS = (ValueError, TypeError, KeyError)
NAMES = (
    "adata", "coarse_key", "n_fine", "layer", "use_rep", "batch_key", "dataset_key", "n_top_genes", "n_neighbors",
    "batch_size", "lr", "relation_solver", "rng", "key_added", "device", "values", "max_epochs", "config",
)  # fmt: skip


def outcome(call: OddCall, keywords: dict[str, Any]) -> tuple[str, str]:
    """Run `discover`: ("labels", "") or ("refused", message) where the contract holds, else ("broken", what is wrong)."""
    from falcon_sc.tl import discover

    before = _contents(call.adata, skip=())
    try:
        copied = discover(call.adata, call.coarse_key, call.n_fine, **call.keywords, **keywords)
    except ERRORS as error:
        message = str(error.args[0]) if error.args else ""
        if isinstance(error, np.linalg.LinAlgError | UnicodeError) or not any(name in message for name in NAMES):
            return "broken", f"{type(error).__name__} that names no argument: {message}"
        if _contents(call.adata, skip=()) != before:
            return "broken", f"the object was changed by a call that failed: {message}"
        return "refused", message
    except Exception as error:  # noqa: BLE001 - anything else is what is looked for
        return "broken", f"{type(error).__name__}: {error}"
    result = call.adata if copied is None else copied
    key = call.keywords.get("key_added", "falcon")
    problems = problems_of(result, call, key)
    if _contents(result, skip=(key,)) != before:
        problems.append("something else than the results was changed")
    return ("broken", "; ".join(problems)) if problems else ("labels", "")


def problems_of(adata: AnnData, call: OddCall, key: str) -> list[str]:
    """Promises of `discover` that the results under `key` do not keep."""
    obs: Any = adata.obs
    about, fine = adata.uns[key], obs[f"{key}_fine"]
    names, M = np.asarray(about["fine_names"], dtype=object), about["M"]
    proba, confidence = adata.obsm[f"{key}_proba"], obs[f"{key}_confidence"].to_numpy()
    known = obs[call.coarse_key].notna().to_numpy()
    codes = pd.Index(names).get_indexer(pd.Index(fine.astype(object)))
    problems = []
    if isinstance(call.n_fine, int) and len(names) != call.n_fine:
        problems.append(f"{len(names)} fine classes, asked for {call.n_fine}")
    if not (fine.notna().to_numpy() == known).all():
        problems.append("cells with a coarse label and cells with a fine class are not the same")
    if len(set(names)) != len(names) or (codes[known] < 0).any():
        problems.append("names of fine classes are not unique, or not those of the categories")
    if not np.isfinite(proba).all() or np.abs(proba.sum(axis=1) - 1).max(initial=0) > 1e-4:
        problems.append("rows of the probabilities do not sum to 1")
    if not np.isfinite(adata.obsm[f"X_{key}"]).all():
        problems.append("the last hidden layer is not finite")
    if not ((confidence[known] >= 0) & (confidence[known] <= 1)).all():
        problems.append("confidence outside [0, 1]")
    if not (M.sum(axis=1) >= 1).all() or not (M.sum(axis=0) >= 1).all():
        problems.append("M has a row or a column without a 1")
    if "dataset_key" not in call.keywords:
        parents = obs.loc[known, call.coarse_key].astype(object)
        if (parents.groupby(codes[known]).nunique() > 1).any():
            problems.append("a fine class lies in two coarse classes")
    return problems


def _contents(adata: AnnData, skip: tuple[str, ...]) -> bytes:
    """All that an object holds but the results under the keys of `skip`."""

    def own(name: str) -> bool:
        return any(name in (key, f"X_{key}") or name.startswith(f"{key}_") for key in skip)

    matrices: dict[Any, Any] = {"X": adata.X, **dict(adata.layers), **dict(adata.obsm)}
    tables: tuple[Any, Any] = (adata.obs, adata.var)
    frames = [frame[[name for name in frame if not own(str(name))]] for frame in tables]
    return pickle.dumps(
        (
            {str(name): _parts(matrix) for name, matrix in matrices.items() if not own(str(name))},
            [(list(frame), frame.index.tolist(), [str(kind) for kind in frame.dtypes]) for frame in frames],
            [repr(frame.to_dict("list")) for frame in frames],
            sorted(name for name in adata.uns if not own(name)),
        )
    )


def _parts(matrix: Any) -> Any:
    if sparse.issparse(matrix):
        return matrix.format, [part.tobytes() for part in (matrix.data, matrix.indices, matrix.indptr)]
    if isinstance(matrix, pd.DataFrame):
        return repr(matrix.to_dict("list"))
    values = np.asarray(matrix)
    return (
        str(values.dtype),
        values.shape,
        copy.deepcopy(values.tolist()) if values.dtype == object else values.tobytes(),
    )
