from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from falcon_sc.core.runtime.checkpoint import Checkpoint
from falcon_sc.vision import image_samples, pretrain
from falcon_sc.vision.augmentation import ImageViews
from falcon_sc.vision.moco.network import MoCo
from falcon_sc.vision.moco.training import MoCoSettings, MoCoTraining, learning_rate
from falcon_sc.vision.recipes import pretraining_recipes

from .networks import Tiny

if TYPE_CHECKING:
    from pathlib import Path

QUICK = {"batch_size": 16, "n_epochs": 4, "device": "cpu", "progress_bar": False}


@pytest.fixture(autouse=True)
def narrow_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heads of 4,096 units take most of the time of a tiny network."""
    monkeypatch.setattr(MoCo.__init__, "__kwdefaults__", {"n_hidden": 32, "n_out": 16})


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)


def _same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize("optimizer", ["lars", "sgd"])
def test_same_seed_same_weights(images: np.ndarray, optimizer: str) -> None:
    given, before = Tiny(), torch.get_rng_state()
    one, again, other = (pretrain(images, given, **QUICK, optimizer=optimizer, rng=seed) for seed in (1, 1, 2))
    assert _same(one, again)
    assert not _same(one, other)
    assert not _same(one, given)
    assert _same(given, Tiny())  # the network given is left as it is
    assert not one.training
    assert torch.equal(torch.get_rng_state(), before)


def test_stopped_after_an_epoch_it_goes_on_bit_for_bit(
    images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Checkpoint.__init__, "__defaults__", (0.0,))  # write after every epoch
    whole = pretrain(images, Tiny(), **QUICK)
    train_epoch = MoCoTraining._train_epoch

    def stop_in_the_third(run: MoCoTraining) -> float:
        if run._epoch == 2:
            raise KeyboardInterrupt
        return train_epoch(run)

    with monkeypatch.context() as patch:
        patch.setattr(MoCoTraining, "_train_epoch", stop_in_the_third)
        with pytest.raises(KeyboardInterrupt):
            pretrain(images, Tiny(), **QUICK, checkpoint=tmp_path / "run")
    with caplog.at_level(logging.INFO, "falcon_sc"):
        resumed = pretrain(images, Tiny(), **QUICK, checkpoint=tmp_path / "run")
    assert "resuming after epoch 2 of 4" in caplog.text
    assert _same(resumed, whole)
    assert _same(pretrain(images, Tiny(), **QUICK, checkpoint=tmp_path / "run"), whole)  # finished: nothing to do


@pytest.mark.parametrize("change", [{"lr": 0.1}, {"rng": 1}, {"size": 16}], ids=str)
def test_checkpoint_of_another_run_is_refused(images: np.ndarray, tmp_path: Path, change: dict) -> None:
    pretrain(images, Tiny(), **QUICK | {"n_epochs": 1}, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="holds a run on other data, with other settings"):
        pretrain(images, Tiny(), **QUICK | {"n_epochs": 1} | change, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="holds a run on other data"):
        pretrain(images[::-1].copy(), Tiny(), **QUICK | {"n_epochs": 1}, checkpoint=tmp_path)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # torch, on a machine with one core
@pytest.mark.parametrize("n_workers", [0, 2])
def test_files_are_decoded_ahead_and_train_the_same(images: np.ndarray, tmp_path: Path, n_workers: int) -> None:
    paths = [str(tmp_path / f"{i}.png") for i in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        Image.fromarray(image).save(path)
    here = image_samples(paths, size=12, device="cpu", n_workers=n_workers)
    decoded = []
    rows = here.rows
    here.rows = lambda index: decoded.append(len(index)) or rows(index)
    assert _same(pretrain(here, Tiny(), **QUICK), pretrain(images, Tiny(), **QUICK))
    assert decoded == [40]  # in this process only those that tell the size and the run


def test_paths_of_large_files(images: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares of 256 pixels, views of 224."""
    paths = []
    for i, image in enumerate(images[:2]):
        Image.fromarray(image).resize((300, 280)).save(tmp_path / f"{i}.jpeg")
        paths.append(str(tmp_path / f"{i}.jpeg"))
    seen = []
    draw = ImageViews.draw
    monkeypatch.setattr(
        ImageViews, "draw", lambda self, rows, *rest: seen.append((rows.shape, self.size)) or draw(self, rows, *rest)
    )
    pretrain(np.asarray(paths), Tiny(), **QUICK | {"n_epochs": 1, "batch_size": 2}, checkpoint=tmp_path / "run")
    assert seen == [((2, 3, 256, 256), 224)] * 2


