from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from falcon_sc.baselines.ancor import Queues, angular_contrast


def slow_contrast(e, k, codes, w, queues):
    """The formula, sample by sample: angles about the direction of the class, one positive, the keys of the class."""

    def unit(v):
        return v / math.sqrt(sum(x * x for x in v))

    total = 0.0
    for i in range(len(e)):
        c = codes[i]
        about = [unit(unit(v) - unit(w[c])) for v in (e[i], k[i], *queues[c])]
        query, positive, *negatives = about
        scores = [math.exp(sum(a * b for a, b in zip(query, v, strict=True)) / 0.2) for v in (positive, *negatives)]
        total -= math.log(scores[0] / sum(scores))
    return total / len(e)


@pytest.mark.parametrize("n_keys", [(4, 7), (0, 3), (0, 0)])
def test_contrast_is_the_formula(rng, n_keys):
    e, k, w = rng.normal(size=(6, 5)), rng.normal(size=(6, 5)), rng.normal(size=(2, 5))
    queues = [rng.normal(size=(n, 5)) for n in n_keys]
    codes = np.array([0, 1, 1, 0, 1, 0])
    found = angular_contrast(*map(torch.from_numpy, (e, k, codes, w)), lambda c: torch.from_numpy(queues[c]))
    assert float(found) == pytest.approx(slow_contrast(e, k, codes, w, queues), abs=1e-10)


def test_samples_of_other_classes_are_no_negatives(rng):
    e, k, w = (torch.from_numpy(rng.normal(size=shape)) for shape in ((3, 4), (3, 4), (2, 4)))
    own, codes = torch.from_numpy(rng.normal(size=(5, 4))), torch.zeros(3, dtype=torch.int64)
    one, other = (
        angular_contrast(e, k, codes, w, lambda c, foreign=foreign: own if c == 0 else foreign)
        for foreign in (own, -own)
    )
    assert one == other


def test_queues_keep_the_latest_keys_of_each_class():
    queues = Queues([3, 100], 1, torch.device("cpu"))  # rings of 256 and 400
    assert queues.keys(0).shape == (0, 1)
    for first in range(0, 300, 50):
        keys = torch.arange(first, first + 50.0)[:, None]
        queues.push(keys, torch.zeros(50, dtype=torch.int64))
    assert sorted(queues.keys(0).flatten().tolist()) == list(range(300 - 256, 300))
    assert queues.keys(1).shape == (0, 1)
    queues.push(torch.arange(500.0)[:, None], torch.ones(500, dtype=torch.int64))
    assert sorted(queues.keys(1).flatten().tolist()) == list(range(100, 500))
