from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from falcon_sc._cli import main
from falcon_sc.vision import build_backbone, load_pretrained, pretrain

pytestmark = pytest.mark.image  # ResNets

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


def test_a_folder_of_files(images: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    for name, image in zip(("b/1.png", "a/2.PNG"), images, strict=True):
        (folder / name).parent.mkdir(parents=True)
        Image.fromarray(image).save(folder / name)
    (folder / "notes.txt").touch()
    assert main(["pretrain", str(folder), "-o", str(tmp_path / "encoder.pt"), *OPTIONS, "--size", "8"]) == 0
    paths = [str(folder / "a" / "2.PNG"), str(folder / "b" / "1.png")]
    expected = pretrain(paths, size=8, n_epochs=1, batch_size=2, rng=3, device="cpu", progress_bar=False).state_dict()
    written = build_backbone("resnet18", small_images=True, generator=torch.Generator())
    load_pretrained(written, tmp_path / "encoder.pt")
    assert all(torch.equal(tensor, expected[name]) for name, tensor in written.state_dict().items())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--batch-size": "3"}, "--batch-size=3 must be at most the number of images (2)"),
        ({"-o": "."}, "--output='.' is a folder"),
        ({"images": "other.npz"}, "'other.npz' must be an npz file with an array 'images', found 'pictures'"),
        ({"images": "one.npy"}, "'one.npy' must be an npz file with an array 'images'"),
        ({"images": "none.npz"}, "there is no file 'none.npz'"),
        ({"images": "cut.npz"}, "'cut.npz' cannot be read as an npz file (BadZipFile"),
        ({"images": "nothing.npz"}, "'nothing.npz' cannot be read as an npz file (EOFError"),
        ({"images": "table.npz"}, "'table.npz' cannot be read as an npz file"),
        ({"images": "empty"}, "'empty' has no file that ends in '.jpeg', '.jpg', '.png'"),
    ],
    ids=lambda value: " ".join(next(iter(value.items()))) if isinstance(value, dict) else "",
)
def test_mistakes_are_one_line(
    source: Path, images: np.ndarray, capsys, monkeypatch, change: dict[str, str], message: str
) -> None:
    monkeypatch.chdir(source.parent)
    np.savez("other.npz", pictures=images)
    np.save("one.npy", images)
    Path("empty").mkdir()
    Path("cut.npz").write_bytes(source.read_bytes()[:100])
    Path("nothing.npz").touch()
    Path("table.npz").write_text("image,class\n")
    given = {"images": "images.npz", "-o": "encoder.pt", "--batch-size": "2"} | change
    code = main(["pretrain", given.pop("images"), *(part for option in given.items() for part in option)])
    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not (source.parent / "encoder.pt").exists()
