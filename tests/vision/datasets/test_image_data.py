"""What a data set of images refuses, and parts of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from falcon_sc.vision.datasets import ImageData

IMAGES = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)


def make(**changed: Any) -> ImageData:
    parts = {
        "images": IMAGES,
        "fine": np.array([0, 1, 2, 2], np.uint8),
        "coarse": np.array([0, 0, 1, 1]),
        "fine_names": ("a", "b", "c"),
        "coarse_names": ("x", "y"),
    }
    return ImageData(**(parts | changed))


def test_files() -> None:
    data = make(images=np.array(["1.png", "2.png", "3.png", "4.png"]))
    assert repr(data) == "ImageData: 4 image files, 2 coarse classes, 3 fine classes"


def test_take_keeps_the_numbers_of_classes() -> None:
    last = make().take(np.array([3, 2]))
    assert last.fine.tolist() == [2, 2]
    assert last.fine_names == ("a", "b", "c")
    assert np.array_equal(last.images, IMAGES[[3, 2]])
    assert last.relation.tolist() == [[0, 0], [0, 0], [0, 1]]


def test_without_numbers_classes_anew() -> None:
    left = make().without(["a", "b"])
    assert left.fine.tolist() == left.coarse.tolist() == [0, 0]
    assert (left.fine_names, left.coarse_names) == (("c",), ("y",))
    assert np.array_equal(left.images, IMAGES[2:])
    with pytest.raises(ValueError, match=r"names holds 'z', but fine_names has 'a', 'b', 'c'"):
        make().without(["a", "z"])
    with pytest.raises(ValueError, match="leave at least one"):
        make().without("abc")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": IMAGES / 255}, r"dtype float64: give uint8"),
        ({"images": IMAGES.transpose(0, 3, 1, 2)}, r"shape \(4, 3, 2, 2\).* N x height x width x 3"),
        ({"fine": np.array([0, 1, 2])}, r"fine has shape \(3,\).* give 4 integers"),
        ({"coarse": np.array([0.0, 0, 1, 1])}, r"coarse has .* float64"),
        ({"fine": np.array([0, 1, 2, 3])}, r"labels from 0 to 3, but there are 3 fine_names"),
        ({"coarse": np.array([0, -1, 1, 1])}, r"labels from -1"),
        ({"fine_names": ("a", "b", "b")}, r"fine_names holds 'b' more than once"),
        ({"coarse": np.array([0, 0, 1, 0])}, r"fine class 'c' lie in the coarse classes 'x', 'y'"),
    ],
)
def test_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**changed)


def test_images_must_be_an_array() -> None:
    with pytest.raises(TypeError, match="numpy array, found list"):
        make(images=IMAGES.tolist())
