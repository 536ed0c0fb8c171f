"""Table G1: what the paper searched through, in its notation and in ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

RANGES: Mapping[str, tuple[float, ...]] = {
    "lambda_1": (0.5, 1.0, 1.5, 2.0),
    "lambda_2": (0.5, 1.0, 1.5, 2.0),
    "lambda_3": (0.0, 1.0, 2.0, 3.0),
    "relation_interval": (10, 20, 30, 40, 50),  # P
    "lambda_M": (1.0, 0.5, 0.1, 0.05, 0.01, 0.005, 0.001, 0.0005),
    "temperature": (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5),  # T
}


def suggested(trial: Any) -> dict[str, float]:
    """One value of each range, which the trial chooses."""
    return {name: trial.suggest_categorical(name, values) for name, values in RANGES.items()}
