"""Images in the npz layout of the development data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from falcon_sc.vision.datasets import from_npz

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, seed: int, **changed: Any) -> Path:
    """20 training and 5 test images: 5 fine classes in 2 coarse classes."""
    rng = np.random.default_rng(seed)
    fine = np.tile(np.arange(5, dtype=np.uint8), 5)
    arrays = {
        "images": rng.integers(0, 256, (25, 8, 8, 3), dtype=np.uint8),
        "fine": fine,
        "coarse": np.array([0, 0, 1, 1, 1], np.uint8)[fine],
        "split": np.repeat(["train", "test"], [20, 5]),
        "fine_names": np.array(list("abcde")),
        "coarse_names": np.array(["x", "y"]),
        "fine_to_coarse": np.array([0, 0, 1, 1, 1], np.uint8),
    } | changed
    np.savez(path, **{key: array for key, array in arrays.items() if array is not None})
    return path


def test_parts_are_joined(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{i}.npz", i) for i in range(2)]
    data = from_npz(paths)
    assert repr(data) == "ImageData: 50 images of 8 x 8, 2 coarse classes, 5 fine classes"
    assert np.array_equal(data.images[25:], np.load(paths[1])["images"])
    assert data.relation.tolist() == [[1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]
    assert data.fine.dtype == data.coarse.dtype == np.int64
    assert data.fine_names == tuple("abcde")


def test_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "part.npz", 0)
    images = np.load(path)["images"]
    assert np.array_equal(from_npz(path, split="train").images, images[:20])
    assert np.array_equal(from_npz(path, split="test").images, images[20:])
    assert np.array_equal(from_npz(path, split="train90").images, images[:15])  # 90 % of 4 a class, rounded down
    assert np.array_equal(from_npz(path, split="val").images, images[15:20])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"fine": None, "split": None}, r"lacks the arrays 'fine', 'split'; it has 'images', 'coarse'"),
        ({"split": np.repeat("valid", 25)}, r"holds 'valid': only 'train' and 'test'"),
        ({"fine_names": np.array(list("abcdX"))}, r"fine_names of .* differs"),
        ({"fine_names": np.array(list("abcde"), object)}, r"allow_pickle=False"),
    ],
)
def test_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    paths = [write(tmp_path / "first.npz", 0), write(tmp_path / "second.npz", 1, **changed)]
    with pytest.raises(ValueError, match=message):
        from_npz(paths)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="paths is empty"):
        from_npz([])
    with pytest.raises(FileNotFoundError):
        from_npz(tmp_path / "none.npz")
