from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import falcon_sc as fsc

RELATION = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1]])  # no fine class in the second coarse class


@pytest.fixture
def found(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Ten images and their probabilities: five of the first class, four of the second, one of the third."""
    proba = np.full((10, 3), 0.1)
    sure = np.array([0.5, 0.9, 0.7, 0.8, 0.6, 0.5, 0.6, 0.7, 0.8, 0.5])
    proba[np.arange(10), np.repeat([0, 1, 2], [5, 4, 1])] = sure
    return rng.integers(0, 256, (10, 6, 4, 3), dtype=np.uint8), proba


def test_the_surest_images_of_each_class_the_surest_first(found) -> None:
    images, proba = found
    axes = fsc.pl.confident_images(images, proba, RELATION, coarse_names=["pet", "none", "car"])
    assert [ax.get_ylabel() for ax in axes] == ["pet", "car"]
    expected = [[1, 3, 2, 8, 7, 6], [9]]  # the third class has one image
    for ax, rows in zip(axes, expected, strict=True):
        for drawn, row in zip(ax.images, rows, strict=True):
            np.testing.assert_array_equal(drawn.get_array(), images[row, 1:5])  # the square in the middle
    left = [image.get_extent()[0] for image in axes[0].images]
    assert np.diff(left).round(2).tolist() == [1, 1, 1.35, 1, 1]
    axes[0].figure.draw_without_rendering()


def test_the_class_of_an_image_may_be_another_than_the_most_probable_one(found) -> None:
    """As in a model with a tree, whose label is the class of the most probable leaf."""
    images, proba = found
    labels = proba.argmax(axis=1)
    labels[[1, 9]] = 1
    axes = fsc.pl.confident_images(images, proba, RELATION, labels=labels, n_images=9)
    rows = [[3, 2, 4, 0, 8, 7, 6, 5, 1, 9], []]
    for ax, expected in zip(axes, rows, strict=True):
        assert len(ax.images) == len(expected)
        for drawn, row in zip(ax.images, expected, strict=True):
            np.testing.assert_array_equal(drawn.get_array(), images[row, 1:5])
    for wrong in (labels[1:], labels + 2, labels - 1, labels.astype(float)):
        with pytest.raises(ValueError, match="labels must be 10 whole numbers from 0 to 2, found shape"):
            fsc.pl.confident_images(images, proba, RELATION, labels=wrong)


def test_names_are_inside_the_figure(found) -> None:
    images, proba = found
    names = ["a coarse class with a very long name", "none", "car"]
    axes = fsc.pl.confident_images(images, proba, RELATION, coarse_names=names)
    figure = axes[0].figure
    figure.draw_without_rendering()
    for ax in axes:
        assert ax.yaxis.label.get_window_extent().x0 >= 0
        assert ax.yaxis.label.get_window_extent().x1 <= ax.get_window_extent().x0


def test_one_coarse_class_and_fewer_images(found) -> None:
    images, proba = found
    axes = fsc.pl.confident_images(images, proba, RELATION, coarse=2, n_images=1)
    assert [len(ax.images) for ax in axes] == [1]
    assert axes[0].get_ylabel() == "2"
    assert len(plt.get_fignums()) == 1


def test_images_without_color_and_files(found, tmp_path) -> None:
    from PIL import Image

    images, proba = found
    (ax,) = fsc.pl.confident_images(images[..., 0], proba, RELATION, coarse=0)
    np.testing.assert_array_equal(ax.images[0].get_array(), images[1, 1:5, :, 0])
    assert ax.images[0].get_clim() == (0, 255)
    paths = np.array([str(tmp_path / f"{i}.png") for i in range(10)])
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    for files in (paths, [Path(path) for path in paths]):
        (ax,) = fsc.pl.confident_images(files, proba, RELATION, coarse=0)
        np.testing.assert_array_equal(ax.images[0].get_array(), images[1, 1:5])


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (lambda images: images / np.float32(255), lambda images: images),  # gray ones were black
        (lambda images: images.astype(float), lambda images: images),  # in color they were white
        (lambda images: images.astype(np.int64), lambda images: images),
        (lambda images: images > 100, lambda images: np.where(images > 100, 255, 0)),
    ],
    ids=["0 to 1", "0 to 255", "integers", "masks"],
)
@pytest.mark.parametrize("channels", [0, slice(None), slice(1)], ids=["gray", "color", "one channel"])
def test_pixels_in_other_numbers_look_the_same(found, change, shown, channels) -> None:
    images, proba = found[0][..., channels], found[1]
    (ax,) = fsc.pl.confident_images(change(images), proba, RELATION, coarse=0)
    expected = shown(images)[1, 1:5]
    np.testing.assert_array_equal(ax.images[0].get_array().squeeze(), expected.squeeze())
    assert ax.images[0].get_array().dtype == np.uint8


@pytest.mark.parametrize(
    ("images", "found_there"),
    [
        (np.full((10, 6, 6), -0.5), "float64 from -0.5 to -0.5"),
        (np.full((10, 6, 6), 4000, dtype=np.uint16), "uint16 from 4000 to 4000"),
        (np.full((10, 6, 6), np.nan), "float64 from nan to nan"),
        (np.full((10, 6, 6), 1j), "complex128"),
        (np.full(10, 3), "int64"),
    ],
)
def test_what_are_no_pixels_is_refused(found, images, found_there: str) -> None:
    with pytest.raises(
        ValueError, match=f"images must be .*0 to 255, .*0 to 1 .*, or paths of files, found {found_there}"
    ):
        fsc.pl.confident_images(images, found[1], RELATION)
    assert not plt.get_fignums()


def test_names_above_the_images_do_not_meet(found) -> None:
    images, proba = found
    names = ["a fine class with a very long name", "b", "c"]
    axes = fsc.pl.confident_images(images, proba, RELATION, fine_names=names, n_images=1)
    axes[0].figure.draw_without_rendering()
    first, second = axes[0].texts
    assert [text.get_text() for ax in axes for text in ax.texts] == names
    assert first.get_window_extent().x1 < second.get_window_extent().x0
    pictures = [image.get_window_extent() for image in axes[0].images]
    assert [first.get_window_extent().x0, second.get_window_extent().x0] == pytest.approx([p.x0 for p in pictures])
    assert first.get_window_extent().y0 >= pictures[0].y1
    assert first.get_window_extent().y1 <= axes[0].get_window_extent().y1 + 1  # its height is that of the axes


def test_more_fine_classes_stand_in_lines_below(found) -> None:
    images, proba = found
    relation = np.array([[1], [1], [1]])
    (ax,) = fsc.pl.confident_images(images, proba, relation, fine_names="abc", n_columns=2)
    left, bottom = np.array([image.get_extent() for image in ax.images])[:, [0, 2]].T
    assert left.round(2).tolist() == [0, 1, 2, 3.35, 4.35, 5.35, 0]
    assert (np.diff(bottom) != 0).nonzero()[0].tolist() == [5]  # the third class, below the others
    assert bottom[6] < bottom[5]
    assert ax.get_ylim()[1] > bottom[0] + 1
    assert [text.get_position()[1] > bottom[6] + 1 for text in ax.texts] == [True, True, True]


def test_several_coarse_classes_in_the_order_asked_for(found) -> None:
    images, proba = found
    axes = fsc.pl.confident_images(images, proba, RELATION, coarse=[2, 0], n_images=1)
    assert [ax.get_ylabel() for ax in axes] == ["2", "0"]


def test_on_axes_of_a_larger_figure(found) -> None:
    images, proba = found
    _, (given, other) = plt.subplots(1, 2)
    (ax,) = fsc.pl.confident_images(images, proba, RELATION, coarse=0, ax=given)
    assert ax is given
    assert len(given.images) == 6
    with pytest.raises(ValueError, match=r"ax is one place, .* and 2 are to be drawn: name one with coarse="):
        fsc.pl.confident_images(images, proba, RELATION, ax=other)
    assert not other.images
    assert len(plt.get_fignums()) == 1


def test_large_files_are_drawn_smaller(tmp_path) -> None:
    from PIL import Image

    paths = [str(tmp_path / name) for name in ("large.png", "large.jpg")]
    for path in paths:
        Image.new("RGB", (1200, 900), (200, 10, 30)).save(path)
    (ax,) = fsc.pl.confident_images(paths, np.ones((2, 1)), np.ones((1, 1)))
    for image in ax.images:
        assert image.get_array().shape == (192, 192, 3)
        np.testing.assert_allclose(image.get_array()[96, 96], (200, 10, 30), atol=2)


def test_what_does_not_fit_is_refused(found) -> None:
    images, proba = found
    with pytest.raises(ValueError, match=r"shapes \(9, 6, 4, 3\), \(10, 3\) and \(3, 3\): give N images"):
        fsc.pl.confident_images(images[1:], proba, RELATION)
    with pytest.raises(ValueError, match="coarse_names has 2 names, relation has 3 coarse classes"):
        fsc.pl.confident_images(images, proba, RELATION, coarse_names=["a", "b"])
    with pytest.raises(ValueError, match="fine_names has 2 names, relation has 3 fine classes"):
        fsc.pl.confident_images(images, proba, RELATION, fine_names=["a", "b"])
    with pytest.raises(ValueError, match="n_columns must be at least 1, found 0"):
        fsc.pl.confident_images(images, proba, RELATION, n_columns=0)
    with pytest.raises(ValueError, match=r"coarse='d' is no coarse class; there are \['a', 'b', 'c'\]"):
        fsc.pl.confident_images(images, proba, RELATION, coarse_names=["a", "b", "c"], coarse="d")
    with pytest.raises(ValueError, match="coarse='b' has no fine class"):
        fsc.pl.confident_images(images, proba, RELATION, coarse_names=["a", "b", "c"], coarse="b")
    assert not plt.get_fignums()


@pytest.mark.parametrize(
    "images",
    [np.zeros((10, 3, 6, 6)), np.zeros((10, 6)), np.zeros((10, 6, 6, 2))],
    ids=["channels first", "flat", "two channels"],
)
def test_what_are_no_images_is_refused(found, images) -> None:
    with pytest.raises(
        ValueError, match=r"images, proba and relation .*: give N images, H x W or H x W x 3, or their paths"
    ):
        fsc.pl.confident_images(images, found[1], RELATION)


def test_without_a_parent_there_is_nothing_to_draw(found) -> None:
    with pytest.raises(ValueError, match="relation has no 1: no fine class has a coarse class"):
        fsc.pl.confident_images(*found, 0 * RELATION)
