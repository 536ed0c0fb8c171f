"""The 1,797 digits of scikit-learn, 8 x 8 pixels: ten fine classes in three coarse ones, by how they are drawn."""

from __future__ import annotations

from functools import cache

import numpy as np

PARENTS = np.array(
    ["round", "straight", "open", "open", "straight", "open", "round", "straight", "round", "round"]  # of 0 to 9
)


@cache
def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels (1797, 64) from 0 to 1, float32; coarse labels; digits."""
    from sklearn.datasets import load_digits

    pixels, fine = load_digits(return_X_y=True)
    return (pixels / 16).astype(np.float32), PARENTS[fine], fine
