"""The groups in a column of obs, by name, with the colors that scanpy has for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_is_anndata, obs_column
from falcon_sc.core.data.labels import distinct
from falcon_sc.pl._style import palette, stored_colors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

NOBODY = "missing"
_GRAY = "#c8c8c8"


@dataclass(frozen=True)
class Groups:
    """Names in the order of the categories, else sorted; `codes`: int64, n_obs, positions in `names`.

    Cells without a group are the last one, :data:`NOBODY`, if there are any.
    """

    names: list[str]
    codes: np.ndarray


def read_column(adata: AnnData, name: str, argument: str) -> Groups:
    """Read the groups of all cells.

    Raises
    ------
    KeyError, TypeError, ValueError
        If there is no such column, or it holds no groups.
    """
    check_is_anndata(adata)
    column = obs_column(adata, name, argument)
    codes, labels = distinct(column, f"{argument}={name!r}")
    if not labels:
        msg = f"{argument}={name!r} holds only missing values (NA)."
        raise ValueError(msg)
    if not hasattr(column, "cat"):
        order = _sorted(labels)
        codes = np.where(codes < 0, -1, np.argsort(order)[codes])
        labels = [labels[place] for place in order]
    names = [str(label) for label in labels]
    if (codes < 0).any():
        codes = np.where(codes < 0, len(names), codes)
        names.append(NOBODY)
    return Groups(names, codes)


def _sorted(labels: Sequence[Any]) -> list[int]:
    """The places of labels in their order, of each kind by themselves; what has none goes by its text."""
    places = range(len(labels))
    try:
        return sorted(places, key=lambda place: (str(type(labels[place])), labels[place]))
    except TypeError:
        return sorted(places, key=lambda place: str(labels[place]))


def column_colors(adata: AnnData, name: str, groups: Sequence[str]) -> list[str]:
    """Color of each group: the one that scanpy stored for it, or will give it."""
    stored = stored_colors(adata, name)
    own = [group for group in groups if group != NOBODY or group in stored]
    if not set(own) <= set(stored):
        stored = dict(zip(own, palette(len(own)), strict=True))
    return [stored.get(group, _GRAY) for group in groups]
