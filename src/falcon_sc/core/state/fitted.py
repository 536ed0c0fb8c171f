"""What a fit leaves behind: all that predicting and saving need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from falcon_sc.core.data.batches import Samples, as_samples
from falcon_sc.core.data.labels import as_array
from falcon_sc.core.data.naming import fine_names
from falcon_sc.core.data.rows import in_memory
from falcon_sc.core.state.decisions import FineClasses
from falcon_sc.core.state.inference import embed, most_probable, probabilities, sparse_probabilities
from falcon_sc.core.state.refinement import refined_outputs, refined_probabilities

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from scipy import sparse

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import Views
    from falcon_sc.core.data.projection import Projection
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.state.decisions import Decision
    from falcon_sc.core.state.refinement import Refinements
    from falcon_sc.core.training.networks import FineClassifier


@dataclass
class Fitted:
    """A trained classifier with its input and its classes."""

    config: FalconConfig
    device: torch.device
    n_features: int
    feature_names: NDArray[Any] | None
    projection: Projection | None
    classifier: FineClassifier
    views: Views
    taxonomy: Taxonomy
    relation: NDArray[np.uint8]  # (outputs of the network, K_C)
    history: dict[str, NDArray[Any]]
    solver: str
    own_network: bool  # given by the user, not built from the configuration
    class_of_output: NDArray[np.int64] | None = None  # (outputs,), of the leaves of a tree
    decisions: tuple[Decision, ...] = ()
    refinements: Refinements = field(default_factory=dict)  # below outputs of the network, with a tree

    @property
    def classes(self) -> FineClasses:
        """The fine classes: the outputs of the network, or what these are leaves of, after all decisions."""
        relation, class_of_output, coarse = self.relation, self.class_of_output, as_array(self.taxonomy.names)
        if class_of_output is None:
            names = fine_names(relation, coarse, self.taxonomy.dataset_of_column)
            return FineClasses.of(names, relation).after(self.decisions)
        if self.refinements:
            relation, class_of_output = refined_outputs(relation, class_of_output, self.refinements)
        first = np.unique(class_of_output, return_index=True)[1]
        names = fine_names(relation[first], coarse, self.taxonomy.dataset_of_column)
        return FineClasses.of_leaves(names, relation, class_of_output).after(self.decisions)

    def project(self, X: Any) -> Any:
        """What the network reads of `X`."""
        if isinstance(X, Samples):
            return X
        return in_memory(X) if self.projection is None else self.projection(X)

    def embed(self, Z: Any) -> NDArray[np.float32]:
        """Last hidden layer of projected rows or samples, (N, n_hidden)."""
        return embed(self.classifier, as_samples(Z, self.device), self.views, self.config.precision)

    def probabilities(
        self, hidden: NDArray[np.float32], codes: NDArray[np.int64], X: Any = None
    ) -> NDArray[np.float32]:
        """Probabilities, (N, outputs), from the last hidden layer; see :func:`falcon_sc.core.state.inference.probabilities`.

        `X`: the features, which refinements read.
        """
        proba = probabilities(self.classifier.head, hidden, codes, self._allowed)
        return (
            refined_probabilities(proba, self.relation, self.refinements, in_memory(X)) if self.refinements else proba
        )

    def proba_of_fit(
        self, hidden: NDArray[np.float32], codes: NDArray[np.int64]
    ) -> NDArray[np.float32] | sparse.csr_matrix:
        """The same before there are refinements; of the leaves of several coarse classes, most of which are 0, as CSR."""
        is_sparse = self.class_of_output is not None and self.relation.shape[1] > 1
        return (sparse_probabilities if is_sparse else probabilities)(
            self.classifier.head, hidden, codes, self._allowed
        )

    def most_probable(self, hidden: NDArray[np.float32], codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The most probable output of each sample, (N,), before there are refinements."""
        return most_probable(self.classifier.head, hidden, codes, self._allowed)

    @property
    def _allowed(self) -> NDArray[np.uint8]:
        """Which outputs may be predicted in each coarse class, (outputs, K_C)."""
        return self.relation if self.config.restrict_to_coarse else np.ones_like(self.relation)

    def order_by_size(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Sort the outputs by parent, then by falling size of their fine class and of their own; returns the order taken.

        `labels` (N,): the output of each sample. Those of one size stay in the order they had.
        """
        classes = np.arange(len(self.relation)) if self.class_of_output is None else self.class_of_output
        sizes = np.bincount(labels, minlength=len(classes))
        of_class = np.bincount(classes, weights=sizes)[classes]
        parents = [tuple(np.flatnonzero(row)) for row in self.relation]
        ranked = sorted(range(len(sizes)), key=lambda f: (parents[f], -of_class[f], classes[f], -sizes[f], f))
        order = np.asarray(ranked, dtype=np.int64)
        if self.class_of_output is not None:
            sorted_classes = classes[order]  # those of one class stand together
            self.class_of_output = np.cumsum(np.diff(sorted_classes, prepend=sorted_classes[0]) != 0)
        index = torch.from_numpy(order).to(self.device)
        head = self.classifier.head
        with torch.no_grad():
            head.weight.copy_(head.weight[index].clone())
            head.bias.copy_(head.bias[index].clone())
        self.relation = self.relation[order]
        return order
