"""Each equation against a slow version in float64 that is written from the paper, sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_sc.core.training import losses


def _case(seed: int, *, n: int = 7, n_fine: int = 5, n_coarse: int = 3, n_neighbors: int = 2, scale: float = 3.0):
    rng = np.random.default_rng(seed)
    parent = np.concatenate([np.arange(n_coarse), rng.integers(0, n_coarse, n_fine - n_coarse)])
    relation = np.eye(n_coarse)[parent]  # K_F x K_C
    codes = rng.integers(0, n_coarse, n)
    logits = rng.normal(0, scale, (n, n_fine))
    teacher = rng.normal(0, scale, (n, n_neighbors, n_fine))
    return relation, codes, logits, teacher


def _softmax(s):
    e = np.exp(s - s.max())
    return e / e.sum()


def _slow_coarse(relation, codes, logits):
    return -np.mean([np.log((relation.T @ _softmax(s))[y]) for s, y in zip(logits, codes, strict=True)])  # eq. 2, 3


def _slow_neighbors(logits, teacher):
    terms = [np.log(_softmax(near) @ _softmax(s)) for s, row in zip(logits, teacher, strict=True) for near in row]
    return -np.mean(terms)  # eq. 4


def _slow_target(relation, codes, teacher, temperature):
    q = np.zeros_like(teacher)
    for i, (s, y) in enumerate(zip(teacher, codes, strict=True)):
        z = sum(relation[f, y] * math.exp(s[f] / temperature) for f in range(len(s)))
        for f in range(len(s)):
            q[i, f] = math.exp(s[f] / temperature) / z if relation[f, y] else 0.0  # eq. 7
    return q


def _slow_entropy(logits):
    mean = np.mean([_softmax(s) for s in logits], axis=0)
    return math.log(logits.shape[1]) + np.sum(mean * np.log(mean))  # eq. 9


def _slow_prior(relation, codes, logits, prior):
    total = 0.0
    for c in range(relation.shape[1]):
        inside = [_softmax(s) * relation[:, c] for s, y in zip(logits, codes, strict=True) if y == c]
        if inside:
            mean = np.mean([p / p.sum() for p in inside], axis=0)
            kl = sum(
                prior[c, f] * math.log(prior[c, f] / (mean[f] + 1e-3 * prior[c, f]))
                for f in np.flatnonzero(relation[:, c])
            )
            total += len(inside) / len(codes) * kl
    return total


def _children(relation, codes):
    return torch.from_numpy(relation.T.astype(bool)[codes])


def _prior(relation, rng):
    prior = relation.T * rng.uniform(0.2, 1, relation.T.shape)
    return prior / prior.sum(axis=1, keepdims=True)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), n_fine=st.integers(3, 9))
def test_every_equation_equals_its_slow_version(seed, n_fine):
    relation, codes, logits, teacher = _case(seed, n_fine=n_fine)
    children = _children(relation, codes)
    log_p = losses.log_probabilities(torch.from_numpy(logits))
    near = losses.log_probabilities(torch.from_numpy(teacher))

    assert float(losses.coarse_loss(log_p, children)) == pytest.approx(_slow_coarse(relation, codes, logits))
    assert float(losses.neighbor_loss(log_p, near)) == pytest.approx(_slow_neighbors(logits, teacher))

    slow = _slow_target(relation, codes, teacher[:, 0], 0.9)
    target = losses.sharpened_target(torch.from_numpy(teacher[:, 0]), children, 0.9)
    np.testing.assert_allclose(target, slow, atol=1e-12)
    slow_conf = -np.mean([np.sum(q * np.log(_softmax(s))) for q, s in zip(slow, logits, strict=True)])  # eq. 6
    assert float(losses.confidence_loss(target, log_p)) == pytest.approx(slow_conf)

    assert float(losses.entropy_regularizer(losses.log_mean_prediction(log_p))) == pytest.approx(
        _slow_entropy(logits), abs=1e-12
    )
    prior = _prior(relation, np.random.default_rng(seed))
    membership = torch.from_numpy(np.eye(relation.shape[1])[codes])
    fast = losses.prior_divergence(losses.class_mass(log_p, children, membership), torch.from_numpy(prior))
    assert float(fast) == pytest.approx(_slow_prior(relation, codes, logits, prior), abs=1e-9)


def test_annealed_target_goes_from_soft_to_hard():
    target = torch.tensor([[0.2, 0.5, 0.3]])
    torch.testing.assert_close(losses.annealed_target(target, 1.0), target)
    torch.testing.assert_close(losses.annealed_target(target, 0.0), torch.tensor([[0.0, 1.0, 0.0]]))
    torch.testing.assert_close(losses.annealed_target(target, 0.5), torch.tensor([[0.1, 0.75, 0.15]]))


def _all_losses(logits, teacher, relation, codes):
    children = _children(relation, codes).to(logits.device)
    log_p = losses.log_probabilities(logits)
    target = losses.annealed_target(losses.sharpened_target(teacher[:, 0], children, 0.9), 0.5)
    prior = torch.from_numpy(relation.T / relation.sum(axis=0)[:, None]).to(log_p)
    membership = torch.from_numpy(np.eye(relation.shape[1])[codes]).to(log_p)
    return {
        "coarse": losses.coarse_loss(log_p, children),
        "neighbor": losses.neighbor_loss(log_p, losses.log_probabilities(teacher)),
        "confidence": losses.confidence_loss(target, log_p),
        "entropy": losses.entropy_regularizer(losses.log_mean_prediction(log_p)),
        "prior": _prior_of_one_batch(log_p, children, membership, prior),
    }


def _prior_of_one_batch(log_p, children, membership, prior):
    mass = losses.class_mass(log_p, children, membership)
    return losses.prior_regularizer(mass, mass, prior)


def test_prior_of_one_batch_has_the_gradient_of_the_divergence():
    relation, codes, logits, _ = _case(5)
    children, membership = _children(relation, codes), torch.from_numpy(np.eye(3)[codes])
    prior = torch.from_numpy(_prior(relation, np.random.default_rng(0)))
    gradients = []
    for loss in (_prior_of_one_batch, lambda p, c, m, r: losses.prior_divergence(losses.class_mass(p, c, m), r)):
        s = torch.from_numpy(logits.copy()).requires_grad_()
        loss(losses.log_probabilities(s), children, membership, prior).backward()
        gradients.append(s.grad)
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().max() > 0


def test_a_class_without_mass_is_pulled_back():
    """The other direction of the divergence lets a class die; this one does not."""
    prior = torch.tensor([[0.5, 0.4, 0.1]], dtype=torch.float64)
    mass = torch.tensor([[0.6, 0.4, 0.0]], dtype=torch.float64, requires_grad=True)
    losses.prior_divergence(mass, prior).backward()
    assert mass.grad[0, 2] - mass.grad[0, 0] < -50


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("size", [1.0, 50.0, 1e4], ids=["ordinary", "confident", "saturated"])
@pytest.mark.parametrize(("n_fine", "n_coarse"), [(5, 3), (3, 3), (1, 1)], ids=["usual", "one child each", "one class"])
def test_losses_and_gradients_are_finite(device, dtype, size, n_fine, n_coarse):
    relation, codes, logits, teacher = _case(1, n_fine=n_fine, n_coarse=n_coarse)
    # every sample is certain of a class that is often under the wrong coarse label
    student = torch.tensor(np.sign(logits) * size, dtype=dtype, device=device, requires_grad=True)
    near = torch.tensor(-np.sign(teacher) * size, dtype=dtype, device=device)
    for name, loss in _all_losses(student, near, relation, codes).items():
        student.grad = None
        loss.backward(retain_graph=True)
        assert torch.isfinite(loss), name
        assert torch.isfinite(student.grad).all(), name


def test_bfloat16_agrees_with_float64():
    relation, codes, logits, teacher = _case(2)
    exact = _all_losses(torch.from_numpy(logits), torch.from_numpy(teacher), relation, codes)
    half = _all_losses(torch.from_numpy(logits).bfloat16(), torch.from_numpy(teacher).bfloat16(), relation, codes)
    for name, value in exact.items():
        assert float(half[name]) == pytest.approx(float(value), rel=0.05, abs=0.02), name


def test_several_data_sets_are_columns_side_by_side():
    """Eq. 17 with M = [M_1 | M_2]: the loss over both is the mean of the two losses of eq. 3."""
    one, codes_one, logits_one, _ = _case(3, n=4, n_coarse=2)
    two, codes_two, logits_two, _ = _case(4, n=6, n_coarse=3)
    both = np.hstack([one, two])
    children = _children(both, np.concatenate([codes_one, codes_two + 2]))
    log_p = losses.log_probabilities(torch.from_numpy(np.vstack([logits_one, logits_two])))
    expected = (4 * _slow_coarse(one, codes_one, logits_one) + 6 * _slow_coarse(two, codes_two, logits_two)) / 10
    assert float(losses.coarse_loss(log_p, children)) == pytest.approx(expected)


def test_coarse_loss_has_the_same_gradient_for_all_children():
    """Eq. 21: the coarse loss alone does not tell siblings apart."""
    p = torch.tensor([[0.1, 0.3, 0.6]], dtype=torch.float64, requires_grad=True)
    losses.coarse_loss(p.log(), torch.tensor([[True, True, False]])).backward()
    torch.testing.assert_close(p.grad, torch.tensor([[-2.5, -2.5, 0.0]], dtype=torch.float64))
