"""The number of fine classes, estimated from what the start clusters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from falcon_sc._labels import Labels
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.start.estimation import Estimate
    from falcon_sc.core.start.input import StartInput

logger = logging.getLogger(__name__)

MAX_PER_CLASS = 20


def estimate(
    start: StartInput,
    labels: Labels,
    config: FalconConfig,
    *,
    rng: int | np.random.Generator | None,
    progress_bar: bool,
    max_per_class: int = MAX_PER_CLASS,
) -> Estimate:
    """The core's estimate for the labeled cells, with the start's settings of the configuration; the log says the totals."""
    from falcon_sc.core.runtime.surroundings import undisturbed
    from falcon_sc.core.start.estimation import estimate_numbers

    with undisturbed():
        numbers = estimate_numbers(
            start,
            labels.codes,
            max_per_class=max_per_class,
            rng=rng,
            n_jobs=config.n_jobs,
            progress_bar=progress_bar,
            n_genes=config.start_n_genes,
            max_cells=config.start_max_cells,
            n_repeats=config.start_n_repeats,
        )
    logger.info(
        "fine classes: %(n_fine)d that supported splits make, %(n_fine_stable)d of them by supported splits all the way",
        totals(numbers),
    )
    return numbers


def totals(numbers: Estimate) -> dict[str, Any]:
    """Sums over the coarse classes, as they go into the parameters."""
    return {
        "n_fine": int(numbers.estimate.sum()),
        "n_fine_stable": int(numbers.stable.sum()),
    }
