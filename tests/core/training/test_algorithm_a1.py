"""Algorithm A1 as the text has it, against a slow loop that shares nothing with it but the draws: float64, one sample
at a time, gradients by hand-written tensors' own autograd, M by trying all of them."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from falcon_sc.core.config import FalconConfig
from tests.core.planted import planted

from .test_trainer import make_trainer

if TYPE_CHECKING:
    from falcon_sc.core.training.trainer import Trainer

N_ITERATIONS = 40
K_F, K_C = 6, 3
TEXT = dataclasses.replace(
    FalconConfig.paper(),
    lambda_3=2.0,
    lambda_M=0.1,
    n_neighbors=4,
    n_hidden=8,
    n_layers=2,
    batch_size=32,
    max_epochs=4,
    relation_interval=5,
    relation_batches=2,
    gamma=0.9,
)


class Watched:
    """A run of the package whose draws are written down."""

    def __init__(self) -> None:
        self.trainer: Trainer = make_trainer(TEXT)
        self.first = {k: v.detach().double().clone() for k, v in self.trainer.learner.student.named_parameters()}
        self.relation = self.trainer._relation.relation.copy()
        self.batches: list[list[int]] = []
        self.fresh: list[list[int]] = []
        self.relations: list[np.ndarray] = []
        iterate, draw, update = self.trainer.iterate, self.trainer._fresh.draw, self.trainer._relation.update

        def watch_batch(batch, rows, used):
            self.batches.append(batch.index.tolist())
            return iterate(batch, rows, used)

        def watch_draw(seed):
            drawn = draw(seed)
            self.fresh.append(torch.cat(drawn).tolist())
            return drawn

        def watch_update(progress):
            changes = update(progress)
            self.relations.append(self.trainer._relation.relation.copy())
            return changes

        self.trainer.iterate, self.trainer._fresh.draw = watch_batch, watch_draw
        self.trainer._relation.update = watch_update


class SlowA1:
    """The lines of algorithm A1 in their order."""

    def __init__(self, theta: dict[str, torch.Tensor], M: np.ndarray, n_iterations: int) -> None:
        data = planted()
        self.X = torch.from_numpy(data.X).double()
        self.y = np.unique(data.coarse, return_inverse=True)[1]
        self.theta = {name: value.clone().requires_grad_() for name, value in theta.items()}
        self.teacher = {name: value.clone() for name, value in theta.items()}
        self.speed = {name: torch.zeros_like(value) for name, value in theta.items()}
        self.M = M
        self.n_iterations = n_iterations
        self.near = [self.neighbors(i) for i in range(len(self.X))]

    def neighbors(self, i: int) -> list[int]:
        """The four with the largest cosine, in the same coarse class, without the sample itself."""
        cosine = {
            j: float(self.X[i] @ self.X[j] / (self.X[i].norm() * self.X[j].norm()))
            for j in range(len(self.X))
            if j != i and self.y[j] == self.y[i]
        }
        return sorted(cosine, key=lambda j: -cosine[j])[:4]

    def scores(self, theta: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        h = x
        for layer in (0, 2):
            weight, bias = theta[f"backbone.{layer}.weight"], theta[f"backbone.{layer}.bias"]
            h = ((h @ weight if layer == 0 else weight @ h) + bias).clamp(min=0)
        return theta["head.weight"] @ h + theta["head.bias"]

    def probabilities(self, theta: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        s = self.scores(theta, x)
        return s.exp() / s.exp().sum()

    def loss(self, batch: list[int]) -> torch.Tensor:
        coarse, consistency, confidence = 0.0, 0.0, 0.0
        mean = torch.zeros(K_F, dtype=torch.float64)
        for i in batch:
            p = self.probabilities(self.theta, self.X[i])
            mean = mean + p / len(batch)
            column = torch.from_numpy(self.M[:, self.y[i]].astype(float))
            coarse = coarse - (column @ p).log() / len(batch)  # eq. 3
            for j in self.near[i]:  # eq. 4, all L
                q = self.probabilities(self.teacher, self.X[j])
                consistency = consistency - (q @ p).log() / (len(batch) * len(self.near[i]))
            s = self.scores(self.teacher, self.X[i])
            target = column * (s / 0.9).exp()
            target = target / target.sum()  # eq. 7, soft
            confidence = confidence - (target * p.log()).sum() / len(batch)  # eq. 6
        regularizer = math.log(K_F) + (mean * mean.log()).sum()  # eq. 9
        return 0.5 * coarse + 0.5 * (consistency + confidence) + 2.0 * regularizer  # eq. 8, 10

    def step(self, batch: list[int], iteration: int) -> None:
        names = list(self.theta)
        gradients = torch.autograd.grad(self.loss(batch), [self.theta[name] for name in names])
        done = iteration / self.n_iterations
        rate = 0.1 * (0.1 if done >= 0.6 else 1) * (0.1 if done >= 0.8 else 1)
        for name, gradient in zip(names, gradients, strict=True):
            self.speed[name] = 0.9 * self.speed[name] + gradient
            self.theta[name] = (self.theta[name] - rate * self.speed[name]).detach().requires_grad_()
            self.teacher[name] = 0.9 * self.teacher[name] + 0.1 * self.theta[name].detach()  # eq. 5

    def solve(self, rows: list[int]) -> None:
        """Eq. 14 over all M of eq. 15, with C from f_theta."""
        C = np.zeros((K_F, K_C))
        for i in rows:
            C[:, self.y[i]] += self.probabilities(self.theta, self.X[i]).detach().numpy() / len(rows)
        best = math.inf
        for parents in itertools.product(range(K_C), repeat=K_F):
            counts = [parents.count(c) for c in range(K_C)]
            if 0 in counts:
                continue
            balance = sum(n * n for n in counts) / K_C - (K_F / K_C) ** 2  # eq. 13
            value = -sum(C[f, c] for f, c in enumerate(parents)) + 0.1 * balance
            if value < best:
                best, self.M = value, np.eye(K_C, dtype=np.uint8)[list(parents)]


def test_forty_iterations_agree_with_a_slow_loop() -> None:
    watched = Watched()
    n_iterations = watched.trainer._n_iterations
    watched.trainer.run()
    assert len(watched.batches) >= N_ITERATIONS
    slow = SlowA1(watched.first, watched.relation, n_iterations)
    for t, batch in enumerate(watched.batches):
        slow.step(batch, t)
        if (t + 1) % TEXT.relation_interval == 0:
            update = t // TEXT.relation_interval
            assert len(watched.fresh[update]) == 2 * 32
            slow.solve(watched.fresh[update])
            np.testing.assert_array_equal(slow.M, watched.relations[update], err_msg=f"update {update}")
    moved = 0.0
    for name, value in watched.trainer.learner.student.named_parameters():
        torch.testing.assert_close(value.double(), slow.theta[name].detach(), rtol=1e-3, atol=1e-4)
        moved += float((slow.theta[name].detach() - watched.first[name]).norm())
    for name, value in watched.trainer.learner.teacher.named_parameters():
        torch.testing.assert_close(value.double(), slow.teacher[name], rtol=1e-3, atol=1e-4)
    assert moved > 0.5
    assert any(not np.array_equal(M, watched.relation) for M in watched.relations)
