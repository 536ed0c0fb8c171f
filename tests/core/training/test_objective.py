from __future__ import annotations

import numpy as np
import pytest
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.training import losses
from falcon_sc.core.training.objective import Objective, Scored

PARENTS = [0, 0, 1, 1, 1]


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(0, 2, 8))
    children = torch.from_numpy(np.eye(2, dtype=bool)[PARENTS].T)
    log_p = losses.log_probabilities(torch.from_numpy(rng.normal(size=(8, 5))).float())
    near = losses.log_probabilities(torch.from_numpy(rng.normal(size=(8, 3, 5))).float())
    target = losses.sharpened_target(torch.from_numpy(rng.normal(size=(8, 5))).float(), children[codes], 0.9)
    membership = torch.nn.functional.one_hot(codes, 2).float()
    labels = torch.tensor([0 if c == 0 else 2 for c in codes])
    return codes, children, Scored(torch.arange(8), children[codes], membership, log_p, near, target), labels


def test_equation_10_is_the_weighted_sum(batch):
    codes, children, scored, _ = batch
    config = FalconConfig(lambda_1=0.7, lambda_2=0.3, lambda_3=1.9, prior="uniform")
    terms = Objective(config, codes, (5, 2), None)(scored, children)
    expected = (
        0.7 * losses.coarse_loss(scored.log_p, scored.children)
        + 0.3
        * (
            losses.neighbor_loss(scored.log_p, scored.log_p_neighbors)
            + losses.confidence_loss(scored.target, scored.log_p)
        )
        + 1.9 * losses.entropy_regularizer(losses.log_mean_prediction(scored.log_p))
    )
    torch.testing.assert_close(terms.loss, expected)


@pytest.mark.parametrize(("lambda_nn", "lambda_conf"), [(1.0, 0.0), (0.0, 1.0), (0.4, 2.5)])
def test_consistency_and_confidence_have_weights_of_their_own(batch, lambda_nn, lambda_conf):
    """Eq. 8; third row of table 5: without the coarse loss and without confidence."""
    codes, children, scored, _ = batch
    config = FalconConfig(lambda_1=0.0, lambda_3=0.0, lambda_nn=lambda_nn, lambda_conf=lambda_conf, prior="uniform")
    terms = Objective(config, codes, (5, 2), None)(scored, children)
    neighbors = losses.neighbor_loss(scored.log_p, scored.log_p_neighbors)
    confidence = losses.confidence_loss(scored.target, scored.log_p)
    torch.testing.assert_close(terms.loss, 0.5 * (lambda_nn * neighbors + lambda_conf * confidence))


def test_the_prior_follows_the_sizes_of_the_start(batch):
    codes, children, _, _ = batch
    labels = torch.tensor([0, 0, 0, 1, 2, 2, 3, 4])
    for power, first in ((0.0, 0.5), (1.0, 0.75)):
        prior = Objective(FalconConfig(prior_power=power), codes, (5, 2), labels).prior(children)
        assert float(prior[0, 0]) == pytest.approx(first)
        torch.testing.assert_close(prior.sum(dim=1), torch.ones(2))
        assert (prior[~children] == 0).all()


def test_the_anchor_weighs_rare_classes_more(batch):
    codes, children, scored, labels = batch
    without, with_anchor = (
        Objective(FalconConfig(lambda_start=weight), codes, (5, 2), labels) for weight in (0.0, 2.0)
    )
    for objective in (without, with_anchor):
        objective.expect_sizes(children)
    extra = with_anchor(scored, children).loss - without(scored, children).loss
    sizes = torch.bincount(labels, minlength=5)[labels]
    weight = sizes.float().rsqrt() / sizes.float().rsqrt().mean()
    nll = -scored.log_p[torch.arange(8), labels]
    assert float(extra) == pytest.approx(float(2 * (nll * weight).mean()), rel=1e-5)
