"""Images with the same core: discovery, data sets, views, backbones and self-supervised pretraining."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from falcon_sc.vision import datasets
    from falcon_sc.vision.augmentation import ImageViews
    from falcon_sc.vision.backbones import build_backbone
    from falcon_sc.vision.discovery import discover
    from falcon_sc.vision.features import extract_features
    from falcon_sc.vision.loading import load
    from falcon_sc.vision.pretraining import pretrain
    from falcon_sc.vision.recipes import Recipe
    from falcon_sc.vision.samples import image_samples
    from falcon_sc.vision.weights import load_pretrained, save_encoder

__all__ = [
    "ImageViews",
    "Recipe",
    "build_backbone",
    "datasets",
    "discover",
    "extract_features",
    "image_samples",
    "load",
    "load_pretrained",
    "pretrain",
    "save_encoder",
]

_HOMES = {
    "ImageViews": "augmentation",
    "Recipe": "recipes",
    "build_backbone": "backbones",
    "discover": "discovery",
    "extract_features": "features",
    "image_samples": "samples",
    "load": "loading",
    "load_pretrained": "weights",
    "pretrain": "pretraining",
    "save_encoder": "weights",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use: torch takes seconds to load."""
    if name == "datasets":
        return import_module("falcon_sc.vision.datasets")
    if name in _HOMES:
        value = getattr(import_module(f"falcon_sc.vision.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
