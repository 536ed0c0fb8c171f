"""Two real processes against one on the joined batch: cells, images and the pretraining of a backbone."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torch.distributed as dist

from falcon_sc import Falcon, FalconConfig
from falcon_sc._cli import main
from falcon_sc.core.runtime.checkpoint import FORMAT
from falcon_sc.vision import build_backbone, load_pretrained
from falcon_sc.vision.moco.network import MoCo
from tests.core.planted import planted
from tests.torchrun import in_two_processes
from tests.vision.digits import discover_in_adata, discover_without_chance
from tests.vision.networks import Tiny

if TYPE_CHECKING:
    from pathlib import Path

# no batch normalization: on the CPU its batch statistics are those of each process
CONFIG = FalconConfig(
    start="random",
    n_pcs=None,
    n_neighbors=8,
    max_epochs=4,
    batch_size=64,
    n_hidden=16,
    relation_interval=3,
    batch_norm=False,
    lr=1e-2,
    lambda_M=0.01,
)
RUNS = {
    "uniform prior": replace(CONFIG, prior="uniform"),
    "prior within coarse classes": CONFIG,
    "start": replace(CONFIG, start="consensus", warmup_iterations=6),
}
IMAGES = {"images": partial(discover_without_chance, "cpu"), "images in an AnnData": discover_in_adata}


def fit(config: FalconConfig, checkpoint: Path | None = None) -> dict:
    data = planted()
    model = Falcon(6, config, device="cpu", rng=0).fit(data.X, data.coarse, checkpoint=checkpoint)
    return {"relation": model.relation_, "history": model.history_, "labels": model.labels_}


def moco_step(n_processes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of the whole batch, and a gradient.

    Normalization in evaluation mode: in training mode it is the GPUs' SyncBatchNorm that joins the batches.
    """
    generator = torch.Generator().manual_seed(0)
    moco = MoCo(Tiny(norm=False), temperature=0.2, generator=generator, n_hidden=12, n_out=6).eval()
    views = torch.rand(2, 8, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    if n_processes == 1:
        loss = moco(*views, 0.99)
        loss.backward()
        return loss.detach(), moco.encoder.convolution.weight.grad
    network = torch.nn.parallel.DistributedDataParallel(moco)
    loss = network(*(view.chunk(n_processes)[dist.get_rank()] for view in views), 0.99)
    loss.backward()
    total = loss.detach()
    dist.all_reduce(total)
    return total / n_processes, moco.encoder.convolution.weight.grad


def command(*arguments: object) -> tuple[int, str]:
    with redirect_stdout(StringIO()) as printed:
        code = main(list(map(str, arguments)))
    return code, printed.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("torchrun")


@pytest.fixture(scope="module")
def two(folder: Path) -> list[dict]:
    (folder / "other").mkdir()
    (folder / "other" / "run.json").write_text(json.dumps({"format": FORMAT, "fingerprint": "of another run"}))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    np.savez(folder / "images.npz", images=pixels)
    options = ["--n-epochs", 1, "--batch-size", 4, "--seed", 3, "--device", "cpu", "--no-progress-bar"]
    calls = {name: partial(fit, config) for name, config in RUNS.items()} | IMAGES
    calls |= {
        "kept": partial(fit, CONFIG, folder / "kept"),
        "norms": partial(fit, replace(CONFIG, batch_norm=True)),
        "odd batch": partial(fit, replace(CONFIG, batch_size=63)),
        "other run": partial(fit, CONFIG, folder / "other"),
        "moco": partial(moco_step, 2),
        "pretrain": partial(command, "pretrain", folder / "images.npz", "-o", folder / "encoder.pt", *options),
    }
    return in_two_processes(calls, folder)


def assert_same_run(first: dict, second: dict, *, within: float = 0) -> None:
    np.testing.assert_array_equal(first["relation"], second["relation"])
    np.testing.assert_array_equal(first["labels"], second["labels"])
    assert set(first["history"]) == set(second["history"])
    for term, values in first["history"].items():
        np.testing.assert_allclose(values, second["history"][term], rtol=0, atol=within, err_msg=term)


@pytest.mark.parametrize("name", RUNS)
def test_cells(two: list[dict], name: str) -> None:
    assert_same_run(two[0][name], two[1][name])
    assert_same_run(two[0][name], fit(RUNS[name]), within=1e-5)


@pytest.mark.parametrize("name", IMAGES)
def test_images(two: list[dict], name: str) -> None:
    """Without batch normalization, which torch joins over processes on GPUs only."""
    one = IMAGES[name]()
    assert_same_run(two[0][name], two[1][name])
    assert_same_run(two[0][name], one, within=1e-4)
    assert two[0][name]["norms"] == one["norms"] == []


def test_a_step_of_the_pretraining(two: list[dict]) -> None:
    loss, gradient = moco_step(1)
    for found_loss, found_gradient in (two[0]["moco"], two[1]["moco"]):
        torch.testing.assert_close(found_loss, loss)
        torch.testing.assert_close(found_gradient, gradient)


def test_both_pretrain_and_one_writes(two: list[dict], folder: Path) -> None:
    assert two[0]["pretrain"] == (0, f"wrote {folder / 'encoder.pt'}\n")
    assert two[1]["pretrain"] == (0, "")
    load_pretrained(build_backbone("resnet18", small_images=True, generator=torch.Generator()), folder / "encoder.pt")


@pytest.mark.usefixtures("two")
def test_only_the_leader_writes(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "kept").iterdir()) == ["run.json", "training.pt"]


def test_running_statistics_are_those_of_the_leader(two: list[dict]) -> None:
    """On the CPU every process normalizes its own share, and still predicts the same in the end."""
    np.testing.assert_array_equal(two[0]["norms"]["labels"], two[1]["norms"]["labels"])


@pytest.mark.parametrize(
    ("name", "text"),
    [("odd batch", "batch_size=63 cannot be shared equally by 2"), ("other run", "other data, with")],
)
def test_an_error_is_one_in_both(two: list[dict], name: str, text: str) -> None:
    assert text in two[0][name]
    assert two[0][name] == two[1][name]


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("device", "backend"),
    [
        ("cuda:0", "gloo"),  # NCCL takes no two processes on one GPU
        pytest.param(
            "cuda", None, marks=pytest.mark.skipif(torch.cuda.device_count() < 2, reason="no two CUDA devices")
        ),
    ],
    ids=["gloo", "nccl"],
)
def test_normalization_on_gpus_is_that_of_the_joined_batch(tmp_path: Path, device: str, backend: str | None) -> None:
    group = {} if backend is None else {"group": partial(dist.init_process_group, backend)}  # else `discover` makes it
    first, second = in_two_processes(group | {"images": partial(discover_without_chance, device)}, tmp_path)
    two, one = first["images"], discover_without_chance("cuda:0")
    assert_same_run(two, second["images"])
    assert two["norms"] == ["SyncBatchNorm"] * 3
    assert one["norms"] == ["BatchNorm2d"] * 3
    # the first epoch: later ones enlarge the differences of another order of summation
    for term in ("loss", "loss_coarse"):
        np.testing.assert_allclose(two["history"][term][0], one["history"][term][0], rtol=0.01)
