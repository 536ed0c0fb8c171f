from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from falcon_sc import FalconConfig
from falcon_sc.core import relations
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.training.relation_step import RelationStep

TAXONOMY = Taxonomy.of(np.array(["a", "b"]))
LABELS, CODES = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 0, 0, 1, 1])
# a network that confuses the coarse classes: most of what it gives fine class 1, of "a", it gives to samples of "b"
P_OF_A, P_OF_B = torch.tensor([[0.8, 0.1, 0.1]]), torch.tensor([[0.1, 0.2, 0.7]])


def step(lambda_start: float, *, start: bool = True) -> RelationStep:
    shares = relations.label_shares(LABELS, CODES, TAXONOMY.blocks, 3)
    found = RelationStep(
        relations.solve(shares, 0.0),
        TAXONOMY,
        replace(FalconConfig(), lambda_start=lambda_start),
        torch.device("cpu"),
        start=shares if start else None,
    )
    for code, p in enumerate((P_OF_A, P_OF_B)):
        found.gather(torch.eye(2)[[code] * 3], p.repeat(3, 1))
    return found


def test_predictions_alone_move_a_fine_class() -> None:
    for found in (step(0.1, start=False), step(0.0)):
        assert found.update(0.0) == 1
        np.testing.assert_array_equal(found.relation, [[1, 0], [0, 1], [0, 1]])


def test_labels_of_the_start_hold_it() -> None:
    """Of the predictions 1/20 is class 1 in "a" and 2/20 class 1 in "b"; of the labels 1/6 is class 1, all in "a"."""
    assert step(0.2).update(0.0) == 1  # 1/20 + 1/30 < 2/20
    held = step(0.4)  # 1/20 + 1/15 > 2/20
    assert held.update(0.0) == 0
    np.testing.assert_array_equal(held.relation, [[1, 0], [1, 0], [0, 1]])


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_labels_do_not_change_the_scale_of_eq_14(lam: float) -> None:
    """Predictions equal to the labels: the same problem, whatever the weight, also beside the balance penalty."""
    shares = relations.label_shares(LABELS, CODES, TAXONOMY.blocks, 3)
    config = replace(FalconConfig(), lambda_M=lam, lambda_start=3.0)
    found = RelationStep(np.zeros((3, 2), dtype=np.uint8), TAXONOMY, config, torch.device("cpu"), start=shares)
    found.gather(torch.from_numpy(np.eye(2)[CODES]).float(), torch.from_numpy(np.eye(3)[LABELS]).float())
    found.update(0.0)
    np.testing.assert_array_equal(found.relation, relations.solve(shares, lam))
