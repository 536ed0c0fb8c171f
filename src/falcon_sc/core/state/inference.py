"""Predictions of a trained classifier, a block of samples at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import sparse

from falcon_sc.core.runtime import forks
from falcon_sc.core.runtime.device import autocast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from falcon_sc.core.config import Precision
    from falcon_sc.core.data.batches import Samples, Views
    from falcon_sc.core.training.networks import FineClassifier


ROWS = 8192  # of the last hidden layer that the head reads at once


def embed(classifier: FineClassifier, samples: Samples, views: Views, precision: Precision) -> NDArray[np.float32]:
    """Last hidden layer of all samples, (N, n_hidden): one pass of the network over them."""
    hidden = np.empty((len(samples), classifier.head.in_features), dtype=np.float32)
    classifier.eval()
    with torch.no_grad():
        for block, features in features_of(classifier.backbone, samples, views, precision):
            hidden[block] = features.cpu().numpy()
    return hidden


def probabilities(
    head: nn.Linear, hidden: NDArray[np.float32], codes: NDArray[np.int64], relation: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Probabilities (N, K_F) among the children of each sample's coarse class, from the last hidden layer.

    A code of -1 says that the coarse class is not known: every fine class may be predicted.
    """
    proba = np.empty((len(hidden), len(relation)), dtype=np.float32)
    for block, _, own in _blocks(head, hidden, codes, relation):
        proba[block] = own
    return proba


def sparse_probabilities(
    head: nn.Linear, hidden: NDArray[np.float32], codes: NDArray[np.int64], relation: NDArray[np.uint8]
) -> sparse.csr_matrix:
    """The same as a CSR matrix, which has no entries for the children of other coarse classes. It is never there twice."""
    n_children = np.append(relation.sum(axis=0, dtype=np.int64), len(relation))  # the last one is for code -1
    ends = np.concatenate([[0], np.cumsum(n_children[codes])])
    data, columns = np.empty(ends[-1], dtype=np.float32), np.empty(ends[-1], dtype=np.int32)
    for block, allowed, own in _blocks(head, hidden, codes, relation):
        entries = slice(ends[block.start], ends[block.start + len(own)])
        data[entries], columns[entries] = own[allowed], np.nonzero(allowed)[1]
    return sparse.csr_matrix((data, columns, ends), shape=(len(hidden), len(relation)))


def most_probable(
    head: nn.Linear, hidden: NDArray[np.float32], codes: NDArray[np.int64], relation: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """The class of the largest of these probabilities, (N,)."""
    labels = np.empty(len(hidden), dtype=np.int64)
    for block, _, own in _blocks(head, hidden, codes, relation):
        labels[block] = own.argmax(axis=1)  # eq. 1, over the classes that are allowed
    return labels


def _blocks(
    head: nn.Linear, hidden: NDArray[np.float32], codes: NDArray[np.int64], relation: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[np.bool_], NDArray[np.float32]]]:
    """Rows, which classes may be predicted for each (rows, K_F), and their probabilities."""
    device = head.weight.device
    parents = torch.from_numpy(relation.T.astype(bool)).to(device)
    parents = torch.cat([parents, torch.ones_like(parents[:1])])  # (K_C + 1, K_F); -1 picks the last row
    for begin in range(0, len(hidden), ROWS):
        block = slice(begin, begin + ROWS)
        with torch.no_grad():
            allowed = parents[torch.from_numpy(codes[block]).to(device)]  # (rows, K_F)
            logits = head(torch.from_numpy(hidden[block]).to(device)).masked_fill(~allowed, -torch.inf)
            proba = logits.softmax(dim=1)
        yield block, allowed.cpu().numpy(), proba.cpu().numpy()


def features_of(
    backbone: nn.Module, samples: Samples, views: Views, precision: Precision
) -> Iterator[tuple[slice, Tensor]]:
    """What `backbone`, as it is, gives for all samples: block after block, float32; for use without gradients."""
    forks.do_without_lost_threads()
    edges = range(0, len(samples), samples.block)
    blocks = [slice(begin, min(begin + samples.block, len(samples))) for begin in edges]
    indices = (torch.arange(block.start, block.stop, device=samples.device) for block in blocks)
    for block, rows in zip(blocks, samples.stream(indices), strict=True):
        with autocast(samples.device, precision):
            features = backbone(views.plain(rows))
        yield block, features.float()
