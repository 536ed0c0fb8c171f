"""The systems of the single-cell tables, each as it runs on an atlas."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.benchmarks.paper._runs import Result
from falcon_sc.benchmarks.paper._systems import (
    CLUSTERINGS,
    LEARNS_RELATIONS,
    N_PCS,
    TABLE_2,
    TABLE_H4,
    TOLD_FINE_LABELS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcon_sc.benchmarks.paper._atlas import Atlas
    from falcon_sc.core.config import FalconConfig

    # cells, seed, iterations that a network trains for at least
    Find = Callable[[Atlas, int, int], Result]


def _trained(name: str, atlas: Atlas, seed: int, min_iterations: int) -> Result:
    """A baseline on the paper's network, optimizer and epochs."""
    from falcon_sc import baselines
    from falcon_sc.core.config import FalconConfig

    config = _long_enough(FalconConfig.paper(), atlas, min_iterations)
    model = getattr(baselines, (TABLE_2 | TABLE_H4)[name])(atlas.n_fine, config, rng=seed)
    model.fit(atlas.X, atlas.coarse, **({"fine": atlas.fine} if name in TOLD_FINE_LABELS else {}))
    return Result(model.labels_, model.relation_ if name in LEARNS_RELATIONS else None)


def _falcon(preset: str, atlas: Atlas, seed: int, min_iterations: int) -> Result:
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon

    config = _long_enough(getattr(FalconConfig, preset)(), atlas, min_iterations)
    model = Falcon(atlas.n_fine, config, rng=seed).fit(atlas.X, atlas.coarse)
    return Result(model.labels_, model.relation_)


def _discover(atlas: Atlas, seed: int, _min_iterations: int) -> Result:
    from falcon_sc.tl import discover

    found = discover(atlas.counts, "coarse", atlas.n_fine, rng=seed, progress_bar=False, copy=True)
    assert found is not None  # copy=True
    names = found.uns["falcon"]["fine_names"].tolist()
    labels = found.obs["falcon_fine"].astype(str).map({name: i for i, name in enumerate(names)})
    return Result(labels.to_numpy(dtype=np.int64), found.uns["falcon"]["M"])


def _clustered(name: str, atlas: Atlas, seed: int, _min_iterations: int) -> Result:
    """A clustering inside each coarse class, on principal components of the same genes."""
    from falcon_sc import baselines
    from falcon_sc.core.data.projection import fit_projection

    n_pcs = min(N_PCS, min(atlas.X.shape) - 1)
    scores = fit_projection(atlas.X, n_pcs, np.random.default_rng(seed))(atlas.X)
    return Result(getattr(baselines, CLUSTERINGS[name])(atlas.n_fine, rng=seed).fit(scores, atlas.coarse).labels_)


def _long_enough(config: FalconConfig, atlas: Atlas, min_iterations: int) -> FalconConfig:
    """The paper's epochs; more of them where they are too few iterations for a random start to get anywhere."""
    assert config.max_epochs is not None  # in all presets
    n_epochs = math.ceil(min_iterations / config.iterations_per_epoch(len(atlas.fine)))
    return replace(config, max_epochs=max(config.max_epochs, n_epochs))


SYSTEMS: dict[str, Find] = {
    **{name: partial(_trained, name) for name in TABLE_2},
    "FALCON (text)": partial(_falcon, "paper"),
    "FALCON (published code)": partial(_falcon, "published"),
    **{name: partial(_trained, name) for name in TABLE_H4},
    **{name: partial(_clustered, name) for name in CLUSTERINGS},
    "falcon_sc": _discover,
}
ROWS = {name: "FALCON" if name.startswith("FALCON") else name for name in SYSTEMS}  # and what the paper calls them
