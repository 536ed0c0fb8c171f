"""No fine class of the start is left without a sample: the bias of an empty one is raised to its expected size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.training.networks import FineClassifier

_BLOCK = 2**14  # samples that are looked at at once
_ROUNDS = 5  # a revived class may take the last samples of another


def revive_empty_classes(
    classifier: FineClassifier,
    hidden: NDArray[np.float32],
    codes: NDArray[np.int64],
    relation: NDArray[np.uint8],
    sizes: NDArray[np.int64],
) -> list[int]:
    """Raise the bias of each fine class that no sample is predicted to be in; returns which were empty.

    Such a class gets the samples of its coarse class that are nearest to it, as many as it had in the start. The
    others keep their order, so that predictions elsewhere stay as they are.

    Parameters
    ----------
    hidden
        (N, n_hidden), last hidden layer of the samples.
    codes
        (N,) column of `relation` of each sample.
    relation
        M, (K_F, K_C).
    sizes
        (K_F,) samples of each fine class in the start.
    """
    weight, bias = (p.detach().cpu().numpy() for p in (classifier.head.weight, classifier.head.bias))
    raised: NDArray[np.float64] = np.zeros(len(bias))
    revived: set[int] = set()
    for _ in range(_ROUNDS):
        now = (bias + raised).astype(np.float32)
        empty = np.flatnonzero(_sizes(hidden, codes, weight, now, relation) == 0)
        if not len(empty):
            break
        for f in empty:
            rows = np.flatnonzero(relation[f][codes])
            if len(rows):
                rivals = np.flatnonzero(relation[:, relation[f] == 1].any(axis=1))  # in the coarse classes that have it
                logits = _logits(hidden[rows], weight[rivals], (bias + raised)[rivals].astype(np.float32))
                logits[relation[rivals].T[codes[rows]] == 0] = -np.inf
                own = logits[:, rivals == f][:, 0].copy()
                logits[:, rivals == f] = -np.inf
                missing = np.sort(logits.max(axis=1) - own)
                missing = np.append(missing, missing[-1] + 1)
                taken = min(int(sizes[f]), len(rows))
                raised[f] += float(missing[taken - 1] + missing[taken]) / 2  # between the last one taken and the next
        revived.update(empty.tolist())
    with torch.no_grad():
        classifier.head.bias.add_(torch.from_numpy(raised).to(classifier.head.bias))
    return sorted(revived)


def _sizes(
    hidden: NDArray[np.float32],
    codes: NDArray[np.int64],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    relation: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Samples that are predicted to be in each fine class, (K_F,)."""
    found = np.zeros(len(bias), dtype=np.int64)
    for begin in range(0, len(hidden), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        logits = _logits(hidden[block], weight, bias)
        logits[relation.T[codes[block]] == 0] = -np.inf
        found += np.bincount(logits.argmax(axis=1), minlength=len(bias))
    return found


def _logits(hidden: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32]) -> NDArray[np.float32]:
    logits = hidden @ weight.T
    logits += bias
    return logits
