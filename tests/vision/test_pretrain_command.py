from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
import torch.distributed as dist

from falcon_sc._cli import main
from falcon_sc.vision import build_backbone, load_pretrained, pretrain

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = ["--n-epochs", "1", "--batch-size", "2", "--seed", "3", "--device", "cpu", "--no-progress-bar"]


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)


@pytest.fixture
def source(images: np.ndarray, tmp_path: Path) -> Path:
    np.savez(tmp_path / "images.npz", images=images, fine=np.arange(2))
    return tmp_path / "images.npz"


def test_writes_what_pretrain_returns(source: Path, images: np.ndarray, tmp_path: Path, capsys) -> None:
    assert main(["pretrain", str(source), "-o", str(tmp_path / "out" / "encoder.pt"), *OPTIONS]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'out' / 'encoder.pt'}\n"
    written = build_backbone("resnet18", small_images=True, generator=torch.Generator())
    load_pretrained(written, tmp_path / "out" / "encoder.pt")
    expected = pretrain(images, n_epochs=1, batch_size=2, rng=3, device="cpu", progress_bar=False).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in written.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--batch-size": "3"}, "batch_size=3 must be at most the number of images (2)"),
        ({"-o": "."}, "--output='.' is a folder"),
        ({"images": "other.npz"}, "'other.npz' must be an npz file with an array 'images', found 'pictures'"),
        ({"images": "one.npy"}, "'one.npy' must be an npz file with an array 'images'"),
        ({"images": "none.npz"}, "none.npz"),
    ],
    ids=lambda value: " ".join(next(iter(value.items()))) if isinstance(value, dict) else "",
)
def test_mistakes_are_one_line(
    source: Path, images: np.ndarray, capsys, monkeypatch, change: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(source.parent)
    np.savez("other.npz", pictures=images)
    np.save("one.npy", images)
    given = {"images": "images.npz", "-o": "encoder.pt", "--batch-size": "2"} | change
    code = main(["pretrain", given.pop("images"), *(part for option in given.items() for part in option)])
    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not (source.parent / "encoder.pt").exists()


def test_under_torchrun(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `torchrun` tells its processes, here the only one: the group is joined and left, the result the same."""
    assert main(["pretrain", str(source), "-o", str(tmp_path / "alone.pt"), *OPTIONS]) == 0
    joined_groups = []
    monkeypatch.setattr(dist, "all_gather", lambda *_, gather=dist.all_gather: joined_groups.append(gather(*_)))
    told = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "localhost", "MASTER_PORT": "0"}
    for name, value in {**told, "TORCHELASTIC_RUN_ID": "none"}.items():
        monkeypatch.setenv(name, value)
    assert main(["pretrain", str(source), "-o", str(tmp_path / "joined.pt"), *OPTIONS]) == 0
    assert joined_groups
    assert not dist.is_initialized()
    joined, alone = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("joined", "alone"))
    for name, tensor in alone["falcon_sc_encoder"].items():
        torch.testing.assert_close(joined["falcon_sc_encoder"][name], tensor)
