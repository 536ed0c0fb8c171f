"""Images with the same core."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from falcon_sc.vision.discover import discover
    from falcon_sc.vision.features import extract_features
    from falcon_sc.vision.load import load
    from falcon_sc.vision.samples import image_samples

__all__ = ["discover", "extract_features", "image_samples", "load"]

_HOMES = {"discover": "discover", "load": "load", "extract_features": "features", "image_samples": "samples"}


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use: torch takes seconds to load."""
    if name in _HOMES:
        value = getattr(import_module(f"falcon_sc.vision.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
