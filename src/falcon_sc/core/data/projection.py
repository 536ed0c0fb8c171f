"""Principal components of the input, fitted on part of the samples and applied to all without densifying them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from falcon_sc.core.data.rows import block_by_block

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIT_MAX = 20_000  # samples the components are fitted on: dense, 160 MB at 2,000 features


@dataclass(frozen=True)
class Projection:
    """`z = (x - mean) @ components / scale`, float32."""

    mean: NDArray[np.float32]  # (features,)
    components: NDArray[np.float32]  # (features, n_pcs)
    scale: float

    def __call__(self, X: Any) -> NDArray[np.float32]:
        """(N, features), dense, sparse or rows on disk, to (N, n_pcs)."""
        scores = np.empty((X.shape[0], self.components.shape[1]), dtype=np.float32)
        n_done = 0
        for block in block_by_block(X, partial(_times, components=self.components)):
            scores[n_done : n_done + len(block)] = block
            n_done += len(block)
        scores -= self.mean @ self.components
        scores /= np.float32(self.scale)
        return scores


def _times(X: Any, components: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(X @ components, dtype=np.float32)


def fit_projection(X: Any, n_pcs: int, rng: np.random.Generator) -> Projection:
    """Principal components of `X` (N, features), scaled to a mean variance of one."""
    from sklearn.decomposition import PCA

    n_samples = X.shape[0]
    rows = np.sort(rng.choice(n_samples, _FIT_MAX, replace=False)) if n_samples > _FIT_MAX else slice(None)
    chosen = X[rows]
    block = chosen.toarray() if sp.issparse(chosen) else np.asarray(chosen)
    n_pcs = min(n_pcs, *block.shape)
    with np.errstate(invalid="ignore"):  # of the shares of variance, which are not used, when there is none
        pca = PCA(n_pcs, random_state=int(rng.integers(2**31))).fit(block.astype(np.float32, copy=False))
    scale = float(np.sqrt(pca.explained_variance_.mean()))
    return Projection(pca.mean_.astype(np.float32), pca.components_.T.astype(np.float32), scale or 1.0)
