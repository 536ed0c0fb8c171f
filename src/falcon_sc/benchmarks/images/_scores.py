"""The scores of the benchmark on images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.images._clusterings import Labeled, Outcome

SCORES = ("accuracy", "macro_accuracy", "ari")
INSIDE = ("inside_information", "inside_ari")
# what a score is of, by its prefix
SPLITS = {"": "training", "test_": "test", "known_": "test, coarse known"}


def scores(outcome: Outcome, train: Labeled, test: Labeled | None) -> dict[str, Any]:
    """Of one run: `SCORES` and `INSIDE` of each split that it labeled, by the prefixes of `SPLITS`, and the edits of M."""
    found: dict[str, Any] = {}
    for prefix, labels in zip(SPLITS, (outcome.train, outcome.test, outcome.test_known), strict=True):
        part = test if prefix else train
        if labels is not None and part is not None:
            found |= {prefix + score: value for score, value in against_truth(labels, part).items()}
    return found | edits(outcome, train)


def against_truth(labels: NDArray[np.int64], data: Labeled) -> dict[str, float]:
    """The `SCORES` and those `INSIDE` the coarse classes, in per cent."""
    from falcon_sc import metrics

    return {
        "accuracy": 100 * float(metrics.clustering_accuracy(data.fine, labels)),
        "macro_accuracy": 100 * float(metrics.macro_accuracy(data.fine, labels)),
        "ari": 100 * float(metrics.adjusted_rand_index(data.fine, labels)),
        **_inside(labels, data.fine, data.coarse),
    }


def edits(outcome: Outcome, train: Labeled) -> dict[str, int]:
    """The graph edit distances of M; the published one only for as many fine classes as there are."""
    from falcon_sc.metrics import graph_edit_distance

    relation, truth = outcome.relation, train.relation
    if relation is None or outcome.train is None:
        return {}
    found = {
        "ged_iso": graph_edit_distance(relation, truth, kind="iso"),
        "ged_matched": graph_edit_distance(
            relation, truth, kind="matched", labels=outcome.train, labels_true=train.fine
        ),
    }
    if relation.shape == truth.shape:
        found["ged_falcon"] = graph_edit_distance(relation, truth)
    return found


def _inside(labels: NDArray[np.int64], fine: NDArray[np.int64], coarse: NDArray[np.int64]) -> dict[str, float]:
    """Means over the coarse classes of scores inside each: the sizes of the coarse classes do not add to them.

    The Rand index also rewards fine classes of the right sizes, the information hardly does.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

    parts = [coarse == c for c in np.unique(coarse)]
    return {
        name: 100 * float(np.mean([index(fine[part], labels[part]) for part in parts]))
        for name, index in zip(INSIDE, (adjusted_mutual_info_score, adjusted_rand_score), strict=True)
    }


def columns_of(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The columns with these scores, by the splits that they are of."""
    return {split: tuple(prefix + name for name in names) for prefix, split in SPLITS.items()}


def means(runs: pd.DataFrame, columns: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Means over runs, with their spread, of several scores in each column; "-" where a run has none."""
    line = {}
    for title, names in columns.items():
        values = runs.reindex(columns=list(names)).astype(float)
        line[title] = "-" if values.isna().any(axis=None) else slashed(values.mean(), names, values.std())
    return line


def slashed(values: Any, names: Sequence[str], spread: Any = None) -> str:
    """Values, with their spread over seeds if there is one."""
    if spread is None or spread.isna().any():  # of one seed there is none
        return " / ".join(f"{values[name]:.1f}" for name in names)
    return " / ".join(f"{values[name]:.1f} ± {spread[name]:.1f}" for name in names)
