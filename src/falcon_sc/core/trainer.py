"""Algorithm A1, and E1 for several data sets: train the classifier, re-solve the relation every P iterations."""

from __future__ import annotations

import contextlib
import copy
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from falcon_sc.core import losses, relations, schedules
from falcon_sc.core.objective import Objective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from falcon_sc.core.batches import Samples
    from falcon_sc.core.checkpoint import Checkpoint
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.networks import FineClassifier
    from falcon_sc.core.taxonomy import Taxonomy

logger = logging.getLogger(__name__)

# Elements of a batch up to which one thread computes it; 1,024 samples of 50 components are far below.
_ONE_THREAD_MAX = 200_000
_LOSSES = ("loss", "loss_coarse", "loss_nn", "loss_conf", "loss_reg")


@dataclass
class TrainingData:
    """What a run learns from; N samples, K_F fine classes."""

    samples: Samples
    codes: NDArray[np.int64]  # (N,) column of M of each sample
    neighbors: NDArray[np.int64]  # (N, L)
    taxonomy: Taxonomy
    start_labels: NDArray[np.int64] | None = None  # (N,) or none for a random start


@dataclass
class Trained:
    """What a run ends with."""

    classifier: FineClassifier
    relation: NDArray[np.uint8]  # (K_F, K_C)
    history: dict[str, NDArray[Any]] = field(default_factory=dict)


