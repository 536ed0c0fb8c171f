"""Fine-grained cell types inside coarse annotations (FALCON, ICML 2024)."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from falcon_sc.core.runtime import forks as _forks  # notes from here on what is lost in a fork

if TYPE_CHECKING:
    from falcon_sc import baselines, datasets, metrics, pl, pp, tl
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon

__all__ = ["Falcon", "FalconConfig", "baselines", "datasets", "metrics", "pl", "pp", "tl"]

__version__ = version("falcon-sc")

_MODULES = ("baselines", "datasets", "metrics", "pl", "pp", "tl")
_CLASSES = {"Falcon": "falcon_sc.core.model", "FalconConfig": "falcon_sc.core.config"}


def __getattr__(name: str) -> Any:
    """Import what is asked for on first use: torch and scanpy take seconds to load."""
    if name in _MODULES:
        return import_module(f"falcon_sc.{name}")
    if name in _CLASSES:
        value = getattr(import_module(_CLASSES[name]), name)
        globals()[name] = value
        return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
