"""Digits of scikit-learn, labeled by two policies, as the paper labels CIFAR-100; and with some of them removed, as CIFAR68."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

POLICIES = {
    "T1": np.array(["even", "odd"])[np.arange(10) % 2],
    "T2": np.array(["small", "large"])[np.arange(10) // 5],
}
REMOVED = {"ten": (), "seven": (5, 7, 9)}  # of T1, seven digits leave five even ones and two odd ones
TEST_SHARE = 3  # one of so many samples is for testing


@dataclass(frozen=True)
class Digits:
    """Pixels (N, 64) from 0 to 1, float32, and the digit of each sample (N,), for training and for testing."""

    X: NDArray[np.float32]
    fine: NDArray[np.int64]
    X_test: NDArray[np.float32]
    fine_test: NDArray[np.int64]

    @property
    def n_fine(self) -> int:
        """Number of digits."""
        return len(np.unique(self.fine))

    def true_relation(self, policy: str) -> NDArray[np.uint8]:
        """M, digits by coarse classes, both in the order of their names."""
        parents = POLICIES[policy][np.unique(self.fine)]
        return np.asarray(parents[:, None] == np.unique(parents), dtype=np.uint8)


@cache
def digits(which: str) -> Digits:
    """All ten, or seven of them; the split is the same for both, and for all seeds."""
    from sklearn.datasets import load_digits

    pixels, fine = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(fine))
    order = order[~np.isin(fine[order], REMOVED[which])]
    X, fine = (pixels[order] / 16).astype(np.float32), fine[order].astype(np.int64)
    n_test = len(order) // TEST_SHARE
    return Digits(X[n_test:], fine[n_test:], X[:n_test], fine[:n_test])
