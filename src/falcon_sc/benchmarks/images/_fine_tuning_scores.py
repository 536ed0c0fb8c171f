"""The scores of the fine-tuning benchmark: of the labels, and of the features that a training left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.benchmarks.images._fine_tuned import FINE_TUNED
from falcon_sc.benchmarks.images._scores import INSIDE, _inside, slashed

if TYPE_CHECKING:
    import pandas as pd

    from falcon_sc.benchmarks.images._clusterings import Outcome
    from falcon_sc.benchmarks.images._problem import Problem

SCORES = ("accuracy", "ari")


def score(problem: Problem, name: str, outcome: Outcome, spent: dict[str, float]) -> list[dict[str, Any]]:
    """One method and seed: a row for each split that it labels."""
    from falcon_sc import metrics

    train, test = problem.train, problem.test
    common = {"method": name, "kind": FINE_TUNED[name].kind, "seed": problem.seed} | spent | _training(problem, outcome)
    rows = []
    for split, labels in (("train", outcome.train), ("test", outcome.test), ("test, coarse known", outcome.test_known)):
        if labels is None:
            continue
        part = train if split == "train" else test
        row = common | {
            "split": split,
            "accuracy": 100 * float(metrics.clustering_accuracy(part.fine, labels)),
            "ari": 100 * float(metrics.adjusted_rand_index(part.fine, labels)),
        }
        row |= _inside(labels, part.fine, part.coarse)
        scores = slashed(row, (*SCORES, *INSIDE))
        print(f"seed {problem.seed}, {name}, {split}: {scores}, {spent['cpu_seconds']:.0f} s of CPU", flush=True)
        rows.append(row)
    return rows


def _training(problem: Problem, outcome: Outcome) -> dict[str, float]:
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

    whole = ("features_accuracy", "features_test_accuracy")
    table = table.reindex(columns=[*table.columns, *(name for name in whole if name not in table)])
    lines = []
    for name, part in table.groupby("method", sort=False):
        line: dict[str, Any] = {"method": name}
        for split in ("train", "test", "test, coarse known"):
            scores = part.loc[part["split"] == split, list(SCORES)]
            line[split] = "-" if scores.empty else slashed(scores.mean(), SCORES, scores.std())
        for split in ("train", "test, coarse known"):
            inside = part.loc[part["split"] == split, list(INSIDE)]
            line[f"{split}, inside"] = "-" if inside.empty else slashed(inside.mean(), INSIDE, inside.std())
        once = part.drop_duplicates("seed")
        after = once[list(whole)]
        line["K-Means on its features"] = (
            "-" if after.isna().any(axis=None) else slashed(after.mean(), whole, after.std())
        )
        for count in ("iterations", "relation_updates", "relation_changes", "n_used", "cpu_seconds"):
            line[count] = float(once[count].mean()) if count in once else float("nan")
        lines.append(line)
    return pd.DataFrame(lines)
