"""A fitted model as two files, tensors and JSON, that hold no code."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor

_FORMAT = 1  # raised when an older reader would misread the files


def write(path: str | Path, tensors: dict[str, Tensor], description: dict[str, Any]) -> None:
    """Write `weights.pt` and `model.json` to the folder `path`."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, folder / "weights.pt")
    text = json.dumps({"format": _FORMAT, "falcon_sc": version("falcon-sc"), **description}, default=_plain, indent=1)
    (folder / "model.json").write_text(text, encoding="utf-8")


def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what :func:`write` wrote."""
    folder = Path(path)
    if not (folder / "model.json").is_file():
        msg = f"path={str(path)!r} holds no saved Falcon: there is no model.json in it."
        raise FileNotFoundError(msg)
    description: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    if description.get("format") != _FORMAT:
        msg = (
            f"path={str(path)!r} was saved by falcon_sc {description.get('falcon_sc')} in format "
            f"{description.get('format')}; this version reads format {_FORMAT}. Fit and save the model again."
        )
        raise ValueError(msg)
    tensors: dict[str, Tensor] = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
    return tensors, description


def _plain(value: Any) -> Any:
    """Numpy scalars as plain numbers."""
    return value.item()
