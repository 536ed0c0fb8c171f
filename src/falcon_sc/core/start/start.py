"""What the start hands to the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from falcon_sc.core.start.tree.forest import Tree


@dataclass(frozen=True)
class Start:
    """Where training begins: M and, but for a random start, labels and what they rest on; n samples.

    `relation`: M, uint8 K_F x K_C. `labels`: int64 n, fine classes by coarse class, then by falling size. `agreement`:
    float32 n, in [0, 1], how far the clusterings agree on the label of each sample. `latents`: float32 n x 45 (30
    without counts), the class-local representation for neighbors inside a class; None where n_fine equals the number of
    coarse classes and nothing was fitted. `leaves`, int64 n, and `tree`: the splits through the fine classes and below them,
    where they were asked for.
    """

    relation: np.ndarray
    labels: np.ndarray | None = None
    agreement: np.ndarray | None = None
    latents: np.ndarray | None = None
    leaves: np.ndarray | None = None
    tree: Tree | None = None

    @property
    def output_labels(self) -> np.ndarray | None:
        """What a network learns of it: leaves, where there is a tree, or fine classes."""
        return self.labels if self.tree is None else self.leaves

    @property
    def class_of_output(self) -> np.ndarray | None:
        """Fine class of each leaf; None without a tree."""
        return None if self.tree is None else self.tree.class_of_leaf
