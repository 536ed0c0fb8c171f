"""What a run of the training is given, and what it ends with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from falcon_sc.core.data.batches import SameViews
from falcon_sc.core.relations import label_shares

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from falcon_sc.core.data.batches import Samples, Views
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.training.networks import FineClassifier


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from; N samples, K_F outputs of the network: fine classes, or leaves of the tree through them."""

    samples: Samples
    codes: NDArray[np.int64]  # (N,) column of M of each sample
    neighbors: NDArray[np.int64 | np.int32]  # (N, L)
    taxonomy: Taxonomy
    start_labels: NDArray[np.int64] | None = None  # (N,) or none for a random start
    views: Views = field(default_factory=SameViews)
    classes: NDArray[np.int64] | None = None  # (K_F,) fine class of each leaf, if there is a tree

    def start_shares(self, n_fine: int) -> NDArray[np.float64] | None:
        """C of eq. 12 that the labels of the start give, (K_F, K_C); none for a random start."""
        if self.start_labels is None:
            return None
        return label_shares(self.start_labels, self.codes, self.taxonomy.blocks, n_fine)


@dataclass(frozen=True)
class Trained:
    """What a run ends with."""

    classifier: FineClassifier
    relation: NDArray[np.uint8]  # (K_F, K_C)
    history: dict[str, NDArray[Any]]
