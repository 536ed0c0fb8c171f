"""Algorithm A1, and E1 for several data sets: train the classifier, re-solve the relation every P iterations."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

from falcon_sc.core.data.batches import SameViews, head
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import autocast
from falcon_sc.core.training import losses, schedules
from falcon_sc.core.training.learner import Learner
from falcon_sc.core.training.objective import Objective
from falcon_sc.core.training.relation_step import RelationStep, label_shares
from falcon_sc.core.training.sampling import BatchSampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from torch import Generator, Tensor

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import Samples, Views
    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.runtime.checkpoint import Checkpoint
    from falcon_sc.core.training.networks import FineClassifier
    from falcon_sc.core.training.sampling import Batch

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
    views: Views = field(default_factory=SameViews)


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
    view_seed
        Seed of the random views.
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
        self._n_coarse, self._n_fine = data.taxonomy.n_coarse, len(relation)

        self.batches = BatchSampler(data.samples, data.neighbors, config, generator)
        self._views = data.views
        self._view_seed = view_seed
        self._view_generator = torch.Generator(device)
        self.learner = Learner(classifier, config, device)
        self._objective = Objective(config, self._codes, self._n_coarse, self._n_fine, self._labels)
        start = data.start_labels
        self._relation = RelationStep(
            relation,
            data.taxonomy,
            config,
            device,
            start=None if start is None else label_shares(start, data.codes, data.taxonomy, self._n_fine),
            is_known=relation_is_known,
        )
        self._take_relation()

        self._n_epochs = config.n_epochs(len(data.samples))
        self._n_iterations = self._n_epochs * self.batches.per_epoch
        warmup = 0 if self._labels is None else config.warmup_iterations
        self._warmup = min(warmup, self._n_iterations // 2)
        self._epoch = 0
        self._iteration = 0
        self._history: dict[str, list[float]] = {
            name: [] for name in ("epoch", *_LOSSES, "n_used", "relation_changes", "lr")
        }

    # -- state --------------------------------------------------------------------------------------------------

    def _take_relation(self) -> None:
        self._children = self._relation.children  # (K_C, K_F)
        self._objective.set_children(self._children)

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
            "history": self._history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.learner.load_state_dict(state)
        self.batches.generator.set_state(state["generator"].cpu())
        self._view_seed = state["view_seed"]
        self._relation.relation = state["relation"].cpu().numpy()
        self._take_relation()
        self._relation.cost = state["cost"].to(self._device)
        self._objective.mass = state["mass"].to(self._device)
        self._epoch, self._iteration = state["epoch"], state["iteration"]
        self._history = state["history"]

    # -- the loop -----------------------------------------------------------------------------------------------

    def run(self, *, checkpoint: Checkpoint | None = None, progress_bar: bool = False) -> Trained:
        """Train to the end.

        Parameters
        ----------
        checkpoint
            Where the state is kept; looked at in the leading process only.
        progress_bar
            Show a bar over the epochs.

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
            _threads_for(self.batches.batch_size * self._n_features),
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
        return Trained(cast("FineClassifier", self.learner.student.eval()), self._relation.relation, history)

    def _train_epoch(self) -> None:
        self.learner.student.train()
        # every epoch and process has random views of its own, however a run was interrupted
        seed = np.random.SeedSequence((self._view_seed, self._epoch, distributed.rank()))
        self._view_generator.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
        sums = torch.zeros(len(_LOSSES), device=self._device)
        used = torch.zeros(self._n_fine, device=self._device)
        changes = 0
        for batch, rows in self.batches.epoch(self._warmup - self._iteration):
            if self._iteration == self._warmup:
                self.learner.restart_teacher()
            if self._iteration < self._warmup:
                sums[:1] += self._learn_start(batch, rows, used)
            else:
                sums += self.iterate(batch, rows, used)
            self._iteration += 1
            if self._iteration > self._warmup and self._iteration % self._config.relation_interval == 0:
                self._raise_unless_finite(sums)
                changes += self._update_relation()
        self._raise_unless_finite(sums)
        means = (distributed.mean(sums) / self.batches.per_epoch).tolist()
        row = (self._epoch, *means, int((distributed.total(used) > 0).sum()), changes, self.learner.lr)
        for name, value in zip(self._history, row, strict=True):
            self._history[name].append(value)

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
        """One pass through the inner loop of algorithm A1; returns the losses of `_LOSSES`.

        `rows` are the samples of the batch, then their neighbours; `used` counts the fine classes predicted.
        """
        assert batch.neighbors is not None
        n_samples = len(batch.index)
        codes = self._codes[batch.index]
        children = self._children[codes]
        membership = F.one_hot(codes, self._n_coarse).float()

        with torch.no_grad():
            teacher = self._logits(self.learner.teacher, self._views.weak(rows, self._view_generator))
            own, others = teacher[:n_samples], teacher[n_samples:]
            log_p_neighbors = losses.log_probabilities(others).view(*batch.neighbors.shape, -1)
            soft = losses.sharpened_target(own, children, self._config.temperature)  # eq. 7
            target = losses.annealed_target(soft, schedules.target_softness(self._progress(), self._config))
            self._relation.gather(membership, own.float().softmax(dim=1))
            used += F.one_hot(target.argmax(dim=1), self._n_fine).sum(dim=0)

        strong = self._views.strong(head(rows, n_samples), self._view_generator)
        log_p = losses.log_probabilities(self._logits(self.learner.forward, strong))
        terms = self._objective(batch.index, log_p, log_p_neighbors, target, children, membership)
        self.learner.descend(terms.total, self._iteration / self._n_iterations)
        return torch.stack(terms).detach()

    def _logits(self, classifier: torch.nn.Module, rows: Any) -> Tensor:
        with autocast(self._device, self._config.precision):
            logits: Tensor = classifier(rows)
        return logits

    def _progress(self) -> float:
        """Share of the run that is done, after the warm-up."""
        return (self._iteration - self._warmup) / max(1, self._n_iterations - self._warmup)

    def _update_relation(self) -> int:
        changes = self._relation.update(self._progress())
        if changes:
            self._take_relation()
        return changes

    def _raise_unless_finite(self, sums: Tensor) -> None:
        sums = distributed.mean(sums)  # all processes stop, or none
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
