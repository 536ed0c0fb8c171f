"""Does the evidence for splits tell kinds of cells from noise? On simulated cells, where it is known what is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from numpy.typing import NDArray

    from falcon_sc.core.start.input import StartInput
    from falcon_sc.core.start.tree.splits import Splits

ONE_TYPE, PLANTED = "one type", "planted"
COUNTS, WITH_BATCH, COMPONENTS = "counts", "counts, donors told", "30 components"

N_VARS = 2000
SIZES, DEPTHS = (50, 100, 300, 1000, 5000), (1000, 3000, 10_000)  # cells of a coarse class, molecules of a cell
MANY, FEW, FEW_FROM = 8, 4, 1000  # coarse classes of a set; fewer where they are large
PLANTED_SIZES, DIFFICULTIES = (300, 1000, 3000), (0.7, 1.0, 1.4)
N_COARSE, N_FINE = 4, 14
N_COMPONENTS = 30
SEPARATES = 0.5  # balanced accuracy between two types, chance taken off

QUICK: dict[str, Any] = {"sizes": (100, 300), "depths": (3000,), "planted_sizes": (300,), "difficulties": (0.7,)}


def run(
    *,
    out: Path | None = None,
    seeds: int = 2,
    quick: bool = False,
    n_vars: int = N_VARS,
    sizes: Sequence[int] = SIZES,
    depths: Sequence[int] = DEPTHS,
    planted_sizes: Sequence[int] = PLANTED_SIZES,
    difficulties: Sequence[float] = DIFFICULTIES,
) -> pd.DataFrame:
    """Estimate numbers of fine classes where there is one type in each coarse class, and where there are several.

    The cells have three donors. Those of one type come as counts, with and without the donors, and as their first 30 principal
    components, which have no molecules to compare.

    Parameters
    ----------
    out
        Folder for `evidence.csv` (a row a run), `evidence_one_type` and `evidence_planted` (summaries, CSV and Markdown).
        None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1, of the cells and of the estimate.
    quick
        A minute's worth: sizes 100 and 300, 3,000 molecules; planted ones of 300 cells and difficulty 0.7.
    n_vars
        Genes.
    sizes, depths
        Mean numbers of cells of a coarse class of one type, and of molecules of a cell.
    planted_sizes, difficulties
        Mean numbers of cells of a coarse class that holds several types, and `difficulty` of
        :func:`falcon_sc.datasets.simulate`.

    Returns
    -------
    A row a run: ``cells`` ("one type" or "planted"), ``values``, ``cells_per_class``, ``mean_counts``, ``difficulty`` (NaN where
    there is one type), ``seed``, ``n_coarse``, ``planted`` and ``found`` (fine classes), ``divided`` (coarse classes with more
    than one), ``supported`` (splits), ``right`` (of these, those between two types: the type with most cells differs between
    the sides, and the balanced accuracy between these two is above 3/4) and ``seconds``.

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import evidence
    >>> table = evidence.run(seeds=1, quick=True)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    if quick:
        sizes, depths, planted_sizes, difficulties = QUICK.values()
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        problems = [
            *_of_one_type(seed, n_vars, sizes, depths),
            *_planted(seed, n_vars, planted_sizes, difficulties),
        ]
        for about, simulation, all_values in problems:
            rows += _measure({**about, "seed": seed}, simulation, all_values)
            if out is not None:
                out.mkdir(parents=True, exist_ok=True)
                pd.DataFrame(rows).to_csv(out / "evidence.csv", index=False)
    table = pd.DataFrame(rows)
    for name, summary in (("one_type", summarize_one_type(table)), ("planted", summarize_planted(table))):
        print(_tables.to_markdown(summary))
        if out is not None:
            _tables.save(summary, out, f"evidence_{name}")
    return table


Problem = tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]


def _of_one_type(seed: int, n_vars: int, sizes: Sequence[int], depths: Sequence[int]) -> Iterator[Problem]:
    for size in sizes:
        n_coarse = FEW if size >= FEW_FROM else MANY
        for depth in depths:
            about = {"cells": ONE_TYPE, "cells_per_class": size, "mean_counts": depth, "difficulty": np.nan}
            simulation = {"n_coarse": n_coarse, "n_fine": n_coarse, "gini": 0.1, "mean_counts": depth}
            numbers = {"n_obs": size * n_coarse, "n_vars": n_vars, "rng": 100 + seed + size}
            yield about, simulation | numbers, (COUNTS, WITH_BATCH, COMPONENTS)


