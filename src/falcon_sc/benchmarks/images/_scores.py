"""The scores of the benchmark on images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks.images._methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from falcon_sc.benchmarks.images._clusterings import Labeled, Outcome
    from falcon_sc.benchmarks.images._problem import Problem

SCORES = ("accuracy", "macro_accuracy", "ari")
INSIDE = ("inside_information", "inside_ari")


def score(problem: Problem, name: str, outcome: Outcome, seconds: float) -> list[dict[str, Any]]:
    """One method and seed: a row for each split that it labels."""
    setting, train, test = problem.setting, problem.train, problem.test
    common = {
        "method": name,
        "kind": METHODS[name].kind,
        "seed": problem.seed,
        "seconds": seconds,
        "images_per_second": setting.epochs * len(train) / seconds if METHODS[name].trains else None,
        "pretraining_images_per_second": problem.pretraining_speed,
        "n_train": len(train),
        "backbone": setting.backbone,
        "pretraining_epochs": setting.pretraining_epochs,
        "epochs": setting.epochs,
    }
    rows = []
    splits = {"train": outcome.train, "test": outcome.test, "test, coarse known": outcome.test_known}
    for split, labels in splits.items():
        if labels is None:
            continue
        row = common | {"split": split} | against_truth(labels, train if split == "train" else test)
        if split == "train":
            row |= edits(outcome, train)
        print(f"seed {problem.seed}, {name}, {split}: {slashed(row, (*SCORES, *INSIDE))}, {seconds:.1f} s", flush=True)
        rows.append(row)
    return rows


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


def slashed(values: Any, names: Sequence[str], spread: Any = None) -> str:
    """Values, with their spread over seeds if there is one."""
    if spread is None or spread.isna().any():  # of one seed there is none
        return " / ".join(f"{values[name]:.1f}" for name in names)
    return " / ".join(f"{values[name]:.1f} ± {spread[name]:.1f}" for name in names)
