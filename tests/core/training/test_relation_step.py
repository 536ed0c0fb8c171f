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
P_NEARLY = torch.tensor([[0.1, 0.12, 0.78]])


def step(p_of_b: torch.Tensor, *, start: bool = True, lambda_start: float = 0.1) -> RelationStep:
    shares = relations.label_shares(LABELS, CODES, TAXONOMY.blocks, 3)
    found = RelationStep(
        relations.solve(shares, 0.0),
        TAXONOMY,
        replace(FalconConfig(), lambda_start=lambda_start),
        torch.device("cpu"),
        start=shares if start else None,
    )
    for code, p in enumerate((P_OF_A, p_of_b)):
        found.gather(torch.eye(2)[[code] * 3], p.repeat(3, 1))
    return found


def test_predictions_alone_move_a_fine_class() -> None:
    for p_of_b in (P_OF_B, P_NEARLY):
        found = step(p_of_b, start=False)
        assert found.update(0.0) == 1
        np.testing.assert_array_equal(found.relation, [[1, 0], [0, 1], [0, 1]])


@pytest.mark.parametrize("lambda_start", [0.1, 0.0])
def test_labels_of_the_start_hold_it_also_where_they_are_not_in_the_loss(lambda_start: float) -> None:
    """Of the predictions 1/20 is class 1 in "a", more in "b"; of the labels, with a weight of 1/10, 1/6 is, all in "a"."""
    assert step(P_OF_B, lambda_start=lambda_start).update(0.0) == 1  # 1/20 + 1/60 < 2/20
    held = step(P_NEARLY, lambda_start=lambda_start)  # 1/20 + 1/60 > 0.12/2
    assert held.update(0.0) == 0
    np.testing.assert_array_equal(held.relation, [[1, 0], [1, 0], [0, 1]])


@pytest.mark.parametrize("lam", [0.0, 0.5])
def test_labels_do_not_change_the_scale_of_eq_14(lam: float) -> None:
    """Predictions equal to the labels: the same problem, also beside the balance penalty."""
    shares = relations.label_shares(LABELS, CODES, TAXONOMY.blocks, 3)
    config = replace(FalconConfig(), lambda_M=lam)
    found = RelationStep(np.zeros((3, 2), dtype=np.uint8), TAXONOMY, config, torch.device("cpu"), start=shares)
    found.gather(torch.from_numpy(np.eye(2)[CODES]).float(), torch.from_numpy(np.eye(3)[LABELS]).float())
    found.update(0.0)
    np.testing.assert_array_equal(found.relation, relations.solve(shares, lam))