def _planted(seed: int, n_vars: int, sizes: Sequence[int], difficulties: Sequence[float]) -> Iterator[Problem]:
    for size in sizes:
        for difficulty in difficulties:
            about = {"cells": PLANTED, "cells_per_class": size, "mean_counts": 3000, "difficulty": difficulty}
            simulation = {"n_coarse": N_COARSE, "n_fine": N_FINE, "gini": 0.4, "difficulty": difficulty}
            yield about, simulation | {"n_obs": size * N_COARSE, "n_vars": n_vars, "rng": 7 + seed}, (COUNTS,)


def _measure(about: dict[str, Any], simulation: dict[str, Any], all_values: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of one simulated set."""
    from falcon_sc.core.start.estimation import estimate_numbers
    from falcon_sc.datasets import simulate

    adata = simulate(**simulation)
    coarse, fine = (adata.obs[name].cat.codes.to_numpy(dtype=np.int64) for name in ("coarse", "fine"))
    rows = []
    for values in all_values:
        began = time.perf_counter()
        found = estimate_numbers(_start_input(adata, values), coarse, rng=about["seed"])
        seconds = time.perf_counter() - began
        judged = [_judge(own, fine[coarse == c]) for c, own in enumerate(found.splits)]
        numbers = {
            "n_coarse": simulation["n_coarse"],
            "planted": simulation["n_fine"],
            "found": int(found.estimate.sum()),
            "divided": int((found.estimate > 1).sum()),
            "supported": sum(len(own) for own in judged),
            "right": sum(int(own.sum()) for own in judged),
        }
        rows.append({"values": values, **about, **numbers, "seconds": seconds})
        print(rows[-1], flush=True)
    return rows


def _start_input(adata: AnnData, values: str) -> StartInput:
    from falcon_sc.core.start.input import StartInput

    if values == COMPONENTS:
        return StartInput(_components(adata), "embedding")
    return StartInput(adata.X, "counts", adata.obs["donor"].cat.codes.to_numpy() if values == WITH_BATCH else None)


def _components(adata: AnnData) -> NDArray[np.float32]:
    import scanpy as sc

    normalized = adata.copy()
    sc.pp.normalize_total(normalized, target_sum=1e4)
    sc.pp.log1p(normalized)
    sc.pp.pca(normalized, n_comps=min(N_COMPONENTS, *(size - 1 for size in adata.shape)))
    return np.asarray(normalized.obsm["X_pca"], dtype=np.float32)


def _judge(splits: Splits | None, fine: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each supported split of a coarse class is right. `fine`: types of its cells (n,)."""
    if splits is None:
        return np.empty(0, dtype=bool)
    tree, n_leaves = splits.tree, len(splits.tree.classes)
    counts = np.zeros((n_leaves + len(tree.joins), int(fine.max()) + 1), dtype=np.int64)  # by node and type
    np.add.at(counts, (tree.leaves, fine), 1)
    for split, (left, right) in enumerate(tree.joins):
        counts[n_leaves + split] = counts[left] + counts[right]
    right = [is_between_types(*counts[joined]) for joined in tree.joins]
    return np.array(right, dtype=bool)[splits.evidence.supported]


def is_between_types(left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    """Whether a split with these cells of each type on its sides parts two types."""
    here, there = int(left.argmax()), int(right.argmax())
    if here == there:
        return False
    both = left + right
    return bool(left[here] / both[here] + right[there] / both[there] - 1 > SEPARATES)


def summarize_one_type(table: pd.DataFrame) -> pd.DataFrame:
    """Share of the coarse classes that are divided, per cent, for each kind of values and size, and for all sizes."""
    import pandas as pd

    own = table[table["cells"] == ONE_TYPE]
    rows = []
    for values, of_values in own.groupby("values", sort=False):
        for size, some in [*of_values.groupby("cells_per_class"), ("all", of_values)]:
            by_depth = {f"{depth:,} molecules": _divided(part) for depth, part in some.groupby("mean_counts")}
            n = int(some["n_coarse"].sum())
            rows.append(
                {"values": values, "cells_per_class": size, "classes": n, **by_depth, "divided %": _divided(some)}
            )
    return pd.DataFrame(rows)


def _divided(rows: pd.DataFrame) -> float:
    return float(100 * rows["divided"].sum() / rows["n_coarse"].sum())


def summarize_planted(table: pd.DataFrame) -> pd.DataFrame:
    """Fine classes found (mean over seeds), supported splits, and the share of them that is right, per cent."""
    grouped = table[table["cells"] == PLANTED].groupby(["cells_per_class", "difficulty"], sort=False)
    summary = grouped[["planted", "found", "supported", "right"]].mean()
    summary["right %"] = 100 * summary.pop("right") / summary["supported"]
    return summary.reset_index()
