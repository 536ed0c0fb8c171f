"""One run of an ablation: which method, on which labels, with what changed; and what it scores on the test digits."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks.paper._ablation_data import POLICIES, digits

if TYPE_CHECKING:
    from falcon_sc.benchmarks.paper._ablation_data import Digits
    from falcon_sc.core.config import FalconConfig

BATCH_SIZE = 128  # of 1,198 samples; the paper's 256 would be four steps an epoch
N_LAYERS = 1  # hidden ones, of 64 units, on 64 pixels


@dataclass(frozen=True)
class Run:
    """What is fitted, seeds aside.

    Parameters
    ----------
    method
        `"FALCON"`, `"SCAN-C"` or `"GEORGE"`.
    data
        `"ten"` or `"seven"` digits.
    labels
        `"T1"` or `"T2"`; `"T1, first half"`, `"T2, second half"` of the samples alone; `"T1&T2"`, both halves.
    n_fine
        Number of fine classes: `"true"`, a share of it such as `"80%"`, `"estimated"`, or `"known M"` with the relations.
    changes
        Fields of the configuration, and what they are changed to.
    """

    method: str = "FALCON"
    data: str = "ten"
    labels: str = "T1"
    n_fine: str = "true"
    changes: tuple[tuple[str, float], ...] = ()

    @property
    def name(self) -> str:
        """In tables of runs."""
        changed = "".join(f"; {field}={value:g}" for field, value in self.changes)
        return f"{self.method}; {self.data}; {self.labels}; K_F {self.n_fine}{changed}"


def measure(run: Run, seed: int, steps: int) -> dict[str, Any]:
    """Fit once, and score the samples that were not trained on."""
    from falcon_sc import metrics

    began = time.perf_counter()
    data = digits(run.data)
    rows, coarse, dataset = labeled(run.labels, data)
    config = settings(run, len(rows), steps)
    n_fine = _n_fine(run, data, seed)
    model = _model(run.method, n_fine, config, seed).fit(data.X[rows], coarse, dataset)
    found = model.predict(data.X_test)
    ged = np.nan
    if run.method == "FALCON" and run.labels == "T1" and len(model.relation_) == data.n_fine:
        ged = metrics.graph_edit_distance(model.relation_, data.true_relation("T1"))
    return {
        "n_fine": len(model.relation_),
        "accuracy": 100 * metrics.clustering_accuracy(data.fine_test, found),
        "ari": 100 * metrics.adjusted_rand_index(data.fine_test, found),
        "ged": ged,
        "classes_used": len(np.unique(found)),
        "seconds": time.perf_counter() - began,
    }


def labeled(labels: str, data: Digits) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Which samples are trained on, their coarse labels, and the data set of each where there are two."""
    half = np.arange(len(data.fine)) < len(data.fine) // 2
    by_policy = {name: parents[data.fine] for name, parents in POLICIES.items()}
    if labels == "T1&T2":
        return np.arange(len(half)), np.where(half, by_policy["T1"], by_policy["T2"]), np.where(half, "T1", "T2")
    policy, _, part = labels.partition(", ")
    chosen = {"": np.full_like(half, fill_value=True), "first half": half, "second half": ~half}[part]
    return np.flatnonzero(chosen), by_policy[policy][chosen], None


def settings(run: Run, n_samples: int, steps: int) -> FalconConfig:
    """The paper's for CIFAR-100 or CIFAR68, on digits; all runs take at least `steps` steps, on half the samples too."""
    from falcon_sc.core.config import FalconConfig

    preset = FalconConfig.cifar100() if run.data == "ten" else FalconConfig.cifar68()
    config = replace(preset, batch_size=BATCH_SIZE, n_layers=N_LAYERS, **dict(run.changes))  # type: ignore[arg-type]
    return replace(config, max_epochs=math.ceil(steps / config.iterations_per_epoch(n_samples)))


def _model(method: str, n_fine: Any, config: FalconConfig, seed: int) -> Any:
    from falcon_sc import baselines
    from falcon_sc.core.model import Falcon

    kinds: dict[str, Any] = {"FALCON": Falcon, "SCAN-C": baselines.SCANC, "GEORGE": baselines.GEORGE}
    return kinds[method](n_fine, config, device="cpu", rng=seed)


def _n_fine(run: Run, data: Digits, seed: int) -> int | dict[str, int]:
    if run.n_fine == "known M":
        names, counts = np.unique(POLICIES["T1"][np.unique(data.fine)], return_counts=True)
        return dict(zip(names.tolist(), counts.tolist(), strict=True))
    if run.n_fine == "estimated":
        from falcon_sc.baselines import count_density_peaks

        return max(2, count_density_peaks(data.X, rng=seed).n_fine)  # there are two coarse classes
    if run.n_fine == "true":
        return data.n_fine
    return math.floor(data.n_fine * int(run.n_fine.removesuffix("%")) / 100 + 0.5)
