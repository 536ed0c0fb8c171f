"""The systems of the image tables: each learns from the training images and labels the test images, coarse classes unknown."""

from __future__ import annotations

import copy
import hashlib
import shutil
from dataclasses import dataclass
from functools import cached_property, partial
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
    from pathlib import Path

    import torch
    from numpy.typing import NDArray
    from torch import nn

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.vision.augmentation import ImageViews
    from falcon_sc.vision.datasets import ImageData
    from falcon_sc.vision.samples import ImageFileSamples, ImageTensorSamples

    Samples = ImageTensorSamples | ImageFileSamples
    # what it begins with, seed, where a long run keeps itself -> classes of the test images
    Find = Callable[["Beginning", int, "Keeping | None"], Result]

AT_RANDOM = "random"


class Keeping(NamedTuple):
    """Folders of a run: for its state while it lasts, and for its model in the end."""

    state: Path
    model: Path


@dataclass(frozen=True)
class Images:
    """Images, and what all systems on them share; none but the upper bound is told a fine label.

    `samples` and `test_samples` are the images of `train` and `test` as networks read them. `pretrained` is a file of
    weights for `backbone`; None: it begins as it is, at random if it is a name.
    """

    train: ImageData
    test: ImageData
    samples: Samples
    test_samples: Samples
    views: ImageViews
    config: FalconConfig
    backbone: str | nn.Module
    pretrained: Path | None
    device: torch.device

    @classmethod
    def of(
        cls,
        train: ImageData,
        test: ImageData,
        config: FalconConfig,
        *,
        size: int,
        backbone: str | nn.Module,
        pretrained: Path | None,
        device: str | torch.device | None,
    ) -> Images:
        """Put the images where networks read them: those in memory on the device; files as squares 8/7 of the views."""
        from falcon_sc.core.runtime.device import resolve_device
        from falcon_sc.vision import ImageViews, image_samples

        where = resolve_device(device)
        samples, test_samples = (
            image_samples(part.images, size=round(size * 8 / 7), device=where) for part in (train, test)
        )
        return cls(train, test, samples, test_samples, ImageViews(size), config, backbone, pretrained, where)

    @property
    def n_fine(self) -> int:
        """What every system is told."""
        return len(self.train.fine_names)

    @property
    def at_random(self) -> bool:
        """Whether training begins at random weights, others for each seed."""
        return self.pretrained is None and isinstance(self.backbone, str)

    @property
    def weights(self) -> str:
        """Where training begins, in words."""
        if self.pretrained is not None:
            with self.pretrained.open("rb") as file:
                return f"{self.pretrained.name}, sha256 {hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"
        return AT_RANDOM if self.at_random else "as given"

    def begin(self, seed: int) -> Beginning:
        """The backbone with the weights that training begins from."""
        from falcon_sc.vision.backbones import draw_backbone, for_convolutions
        from falcon_sc.vision.weights import load_pretrained

        network = copy.deepcopy(draw_backbone(self.backbone, self.views.size, np.random.default_rng(seed)))
        if self.pretrained is not None:
            load_pretrained(network, self.pretrained)
        return Beginning(self, for_convolutions(network, self.device))


@dataclass(frozen=True)
class Beginning:
    """What all systems begin with: the images, the backbone, which each trains a copy of, and its features before that."""

    images: Images
    network: nn.Module

    @cached_property
    def features(self) -> NDArray[np.float32]:
        """Of the training images, (N, d): the space of neighbors and clusterings."""
        return self._features(self.images.samples)

    @cached_property
    def test_features(self) -> NDArray[np.float32]:
        """Of the test images, (N, d)."""
        return self._features(self.images.test_samples)

    def _features(self, samples: Samples) -> NDArray[np.float32]:
        from falcon_sc.vision import extract_features

        return extract_features(self.network, samples, self.images.views, precision=self.images.config.precision)


def _trained(name: str, beginning: Beginning, seed: int, _keeping: Keeping | None) -> Result:
    from falcon_sc import baselines
    from falcon_sc.core.start.input import StartInput

    images = beginning.images
    model = getattr(baselines, (TABLE_2 | TABLE_H4)[name])(
        images.n_fine,
        images.config,
        network=beginning.network,
        views=images.views,
        device=images.device,
        rng=seed,
    )
    known = {"fine": images.train.fine} if name in TOLD_FINE_LABELS else {}
    model.fit(images.samples, images.train.coarse, start_input=StartInput(beginning.features, "embedding"), **known)
    return Result(model.predict(images.test_samples), model.relation_ if name in LEARNS_RELATIONS else None)


def _falcon(beginning: Beginning, seed: int, keeping: Keeping | None) -> Result:
    """An interrupted run goes on from its state; the model is kept for figures."""
    from falcon_sc.vision import discover

    images = beginning.images
    model = discover(
        images.samples,
        images.train.coarse,
        images.n_fine,
        backbone=beginning.network,
        features=beginning.features,
        views=images.views,
        size=images.views.size,
        config=images.config,
        device=images.device,
        rng=seed,
        progress_bar=False,
        checkpoint=None if keeping is None else keeping.state,
    )
    result = Result(model.predict(images.test_samples), model.relation_)
    if keeping is not None:
        # the modules that were given are those of these names: vision.load can build them again
        model.metadata |= {
            "backbone": images.backbone if isinstance(images.backbone, str) else None,
            "own_views": False,
        }
        model.save(keeping.model)
        shutil.rmtree(keeping.state, ignore_errors=True)
    return result


def _clustered(name: str, beginning: Beginning, seed: int, _keeping: Keeping | None) -> Result:
    """A clustering inside each coarse class, on principal components of the features; the nearest images vote on others."""
    from falcon_sc import baselines
    from falcon_sc.core.data.projection import fit_projection

    n_pcs = min(N_PCS, min(beginning.features.shape) - 1)
    project = fit_projection(beginning.features, n_pcs, np.random.default_rng(seed))
    model: Any = getattr(baselines, CLUSTERINGS[name])(beginning.images.n_fine, rng=seed)
    model.fit(project(beginning.features), beginning.images.train.coarse)
    return Result(model.predict(project(beginning.test_features)))


SYSTEMS: dict[str, Find] = {
    **{name: partial(_trained, name) for name in TABLE_2},
    "FALCON": _falcon,
    **{name: partial(_trained, name) for name in TABLE_H4},
    **{name: partial(_clustered, name) for name in CLUSTERINGS},
}
