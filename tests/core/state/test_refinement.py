from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.state.refinement import Refinement, refined_outputs, refined_probabilities

# outputs of a network: two fine classes of the first coarse class, one with two leaves; one each of the others
RELATION = np.eye(3, dtype=np.uint8)[[0, 0, 0, 1, 2]]
CLASSES = np.array([0, 0, 1, 2, 3])


@pytest.fixture
def finer() -> Refinement:
    """Four outputs in three fine classes."""
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(4, 5)), rng.normal(size=4)
    return Refinement(weight.astype(np.float32), bias.astype(np.float32), np.array([0, 0, 1, 2]))


def test_what_the_class_has_is_shared_out_and_the_others_stay_bit_for_bit(finer: Refinement) -> None:
    rng = np.random.default_rng(1)
    hidden, proba = rng.normal(size=(50, 5)).astype(np.float32), rng.dirichlet(np.ones(5), 50).astype(np.float32)
    refined = refined_probabilities(proba, RELATION, {1: finer}, hidden)
    assert refined.dtype == np.float32
    np.testing.assert_array_equal(refined[:, [0, 1, 2, 7]], proba[:, [0, 1, 2, 4]])
    np.testing.assert_allclose(refined[:, 3:7].sum(axis=1), proba[:, 3], rtol=1e-5)
    logits = hidden @ finer.weight.T + finer.bias
    np.testing.assert_allclose(
        refined[:, 3:7], proba[:, [3]] * np.exp(logits) / np.exp(logits).sum(1)[:, None], rtol=1e-4
    )
    np.testing.assert_array_equal(refined[:, 3:7].argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize(
    ("column", "coarse", "classes"),
    [
        (0, [0, 0, 0, 0, 1, 2], [0, 0, 1, 2, 3, 4]),
        (1, [0, 0, 0, 1, 1, 1, 1, 2], [0, 0, 1, 2, 2, 3, 4, 5]),
        (2, [0, 0, 0, 1, 2, 2, 2, 2], [0, 0, 1, 2, 3, 3, 4, 5]),
    ],
)
def test_outputs_stand_in_the_order_of_their_coarse_classes(finer: Refinement, column, coarse, classes) -> None:
    relation, class_of_output = refined_outputs(RELATION, CLASSES, {column: finer})
    np.testing.assert_array_equal(relation.argmax(axis=1), coarse)
    np.testing.assert_array_equal(relation.sum(axis=1), 1)
    np.testing.assert_array_equal(class_of_output, classes)
