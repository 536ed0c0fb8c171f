"""Odd AnnData objects and odd arguments, as users have them; everything follows from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from falcon_sc.benchmarks.robustness._ingredients import COLUMNS, EMBEDDINGS, FORMATS, VALUES, planted_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

COMMON = 0.9  # share of draws that take the ordinary choice, so that most objects are odd in one or two ways only


@dataclass(frozen=True)
class OddCall:
    """An object, and the keywords of `falcon_sc.tl.discover` beside it; `oddities` says what is not ordinary."""

    adata: AnnData
    coarse_key: Any
    n_fine: Any
    keywords: dict[str, Any]
    oddities: tuple[str, ...]


def odd_call(seed: int) -> OddCall:
    """The object and the arguments that belong to a seed."""
    from anndata import AnnData

    draw = _Draw(np.random.default_rng(seed))
    n_obs = draw("cells", 60, [0, 1, 2, 5, 23, 130])
    n_vars = draw("genes", 30, [0, 1, 3, 200])
    classes = draw.rng.integers(0, draw("classes", 3, [1, 2, 6]), n_obs)
    counts = planted_counts(draw.rng, classes, n_vars)
    values = draw("values", "counts", sorted(VALUES))
    matrix = FORMATS[draw("format", "csr", sorted(FORMATS))](_cast(draw, VALUES[values](counts, draw.rng)))
    obs = pd.DataFrame(index=_names(draw, "obs_names", "cell", n_obs))
    obs["coarse"] = _column(COLUMNS[draw("labels", "text", sorted(COLUMNS))](classes, draw.rng), obs.index)
    obs["donor"] = _column(draw.rng.integers(0, 2, n_obs).astype(str), obs.index)
    obs["half"] = _column([None if missing else "a" for missing in draw.rng.random(n_obs) < 0.5], obs.index)
    adata = AnnData(matrix, obs=obs, var=pd.DataFrame(index=_names(draw, "var_names", "gene", n_vars)))
    adata.layers["counts"] = sparse.csr_matrix(counts)
    adata.obsm["X_pca"] = EMBEDDINGS[draw("embedding", "floats", sorted(EMBEDDINGS))](classes, draw.rng, obs.index)
    if draw("view", "no", ["yes"]) == "yes":
        adata = adata[draw.rng.permutation(n_obs)[: max(n_obs - 2, 0)]]
    coarse_key = draw("coarse_key", "coarse", ["missing", "half", "donor", 3])
    n_fine = _number(draw, np.unique(classes), adata)
    return OddCall(adata, coarse_key, n_fine, _keywords(draw), tuple(draw.oddities))


class _Draw:
    """Mostly the ordinary value, and a note of what is not."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.oddities: list[str] = []

    def __call__(self, what: str, ordinary: Any, odd: Sequence[Any]) -> Any:
        if self.rng.random() < COMMON:
            return ordinary
        value = odd[int(self.rng.integers(len(odd)))]
        self.oddities.append(f"{what}={value!r}"[:80])
        return value


def _cast(draw: _Draw, values: np.ndarray) -> np.ndarray:
    """The values in another type of numbers, where they fit into it."""
    dtype = draw(
        "dtype", "float32", ["float64", "float16", "int32", "int64", "uint8", "uint64", "bool", "object", "U3"]
    )
    with np.errstate(all="ignore"):
        return values.astype(dtype)


def _column(values: Any, index: pd.Index) -> pd.Series:
    return pd.Series(values, index=index) if len(index) else pd.Series([], index=index, dtype=object)


def _names(draw: _Draw, what: str, stem: str, n: int) -> pd.Index:
    kind = draw(what, "unique", ["repeated", "empty text", "unicode"])
    names = [f"{stem}{i}" for i in range(n)]
    if kind == "repeated" and n > 1:
        names[1] = names[0]
    if kind == "empty text" and n:
        names[0] = ""
    if kind == "unicode":
        names = [f"µ/{name} " for name in names]
    return pd.Index(names, dtype=object)


def _number(draw: _Draw, codes: np.ndarray, adata: AnnData) -> Any:
    """A number of fine classes, or what people give in its place."""
    kind = draw(
        "n_fine", "int", ["mapping", "series", "numpy", "float", "text", "none", "bool", "small", "large", "auto"]
    )
    labels = adata.obs["coarse"].dropna().unique().tolist()
    return {
        "int": 2 * len(labels) + 1,
        "mapping": dict.fromkeys(labels, 2),
        "series": pd.Series(2, index=pd.Index(labels, dtype=object)),
        "numpy": np.int32(len(labels) + 2),
        "float": 6.0,
        "text": "six",
        "none": None,
        "bool": True,
        "small": 0,
        "large": adata.n_obs + 1,
        "auto": "auto" if adata.n_obs < 80 else len(codes) + 2,  # it tries many numbers: on few cells only
    }[kind]


def _keywords(draw: _Draw) -> dict[str, Any]:
    """Keywords other than the defaults."""
    odd: dict[str, list[Any]] = {
        "layer": ["counts", "missing"],
        "use_rep": ["X_pca", "missing"],
        "batch_key": ["donor", "half", "missing"],
        "dataset_key": ["donor", "half"],
        "n_top_genes": [1, 10, 0, "many"],
        "n_neighbors": [1, 3, 0, 500],
        "batch_size": [8, 1, -1],
        "lr": [1e-2, -1.0],
        "relation_solver": ["flow", "cplex"],
        "rng": [7, None, -1, "seed"],
        "key_added": ["sub", "a/b", "", "pca"],
        "device": ["abacus"],
        "copy": [True],
    }
    marker = object()
    given = {name: draw(name, marker, values) for name, values in odd.items() if draw.rng.random() < 0.5}
    return {name: value for name, value in given.items() if value is not marker}
