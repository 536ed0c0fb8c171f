"""Blobs in the plane: coarse classes with 3, 1 and 2 fine classes, and one of a single sample."""

from __future__ import annotations

import numpy as np

CENTERS = np.array([[0, 0], [60, 0], [0, 60], [300, 300], [600, 0], [600, 70], [900, 900]], dtype=float)
SIZES = np.array([40, 30, 20, 50, 35, 18, 1])
PARENTS = np.array(["a", "a", "a", "b", "c", "c", "d"])
TRUE_COUNTS = {"a": 3, "b": 1, "c": 2, "d": 1}


def blobs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates (194, 2) float32, coarse and fine labels, in random order."""
    rng = np.random.default_rng(3)
    fine = rng.permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    X = (CENTERS[fine] + rng.normal(size=(len(fine), 2))).astype(np.float32)
    return X, PARENTS[fine], fine
