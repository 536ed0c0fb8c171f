"""The table of the fine-tuning benchmark, and what it says of the features that a training left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.benchmarks.images._scores import INSIDE, SPLITS, columns_of, means

if TYPE_CHECKING:
    import pandas as pd

    from falcon_sc.benchmarks.images._clusterings import Outcome
    from falcon_sc.benchmarks.images._problem import Problem

SCORES = ("accuracy", "ari")


def of_training(problem: Problem, outcome: Outcome) -> dict[str, float]:
    """What the training of a model was, and what became of the features."""
    from falcon_sc import metrics
    from falcon_sc.baselines import FairKMeans
    from falcon_sc.vision import image_samples

    model = outcome.model
    if model is None:
        return {}
    history, train, test = model.history_, problem.train, problem.test
    numbers: dict[str, float] = {
        "iterations": int(history["iteration"][-1]),
        "relation_updates": int(history["relation_updates"].sum()),
        "relation_changes": int(history["relation_changes"].sum()),
        "n_used": int(history["n_used"][-1]),
    }
    told = dict(enumerate(train.relation.sum(axis=0).tolist()))
    after = {
        "": (model.embedding_, train),
        "test_": (model.transform(image_samples(test.images, device=problem.device)), test),
    }
    for part, (features, images) in after.items():
        labels = FairKMeans(told, rng=problem.seed).fit(features, images.coarse).labels_
        numbers[f"features_{part}accuracy"] = 100 * float(metrics.clustering_accuracy(images.fine, labels))
    return numbers


def by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Methods as rows: accuracy and ARI of each split, inside the coarse classes, K-Means on the features; means and spreads."""
    import pandas as pd

    splits, inside = columns_of(SCORES), columns_of(INSIDE)
    known = SPLITS["known_"]
    columns: dict[str, tuple[str, ...]] = {
        **splits,
        "training, inside": inside[SPLITS[""]],
        f"{known}, inside": inside[known],
        "K-Means on its features": ("features_accuracy", "features_test_accuracy"),
    }
    lines = []
    for name, part in table.groupby("method", sort=False):
        line: dict[str, Any] = {"method": name, **means(part, columns)}
        for count in ("iterations", "relation_updates", "relation_changes", "n_used", "cpu_seconds"):
            line[count] = float(part[count].mean()) if count in part else float("nan")
        lines.append(line)
    return pd.DataFrame(lines)
