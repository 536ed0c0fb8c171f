"""The systems of the single-cell tables, each as it runs on an atlas."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

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

    # cells, seed, length of a training -> what it finds
    Find = Callable[[Atlas, int, "Training"], Result]

OURS = " (ours)"  # behind the name of a system that trains with our defaults
SCVI = "scVI + Leiden"  # only where it is asked for: an extra, and hundreds of epochs
Z_MAX = 10.0  # as in scanpy's tutorials


class Training(NamedTuple):
    """How long everything trains at least; and of what has the paper's settings, how fast it learns, and whether from z-scores."""

    min_iterations: int
    lr: float
    scale: bool


def _trained(name: str, preset: str, atlas: Atlas, seed: int, training: Training) -> Result:
    """A baseline on the network, optimizer and length of a preset."""
    from falcon_sc import baselines

    config = _config(preset, atlas, training)
    model = getattr(baselines, (TABLE_2 | TABLE_H4)[name])(atlas.n_fine, config, rng=seed)
    model.fit(
        _input(preset, atlas, training), atlas.coarse, **({"fine": atlas.fine} if name in TOLD_FINE_LABELS else {})
    )
    return Result(model.labels_, model.relation_ if name in LEARNS_RELATIONS else None)


def _falcon(preset: str, atlas: Atlas, seed: int, training: Training) -> Result:
    from falcon_sc.core.model import Falcon

    model = Falcon(atlas.n_fine, _config(preset, atlas, training), rng=seed)
    model.fit(_input(preset, atlas, training), atlas.coarse)
    return Result(model.labels_, model.relation_)


def _discover(atlas: Atlas, seed: int, training: Training) -> Result:
    from falcon_sc.tl import discover

    config = _config("ours", atlas, training)
    found = discover(atlas.counts, "coarse", atlas.n_fine, config=config, rng=seed, progress_bar=False, copy=True)
    assert found is not None  # copy=True
    names = found.uns["falcon"]["fine_names"].tolist()
    labels = found.obs["falcon_fine"].astype(str).map({name: i for i, name in enumerate(names)})
    return Result(labels.to_numpy(dtype=np.int64), found.uns["falcon"]["M"])


def _clustered(name: str, atlas: Atlas, seed: int, _training: Training) -> Result:
    """A clustering inside each coarse class, on principal components of the same genes."""
    from falcon_sc import baselines
    from falcon_sc.core.data.projection import fit_projection

    n_pcs = min(N_PCS, min(atlas.X.shape) - 1)
    scores = fit_projection(atlas.X, n_pcs, np.random.default_rng(seed))(atlas.X)
    return Result(getattr(baselines, CLUSTERINGS[name])(atlas.n_fine, rng=seed).fit(scores, atlas.coarse).labels_)


def _scvi_leiden(atlas: Atlas, seed: int, _training: Training) -> Result:
    """The counts of the same genes, scVI with its own length, and a clustering inside each coarse class."""
    from falcon_sc.baselines import SCVILeiden

    counts: Any = atlas.counts.X
    return Result(SCVILeiden(atlas.n_fine, rng=seed).fit(counts[:, atlas.genes], atlas.coarse).labels_)


def _config(preset: str, atlas: Atlas, training: Training) -> FalconConfig:
    """A preset; more of the paper's epochs where they are too few iterations for a random start to get anywhere."""
    from falcon_sc.core.config import FalconConfig

    if preset == "ours":
        return FalconConfig(min_iterations=training.min_iterations)
    config: FalconConfig = getattr(FalconConfig, preset)()
    assert config.max_epochs is not None  # in all presets of the paper
    n_epochs = math.ceil(training.min_iterations / config.iterations_per_epoch(len(atlas.fine)))
    return replace(config, max_epochs=max(config.max_epochs, n_epochs), lr=training.lr)


def _input(preset: str, atlas: Atlas, training: Training) -> Any:
    """What a network is given: log-normalized expression, (N, genes), CSR; or z-scores of it, dense, clipped as usual."""
    if preset == "ours" or not training.scale:
        return atlas.X
    X = atlas.X.toarray()
    X -= X.mean(axis=0)
    X /= np.maximum(X.std(axis=0), 1e-6)  # a gene that does not vary stays 0
    return np.clip(X, -Z_MAX, Z_MAX, out=X)


SYSTEMS: dict[str, Find] = {
    **{name: partial(_trained, name, "paper") for name in TABLE_2},
    "FALCON (text)": partial(_falcon, "paper"),
    "FALCON (published code)": partial(_falcon, "published"),
    **{name: partial(_trained, name, "paper") for name in TABLE_H4},
    **{name: partial(_clustered, name) for name in CLUSTERINGS},
    **{name + OURS: partial(_trained, name, "ours") for name in TABLE_2},
    "falcon_sc": _discover,
    SCVI: _scvi_leiden,
}
DEFAULTS = tuple(name for name in SYSTEMS if name != SCVI)
# and what the paper calls them
ROWS = {name: "FALCON" if name.startswith("FALCON") else name.removesuffix(OURS) for name in SYSTEMS}
