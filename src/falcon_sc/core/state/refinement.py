"""Finer outputs in one coarse class, below those of the network: what a class as a whole has stays bit for bit.

The network says how probable the coarse class is, by the sum of its outputs there; a linear layer on what the network reads
shares that out among the new outputs. So nothing changes anywhere else, not even for samples without a coarse label. The
last hidden layer would not do: it was made to tell the former outputs apart, and may hold no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Refinement:
    """Outputs of one coarse class, leaves of a tree. `weight`: (outputs, features), `bias`, and their fine classes, from 0."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    class_of_output: NDArray[np.int64]

    def proba(self, X: Any) -> NDArray[np.float32]:
        """Of samples of this coarse class, (N, outputs), from their features (N, features), dense or sparse; rows sum to 1."""
        logits = np.asarray(X @ self.weight.T, dtype=np.float32) + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return np.asarray(logits)


Refinements = dict[int, Refinement]  # by column of M


def refined_outputs(
    relation: NDArray[np.uint8], class_of_output: NDArray[np.int64], refinements: Mapping[int, Refinement]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """M of the outputs (outputs, K_C) and their fine classes, with those of some coarse classes replaced.

    Outputs stand in the order of their coarse classes.
    """
    columns, classes, n_classes = [], [], 0
    for column in range(relation.shape[1]):
        own = class_of_output[relation[:, column] == 1]
        if column in refinements:
            own = refinements[column].class_of_output
        codes = np.unique(own, return_inverse=True)[1]
        columns.append(np.full(len(own), column))
        classes.append(n_classes + codes)
        n_classes += len(np.unique(own))
    return np.eye(relation.shape[1], dtype=np.uint8)[np.concatenate(columns)], np.concatenate(classes)


def refined_probabilities(
    proba: NDArray[np.float32],
    relation: NDArray[np.uint8],
    refinements: Mapping[int, Refinement],
    X: Any,
) -> NDArray[np.float32]:
    """Probabilities of the refined outputs, from those of the network (N, outputs), M of these, and the features."""
    blocks = []
    for column in range(relation.shape[1]):
        block = proba[:, relation[:, column] == 1]
        if column in refinements:
            block = block.sum(axis=1, keepdims=True) * refinements[column].proba(X)
        blocks.append(block)
    return np.concatenate(blocks, axis=1)
