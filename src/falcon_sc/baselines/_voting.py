"""New samples for clusterings that have no rule of their own for them: the nearest training samples vote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.baselines._inside import as_scores
from falcon_sc.core.data.inputs import as_input

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from falcon_sc.baselines._inside import CoarseClasses

_N_VOTERS = 15  # as many as the neighbors of Leiden's graph


class VotingBaseline:
    """A clustering inside each coarse class; see its subclasses."""

    labels_: NDArray[np.int64]

    def _remember(self, X: Any, classes: CoarseClasses) -> None:
        self._X, self._classes = X, classes

    def predict(self, X: NDArray[np.floating[Any]], coarse: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fine class of each sample, int64 (N,): that of most of its 15 nearest training samples (Euclidean).

        Parameters
        ----------
        X
            Dense, (N, d), with the features of :meth:`fit`.
        coarse
            Known coarse labels, (N,), entries may be missing; samples with one are voted on by samples of that class only.

        Returns
        -------
        The fine classes.

        Raises
        ------
        TypeError, ValueError
            If the model is not fitted, `X` is no dense matrix or has other features than it was fitted on, or `coarse` unknown labels.
        """
        from sklearn.neighbors import KNeighborsClassifier

        if not hasattr(self, "_X"):
            msg = f"this {type(self).__name__} is not fitted: call fit."
            raise ValueError(msg)
        X = as_input(as_scores(X))
        if X.shape[1] != self._X.shape[1]:
            msg = f"X has {X.shape[1]} features, the model was fitted on {self._X.shape[1]}."
            raise ValueError(msg)
        codes = np.full(len(X), -1) if coarse is None else self._classes.taxonomy.encode(coarse)
        if len(codes) != len(X):
            msg = f"coarse has {len(codes)} labels, X has {len(X)} samples."
            raise ValueError(msg)
        labels = np.empty(len(X), dtype=np.int64)
        for code in np.unique(codes):
            known = np.arange(len(self._X)) if code < 0 else self._classes.members[code]
            voters = KNeighborsClassifier(min(_N_VOTERS, len(known))).fit(self._X[known], self.labels_[known])
            labels[codes == code] = voters.predict(X[codes == code])
        return labels
