"""K-Means inside each coarse class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.baselines._inside import CoarseClasses, as_scores, cluster_inside
from falcon_sc.baselines._voting import VotingBaseline

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    import numpy as np
    from numpy.typing import ArrayLike, NDArray


class FairKMeans(VotingBaseline):
    """K-Means inside each coarse class, on principal components.

    The total is shared out greedily: each further cluster goes to the coarse class whose inertia (sum of squared
    distances to the centers) it lowers most. The best of ten runs from k-means++ seeds counts (scikit-learn).

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
        Fine class of each sample: codes by coarse class, then by falling size inside it.
    n_per_class_ : int64, (K_C,)
        Number of fine classes of each coarse class. Their sum is `n_fine`, unless equal samples make that impossible.
    coarse_names_ : (K_C,)
        Coarse classes.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.baselines import FairKMeans
    >>> scores = np.random.default_rng(0).normal(size=(60, 5))
    >>> FairKMeans(5).fit(scores, np.repeat(["a", "b"], 30)).n_per_class_.sum()
    np.int64(5)
    """

    def __init__(self, n_fine: int | Mapping[Any, int], *, rng: int | np.random.Generator | None = 0) -> None:
        self.n_fine = n_fine
        self.rng = rng

    def fit(self, X: NDArray[np.floating[Any]], coarse: ArrayLike) -> Self:
        """Cluster the samples of each coarse class.

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
        self.labels_, self.n_per_class_ = classes.join(cluster_inside(_kmeans, X, classes, self.rng))
        self.coarse_names_ = classes.names
        self._remember(X, classes)
        return self


def _kmeans(X: NDArray[np.floating[Any]], k: int, seed: int) -> tuple[float, NDArray[np.int64]]:
    from sklearn.cluster import KMeans

    model = KMeans(k, n_init=10, random_state=seed).fit(X)
    return float(model.inertia_), model.labels_