class Trainer:
    """One run of algorithm A1 / E1.

    Parameters
    ----------
    data
        Samples, their coarse classes and neighbours.
    classifier
        The student f_theta, on the device of the samples. Trained in place.
    relation
        First M, (K_F, K_C).
    config
        Hyperparameters.
    generator
        Source of the batches and of the neighbours drawn, on the device of the samples.
    relation_is_known
        Keep `relation` as it is (table O1) instead of solving eq. 14 every P iterations.
    """

    def __init__(
        self,
        data: TrainingData,
        classifier: FineClassifier,
        relation: NDArray[np.uint8],
        config: FalconConfig,
        generator: Generator,
        *,
        relation_is_known: bool = False,
    ) -> None:
        device = data.samples.device
        self._config = config
        self._relation_is_known = relation_is_known
        self.samples = data.samples
        self._taxonomy = data.taxonomy
        self._codes = torch.from_numpy(data.codes).to(device)
        self._neighbors = torch.from_numpy(data.neighbors).to(device)
        self._labels = None if data.start_labels is None else torch.from_numpy(data.start_labels).to(device)
        self._generator = generator
        self._device = device

        self._student = classifier
        self._teacher = copy.deepcopy(classifier).eval().requires_grad_(requires_grad=False)
        self._optimizer = _optimizer(classifier, config)

        n_samples, self._n_fine = len(data.samples), classifier.head.out_features
        self._batch_size = config.samples_per_batch(n_samples)
        self._iterations_per_epoch = n_samples // self._batch_size
        self._n_epochs = config.n_epochs(n_samples)
        self._n_iterations = self._n_epochs * self._iterations_per_epoch
        warmup = 0 if self._labels is None else config.warmup_iterations
        self._warmup = min(warmup, self._n_iterations // 2)

        self._epoch = 0
        self._iteration = 0
        self._cost = torch.zeros(data.taxonomy.n_coarse, self._n_fine, device=device)
        self._history: dict[str, list[float]] = {
            name: [] for name in ("epoch", *_LOSSES, "n_used", "relation_changes", "lr")
        }
        self._objective = Objective(config, self._codes, data.taxonomy.n_coarse, self._n_fine, self._labels)
        self._set_relation(relation)

    # -- state --------------------------------------------------------------------------------------------------

    def _set_relation(self, relation: NDArray[np.uint8]) -> None:
        self._relation = relation
        self._children = torch.from_numpy(relation.T.astype(bool)).to(self._device)  # (K_C, K_F)
        self._objective.set_children(self._children)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        return {
            "student": self._student.state_dict(),
            "teacher": self._teacher.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "relation": torch.from_numpy(self._relation),
            "cost": self._cost,
            "mass": self._objective.mass,
            "epoch": self._epoch,
            "iteration": self._iteration,
            "history": self._history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self._student.load_state_dict(state["student"])
        self._teacher.load_state_dict(state["teacher"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"].cpu())
        self._set_relation(state["relation"].cpu().numpy())
        self._cost, self._objective.mass = state["cost"], state["mass"]
        self._epoch, self._iteration = state["epoch"], state["iteration"]
        self._history = state["history"]

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(self, *, checkpoint: Checkpoint | None = None, progress_bar: bool = False) -> Trained:
        """Train to the end.

        Raises
        ------
        FloatingPointError
            If a loss stops being finite. No labels come out of such a run.
        """
        if checkpoint is not None and (state := checkpoint.load_training(self._device)) is not None:
            self.load_state_dict(state)
            logger.info("resuming after epoch %d of %d", self._epoch, self._n_epochs)
        with (
            _threads_for(self._batch_size * self.samples.n_features),
            tqdm(
                total=self._n_epochs, initial=self._epoch, desc="FALCON", unit="epoch", disable=not progress_bar
            ) as bar,
        ):
            while self._epoch < self._n_epochs:
                self._train_epoch()
                self._epoch += 1
                bar.update()
                last = {name: self._history[name][-1] for name in ("loss", "n_used")}
                bar.set_postfix(loss=f"{last['loss']:.3f}", used=int(last["n_used"]), refresh=False)
                if checkpoint is not None and (checkpoint.is_due() or self._epoch == self._n_epochs):
                    checkpoint.save_training(self.state_dict())
        history = {name: np.asarray(values) for name, values in self._history.items()}
        return Trained(self._student.eval(), self._relation, history)

    def _train_epoch(self) -> None:
        self._student.train()
        order = torch.randperm(len(self._codes), generator=self._generator, device=self._device)
        sums = torch.zeros(len(_LOSSES), device=self._device)
        used = torch.zeros(self._n_fine, device=self._device)
        changes = 0
        for i in range(self._iterations_per_epoch):
            index = order[i * self._batch_size : (i + 1) * self._batch_size]
            if self._iteration == self._warmup:
                self._teacher.load_state_dict(self._student.state_dict())
            if self._iteration < self._warmup:
                sums[:1] += self._learn_start(index, used)
            else:
                sums += self.iterate(index, used)
            self._iteration += 1
            if self._iteration > self._warmup and self._iteration % self._config.relation_interval == 0:
                self._raise_unless_finite(sums)
                changes += 0 if self._relation_is_known else self._update_relation()
        self._raise_unless_finite(sums)
        means = (sums / self._iterations_per_epoch).tolist()
        row = (self._epoch, *means, int((used > 0).sum()), changes, self._optimizer.param_groups[0]["lr"])
        for name, value in zip(self._history, row, strict=True):
            self._history[name].append(value)

    def _learn_start(self, index: Tensor, used: Tensor) -> Tensor:
        """An iteration of plain cross-entropy on the labels of the start."""
        assert self._labels is not None
        logits = self._student(self.samples.rows(index))
        loss = F.cross_entropy(logits, self._labels[index])
        self._descend(loss)
        used += F.one_hot(self._labels[index], self._n_fine).sum(dim=0)
        return loss.detach()

    def iterate(self, index: Tensor, used: Tensor) -> Tensor:
        """One pass through the inner loop of algorithm A1; returns the losses of `_LOSSES`."""
        config = self._config
        codes = self._codes[index]
        children = self._children[codes]
        membership = F.one_hot(codes, self._taxonomy.n_coarse).float()
        progress = (self._iteration - self._warmup) / max(1, self._n_iterations - self._warmup)

        with torch.no_grad():
            neighbors = self._draw_neighbors(index)
            teacher = self._teacher(self.samples.rows(torch.cat([index, neighbors.flatten()])))
            own, others = teacher[: len(index)], teacher[len(index) :]
            log_p_neighbors = losses.log_probabilities(others).view(*neighbors.shape, -1)
            soft = losses.sharpened_target(own, children, config.temperature)  # eq. 7
            target = losses.annealed_target(soft, schedules.target_softness(progress, config))
            self._cost += membership.T @ own.float().softmax(dim=1)  # C = Y^T P, summed over the last P batches
            used += F.one_hot(target.argmax(dim=1), self._n_fine).sum(dim=0)

        log_p = losses.log_probabilities(self._student(self.samples.rows(index)))
        terms = self._objective(index, log_p, log_p_neighbors, target, children, membership)
        self._descend(terms.total)
        return torch.stack(terms).detach()

    def _draw_neighbors(self, index: Tensor) -> Tensor:
        """Some of the neighbours of each sample, without repetition: (B, n_neighbors_per_step)."""
        n_neighbors = self._neighbors.shape[1]
        keys = torch.rand(len(index), n_neighbors, generator=self._generator, device=self._device)
        drawn = keys.topk(min(self._config.n_neighbors_per_step, n_neighbors), dim=1).indices
        return self._neighbors[index].gather(1, drawn)

    def _descend(self, loss: Tensor) -> None:
        """One optimiser step, then the moving average of the weights (eq. 5)."""
        lr = schedules.learning_rate(self._iteration / self._n_iterations, self._config)
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self._config.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self._student.parameters(), self._config.max_grad_norm)
        self._optimizer.step()
        with torch.no_grad():
            teacher, student = tuple(self._teacher.parameters()), tuple(self._student.parameters())
            torch._foreach_lerp_(teacher, student, 1 - self._config.gamma)  # eq. 5
            for average, now in zip(self._teacher.buffers(), self._student.buffers(), strict=True):
                average.copy_(now)

    # -- the relation step --------------------------------------------------------------------------------------

    def _update_relation(self) -> int:
        """Solve eq. 14 for each data set from the predictions of the last P batches; returns the changed rows."""
        cost = self._cost.T.double().cpu().numpy()  # (K_F, K_C)
        self._cost.zero_()
        progress = (self._iteration - self._warmup) / max(1, self._n_iterations - self._warmup)
        lam = schedules.balance_weight(progress, self._config)
        relation = self._relation.copy()
        for block in self._taxonomy.blocks:
            seen = cost[:, block].sum()
            if seen > 0:
                relation[:, block] = relations.solve(
                    cost[:, block] / seen,
                    lam,
                    solver=self._config.relation_solver,
                    time_limit=self._config.relation_time_limit,
                )
        changes = int((relation != self._relation).any(axis=1).sum())
        if changes:
            self._set_relation(relation)
        return changes

    def _raise_unless_finite(self, sums: Tensor) -> None:
        if not bool(torch.isfinite(sums).all()):
            msg = (
                f"training diverged in epoch {self._epoch + 1}, iteration {self._iteration}: a loss is not finite "
                f"({dict(zip(_LOSSES, sums.tolist(), strict=True))}). Lower lr, keep batch_norm=True and "
                "max_grad_norm set, and check the input for extreme values. No labels are returned."
            )
            raise FloatingPointError(msg)


@contextlib.contextmanager
def _threads_for(batch_elements: int) -> Iterator[None]:
    """One thread for small batches: a second gains little there, and where the cores are shared it loses a lot."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if batch_elements <= _ONE_THREAD_MAX else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _optimizer(classifier: FineClassifier, config: FalconConfig) -> torch.optim.Optimizer:
    parameters = classifier.parameters()
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay, foreach=True
        )
    return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, foreach=True)
