from __future__ import annotations

import numpy as np
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import DenseSamples, InMemory
from falcon_sc.core.training.sampling import BatchSampler

CONFIG = FalconConfig(batch_size=8, n_neighbors=6, n_neighbors_per_step=3)
N = 20
NEIGHBORS = (np.arange(N)[:, None] + np.arange(1, 7)) % N


class ReadAhead(InMemory):
    """Asks for all indices before it gives the first rows, as far as workers that decode files could go."""

    n_features = 1
    device = torch.device("cpu")

    def __len__(self):
        return N

    def rows(self, index):
        return index[:, None].float()

    def stream(self, indices):
        return map(self.rows, list(indices))


def _sampler(samples, seed=0):
    return BatchSampler(samples, NEIGHBORS, CONFIG, torch.Generator().manual_seed(seed))


def _matrix():
    return DenseSamples(np.arange(N, dtype=np.float32)[:, None], torch.device("cpu"))


def test_an_epoch_takes_each_sample_at_most_once_and_draws_among_its_neighbors():
    batches = list(_sampler(_matrix()).epoch(0))
    index = torch.cat([batch.index for batch, _ in batches])
    assert len(batches) == 2
    assert len(index.unique()) == 16
    for batch, rows in batches:
        np.testing.assert_array_equal(rows[:, 0], batch.read)
        assert batch.neighbors.shape == (8, 3)
        for i, drawn in zip(batch.index, batch.neighbors, strict=True):
            assert len(drawn.unique()) == 3
            assert set(drawn.tolist()) <= set(NEIGHBORS[i])


def test_the_warm_up_reads_no_neighbors():
    (first, rows), (second, _) = _sampler(_matrix()).epoch(1)
    assert first.neighbors is None
    assert len(rows) == 8
    assert second.neighbors is not None


def test_reading_ahead_changes_no_draw():
    lazy, ahead = _sampler(_matrix()), _sampler(ReadAhead())
    for _ in range(2):
        for (a, rows_a), (b, rows_b) in zip(lazy.epoch(1), ahead.epoch(1), strict=True):
            assert torch.equal(a.read, b.read)
            assert torch.equal(rows_a, rows_b)


def test_all_neighbors_are_taken_where_no_number_is_given():
    config = FalconConfig(batch_size=8, n_neighbors=6, n_neighbors_per_step=None)
    batches = BatchSampler(_matrix(), NEIGHBORS, config, torch.Generator().manual_seed(0)).epoch(0)
    for batch, _ in batches:
        taken = np.sort(batch.neighbors.numpy(), axis=1)
        np.testing.assert_array_equal(taken, np.sort(NEIGHBORS[batch.index.numpy()], axis=1))
