"""The data sets of the benchmark on cells: those of a folder, and simulated ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks._asked import whole_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData
    from numpy.typing import NDArray

    from falcon_sc._kinds import Values
    from falcon_sc.tl._inputs import Inputs

REAL, FEW_EXTRA, SIMULATED = "real", "few extra", "simulated"

FURTHER_LEVEL = "mid"  # of obs, where a file has labels between the coarse and the fine ones
_BASE: dict[str, Any] = {"n_obs": 2000, "n_vars": 1000, "n_coarse": 5, "n_fine": 15, "gini": 0.5, "difficulty": 1.0}
# name -> keywords of `datasets.simulate`; the names tell what differs from the first
SIMULATIONS: dict[str, dict[str, Any]] = {
    "simulated": _BASE,
    "difficulty 0.7": _BASE | {"difficulty": 0.7},
    "difficulty 1.4": _BASE | {"difficulty": 1.4},
    "equal sizes": _BASE | {"gini": 0.05},
    "gini 0.65": _BASE | {"gini": 0.65},
    "500 cells": _BASE | {"n_obs": 500},
    "5,000 cells": _BASE | {"n_obs": 5000},
}
_N_PCS = 50


@dataclass(frozen=True)
class Cells:
    """One data set, `adata`: raw counts with ``obs["coarse"]``, and what methods begin with, computed once for all.

    `values`: what `tl.discover` is told of the matrix, "continuous" where it has negative values, which are no counts.

    `fine`: only for scoring, oracles and bounds. `inputs`: what `tl.discover` makes of the counts. `scores`:
    50 principal components of the genes it chooses, n_obs x 50; `scaled_scores`: the same of genes scaled to unit
    variance. `seconds`: how long each of them took from the counts on.
    """

    name: str
    group: str
    adata: AnnData
    values: Values | None
    fine: NDArray[np.str_]
    inputs: Inputs
    scores: NDArray[np.float32]
    scaled_scores: NDArray[np.float32]
    cpu_seconds: Mapping[str, float]

    @property
    def coarse(self) -> NDArray[np.str_]:
        """Coarse label of each cell."""
        return self.adata.obs["coarse"].to_numpy(dtype=np.str_)

    @property
    def n_fine(self) -> int:
        """Total number of fine classes: what every method is told."""
        return len(np.unique(self.fine))

    @property
    def n_per_class(self) -> dict[str, int]:
        """The true number of fine classes of each coarse class: what only oracles are told."""
        return {str(name): len(np.unique(self.fine[self.coarse == name])) for name in np.unique(self.coarse)}


@dataclass(frozen=True)
class Source:
    """A data set before it is read: what another process, or a run that goes on, knows it by."""

    name: str
    group: str
    fine_key: str = "fine"
    path: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)  # of a simulation

    @property
    def about(self) -> str:
        """What tells it from another one of this name."""
        if self.path is None:
            return ", ".join(f"{key} {value}" for key, value in self.settings.items())
        return f"{self.path.name}, {self.path.stat().st_size} bytes"

    def cells(self, seed: int) -> Cells:
        """Read or simulate it; every seed gives other simulated cells."""
        import anndata

        if self.path is None:
            return simulated(self.name, self.settings, seed)
        return _cells(self.name, self.group, anndata.read_h5ad(self.path), self.fine_key)


def sources(data: Path | None, simulations: Mapping[str, Mapping[str, Any]], only: Sequence[str] = ()) -> list[Source]:
    """The data sets in the folder `data`, if there is one, and the simulated ones."""
    simulated_ones = [Source(name, SIMULATED, settings=settings) for name, settings in simulations.items()]
    return [*(() if data is None else _files(data, only)), *simulated_ones]


def problems(
    data: Path | None, seeds: int, simulations: Mapping[str, Mapping[str, Any]], only: Sequence[str] = ()
) -> Iterator[tuple[Cells, int]]:
    """Every data set with every seed: those in the folder `data`, if there is one, and the simulated ones."""
    for cells in real(data, only) if data is not None else ():
        for seed in range(seeds):
            yield cells, seed
    for name, settings in simulations.items():
        for seed in range(seeds):
            yield simulated(name, settings, seed), seed


def real(data: Path, only: Sequence[str] = ()) -> Iterator[Cells]:
    """Read the h5ad files in the folder `data` that have the columns `coarse` and `fine`, or those named in `only`."""
    for source in _files(data, only):
        yield source.cells(0)


def _files(data: Path, only: Sequence[str]) -> Iterator[Source]:
    """The data sets in a folder: those with both columns, or all of `only`."""
    import anndata

    for path in named(data, only):
        adata = anndata.read_h5ad(path, backed="r")
        columns = set(adata.obs)
        adata.file.close()
        if not {"coarse", "fine"} <= columns:
            if only:
                msg = f"only={path.stem!r}: {str(path)!r} lacks the columns 'coarse' and 'fine' of obs."
                raise ValueError(msg)
            continue
        yield Source(path.stem, REAL, "fine", path)
        if FURTHER_LEVEL in columns:
            yield Source(f"{path.stem} {FURTHER_LEVEL}", FEW_EXTRA, FURTHER_LEVEL, path)


def named(data: Path, only: Sequence[str]) -> list[Path]:
    """The h5ad files of a folder, all or those whose names (without .h5ad) are in `only`.

    Raises
    ------
    FileNotFoundError
        If there is none, or one of `only` is missing.
    """
    paths = {path.stem: path for path in sorted(data.glob("*.h5ad"))}
    names = whole_names(only, paths)
    missing = [name for name in names if name not in paths]
    if missing or not paths:
        what = f"no file {missing[0] + '.h5ad'!r}" if missing else "no h5ad file"
        msg = f"data={str(data)!r} has {what}, found {sorted(paths)}."
        raise FileNotFoundError(msg)
    return [paths[name] for name in names] or list(paths.values())


def simulated(name: str, settings: Mapping[str, Any], seed: int) -> Cells:
    """Simulate one of `SIMULATIONS`; every seed gives other cells."""
    from falcon_sc.datasets import simulate

    return _cells(name, SIMULATED, simulate(**settings, rng=seed), "fine")


def _cells(name: str, group: str, adata: AnnData, fine_key: str) -> Cells:
    """Methods get an object without any fine label."""
    from falcon_sc.tl._inputs import read_inputs

    fine = adata.obs[fine_key].to_numpy(dtype=np.str_)
    adata.obs = adata.obs[["coarse"]]
    matrix: Any = adata.X
    values: Values | None = "continuous" if matrix.min() < 0 else None  # arcsinh of cytometry, z-scores
    began = time.process_time()
    known = np.ones(adata.n_obs, dtype=bool)
    inputs = read_inputs(adata, known=known, layer=None, use_rep=None, n_top_genes=2000, batch=None, values=values)
    chosen = time.process_time()
    scores = _principal_components(adata, inputs.genes, normalize=values is None, scale=False)
    ended = time.process_time()
    scaled_scores = _principal_components(adata, inputs.genes, normalize=values is None, scale=True)
    cpu_seconds = {
        "counts": 0.0,
        "inputs": chosen - began,
        "scores": ended - began,
        "scaled_scores": chosen - began + time.process_time() - ended,
    }
    return Cells(name, group, adata, values, fine, inputs, scores, scaled_scores, cpu_seconds)


def _principal_components(
    adata: AnnData, genes: NDArray[np.bool_] | None, *, normalize: bool, scale: bool
) -> NDArray[np.float32]:
    """As people do with scanpy: of counts totals to their median and log1p; variable genes, scaled or not, 50 components.

    Not to 10,000 as in the paper: a cell of a panel has a few hundred counts, and their logarithms would be stretched.
    """
    import scanpy as sc

    normalized = adata.copy()
    if normalize:
        sc.pp.normalize_total(normalized)
        sc.pp.log1p(normalized)
    normalized = normalized[:, genes].copy()
    if scale:
        sc.pp.scale(normalized, max_value=10, zero_center=False)  # the components center
    sc.pp.pca(normalized, n_comps=min(_N_PCS, *(size - 1 for size in normalized.shape)))
    return np.asarray(normalized.obsm["X_pca"])