def _gratings(n: int, rng: np.random.Generator) -> np.ndarray:
    """Waves of any direction, width and color."""
    y, x = np.mgrid[:12, :12]
    angle, frequency, phase = rng.uniform([[0], [0.3], [0]], [[np.pi / 2], [1.5], [6]], (3, n))[..., None, None]
    waves = np.sin(frequency * (np.cos(angle) * x + np.sin(angle) * y) + phase)
    return np.clip(127 + 90 * waves[..., None] * rng.uniform(-1, 1, (n, 1, 1, 3)), 0, 255).astype(np.uint8)


def _mean_rank(network: torch.nn.Module, rows: torch.Tensor) -> float:
    """Place of the second view of an image among the second views of all, by similarity to its first view."""
    source, views = torch.Generator().manual_seed(0), ImageViews(12)
    with torch.no_grad():
        first, second = (
            torch.nn.functional.normalize(network.eval()(views.draw(rows, recipe, source)))
            for recipe in pretraining_recipes(12)
        )
    own = (first * second).sum(1, keepdim=True)
    return float((first @ second.T > own).sum(1).float().mean())


def test_two_views_of_a_new_image_come_closer(monkeypatch: pytest.MonkeyPatch) -> None:
    # with the narrow heads of this file the margin is touch and go
    monkeypatch.setattr(MoCo.__init__, "__kwdefaults__", {"n_hidden": 256, "n_out": 64})
    rng = np.random.default_rng(1)
    images, rows = _gratings(512, rng), torch.from_numpy(_gratings(200, rng)).permute(0, 3, 1, 2)
    untrained = Tiny(1)
    trained = pretrain(images, untrained, n_epochs=15, batch_size=64, device="cpu", rng=1, progress_bar=False)
    assert _mean_rank(trained, rows) < _mean_rank(untrained, rows) - 20  # of 200; chance is 99.5


def test_learning_rate() -> None:
    settings = MoCoSettings(100, 4, 0.3, 0.0, 0.2, 0.99, "lars", 8, 0)
    rates = [learning_rate(step, 5, settings) for step in range(500)]
    assert rates[0] == pytest.approx(0.3 / 51)
    np.testing.assert_allclose(np.diff(rates[:50]), 0.3 / 51)
    assert max(rates) == rates[50] == 0.3
    assert rates[275] == pytest.approx(0.15)
    assert 0 < rates[-1] < 1e-5
    assert learning_rate(0, 5, MoCoSettings(5, 4, 0.3, 0.0, 0.2, 0.99, "lars", 8, 0)) == 0.3  # too short to warm up


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rng": -1}, "rng must not be negative, found -1"),
        ({"images": np.zeros((4, 8, 8, 3))}, r"images must be uint8, .* found torch.float64, \(4, 8, 8, 3\)"),
        ({"batch_size": 41}, r"batch_size=41 must be at most the number of images \(40\)"),
        ({"n_epochs": 0}, "n_epochs must be at least 1, found 0"),
        ({"optimizer": "adam"}, "optimizer must be 'lars' or 'sgd', found 'adam'"),
        ({"lr": 0.0}, "lr must be above 0, found 0.0"),
        ({"temperature": -1.0}, "temperature must be above 0"),
        ({"momentum": 1.5}, "momentum must be between 0 and 1, found 1.5"),
        ({"backbone": "vit"}, "backbone must be 'resnet18', 'resnet50'"),
        ({"device": "cuda:99"}, "device='cuda:99' is not there"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else value[-12:],
)
def test_mistakes(images: np.ndarray, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pretrain(**{"images": images, "backbone": Tiny(), **QUICK, **change})


def test_divergence_is_an_error(images: np.ndarray) -> None:
    broken = Tiny()
    with torch.no_grad():
        broken.convolution.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(FloatingPointError, match="pretraining diverged in epoch 1: the loss is nan"):
        pretrain(images, broken, **QUICK)


@pytest.mark.gpu
def test_on_a_gpu(images: np.ndarray) -> None:
    trained = pretrain(images, Tiny(), **QUICK | {"device": "cuda"})
    assert next(trained.parameters()).is_cuda
    assert all(torch.isfinite(tensor).all() for tensor in trained.state_dict().values())
