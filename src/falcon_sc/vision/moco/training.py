"""The loop of MoCo-v3: views, learning rate, epochs and the state of an unfinished run."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import torch

from falcon_sc.core.runtime import distributed
from falcon_sc.core.start.bars import Bar
from falcon_sc.vision.augmentation import ImageViews
from falcon_sc.vision.moco.lars import LARS
from falcon_sc.vision.moco.network import key_momentum
from falcon_sc.vision.recipes import pretraining_recipes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Generator, Tensor

    from falcon_sc.core.runtime.checkpoint import Checkpoint
    from falcon_sc.vision.moco.network import MoCo

logger = logging.getLogger(__name__)

_WARMUP_EPOCHS = 10  # solo-learn, CIFAR; at most a tenth of the run is ours
_SGD_MOMENTUM = 0.9


class Images(Protocol):
    """Images by their numbers."""

    def __len__(self) -> int: ...

    def rows(self, index: Tensor) -> Tensor:
        """The images at `index`: uint8, (B, 3, H, W)."""
        ...

    def stream(self, indices: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images at each of `indices` in turn; who decodes files takes several indices ahead."""
        ...


@dataclass(frozen=True)
class MoCoSettings:
    """What a run does; `n_epochs` to `optimizer` are the arguments of :func:`pretrain`."""

    n_epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    temperature: float
    momentum: float
    optimizer: str
    size: int
    seed: int


class MoCoTraining:
    """One pretraining. All that chance decides in an epoch follows from the seed, the epoch and the process."""

    def __init__(self, samples: Images, moco: MoCo, settings: MoCoSettings, device: torch.device) -> None:
        self._samples, self._settings, self._device = samples, settings, device
        self._rank = distributed.rank()
        self._share = settings.batch_size // distributed.size()
        if device.type == "cuda":
            moco = moco.to(memory_format=torch.channels_last)
        self.moco = cast("MoCo", distributed.with_joint_norms(moco, device).to(device).train())
        self._network = distributed.with_joint_gradients(self.moco, device)
        self._optimizer = _optimizer(self.moco, settings)
        self._views = ImageViews(settings.size)
        self._recipes = pretraining_recipes(settings.size)
        self._n_steps = len(samples) // settings.batch_size  # of an epoch
        self._epoch = 0
        self._losses: list[float] = []

    def train(self, checkpoint: Checkpoint | None, *, progress_bar: bool) -> None:
        """Train to the end, from where `checkpoint` left off."""
        n_epochs = self._settings.n_epochs
        if checkpoint is not None and (state := checkpoint.load_training(self._device)) is not None:
            self._load(state)
            logger.info("resuming after epoch %d of %d", self._epoch, n_epochs)
        began, first_epoch = time.perf_counter(), self._epoch
        shown = progress_bar and self._rank == 0
        with Bar(total=n_epochs, initial=self._epoch, desc="MoCo-v3", unit="epoch", shown=shown) as bar:
            while self._epoch < n_epochs:
                self._losses.append(self._train_epoch())
                self._epoch += 1
                bar.set_postfix(loss=f"{self._losses[-1]:.3f}", refresh=False)
                bar.update()
                if checkpoint is not None and self._rank == 0 and (checkpoint.is_due() or self._epoch == n_epochs):
                    checkpoint.save_training(self._state())
        n_seen = (n_epochs - first_epoch) * self._n_steps * self._settings.batch_size
        speed = n_seen / (time.perf_counter() - began)
        if self._rank > 0:
            return
        logger.info(
            "pretraining: %d images, %d epochs, loss %.3f -> %.3f, %.0f images/s",
            *(len(self._samples), n_epochs, self._losses[0], self._losses[-1], speed),
        )

    def _train_epoch(self) -> float:
        """Mean loss of an epoch, read from the device once."""
        settings = self._settings
        order_source = generator_for(self._device, settings.seed, self._epoch)
        view_source = generator_for(self._device, settings.seed, self._epoch, 1 + self._rank)
        order = torch.randperm(len(self._samples), generator=order_source, device=self._device)
        total = torch.zeros((), device=self._device)
        for i, images in enumerate(self._samples.stream(self._shares(order))):
            first, second = (self._views.draw(images, recipe, view_source) for recipe in self._recipes)
            total += self._step(first, second, self._epoch * self._n_steps + i)
        loss = float(total) / self._n_steps
        if not math.isfinite(loss):
            msg = (
                f"pretraining diverged in epoch {self._epoch + 1}: the loss is {loss}. Lower lr (found {settings.lr})."
            )
            raise FloatingPointError(msg)
        return loss

    def _shares(self, order: Tensor) -> Iterator[Tensor]:
        """What this process takes of each batch of an epoch."""
        for i in range(self._n_steps):
            begin = i * self._settings.batch_size + self._rank * self._share
            yield order[begin : begin + self._share]

    def _step(self, first: Tensor, second: Tensor, step: int) -> Tensor:
        if self._device.type == "cuda":
            first, second = (view.contiguous(memory_format=torch.channels_last) for view in (first, second))
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(step, self._n_steps, self._settings)
        momentum = key_momentum(step / (self._n_steps * self._settings.n_epochs), self._settings.momentum)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self._device.type == "cuda"):
            loss = self._network(first, second, momentum)
        self._optimizer.zero_grad()
        loss.backward()
        self._optimizer.step()
        return cast("Tensor", loss.detach())

    def _state(self) -> dict[str, Any]:
        return {
            "epoch": self._epoch,
            "losses": self._losses,
            "moco": self.moco.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def _load(self, state: dict[str, Any]) -> None:
        self._epoch, self._losses = state["epoch"], state["losses"]
        self.moco.load_state_dict(state["moco"])
        self._optimizer.load_state_dict(state["optimizer"])


def learning_rate(step: int, steps_per_epoch: int, settings: MoCoSettings) -> float:
    """Rising over the first epochs, at most a tenth of the run, then falling along a cosine to 0."""
    warmup = min(_WARMUP_EPOCHS, settings.n_epochs // 10) * steps_per_epoch
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    progress = (step - warmup) / (settings.n_epochs * steps_per_epoch - warmup)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * progress))


def _optimizer(moco: MoCo, settings: MoCoSettings) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in moco.parameters() if parameter.requires_grad]
    kind = LARS if settings.optimizer == "lars" else torch.optim.SGD
    return kind(parameters, lr=settings.lr, momentum=_SGD_MOMENTUM, weight_decay=settings.weight_decay)


def generator_for(device: torch.device, *key: int) -> Generator:
    """A source of chance of its own for each key."""
    return torch.Generator(device).manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0]))
