"""The inner loops on images as they are run: half precision, layout, and a device that is never waited for."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.training.data import TrainingData
from falcon_sc.core.training.networks import build_classifier
from falcon_sc.core.training.trainer import Trainer
from falcon_sc.vision import ImageViews, build_backbone, image_samples
from falcon_sc.vision.backbones import for_convolutions
from falcon_sc.vision.discovery import default_config
from falcon_sc.vision.moco.network import MoCo
from falcon_sc.vision.moco.training import MoCoSettings, MoCoTraining

pytestmark = pytest.mark.image  # ResNets

N, N_FINE = 48, 6


@contextlib.contextmanager
def never_waiting(device):
    """An error where the host waits for a GPU."""
    if device.type == "cuda":
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)


def _resnet(seed=0):
    return build_backbone("resnet18", small_images=True, generator=torch.Generator().manual_seed(seed))


def _seen_by(layer):
    """Type and layout of what goes into a layer."""
    seen = []
    layer.register_forward_pre_hook(
        lambda _, inputs: seen.append((inputs[0].dtype, inputs[0].is_contiguous(memory_format=torch.channels_last)))
    )
    return seen


def _as_on(device):
    return (torch.bfloat16, True) if device.type == "cuda" else (torch.float32, False)


def test_discovery(images, device):
    rng = np.random.default_rng(0)
    codes = np.arange(N) % 3
    neighbors = rng.integers(0, N, (N, 20))
    samples = image_samples(images, device=device)
    data = TrainingData(samples, codes, neighbors, Taxonomy.of(codes), np.arange(N) % N_FINE, ImageViews(16))
    network = for_convolutions(_resnet(), device)
    classifier = build_classifier(network, N_FINE, torch.Generator().manual_seed(0)).to(device)
    config = replace(default_config(16), batch_size=8, warmup_iterations=1, relation_interval=10_000)
    relation = np.eye(3, dtype=np.uint8)[np.arange(N_FINE) % 3]
    trainer = Trainer(data, classifier, relation, config, torch.Generator(device).manual_seed(0))
    seen = _seen_by(trainer.learner.student.backbone.layer2[0].conv1)
    used = torch.zeros(N_FINE, device=device)
    batches = trainer.batches.epoch(1)
    trainer._learn_start(*next(batches), used)
    trainer.iterate(*next(batches), used)  # constants come to the device once
    with never_waiting(device):
        batch, rows = next(batches)
        terms = trainer.iterate(batch, rows, used)
    assert torch.isfinite(terms).all()
    assert terms.dtype == torch.float32
    assert seen == [_as_on(device)] * 3
    assert all(weight.dtype == torch.float32 for weight in trainer.learner.teacher.parameters())


@pytest.mark.parametrize("optimizer", ["lars", "sgd"])
def test_pretraining(images, device, optimizer):
    samples = image_samples(images, device=device)
    moco = MoCo(_resnet(), temperature=0.2, generator=torch.Generator().manual_seed(1), n_hidden=16, n_out=8)
    settings = MoCoSettings(1, 8, 0.3, 1e-6, 0.2, 0.99, optimizer, 16, 0)
    run = MoCoTraining(samples, moco, settings, device)
    seen = _seen_by(run.moco.encoder.layer2[0].conv1)
    source = torch.Generator(device).manual_seed(0)
    index = torch.arange(8, device=device)

    def step(number):
        rows = samples.rows(index)
        first, second = (run._views.draw(rows, recipe, source) for recipe in run._recipes)
        return run._step(first, second, number)

    step(0)
    with never_waiting(device):
        loss = step(1)
    assert torch.isfinite(loss)
    assert loss.dtype == torch.float32
    assert seen == [_as_on(device)] * 4  # two views a step
