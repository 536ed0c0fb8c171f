"""Algorithm A1, and E1 for several data sets: train the classifier, re-solve the relation every P iterations."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F

from falcon_sc.core.data.batches import head
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import autocast
from falcon_sc.core.runtime.threads import threads_for_batches
from falcon_sc.core.start.bars import Bar
from falcon_sc.core.training import losses, schedules
from falcon_sc.core.training.data import Trained
from falcon_sc.core.training.fresh_predictions import FreshPredictions
from falcon_sc.core.training.history import History, raise_unless_finite
from falcon_sc.core.training.learner import Learner
from falcon_sc.core.training.objective import Objective, Scored, Terms
from falcon_sc.core.training.relation_step import RelationStep
from falcon_sc.core.training.sampling import BatchSampler

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.runtime.checkpoint import Checkpoint
    from falcon_sc.core.training.data import TrainingData
    from falcon_sc.core.training.networks import FineClassifier
    from falcon_sc.core.training.sampling import Batch

logger = logging.getLogger(__name__)


class Trainer:
    """One run of algorithm A1 / E1.

    Parameters
    ----------
    data
        Samples, their coarse classes and neighbors.
    classifier
        The student f_theta, on the device of the samples. Trained in place.
    relation
        First M, (K_F, K_C).
    config
        Hyperparameters.
    generator
        Source of the batches and of the neighbors drawn, on the device of the samples.
    view_seed
        Seed of the random views, and of the samples that C is gathered from afresh.
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
        view_seed: int = 0,
        relation_is_known: bool = False,
    ) -> None:
        device = data.samples.device
        self._config = config
        self._device = device
        self._n_features = data.samples.n_features
        self._codes = torch.from_numpy(data.codes).to(device)
        self._labels = None if data.start_labels is None else torch.from_numpy(data.start_labels).to(device)
        self._n_fine, self._n_coarse = relation.shape

        self.batches = BatchSampler(data.samples, data.neighbors, config, generator)
        self._views = data.views
        self._view_seed = view_seed
        self._view_generator = torch.Generator(device)
        self.learner = Learner(classifier, config, device)
        self._objective = Objective(config, self._codes, relation.shape, self._labels)
        start_shares = data.start_shares(self._n_fine)
        known, classes = relation_is_known, data.classes
        self._relation = RelationStep(
            relation, data.taxonomy, config, device, start=start_shares, is_known=known, classes=classes
        )
        self._fresh = FreshPredictions(data, config) if config.relation_predictions == "student" else None
        self._objective.expect_sizes(self._relation.children)

        self._n_epochs = config.n_epochs(len(data.samples))
        self._n_iterations = self._n_epochs * self.batches.per_epoch
        warmup = 0 if self._labels is None else config.warmup_iterations
        self._warmup = min(warmup, self._n_iterations // 2)
        self._epoch = 0
        self._iteration = 0
        self._history = History()

    # -- state --------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on."""
        return self.learner.state_dict() | {
            "generator": self.batches.generator.get_state(),
            "view_seed": self._view_seed,
            "relation": torch.from_numpy(self._relation.relation),
            "cost": self._relation.cost,
            "mass": self._objective.mass,
            "epoch": self._epoch,
            "iteration": self._iteration,
            "history": self._history.columns,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.learner.load_state_dict(state)
        self.batches.generator.set_state(state["generator"].cpu())
        self._view_seed = state["view_seed"]
        self._relation.set(state["relation"].cpu().numpy())
        self._relation.cost = state["cost"].to(self._device)
        self._objective.mass = state["mass"].to(self._device)
        self._epoch, self._iteration = state["epoch"], state["iteration"]
        self._history = History(state["history"])

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(self, *, checkpoint: Checkpoint | None = None, progress_bar: bool = False) -> Trained:
        """Train to the end.

        Parameters
        ----------
        checkpoint
            Where the state is kept; looked at in the leading process only.
        progress_bar
            Show a bar over the batches.

        Raises
        ------
        FloatingPointError
            If a loss stops being finite. No labels come out of such a run.
        """
        state = distributed.share(lambda: None if checkpoint is None else checkpoint.load_training(self._device))
        if state is not None:
            self.load_state_dict(state)
            logger.info("resuming after epoch %d of %d", self._epoch, self._n_epochs)
        with (
            threads_for_batches(self.batches.batch_size * self._n_features),
            Bar(
                total=self._n_iterations, initial=self._iteration, desc="FALCON", unit="batch", shown=progress_bar
            ) as bar,
        ):
            while self._epoch < self._n_epochs:
                self._train_epoch(bar.update)
                self._epoch += 1
                loss, n_used = self._history.last("loss"), int(self._history.last("n_used"))
                bar.set_postfix(loss=f"{loss:.3f}", used=n_used, refresh=False)
                if checkpoint is not None and (checkpoint.is_due() or self._epoch == self._n_epochs):
                    checkpoint.save_training(self.state_dict())
        classifier = cast("FineClassifier", self.learner.student.eval())
        return Trained(classifier, self._relation.relation, self._history.arrays())

    def _train_epoch(self, progress: Callable[[], object]) -> None:
        self.learner.student.train()
        # every epoch and process has random views of its own, however a run was interrupted
        seed = np.random.SeedSequence((self._view_seed, self._epoch, distributed.rank()))
        self._view_generator.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
        sums = torch.zeros(len(Terms._fields), device=self._device)
        used = torch.zeros(self._n_fine, device=self._device)
        updates, changes = 0, 0
        for batch, rows in self.batches.epoch(self._warmup - self._iteration):
            if self._iteration == self._warmup:
                self.learner.restart_teacher()
            if self._iteration < self._warmup:
                sums[:1] += self._learn_start(batch, rows, used)
            else:
                sums += self.iterate(batch, rows, used)
            self._iteration += 1
            progress()
            if self._iteration > self._warmup and self._iteration % self._config.relation_interval == 0:
                self._raise_unless_finite(sums)
                changes += self._update_relation()
                updates += not self._relation.is_known
        self._raise_unless_finite(sums)
        means = (distributed.mean(sums) / self.batches.per_epoch).tolist()
        n_used = self._relation.n_used(distributed.total(used))
        self._history.add(self._epoch, self._iteration, *means, n_used, updates, changes, self.learner.lr)

    def _learn_start(self, batch: Batch, rows: Any, used: Tensor) -> Tensor:
        """An iteration of plain cross-entropy on the labels of the start."""
        assert self._labels is not None
        labels = self._labels[batch.index]
        logits = self._logits(self.learner.forward, self._views.strong(rows, self._view_generator))
        loss = F.cross_entropy(logits.float(), labels)
        self.learner.descend(loss, self._iteration / self._n_iterations)
        used += F.one_hot(labels, self._n_fine).sum(dim=0)
        return loss.detach()

    def iterate(self, batch: Batch, rows: Any, used: Tensor) -> Tensor:
        """One pass through the inner loop of algorithm A1; returns the losses, as :class:`Terms`.

        `rows` are the samples of the batch, then their neighbors; `used` counts the fine classes predicted.
        """
        assert batch.neighbors is not None
        n_samples = len(batch.index)
        codes = self._codes[batch.index]  # (B,)
        children = self._relation.children[codes]  # (B, K_F)
        membership = F.one_hot(codes, self._n_coarse).float()  # (B, K_C)

        with torch.no_grad():
            teacher = self._logits(self.learner.teacher, self._views.weak(rows, self._view_generator))
            own, others = teacher[:n_samples], teacher[n_samples:]  # (B, K_F), (B L, K_F)
            log_p_neighbors = losses.log_probabilities(others).view(*batch.neighbors.shape, -1)  # (B, L, K_F)
            soft = losses.sharpened_target(own, children, self._config.temperature)  # (B, K_F), eq. 7
            target = losses.annealed_target(soft, schedules.target_softness(self._progress(), self._config))
            if self._fresh is None:
                self._relation.gather(membership, own.float().softmax(dim=1))
            used += F.one_hot(target.argmax(dim=1), self._n_fine).sum(dim=0)

        strong = self._views.strong(head(rows, n_samples), self._view_generator)
        log_p = losses.log_probabilities(self._logits(self.learner.forward, strong))  # (B, K_F)
        scored = Scored(batch.index, children, membership, log_p, log_p_neighbors, target)
        terms = self._objective(scored, self._relation.children)
        self.learner.descend(terms.loss, self._iteration / self._n_iterations)
        return torch.stack(terms).detach()

    def _logits(self, classifier: torch.nn.Module, rows: Any) -> Tensor:
        with autocast(self._device, self._config.precision):
            logits: Tensor = classifier(rows)
        return logits

    def _progress(self) -> float:
        """Share of the run that is done, after the warm-up."""
        return (self._iteration - self._warmup) / max(1, self._n_iterations - self._warmup)

    def _update_relation(self) -> int:
        if self._fresh is not None and not self._relation.is_known:
            # drawn anew at each iteration, and again in a run that is resumed
            self._fresh.gather(self.learner.student, self._relation, (self._view_seed, self._iteration))
        changes = self._relation.update(self._progress())
        if changes:
            self._objective.expect_sizes(self._relation.children)
        return changes

    def _raise_unless_finite(self, sums: Tensor) -> None:
        raise_unless_finite(distributed.mean(sums), self._epoch + 1, self._iteration)  # all processes stop, or none
