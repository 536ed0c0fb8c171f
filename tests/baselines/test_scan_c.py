from __future__ import annotations

import numpy as np

from falcon_sc.baselines import SCAN, SCANC
from falcon_sc.baselines.scan import candidates

from .digits import digits
from .test_trained import make_task


def crossing(method, dataset=None):
    X, coarse, _ = digits()
    task = make_task(X, coarse, 10, dataset=dataset)
    near = candidates(task, method(10)._searched(task))
    return (task.codes[near] != task.codes[:, None]).sum()


def test_neighbors_never_cross_coarse_classes():
    assert crossing(SCANC) == 0
    assert crossing(SCAN) > 100  # of digits that look alike there are many


def test_nor_data_sets():
    dataset = np.random.default_rng(0).choice(["one", "two"], len(digits()[0]))
    assert crossing(SCANC, dataset) == 0


def test_learns_from_several_data_sets():
    X, coarse, _ = digits()
    dataset = np.where(np.arange(len(X)) % 2, "one", "two")
    from falcon_sc import FalconConfig

    model = SCANC(10, FalconConfig(max_epochs=1)).fit(X, coarse, dataset)
    assert model.relation_.shape == (10, 6)
