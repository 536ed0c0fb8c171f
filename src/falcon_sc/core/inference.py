"""Predictions of a trained classifier, a block of samples at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.core.batches import Samples
    from falcon_sc.core.networks import FineClassifier

_BLOCK = 8192


@torch.no_grad()
def infer(
    classifier: FineClassifier, samples: Samples, codes: NDArray[np.int64], relation: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Probabilities (N, K_F), among the children of each sample's coarse class, and last hidden layer (N, n_hidden).

    A code of -1 says that the coarse class is not known: every fine class may be predicted.
    """
    device = samples.device
    parents = torch.from_numpy(relation.T.astype(bool)).to(device)
    parents = torch.cat([parents, torch.ones_like(parents[:1])])  # the last row is the one that -1 picks
    proba = np.empty((len(samples), len(relation)), dtype=np.float32)
    hidden = np.empty((len(samples), classifier.head.in_features), dtype=np.float32)
    classifier.eval()
    for begin in range(0, len(samples), _BLOCK):
        block = slice(begin, min(begin + _BLOCK, len(samples)))
        features = classifier.backbone(samples.rows(torch.arange(block.start, block.stop, device=device)))
        allowed = parents[torch.from_numpy(codes[block]).to(device)]
        logits = classifier.head(features).masked_fill(~allowed, -torch.inf)
        proba[block] = logits.softmax(dim=1).cpu().numpy()
        hidden[block] = features.cpu().numpy()
    return proba, hidden
