"""What a fitted model does: predict, give its last hidden layer, save itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from falcon_sc.core.data.columns import by_name
from falcon_sc.core.data.inputs import as_input, n_features, n_samples
from falcon_sc.core.data.labels import as_array
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.state import persistence
from falcon_sc.core.state.inference import ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from falcon_sc.core.state.decisions import Decision
    from falcon_sc.core.state.fitted import Fitted
    from falcon_sc.core.state.refinement import Refinement

_OF_SAMPLES = ("found_", "_started_in", "labels_", "proba_", "confidence_", "embedding_", "start_labels_")


class Prediction(NamedTuple):
    """Of N samples, from one pass of the network over them."""

    proba: NDArray[np.float32]  # (N, K_F), rows sum to 1
    embedding: NDArray[np.float32]  # (N, n_hidden), last hidden layer
    labels: NDArray[np.int64]  # (N,), the class of the most probable output of the network
    outputs: (
        NDArray[np.float32] | None
    )  # (N, outputs of the network), classes or leaves of a tree; None unless asked for


class Predictor:
    """A model from what was fitted or loaded; its attributes are described in :class:`falcon_sc.Falcon`."""

    metadata: dict[str, Any]

    def _adopt(self, fitted: Fitted) -> None:
        """Take over what was fitted or loaded."""
        self._fitted = fitted
        self._name_classes()
        self.history_ = fitted.history
        self.solver_ = fitted.solver
        self.device_ = str(fitted.device)
        self.n_features_in_ = fitted.n_features
        self.feature_names_in_ = fitted.feature_names
        taxonomy = fitted.taxonomy
        self.coarse_names_ = as_array(taxonomy.names)
        self.coarse_dataset_ = as_array([taxonomy.datasets[d] for d in taxonomy.dataset_of_column])

    def _name_classes(self) -> None:
        """The fine classes, as the decisions leave them."""
        classes, taxonomy = self._fitted.classes, self._fitted.taxonomy
        self.classes_ = classes
        self.decisions_ = self._fitted.decisions
        self.fine_names_ = as_array(classes.names)
        self.relation_ = classes.relation
        blocks = zip(taxonomy.datasets, taxonomy.blocks, strict=True)
        self.relations_ = {name: classes.relation[:, block] for name, block in blocks}

    def decide(self, decisions: Sequence[Decision], *, keep: int | None = None) -> None:
        """See :meth:`falcon_sc.Falcon.decide`."""
        self._fitted.decisions = (*self._fitted.decisions[:keep], *decisions)
        self._name_classes()

    def refine(
        self, column: int, refinement: Refinement, decisions: Sequence[Decision], *, keep: int | None = None
    ) -> None:
        """Take other outputs for a coarse class, as :func:`falcon_sc.tl.refine` finds them, and `decisions`, which end with that.

        A model that was fitted, not loaded, forgets the samples it was fitted on: their classes are in the object that was
        refined.
        """
        self._fitted.refinements = self._fitted.refinements | {column: refinement}
        for name in _OF_SAMPLES:
            self.__dict__.pop(name, None)
        self.decide(decisions, keep=keep)

    def predict(self, X: Any, coarse: ArrayLike | None = None, dataset: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fine class of each sample, int64 (N,), from 0 to K_F - 1: the most probable one.

        After a merge: the class of the most probable member of all, so that other samples stay where they were.
        Parameters and errors are those of :meth:`predict_proba`.
        """
        return self.infer(X, coarse, dataset).labels

    def predict_proba(
        self, X: Any, coarse: ArrayLike | None = None, dataset: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Probabilities of the fine classes, float32 (N, K_F); rows sum to 1.

        Parameters
        ----------
        X
            Samples with the features of :meth:`fit`, a matrix or samples as there.
        coarse
            Known coarse labels, (N,); a sample with one only gets children of it, unless
            `config.restrict_to_coarse` is false. Missing entries, or `None`: all fine classes.
        dataset
            Data set of each sample, if the model was fitted on several.

        Returns
        -------
        The probabilities.

        Raises
        ------
        ValueError
            If the model is not fitted, `X` has other features than it was fitted on, or `coarse` has another length or labels
            that it does not know.
        """
        return self.infer(X, coarse, dataset).proba

    @undisturbed()
    def transform(self, X: Any) -> NDArray[np.float32]:
        """Last hidden layer, float32 (N, n_hidden), of samples `X` as for :meth:`predict_proba`."""
        X = self._check_input(X)
        return self._fitted.embed(self._fitted.project(X))

    @undisturbed()
    def infer(
        self,
        X: Any,
        coarse: ArrayLike | None = None,
        dataset: ArrayLike | None = None,
        *,
        with_outputs: bool = False,
    ) -> Prediction:
        """What :meth:`predict_proba`, :meth:`transform` and :meth:`predict` give, from one pass of the network over the samples."""
        X = self._check_input(X)
        n = n_samples(X)
        codes = np.full(n, -1) if coarse is None else self._fitted.taxonomy.encode(coarse, dataset)
        if len(codes) != n:
            msg = f"coarse has {len(codes)} labels, X has {n} samples."
            raise ValueError(msg)
        embedding = self._fitted.embed(self._fitted.project(X))
        classes, reads_features = self._fitted.classes, bool(self._fitted.refinements)
        proba, labels = np.empty((n, len(classes.names)), dtype=np.float32), np.empty(n, dtype=np.int64)
        all_outputs = np.empty((n, len(classes.members)), dtype=np.float32) if with_outputs else None
        for begin in range(0, n, ROWS):
            block = slice(begin, min(begin + ROWS, n))
            outputs = self._fitted.probabilities(embedding[block], codes[block], X[block] if reads_features else None)
            proba[block], labels[block] = classes.pooled(outputs), classes.members[outputs.argmax(axis=1)]  # eq. 1
            if all_outputs is not None:
                all_outputs[block] = outputs
        return Prediction(proba, embedding, labels, all_outputs)

    def _check_input(self, X: Any) -> Any:
        if not hasattr(self, "_fitted"):
            msg = "this Falcon is not fitted: call fit, or Falcon.load a saved model."
            raise ValueError(msg)
        X = as_input(by_name(X, self.feature_names_in_, "X"))
        if n_features(X) != self.n_features_in_:
            msg = f"X has {n_features(X)} features, the model was fitted on {self.n_features_in_}."
            raise ValueError(msg)
        return X

    def save(self, path: str | Path) -> None:
        """Write the model to a folder: `weights.pt` (tensors only) and `model.json`. See :meth:`load`.

        Raises
        ------
        ValueError
            If the model is not fitted, or the folder holds files of other programs.
        OSError
            If the folder cannot be written.
        """
        if not hasattr(self, "_fitted"):
            msg = "this Falcon is not fitted: there is nothing to save."
            raise ValueError(msg)
        if distributed.rank() == 0:
            persistence.write(path, self._fitted, self.metadata)
