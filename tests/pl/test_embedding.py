from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

import falcon_sc as fsc


@pytest.fixture(scope="module")
def clusters() -> tuple[np.ndarray, np.ndarray]:
    """Sixty points in three tight clusters, and which one each is in."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    return rng.normal(size=(60, 5)) + 50 * rng.normal(size=(3, 5))[labels], labels


def test_points_and_colors(clusters) -> None:
    points, labels = clusters
    ax = fsc.pl.embedding(points, labels, n_max=60)
    (dots,) = ax.collections
    colors = np.array([to_hex(color) for color in dots.get_facecolors()])
    assert sorted(np.unique(colors, return_counts=True)[1].tolist()) == [20, 20, 20]
    places = dots.get_offsets()
    own = [places[colors == color] for color in np.unique(colors)]
    centers = np.array([part.mean(axis=0) for part in own])
    spread = max(np.linalg.norm(part - part.mean(axis=0), axis=1).max() for part in own)
    between = np.linalg.norm(centers[:, None] - centers, axis=2)[np.triu_indices(3, 1)].min()
    assert between > spread  # points keep their colors
    assert ax.get_legend() is None


def test_shades_of_the_coarse_class_and_its_name(clusters) -> None:
    points, labels = clusters
    coarse = np.array(["pet", "pet", "car"])[labels]
    _, given = plt.subplots()
    ax = fsc.pl.embedding(points, labels, coarse, ax=given)
    assert ax is given
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["car", "pet"]
    colors = {to_hex(color) for color in ax.collections[0].get_facecolors()}
    assert len(colors) == 3
    assert "#1f77b4" in colors  # "car", without siblings: the color itself


def test_many_samples_are_thinned_with_a_seed(clusters) -> None:
    points, labels = clusters
    one, same, other = (
        fsc.pl.embedding(points, labels, n_max=12, rng=seed).collections[0].get_offsets() for seed in (0, 0, 1)
    )
    assert len(one) == 12
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_samples_without_a_class_are_gray(clusters) -> None:
    points, labels = clusters
    fine = pd.Series(labels).map({0: "a:0", 1: "b:0", 2: "b:1"}).astype("category")
    coarse = fine.str.partition(":")[0].astype("category")
    fine[:9], coarse[:9] = None, None
    ax = fsc.pl.embedding(points, fine, coarse, n_max=60)
    colors = np.array([to_hex(color) for color in ax.collections[0].get_facecolors()])
    assert np.unique(colors, return_counts=True)[1].tolist().count(17) == 3
    assert (colors == "#d0d0d0").sum() == 9
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_samples_in_the_color_of_their_own_coarse_class(clusters) -> None:
    """Also where the fine class is one of another coarse class, which shades would hide."""
    points, labels = clusters
    coarse = np.array(["pet", "pet", "car"], dtype=object)[labels]
    coarse[:12] = None
    ax = fsc.pl.embedding(points, np.zeros(60), coarse, shaded=False, named={0: "all"}, n_max=60)
    colors = [to_hex(color) for color in ax.collections[0].get_facecolors()]
    car, pet = fsc.pl._style.palette(2)
    assert {color: colors.count(color) for color in set(colors)} == {car: 16, pet: 32, "#d0d0d0": 12}
    assert [text.get_text() for text in ax.texts] == ["all"]
    with pytest.raises(ValueError, match="shaded=False needs coarse"):
        fsc.pl.embedding(points, labels, shaded=False)


def test_names_in_the_middle_of_their_samples(clusters) -> None:
    points, labels = clusters
    ax = fsc.pl.embedding(points, np.array(["a", "b", "c"])[labels], named={"c": "the third", "a": "$x_1$"}, n_max=60)
    ax.figure.draw_without_rendering()  # a name is no formula
    assert [text.get_text() for text in ax.texts] == ["the third", "$x_1$"]
    (dots,) = ax.collections
    colors = np.array([to_hex(color) for color in dots.get_facecolors()])
    for text, own in zip(ax.texts, (2, 0), strict=True):
        distance = np.linalg.norm(dots.get_offsets() - text.get_position(), axis=1)
        nearest = colors[np.argsort(distance)[:5]]
        assert set(nearest) == {fsc.pl._style.palette(3)[own]}
    with pytest.raises(ValueError, match=r"named holds 'd', and labels have 'a', 'b', 'c'\."):
        fsc.pl.embedding(points, np.array(["a", "b", "c"])[labels], named={"d": "no such class"})


def test_what_does_not_fit_is_refused(clusters) -> None:
    points, labels = clusters
    with pytest.raises(ValueError, match=r"shapes \(60, 5\) and \(59,\)"):
        fsc.pl.embedding(points, labels[1:])
    with pytest.raises(ValueError, match=r"shapes \(60, 1\) and \(60,\).* d at least 2"):
        fsc.pl.embedding(points[:, :1], labels)
    with pytest.raises(ValueError, match="embedding holds NaN or inf"):
        fsc.pl.embedding(np.where(points > 0, np.nan, points), labels)
    with pytest.raises(TypeError, match="embedding must be a matrix of numbers, found dict"):
        fsc.pl.embedding({}, labels)
    with pytest.raises(ValueError, match="N at least 4"):
        fsc.pl.embedding(points[:3], labels[:3])
    with pytest.raises(ValueError, match="a coarse class for each of the 60 samples"):
        fsc.pl.embedding(points, labels, labels[1:])
    assert not plt.get_fignums()
