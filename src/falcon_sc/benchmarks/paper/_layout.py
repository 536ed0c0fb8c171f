"""The layout of the paper's tables, with its values beside ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.benchmarks.paper._published import DATASETS, published

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

ARI_OF_CHANCE = 1.0  # per cent; labels at random, or all samples in one class, are at 0
SCORES = {"ACC": "accuracy", "ARI": "ari", "mACC": "macro_accuracy", "GED": "ged"}


def beside_the_paper(runs: pd.DataFrame, dataset: str, rows: Mapping[str, str]) -> pd.DataFrame:
    """A data set: systems as rows; means and spreads over the seeds, and what the paper says.

    Parameters
    ----------
    runs
        A row a run, with `method`, the columns of `SCORES`, `ged_matched`, `classes_used`, `cpu_seconds` if they were
        measured, and `failed`, which is missing where a run ended.
    dataset
        One of the paper's.
    rows
        Systems in the order of the table, and what the paper calls them.
    """
    import pandas as pd

    lines = []
    for method, name in rows.items():
        own = runs[runs["method"] == method]
        if own.empty:
            continue
        failed = _diverged(own, ", of which {} diverged") + _untrained(own, ", of which {} did not train")
        line = {"method": method, "seeds": f"{len(own)}{failed}"}
        for score, column in SCORES.items():
            line |= {score: _mean(own[column]), f"paper, {score}": published(name, dataset, score)}
        line |= {"GED, matched": _mean(own["ged_matched"]), "classes": _mean(own["classes_used"])}
        if "cpu_seconds" in own:
            line["CPU s"] = _mean(own["cpu_seconds"])
        lines.append(line)
    return pd.DataFrame(lines)


def all_data_sets(runs: pd.DataFrame, rows: Mapping[str, str]) -> pd.DataFrame:
    """Tables 2 and 3: systems as rows, data sets as columns; the value of table 2 or 3 in brackets.

    Parameters
    ----------
    runs
        A row a run, with `dataset` and what :func:`beside_the_paper` reads.
    rows
        As in :func:`beside_the_paper`.
    """
    import pandas as pd

    lines = []
    for method, name in rows.items():
        if not (runs["method"] == method).any():
            continue
        line = {"method": method}
        for dataset in (name for name in DATASETS if (runs["dataset"] == name).any()):
            own = runs[(runs["method"] == method) & (runs["dataset"] == dataset)]
            for score in ("ACC", "ARI", "GED"):
                value = published(name, dataset, score).partition(" (")[0]
                failed = _diverged(own, ", {} diverged") + _untrained(own, ", {} did not train")
                ours = _mean(own[SCORES[score]]) + failed
                line[f"{dataset} {score}"] = f"{ours} ({value})"
        lines.append(line)
    return pd.DataFrame(lines)


def _diverged(runs: pd.DataFrame, words: str) -> str:
    """How many did, in these words; nothing if none did."""
    n_diverged = int(runs["failed"].notna().sum())
    return words.format(n_diverged) if n_diverged else ""


def _untrained(runs: pd.DataFrame, words: str) -> str:
    """How many ended with labels that say nothing of the classes, in these words; nothing if none did."""
    n_untrained = int((runs["ari"].astype(float) < ARI_OF_CHANCE).sum())
    return words.format(n_untrained) if n_untrained else ""


def _mean(values: pd.Series) -> str:
    """Of the runs that have a value."""
    values = values.dropna().astype(float)
    if values.empty:
        return "-"
    return f"{values.mean():.1f}" + (f" ± {values.std():.1f}" if len(values) > 1 else "")
