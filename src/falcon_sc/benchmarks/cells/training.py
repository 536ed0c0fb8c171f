"""What training adds to the labels of the start: labels of cells it has not seen, and a confidence."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc import metrics
from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks.cells._data import REAL, SIMULATIONS, real, simulated
from falcon_sc.benchmarks.cells._spoil import parsed, spoiled
from falcon_sc.core.config import FalconConfig

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.cells._data import Cells
    from falcon_sc.core.fitting.outcome import Outcome

_HELD_OUT = 0.2  # of each coarse class
TRAININGS = {"network": FalconConfig(), "labels alone": FalconConfig(lambda_1=0, lambda_2=0, lambda_3=0)}


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 3,
    spoil: str | None = None,
    simulations: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """Discover in four fifths of the cells of every coarse class, and give the others their fine classes.

    The network is compared with one of the same length that learns the labels of the start alone (by cross-entropy,
    without the losses of eq. 10), and with carrying the labels of the very start it was trained from to the
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
    spoil
        ``"cells:10"``: a tenth of the cells of every coarse class is moved to another fine class of the start before the
        training, at random; ``"patches:10"``: cells with their neighbors.
    simulations
        Keywords of `falcon_sc.datasets.simulate` for each simulated set. Default: the first of `bench cells`.

    Returns
    -------
    A row for each data set, seed and method ("start, cells seen", "network, cells seen", "network, held out", the same
    for "labels alone", "1 nearest, held out", "15 nearest, held out"): ``accuracy``, ``macro_accuracy``, ``ari`` (per cent) and, for the
    network, ``confidence`` (mean, per cent; of cells seen that of :attr:`falcon_sc.Falcon.confidence_`, of cells held
    out the probability), ``confident_half`` and ``other_half`` (accuracy, per cent).

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1, or ``spoil`` is none of the ways.

    Examples
    --------
    >>> from falcon_sc.benchmarks.cells import training
    >>> table = training.run(seeds=1)  # doctest: +SKIP
    """
    import pandas as pd

    check_int(seeds, "seeds")
    if spoil is not None:
        parsed(spoil)
    rows: list[dict[str, Any]] = []
    for cells, seed in _problems(data, seeds, simulations):
        measured = _measure(cells, seed, spoil)
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


def _measure(cells: Cells, seed: int, spoil: str | None) -> list[dict[str, Any]]:
    """Genes and principal components are those of all cells, for every method."""
    from falcon_sc.core.data.batches import SameViews
    from falcon_sc.core.fitting.fit import learn
    from falcon_sc.core.fitting.initial import initialize
    from falcon_sc.core.fitting.prepare import prepare
    from falcon_sc.core.fitting.problem import Problem
    from falcon_sc.core.fitting.run import Run
    from falcon_sc.core.runtime.device import resolve_device
    from falcon_sc.core.start.input import StartInput

    codes, fine = (np.unique(names, return_inverse=True)[1] for names in (cells.coarse, cells.fine))
    held_out = _split(codes, seed)
    seen = ~held_out
    features = cells.inputs.features
    start_input = StartInput(cells.inputs.start.matrix[seen], cells.inputs.start.kind)
    problem = Problem.of(features[seen], codes[seen], cells.n_fine, start_input=start_input)
    run = Run(FalconConfig(), resolve_device(None), seed, None, SameViews(), None, progress_bar=False)
    start_rng, input_rng, _ = np.random.default_rng(seed).spawn(3)
    prepared = prepare(problem, run.config, run.device, input_rng)
    start = initialize(problem, prepared, run, start_rng, None)
    rows = [{"method": "start, cells seen", **_scores(np.asarray(start.labels), fine[seen])}]
    if spoil is not None:
        start = spoiled(start, problem.codes, *parsed(spoil), np.random.default_rng([seed, 2]))
        rows.append({"method": "start made wrong, cells seen", **_scores(np.asarray(start.labels), fine[seen])})
    for name, config in TRAININGS.items():
        _, near_rng, train_rng = np.random.default_rng(seed).spawn(3)  # the same draws for both
        own_run = replace(run, config=config)
        outcome = learn(problem, prepared, start, own_run, near_rng=near_rng, train_rng=train_rng)
        found, sure = _of_cells_seen(outcome)
        rows.append({"method": f"{name}, cells seen", **_judged(found, sure, fine[seen])})
        found, sure = _of_new_cells(outcome, features[held_out], codes[held_out])
        rows.append({"method": f"{name}, held out", **_judged(found, sure, fine[held_out])})
    for k in (1, 15):
        carried = _nearest(cells.scores, codes, seen, np.asarray(start.labels), k)
        rows.append({"method": f"{k} nearest, held out", **_scores(carried, fine[held_out])})
    return rows


def _of_cells_seen(outcome: Outcome) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels and confidence, as :class:`falcon_sc.Falcon` gives them."""
    from falcon_sc.core.state.found import Found

    own = outcome.labels
    seen = Found(outcome.proba, own, outcome.agreement, outcome.tree).through(outcome.fitted.classes)
    return seen.labels, seen.confidence


def _of_new_cells(
    outcome: Outcome, features: Any, codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels and their probability."""
    fitted = outcome.fitted
    proba = fitted.classes.pooled(fitted.probabilities(fitted.embed(fitted.project(features)), codes))
    return proba.argmax(axis=1), proba.max(axis=1)


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


def _judged(labels: NDArray[np.int64], confidence: NDArray[np.float32], truth: NDArray[Any]) -> dict[str, float]:
    return {**_scores(labels, truth), **_confidence(labels, confidence, truth)}


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
