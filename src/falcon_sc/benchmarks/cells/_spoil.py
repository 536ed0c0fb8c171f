"""Labels of a start made wrong on purpose, for what training makes of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.start.start import Start

WAYS = ("cells", "patches")  # single cells, or cells with their nearest neighbors
_PATCH = 30  # cells, but at most a twentieth of the coarse class


def parsed(spoil: str) -> tuple[str, float]:
    """The way and the share of ``"cells:10"`` (per cent).

    Raises
    ------
    ValueError
        If it is none.
    """
    way, _, percent = spoil.partition(":")
    if way not in WAYS or not percent.isdigit() or not 0 < int(percent) <= 50:
        msg = (
            f"spoil={spoil!r} must be one of {list(WAYS)}, a colon and a whole number of per cent up to 50: 'cells:10'."
        )
        raise ValueError(msg)
    return way, int(percent) / 100


def spoiled(start: Start, codes: NDArray[np.int64], way: str, share: float, rng: np.random.Generator) -> Start:
    """Move a share of the cells of each coarse class that is divided to another of its fine classes, at random.

    They go to a leaf of the tree in that class, large ones more often. Every leaf keeps one cell.
    """
    assert start.output_labels is not None
    assert start.latents is not None
    outputs = start.output_labels.copy()
    class_of_output = np.arange(len(start.relation)) if start.class_of_output is None else start.class_of_output
    for c in range(codes.max() + 1):
        members = np.flatnonzero(codes == c)
        found = outputs[members]
        classes = class_of_output[found]
        present = np.unique(classes)
        if len(present) == 1:
            continue
        kept = np.unique(found, return_index=True)[1]  # one cell of each leaf
        free = np.setdiff1d(np.arange(len(members)), kept)
        for patch in _patches(start.latents[members], free, int(share * len(members)), way, rng):
            target = rng.choice(present[present != classes[patch[0]]])
            moved = patch[classes[patch] != target]
            outputs[members[moved]] = rng.choice(found[classes == target])
    labels = class_of_output[outputs]
    return replace(start, labels=labels, leaves=None if start.tree is None else outputs)


def _patches(
    latents: NDArray[np.float32], free: NDArray[np.int64], n: int, way: str, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Disjoint sets of `free` cells, `n` in all."""
    from sklearn.neighbors import NearestNeighbors

    order = rng.permutation(free)
    if way == "cells":
        return list(order[:n, None])
    size = min(_PATCH, max(1, len(latents) // 20))
    near = NearestNeighbors(n_neighbors=size).fit(latents).kneighbors(latents, return_distance=False)
    taken = np.ones(len(latents), dtype=bool)
    taken[free] = False
    patches = []
    for cell in order:
        if n <= 0:
            break
        patch = near[cell][~taken[near[cell]]][:n]
        if not taken[cell] and len(patch):
            taken[patch] = True
            n -= len(patch)
            patches.append(patch)
    return patches
