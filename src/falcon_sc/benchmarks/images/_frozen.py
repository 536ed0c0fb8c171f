"""Discovery on good features: every method on features of an encoder that stays as it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import methods_of
from falcon_sc.benchmarks._machine import cpu_seconds
from falcon_sc.benchmarks.images._features import encoded, read_features
from falcon_sc.benchmarks.images._frozen_methods import METHODS, FrozenProblem, epochs_of
from falcon_sc.benchmarks.images._scores import INSIDE, SCORES, columns_of, means, scores
from falcon_sc.benchmarks.paper._runs import complete
from falcon_sc.core.runtime.device import resolve_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import torch


def run_frozen(
    data: Path | None,
    out: Path | None,
    seeds: int,
    methods: Sequence[str] | None,
    *,
    features: Sequence[Path] | None,
    encoder: str | None,
    epochs: int | None,
    device: str | None,
) -> pd.DataFrame:
    """Run every method on the same features: what `images.run` does with `features` or `encoder`, which says the rest.

    Parameters
    ----------
    out
        Folder for `frozen_runs.csv`, a row a run, from which an interrupted run goes on, and for the table, `frozen.csv`
        and `frozen.md`. None: nothing is written.
    methods
        Of those in `METHODS`; None: all of them.
    epochs
        Passes over the data of what trains on the paper's batches. None: see `epochs_of`.

    Returns
    -------
    A row a run: `SCORES` and `INSIDE` of the training samples, and of the test samples, without and with their coarse
    classes (`test_...`, `known_...`); edits of M; fine classes in use; steps, relation updates and seconds.
    """
    from falcon_sc.core.runtime.checkpoint import fingerprint

    check_int(seeds, "seeds")
    if epochs is not None:
        check_int(epochs, "epochs")
    methods = methods_of(tuple(METHODS) if methods is None else methods, METHODS)
    where, out = resolve_device(device), None if out is None else Path(out)
    files, name = _files(data, out, features, encoder, where)
    train, test = read_features(files)
    epochs = epochs_of(len(train)) if epochs is None else epochs
    parts = () if test is None else (test.features, test.fine, test.coarse)
    setting = {
        "features": name,
        "data": fingerprint(train.features, train.fine, train.coarse, *parts),
        "n_train": len(train),
        "n_test": 0 if test is None else len(test),
        "epochs": epochs,
    }

    def measure(method: str, seed: int) -> dict[str, Any]:
        return _measure(FrozenProblem(train, test, seed, epochs, where), method)

    table = complete(None if out is None else out / "frozen_runs.csv", setting, methods, seeds, measure)
    shown = by_method(table)
    print(_tables.to_markdown(shown))
    if out is not None:
        about = (
            f"Discovery on good features: {name}, {train.features.shape[1]:,} features that stay as they are, on {where}. "
            f"{len(train):,} training and {setting['n_test']:,} test samples, {train.n_coarse} coarse and {train.n_fine} "
            "fine classes. ACC / macro ACC / ARI in per cent; inside: adjusted mutual information / adjusted Rand index "
            "inside a coarse class, training samples."
        )
        _tables.save(shown, out, "frozen", about=about)
    return table


def _files(
    data: Path | None, out: Path | None, features: Sequence[Path] | None, encoder: str | None, device: torch.device
) -> tuple[list[Path], str]:
    """The files with the features, made if they must be, and what they are called in the tables."""
    if encoder is None:
        files = [Path(file) for file in features or ()]
        return files, ", ".join(file.stem for file in files)
    if features is not None:
        msg = "features and encoder are both given: features are read, or taken by an encoder."
        raise ValueError(msg)
    if data is None or out is None:
        msg = "encoder needs data, the folder with the images, and out, where their features are kept."
        raise ValueError(msg)
    return encoded(Path(data), encoder, out / "features", device), encoder


def _measure(problem: FrozenProblem, method: str) -> dict[str, Any]:
    """One run: what it found, scored, and what that took."""
    began, cpu = time.perf_counter(), cpu_seconds()
    found = METHODS[method](problem)
    took = {"seconds": time.perf_counter() - began, "cpu_seconds": cpu_seconds() - cpu}
    trained = {"steps": found.steps, "relation_updates": found.relation_updates}
    assert found.outcome.train is not None  # nothing here is told the fine classes
    used = {"classes_used": len(np.unique(found.outcome.train))}
    return scores(found.outcome, problem.train, problem.test) | trained | used | took


def by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Methods as rows: means over the seeds, and the spread of the scores."""
    import pandas as pd

    rows = []
    for method, part in table.groupby("method", sort=False):
        line: dict[str, Any] = {"method": method, "seeds": len(part)}
        for column in ("steps", "relation_updates", "classes_used"):
            mean = part[column].astype(float).mean()  # missing where nothing is trained
            line[column.replace("_", " ")] = "-" if np.isnan(mean) else f"{mean:,.0f}"
        line |= means(part, columns_of(SCORES) | {"inside": INSIDE})
        for kind in ("iso", "matched"):
            line[f"edits, {kind}"] = float(part[f"ged_{kind}"].mean()) if f"ged_{kind}" in part else float("nan")
        line["CPU s"] = round(float(part["cpu_seconds"].mean()), 1)
        rows.append(line)
    lines = pd.DataFrame(rows)
    return lines.loc[:, ~lines.isin(["-", np.nan]).all()]
