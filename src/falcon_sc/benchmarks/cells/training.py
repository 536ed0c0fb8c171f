"""What training adds to the labels of the start: labels of cells it has not seen, and a confidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc import metrics
from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.cells._data import REAL, SIMULATIONS, real, simulated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.cells._data import Cells

_HELD_OUT = 0.2  # of each coarse class


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 3,
    simulations: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """Discover in four fifths of the cells of every coarse class, and give the others their fine classes.

    The network's predictions are compared with carrying the labels of the very start it was trained from to the
    nearest cells (of the same coarse class, among the 1 or 15 nearest in 50 principal components). The confidence is
    judged by the accuracy of the more confident half of the cells and of the other half.

    Parameters
    ----------
    data
        Folder with the real data sets, see :func:`falcon_sc.benchmarks.cells.cells.run`. None: simulated cells only.
    out
        Folder for `training.csv` (a row a run) and `training_means.md`. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1, of the split and of the method.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set. Default: the first of `bench cells`.

    Returns
    -------
    A row for each data set, seed and method ("start, cells seen", "network, cells seen", "network, held out",
    "1 nearest, held out", "15 nearest, held out"): ``accuracy``, ``macro_accuracy``, ``ari`` (per cent) and, for the
    network, ``confidence`` (mean, per cent; of cells seen that of :attr:`falcon_sc.Falcon.confidence_`, of cells held
    out the probability), ``confident_half`` and ``other_half`` (accuracy, per cent).

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import training
    >>> table = training.run(seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    rows: list[dict[str, Any]] = []
    for cells, seed in _problems(data, seeds, simulations):
        measured = _measure(cells, seed)
        rows += [{"data": cells.name, "seed": seed, **row} for row in measured]
        for row in measured:
            print(f"{cells.name}, seed {seed}, {row['method']}: {row['accuracy']:.1f}", flush=True)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(out / "training.csv", index=False)
    table = pd.DataFrame(rows)
    means = table.drop(columns="seed").groupby(["data", "method"], sort=False).mean().reset_index()
    print(_tables.to_markdown(means))
    if out is not None:
        _tables.save(means, out, "training_means")
    return table


def _problems(
    data: Path | None, seeds: int, simulations: Mapping[str, Mapping[str, Any]] | None
) -> Iterator[tuple[Cells, int]]:
    for cells in real(data) if data is not None else ():
        if cells.group == REAL:
            yield from ((cells, seed) for seed in range(seeds))
    if simulations is None:
        simulations = dict(list(SIMULATIONS.items())[:1])
    for name, settings in simulations.items():
        yield from ((simulated(name, settings, seed), seed) for seed in range(seeds))


def _measure(cells: Cells, seed: int) -> list[dict[str, Any]]:
    """Genes and principal components are those of all cells, for every method."""
    from falcon_sc.core.model import Falcon
    from falcon_sc.core.start.input import StartInput

    codes, fine = (np.unique(names, return_inverse=True)[1] for names in (cells.coarse, cells.fine))
    held_out = _split(codes, seed)
    seen = ~held_out
    inputs = cells.inputs
    model = Falcon(cells.n_fine, rng=seed)
    start_input = StartInput(inputs.start.matrix[seen], inputs.start.kind)
    start = model.fit(inputs.features[seen], codes[seen], start_input=start_input).start_labels_
    assert start is not None  # the default start is a consensus, which has labels
    proba = model.predict_proba(inputs.features[held_out], codes[held_out])
    rows = [
        {"method": "start, cells seen", **_scores(start, fine[seen])},
        {
            "method": "network, cells seen",
            **_scores(model.labels_, fine[seen]),
            **_confidence(model.labels_, model.confidence_, fine[seen]),
        },
        {
            "method": "network, held out",
            **_scores(proba.argmax(axis=1), fine[held_out]),
            **_confidence(proba.argmax(axis=1), proba.max(axis=1), fine[held_out]),
        },
    ]
    for k in (1, 15):
        labels = _nearest(cells.scores, codes, seen, start, k)
        rows.append({"method": f"{k} nearest, held out", **_scores(labels, fine[held_out])})
    return rows


def _split(codes: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """Held-out cells: a fifth of each coarse class."""
    rng = np.random.default_rng([seed, 1])
    held_out = np.zeros(len(codes), dtype=bool)
    for c in range(codes.max() + 1):
        members = np.flatnonzero(codes == c)
        held_out[rng.choice(members, int(_HELD_OUT * len(members)), replace=False)] = True
    return held_out


def _nearest(
    scores: NDArray[np.float32], codes: NDArray[np.int64], seen: NDArray[np.bool_], labels: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    """Most frequent label among the `k` nearest seen cells of the same coarse class, for the cells held out."""
    from sklearn.neighbors import KNeighborsClassifier

    predicted = np.full(len(codes), -1)
    predicted[seen] = labels
    for c in range(codes.max() + 1):
        known, asked = seen & (codes == c), ~seen & (codes == c)
        if asked.any():
            model = KNeighborsClassifier(min(k, int(known.sum()))).fit(scores[known], predicted[known])
            predicted[asked] = model.predict(scores[asked])
    return predicted[~seen]


def _scores(labels: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    return {
        "accuracy": 100 * metrics.clustering_accuracy(truth, labels),
        "macro_accuracy": 100 * metrics.macro_accuracy(truth, labels),
        "ari": 100 * metrics.adjusted_rand_index(truth, labels),
    }


def _confidence(labels: NDArray[np.int64], confidence: NDArray[np.float32], truth: NDArray[Any]) -> dict[str, float]:
    """Accuracy of the more and of the less confident half, with one matching of the classes for both."""
    from scipy.optimize import linear_sum_assignment

    table = np.zeros((labels.max() + 1, truth.max() + 1))
    np.add.at(table, (labels, truth), 1)
    name_of = np.full(len(table), -1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    name_of[rows] = columns
    right = (name_of[labels] == truth)[np.argsort(-confidence, kind="stable")]
    half = len(right) // 2
    return {
        "confidence": 100 * float(confidence.mean()),
        "confident_half": 100 * float(right[:half].mean()),
        "other_half": 100 * float(right[half:].mean()),
    }
