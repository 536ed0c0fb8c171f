"""What it is worth to know the numbers of fine classes of some coarse classes, and what the confidence is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc import metrics
from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.cells._data import SIMULATIONS, problems
from falcon_sc.core.start.allocation import largest_gains

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.cells._data import Cells
    from falcon_sc.core.start.start import Start
    from falcon_sc.core.start.tree.forest import Tree

N_FIXED = (0, 1, 2, 3)
NOBODY, EVIDENCE, SIZE = "-", "evidence", "size"  # what says which coarse classes are told


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 3,
    simulations: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] = (),
    quick: bool = False,
) -> pd.DataFrame:
    """Labels of the start, told the total, and the true numbers of up to 3 coarse classes; the others share the rest out.

    Which coarse classes these are is said by the evidence (:func:`by_evidence`) or by their size: never by a fine label.

    Parameters
    ----------
    data
        Folder with the data sets, as for `falcon_sc.benchmarks.cells.cells`. None: simulated cells only.
    out
        Folder for `splits.csv` (a row a run), `splits_means.csv` and `splits_means.md`. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1, of the start, and of the cells of the simulated sets.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set. Default: the first of `bench cells`.
    only
        Names of files in `data`, without ``.h5ad``; then no cells are simulated. Empty: all of them.
    quick
        Move the cut through the tree, as `falcon_sc.tl.cut` does, where the tree goes deep enough; otherwise the start is run again
        with the numbers, as `falcon_sc.tl.discover` does with `fixed`.

    Returns
    -------
    A row for each data set, seed, ``n_fixed`` (coarse classes whose true number is given; no more than there are) and
    ``chosen_by`` ("-" where none is): ``false_splits`` and ``missed_splits`` (fine classes too many and too few, summed over the
    coarse classes), ``accuracy``, ``macro_accuracy`` and ``ari`` (per cent), and, where no number is given, ``confident_half`` and
    ``other_half``: the share of cells that are right in the more and in the less confident half (per cent).

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1.
    FileNotFoundError
        If there is no file in `data`, or one of `only` is missing.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import splits
    >>> table = splits.run(seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    if simulations is None:
        simulations = dict(list(SIMULATIONS.items())[:1])
    rows: list[dict[str, Any]] = []
    for cells, seed in problems(data, seeds, {} if only else simulations, only):
        for row in _measure(cells, seed, quick=quick):
            rows.append({"data": cells.name, "seed": seed, **row})
            print(rows[-1], flush=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(out / "splits.csv", index=False)
    table = pd.DataFrame(rows)
    means = table.drop(columns="seed").groupby(["data", "n_fixed", "chosen_by"], sort=False).mean().reset_index()
    print(_tables.to_markdown(means))
    if out is not None:
        _tables.save(means, out, "splits_means")
    return table


def _measure(cells: Cells, seed: int, *, quick: bool) -> list[dict[str, Any]]:
    """The rows of one data set and seed."""
    from falcon_sc.core.start.consensus_start import consensus_start

    names, codes = np.unique(cells.coarse, return_inverse=True)
    true = np.array([cells.n_per_class[str(name)] for name in names])
    start = consensus_start(cells.inputs.start, codes, cells.n_fine, rng=seed, leaves_per_class=2)
    scores: dict[bytes, dict[str, Any]] = {}  # of what was done so far, by the numbers that are given

    def told(which: NDArray[np.int64]) -> dict[str, Any]:
        fixed = np.zeros(len(names), dtype=np.int64)
        fixed[which] = true[which]
        if fixed.tobytes() not in scores:
            labels = moved(start, fixed, cells.n_fine) if quick else None
            if labels is None:
                labels = consensus_start(cells.inputs.start, codes, cells.n_fine, fixed=fixed, rng=seed).labels
            scores[fixed.tobytes()] = _scores(labels, codes, cells.fine, true)
        return scores[fixed.tobytes()]

    rows = [
        {"n_fixed": 0, "chosen_by": NOBODY}
        | _scores(start.labels, codes, cells.fine, true)
        | _halves(start, cells.fine, seed)
    ]
    orders = {SIZE: np.argsort(-np.bincount(codes), kind="stable")}
    if start.tree is not None:
        orders[EVIDENCE] = by_evidence(start.tree, len(names))
    for n_fixed in N_FIXED[1 : len(names) + 1]:
        rows += [
            {"n_fixed": n_fixed, "chosen_by": chosen_by, **told(order[:n_fixed])} for chosen_by, order in orders.items()
        ]
    return rows


def moved(start: Start, fixed: NDArray[np.int64], n_fine: int) -> NDArray[np.int64] | None:
    """Labels of a cut with some numbers fixed (K_C, 0 for the others); None where the tree does not go that deep."""
    tree = start.tree
    if tree is None:
        return None
    free = np.flatnonzero(fixed == 0)
    numbers, n_extra = fixed.copy(), n_fine - int(fixed.sum()) - len(free)
    gains = [tree.gain[own[np.argsort(tree.opens_at[own])]] for own in (np.flatnonzero(tree.coarse == c) for c in free)]
    too_deep = (fixed > np.bincount(tree.leaf_coarse)).any() or n_extra > sum(len(own) for own in gains)
    if too_deep:
        return None
    if len(free):
        numbers[free] = largest_gains(gains, n_extra)
    return np.asarray(tree.at(numbers)[start.leaves])


def by_evidence(tree: Tree, n_coarse: int) -> NDArray[np.int64]:
    """The coarse classes (K_C) in the order in which a person should be asked how many fine classes they have.

    First the one with the least supported split among those that are made: that is the likeliest to be false, and in a given total
    a false one means that another is missed. Of the classes that are not split the one comes first whose split has most support.
    This order mends more numbers of simulated cells than others that were tried.
    """
    support, made = tree.support, tree.made()
    weakest, strongest = np.full(n_coarse, np.inf), np.zeros(n_coarse)
    np.minimum.at(weakest, tree.coarse[made], support[made])
    np.maximum.at(strongest, tree.coarse[~made], support[~made])
    return np.lexsort((-strongest, weakest))


def _scores(
    labels: NDArray[np.int64] | None, codes: NDArray[np.int64], fine: NDArray[np.str_], true: NDArray[np.int64]
) -> dict[str, Any]:
    """Wrong numbers, and how good the labels are."""
    assert labels is not None  # a consensus always has some
    excess = np.array([len(np.unique(labels[codes == c])) for c in range(len(true))]) - true
    return {
        "false_splits": int(excess.clip(min=0).sum()),
        "missed_splits": int((-excess).clip(min=0).sum()),
        "accuracy": 100 * metrics.clustering_accuracy(fine, labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(fine, labels),
        "ari": 100 * metrics.adjusted_rand_index(fine, labels),
    }


def _halves(start: Start, fine: NDArray[np.str_], seed: int) -> dict[str, float]:
    """Accuracy of the more and of the less confident half of the cells; which of equally confident ones is drawn."""
    assert start.labels is not None
    partner = metrics.match_classes(fine, start.labels)
    is_right = np.array([partner.get(label) == own for label, own in zip(start.labels.tolist(), fine, strict=True)])
    order = np.lexsort((np.random.default_rng(seed).random(len(fine)), -confidence(start)))
    confident, other = is_right[order[: len(fine) // 2]], is_right[order[len(fine) // 2 :]]
    return {"confident_half": 100 * float(confident.mean()), "other_half": 100 * float(other.mean())}


def confidence(start: Start) -> NDArray[np.float32]:
    """Confidence of the labels of a start (n,), as `discover` has it of a network that says the same."""
    from falcon_sc.core.state.decisions import FineClasses
    from falcon_sc.core.state.found import Found

    outputs = start.output_labels
    assert outputs is not None
    assert start.agreement is not None
    members, leaf_relation = start.class_of_output, start.relation
    if members is None or start.tree is None:
        members = np.arange(len(start.relation))
    else:
        leaf_relation = start.relation[members]
    found = Found(np.eye(len(members), dtype=np.float32)[outputs], outputs, start.agreement, start.tree)
    return found.through(FineClasses.of_leaves(range(len(start.relation)), leaf_relation, members)).confidence
