"""Every system of the paper on the digits of scikit-learn, ten fine classes in three coarse ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import methods_of
from falcon_sc.benchmarks._machine import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

COARSE = np.array(["round", "straight", "open", "open", "straight", "open", "round", "straight", "round", "round"])
METHODS = (
    *("FairKMeans", "FairMixture", "SCAN", "SCANC", "SCANPerCoarse", "SCANFinetune", "ANCOR", "SNCA", "GEORGE"),
    *("SCGM", "TURTLE", "UpperBound", "Falcon"),
)


def run(
    *, out: Path | None = None, seeds: int = 3, methods: Sequence[str] = METHODS, max_epochs: int | None = None
) -> pd.DataFrame:
    """Fit each system with its defaults, from random weights; all get the number of fine classes, ten.

    Parameters
    ----------
    out
        Folder for ``digits.csv`` (a row a run) and ``digits.md``; nothing is written if None.
    seeds
        Number of seeds, 0 to `seeds` - 1.
    methods
        Names of :mod:`falcon_sc.baselines`, and ``"Falcon"``.
    max_epochs
        Of the configuration that all networks share; None: its default. TURTLE takes 60 steps an epoch then.

    Returns
    -------
    A row for each run: ``method``, ``seed``, ``accuracy``, ``ari`` (per cent) and ``cpu_seconds``.

    Raises
    ------
    ValueError
        If ``seeds`` is less than 1, or a method is unknown.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import digits
    >>> table = digits.run(seeds=1, methods=["SCANC", "Falcon"])  # doctest: +SKIP
    """
    import pandas as pd
    from sklearn.datasets import load_digits

    from falcon_sc.metrics import adjusted_rand_index, clustering_accuracy

    check_int(seeds, "seeds")
    methods = methods_of(methods, METHODS)
    pixels, fine = load_digits(return_X_y=True)
    X = (pixels / 16).astype(np.float32)
    rows = []
    for name in methods:
        print(name, flush=True)
        for seed in range(seeds):
            began = cpu_seconds()
            labels = _labels(name, X, fine, seed, max_epochs)
            accuracy, ari = clustering_accuracy(fine, labels), adjusted_rand_index(fine, labels)
            seconds = cpu_seconds() - began
            rows.append(
                {"method": name, "seed": seed, "accuracy": 100 * accuracy, "ari": 100 * ari, "cpu_seconds": seconds}
            )
    table = pd.DataFrame(rows)
    print(_tables.to_markdown(table))
    if out is not None:
        _tables.save(table, out, "digits")
    return table


def _labels(name: str, X: np.ndarray, fine: np.ndarray, seed: int, max_epochs: int | None) -> Any:
    from falcon_sc import baselines
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon

    method: Any = Falcon if name == "Falcon" else getattr(baselines, name)
    coarse = COARSE[fine]
    if name in ("FairKMeans", "FairMixture"):
        return method(10, rng=seed).fit(X, coarse).labels_
    if name == "TURTLE":
        steps = {} if max_epochs is None else {"n_steps": 60 * max_epochs}
        return method(10, rng=seed, **steps).fit(X, coarse).labels_
    config = None if max_epochs is None else FalconConfig(max_epochs=max_epochs)
    model = method(10, config, rng=seed)
    return model.fit(X, coarse, **({"fine": fine} if name == "UpperBound" else {})).labels_
