"""The supervised bound of the benchmark on images: the backbone of discovery, trained on fine labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from falcon_sc.benchmarks.images._problem import Problem


def train_supervised(problem: Problem) -> tuple[NDArray[np.float32], float]:
    """Logits of the fine classes for the test images, (N, K_F), and the seconds spent before an interruption.

    Cross-entropy on strong views, with the batches, SGD and steps of the learning rate of `FalconConfig.cifar100()`.
    """
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.runtime.checkpoint import Checkpoint, fingerprint, seconds_spent
    from falcon_sc.core.runtime.device import autocast
    from falcon_sc.core.state.inference import features_of
    from falcon_sc.core.training.networks import build_classifier
    from falcon_sc.vision import image_samples

    config, device = FalconConfig.cifar100(), problem.device
    weights = torch.Generator().manual_seed(problem.seed)
    classifier = build_classifier(problem.backbone, problem.n_fine, weights).to(device).train()
    samples, fine = image_samples(problem.train.images, device=device), torch.from_numpy(problem.train.fine).to(device)
    chance = torch.Generator(device).manual_seed(problem.seed)
    batch = config.samples_per_batch(len(samples))
    n_steps = problem.setting.epochs * (len(samples) // batch)
    optimizer = torch.optim.SGD(classifier.parameters(), lr=config.lr, momentum=config.momentum)
    milestones = [round(share * n_steps) for share in config.milestones]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones)
    parts: dict[str, Any] = {"classifier": classifier, "optimizer": optimizer, "schedule": schedule}
    folder, checkpoint, first_epoch, seconds_before = problem.checkpoint("supervised"), None, 0, 0.0
    if folder is not None:
        seconds_before = seconds_spent(folder)
        checkpoint = Checkpoint(folder, fingerprint(problem.setting, problem.seed, problem.train.fine))
        if (state := checkpoint.load_training(device)) is not None:
            first_epoch = state["epoch"]
            chance.set_state(state["chance"].cpu())
            for name, part in parts.items():
                part.load_state_dict(state[name])
    for epoch in range(first_epoch, problem.setting.epochs):
        order = torch.randperm(len(samples), generator=chance, device=device)
        for rows in order[: len(order) // batch * batch].view(-1, batch):
            with autocast(device, config.precision):
                logits = classifier(problem.views.strong(samples.rows(rows), chance))
            loss = F.cross_entropy(logits.float(), fine[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        if checkpoint is not None and (checkpoint.is_due() or epoch + 1 == problem.setting.epochs):
            state = {name: part.state_dict() for name, part in parts.items()}
            checkpoint.save_training(state | {"epoch": epoch + 1, "chance": chance.get_state()})
    classifier.eval()
    test = image_samples(problem.test.images, device=device)
    with torch.no_grad():
        blocks = features_of(classifier.backbone, test, problem.views, config.precision)
        scores = np.concatenate([classifier.head(features).cpu().numpy() for _, features in blocks])
    return scores, seconds_before
