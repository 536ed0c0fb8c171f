"""Gaussian mixtures inside each coarse class."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.baselines._inside import CoarseClasses, as_scores, cluster_inside
from falcon_sc.baselines._voting import VotingBaseline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from numpy.typing import ArrayLike, NDArray


_REGULARIZATION = 1e-3  # share of the mean variance, on the diagonal: classes of fewer samples than components


class FairMixture(VotingBaseline):
    """Gaussian mixtures with a shared full covariance inside each coarse class, on principal components.

    The total is shared out greedily: each further component goes to the coarse class whose Bayesian information
    criterion it lowers most (or raises least). A full covariance for each component would
    need more samples than most classes have.

    Parameters
    ----------
    n_fine
        Total number of fine classes; or a mapping from each coarse class to its number, which no user knows: with
        true numbers this is an oracle.
    rng
        Seed or generator; the same seed gives the same labels.

    Attributes
    ----------
    labels_ : int64, (N,)
        Most probable component of each sample: codes by coarse class, then by falling size inside it.
    n_per_class_ : int64, (K_C,)
        Number of fine classes of each coarse class that hold samples: a component that is nowhere the most probable
        one is lost, so that the sum can stay below `n_fine`.
    coarse_names_ : (K_C,)
        Coarse classes.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.baselines import FairMixture
    >>> scores = np.random.default_rng(0).normal(size=(60, 5))
    >>> FairMixture(4).fit(scores, np.repeat(["a", "b"], 30)).n_per_class_.sum()
    np.int64(4)
    """

    def __init__(self, n_fine: int | Mapping[Any, int], *, rng: int | np.random.Generator | None = 0) -> None:
        self.n_fine = n_fine
        self.rng = rng

    def fit(self, X: NDArray[np.floating[Any]], coarse: ArrayLike) -> Self:
        """Fit mixtures to the samples of each coarse class.

        Parameters
        ----------
        X
            Dense, (N, d): scores of principal components (50 in the benchmarks).
        coarse
            Coarse label of each sample, (N,), none missing.

        Returns
        -------
        The fitted model.

        Raises
        ------
        TypeError, ValueError
            If `X` is no finite dense matrix, or `n_fine` cannot be had with these classes and samples.
        """
        X = as_scores(X)
        classes = CoarseClasses.of(X, coarse, self.n_fine)
        self.labels_, self.n_per_class_ = classes.join(cluster_inside(_mixture, X, classes, self.rng))
        self.coarse_names_ = classes.names
        self._remember(X, classes)
        return self


def _mixture(X: NDArray[np.floating[Any]], k: int, seed: int) -> tuple[float, NDArray[np.int64]]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if len(X) == 1:  # which scikit-learn refuses
        return 0.0, np.zeros(1, dtype=np.int64)
    regularization = max(_REGULARIZATION * float(X.var(axis=0).mean()), 1e-6)
    model = GaussianMixture(k, covariance_type="tied", reg_covar=regularization, random_state=seed)
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        model.fit(X)
    return float(model.bic(X)), model.predict(X)
