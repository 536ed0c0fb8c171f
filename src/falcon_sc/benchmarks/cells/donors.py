"""Fine classes that are donors: how often they come about, with and without telling `discover` the donors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc import metrics
from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

_FILES = {"starmap, 3 mice": ("starmap_mpfc.h5ad", "batch"), "telencephalon": ("telencephalon.h5ad", "donor")}
_SIMULATION: dict[str, Any] = {"n_obs": 2000, "n_vars": 1000, "n_coarse": 5, "n_fine": 15, "gini": 0.5}
# name -> keywords of `datasets.simulate`
SIMULATIONS = {
    "simulated, donor effect 0.2": _SIMULATION,
    "simulated, donor effect 0.6": _SIMULATION | {"donor_effect": 0.6},
}
_ONE_DONOR = 0.9  # share of a class's cells from which on it is one donor's


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 3,
    simulations: Mapping[str, Mapping[str, Any]] = SIMULATIONS,
) -> pd.DataFrame:
    """Discover with and without `batch_key`, and count the cells that end in a fine class of one donor.

    Parameters
    ----------
    data
        Folder with `starmap_mpfc.h5ad` and `telencephalon.h5ad`; sets of one donor are left out. None: simulated
        cells only.
    out
        Folder for `donors.csv` (a row a run) and `donors_means.md`. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set.

    Returns
    -------
    A row for each data set, method ("fine labels": those of the data; "falcon_sc"; "falcon_sc, batch_key") and seed:
    ``accuracy``, ``macro_accuracy``, ``ari`` (per cent), ``one_donor`` (per cent of the cells in fine classes of
    which more than nine tenths are one donor's, in coarse classes where that donor has less than that) and
    ``donor_information`` (mutual information of fine class and donor inside the coarse classes, as a share of the
    donors' entropy there, per cent).

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1.
    FileNotFoundError
        If a data set is missing in `data`.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import donors
    >>> table = donors.run(seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    rows: list[dict[str, Any]] = []
    for name, seed, adata, fine in _problems(data, seeds, simulations):
        rows.append({"data": name, "method": "fine labels", "seed": seed, **_judge(fine, adata, fine)})
        for method, batch_key in (("falcon_sc", None), ("falcon_sc, batch_key", "donor")):
            labels = _discover(adata, len(np.unique(fine)), batch_key, seed)
            rows.append({"data": name, "method": method, "seed": seed, **_judge(labels, adata, fine)})
            print(f"{name}, seed {seed}, {method}: {rows[-1]['accuracy']:.1f}, {rows[-1]['one_donor']:.1f}", flush=True)
    table = pd.DataFrame(rows)
    means = table.drop(columns="seed").groupby(["data", "method"], sort=False).mean().reset_index()
    print(_tables.to_markdown(means))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        table.to_csv(out / "donors.csv", index=False)
        _tables.save(means, out, "donors_means")
    return table


def _problems(
    data: Path | None, seeds: int, simulations: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[str, int, AnnData, NDArray[np.str_]]]:
    import anndata
    import pandas as pd

    from falcon_sc.datasets import simulate

    for name, (file, key) in _FILES.items():
        if data is None:
            break
        adata = anndata.read_h5ad(data / file)
        fine = adata.obs["fine"].to_numpy(dtype=np.str_)
        adata.obs = pd.DataFrame({"coarse": adata.obs["coarse"], "donor": adata.obs[key]})
        if adata.obs["donor"].nunique() > 1:
            yield from ((name, seed, adata, fine) for seed in range(seeds))
    for name, settings in simulations.items():
        for seed in range(seeds):
            adata = simulate(**settings, rng=seed)
            fine = adata.obs["fine"].to_numpy(dtype=np.str_)
            adata.obs = pd.DataFrame({"coarse": adata.obs["coarse"], "donor": adata.obs["donor"]})
            yield name, seed, adata, fine


def _discover(adata: AnnData, n_fine: int, batch_key: str | None, seed: int) -> NDArray[np.str_]:
    from falcon_sc.tl import discover

    result = discover(adata, "coarse", n_fine, batch_key=batch_key, rng=seed, progress_bar=False, copy=True)
    if result is None:  # never: copy=True
        raise TypeError
    return result.obs["falcon_fine"].to_numpy(dtype=np.str_)


def _judge(labels: NDArray[np.str_], adata: AnnData, fine: NDArray[np.str_]) -> dict[str, float]:
    coarse, donor = (adata.obs[key].to_numpy(dtype=np.str_) for key in ("coarse", "donor"))
    return {
        "accuracy": 100 * metrics.clustering_accuracy(fine, labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(fine, labels),
        "ari": 100 * metrics.adjusted_rand_index(fine, labels),
        "one_donor": 100 * one_donor(labels, coarse, donor),
        "donor_information": 100 * donor_information(labels, coarse, donor),
    }


def one_donor(labels: NDArray[Any], coarse: NDArray[Any], donor: NDArray[Any]) -> float:
    """Share of the cells in classes that are one donor's although their coarse class is not."""
    cells = 0
    for name in np.unique(coarse):
        inside = coarse == name
        if _largest_share(donor[inside]) > _ONE_DONOR:
            continue
        for label in np.unique(labels[inside]):
            members = inside & (labels == label)
            if _largest_share(donor[members]) > _ONE_DONOR:
                cells += int(members.sum())
    return cells / len(labels)


def donor_information(labels: NDArray[Any], coarse: NDArray[Any], donor: NDArray[Any]) -> float:
    """I(class; donor | coarse class) / H(donor | coarse class); 0 where each coarse class has one donor."""
    from sklearn.metrics import mutual_info_score

    names = np.unique(coarse)
    information = sum((coarse == n).sum() * mutual_info_score(labels[coarse == n], donor[coarse == n]) for n in names)
    entropy = sum((coarse == n).sum() * mutual_info_score(donor[coarse == n], donor[coarse == n]) for n in names)
    return float(information / entropy) if entropy > 0 else 0.0


def _largest_share(donor: NDArray[Any]) -> float:
    return float(np.unique(donor, return_counts=True)[1].max() / len(donor))
