"""No fine class of the start is left without a sample: the bias of an empty one is raised to its expected size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.training.networks import FineClassifier

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
    logits = hidden @ weight.T
    logits += bias  # in place, here and below: beside the probabilities there is no larger array
    logits[relation.T[codes] == 0] = -np.inf
    raised: NDArray[np.float64] = np.zeros(len(bias))
    revived: set[int] = set()
    for _ in range(_ROUNDS):
        empty = np.flatnonzero(np.bincount(logits.argmax(axis=1), minlength=len(bias)) == 0)
        if not len(empty):
            break
        for f in empty:
            rows = np.flatnonzero(np.isfinite(logits[:, f]))
            if len(rows):
                rivals = logits[rows]
                rivals[:, f] = -np.inf
                missing = np.sort(rivals.max(axis=1) - logits[rows, f])
                missing = np.append(missing, missing[-1] + 1)
                taken = min(int(sizes[f]), len(rows))
                step = float(missing[taken - 1] + missing[taken]) / 2  # between the last one taken and the next
                logits[:, f] += step
                raised[f] = raised[f] + step
        revived.update(empty.tolist())
    with torch.no_grad():
        classifier.head.bias.add_(torch.from_numpy(raised).to(classifier.head.bias))
    return sorted(revived)
