"""Genes of the model that new cells lack: how many labels change when they are filled."""

from __future__ import annotations

import tempfile
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc import metrics
from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from falcon_sc.core.model import Falcon

_FILES = {"cbmc": "cbmc_citeseq.h5ad", "starmap": "starmap_mpfc.h5ad", "telencephalon": "telencephalon.h5ad"}
# name -> keywords of `datasets.simulate`
SIMULATIONS: dict[str, dict[str, Any]] = {
    "simulated": {"n_obs": 2000, "n_vars": 1000, "n_coarse": 5, "n_fine": 15, "gini": 0.5}
}
SHARES = (0.0, 0.01, 0.05, 0.2)
_HELD_OUT = 0.2  # of the cells


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 3,
    shares: Sequence[float] = SHARES,
    simulations: Mapping[str, Mapping[str, Any]] = SIMULATIONS,
    pbmc: bool = True,
) -> pd.DataFrame:
    """Predict a held-out fifth of the cells, whose coarse labels are given, without some of the genes of the model.

    The genes are dropped at random, or those first that vary most over the training cells, and filled with their mean
    over the training cells (what `predict` does), or with zeros.

    Parameters
    ----------
    data
        Folder with `cbmc_citeseq.h5ad`, `starmap_mpfc.h5ad` and `telencephalon.h5ad`. None: what ships or is simulated.
    out
        Folder for `missing_genes.csv` (a row a run) and `missing_genes_means.md`. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1: of the cells held out, of the run, and of the genes.
    shares
        Shares of the genes of the model that are dropped.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set.
    pbmc
        Whether to take the blood cells that ship with scanpy, which are log-normalized.

    Returns
    -------
    A row for each data set, way to drop, share, filling and seed: ``kept`` (per cent of the held-out cells with the
    label that they get with all genes), ``variance`` (per cent of the variance of the training cells in the genes that are
    missing), ``ari`` (adjusted Rand index with the fine classes of the data, per cent).

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1.

    Examples
    --------
    >>> from falcon_sc.benchmarks.robustness import missing_genes
    >>> table = missing_genes.run(seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    rows: list[dict[str, Any]] = []
    for name, seed, adata, fine in _problems(data, seeds, simulations, pbmc=pbmc):
        rng = np.random.default_rng(seed)
        held = np.isin(np.arange(adata.n_obs), rng.permutation(adata.n_obs)[: int(_HELD_OUT * adata.n_obs)])
        model = _fitted(adata[~held].copy(), len(np.unique(fine)), seed)
        dropped = _without(model, adata, held, fine, shares=shares, rng=rng)
        rows += [{"data": name, "seed": seed, **row} for row in dropped]
        print(f"{name}, seed {seed}: done", flush=True)
    table = pd.DataFrame(rows)
    groups = table.drop(columns="seed").groupby(["data", "dropped", "share", "filled_with"], sort=False)
    means = groups.agg(
        variance=("variance", "mean"), kept=("kept", "mean"), least_kept=("kept", "min"), ari=("ari", "mean")
    ).reset_index()
    print(_tables.to_markdown(means))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        table.to_csv(out / "missing_genes.csv", index=False)
        _tables.save(means, out, "missing_genes_means")
    return table


def _problems(
    data: Path | None, seeds: int, simulations: Mapping[str, Mapping[str, Any]], *, pbmc: bool
) -> Iterator[tuple[str, int, AnnData, NDArray[np.str_]]]:
    import anndata

    from falcon_sc.datasets import pbmc68k_reduced, simulate

    fixed = {"pbmc68k_reduced": pbmc68k_reduced()} if pbmc else {}
    if data is not None:
        fixed |= {name: anndata.read_h5ad(data / file) for name, file in _FILES.items()}
    for name, adata in fixed.items():
        fine = adata.obs["fine"].to_numpy(dtype=np.str_)
        adata.obs = adata.obs[["coarse"]]
        yield from ((name, seed, adata, fine) for seed in range(seeds))
    for name, settings in simulations.items():
        for seed in range(seeds):
            adata = simulate(**settings, rng=seed)
            fine = adata.obs["fine"].to_numpy(dtype=np.str_)
            adata.obs = adata.obs[["coarse"]]
            yield name, seed, adata, fine


def _fitted(adata: AnnData, n_fine: int, seed: int) -> Falcon:
    from falcon_sc.core.model import Falcon
    from falcon_sc.tl import discover

    with tempfile.TemporaryDirectory() as folder:
        discover(adata, "coarse", n_fine, rng=seed, progress_bar=False, save_model=folder)
        return Falcon.load(folder)


def _without(
    model: Falcon,
    adata: AnnData,
    held: NDArray[np.bool_],
    fine: NDArray[np.str_],
    *,
    shares: Sequence[float],
    rng: np.random.Generator,
) -> Iterator[dict[str, Any]]:
    """A row for each way to drop genes, each share of them and each filling."""
    import pandas as pd

    from falcon_sc.tl._model_genes import in_place
    from falcon_sc.tl._new_values import read_new_values
    from falcon_sc.tl._training_values import TrainingValues

    trained = TrainingValues.of_model(model)
    names = model.feature_names_in_
    if trained is None or names is None:  # never: discover keeps both
        raise TypeError
    position = adata.var_names.get_indexer(pd.Index(names))
    coarse = adata.obs["coarse"].to_numpy()[held]
    variances = trained.variances
    orders = {"at random": rng.permutation(names.size), "most variable": np.argsort(-variances)}
    whole = model.predict(read_new_values(adata[held], None, None, position, model)[0], coarse)
    for dropped, order in orders.items():
        for share in shares:
            missing = order[: round(share * names.size)]
            rest = adata[held, np.setdiff1d(np.arange(adata.n_vars), position[missing])]
            there = rest.var_names.get_indexer(pd.Index(names))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that totals are estimates
                features = read_new_values(rest, None, None, there[there >= 0], model)[0]
            for filled_with, fill in {"mean": trained.means, "zero": np.zeros(names.size)}.items():
                labels = model.predict(in_place(features, there, fill), coarse)
                yield {
                    "dropped": dropped,
                    "share": share,
                    "variance": 100 * float(variances[missing].sum() / variances.sum()),
                    "filled_with": filled_with,
                    "kept": 100 * float((labels == whole).mean()),
                    "ari": 100 * metrics.adjusted_rand_index(fine[held], labels.astype(np.str_)),
                }
