"""The figures of the paper from models of a few epochs on digits: what is drawn is worked out again here, image by image."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from PIL import Image
from tests.vision.datasets.official_files import COARSE_NAMES, cifar_files, write_archive
from tests.vision.digits import Shifts, digits, small_network

from falcon_sc import Falcon, FalconConfig
from falcon_sc._cli import main
from falcon_sc._cli.bench import words
from falcon_sc.benchmarks.paper import figures
from falcon_sc.benchmarks.paper._class_sizes import draw_class_sizes
from falcon_sc.benchmarks.paper._figure_classes import LeftOutError, Told, check_asked
from falcon_sc.benchmarks.paper._figures_of_images import SeenImages
from falcon_sc.pl._style import palette
from falcon_sc.vision import discover, image_samples, load
from falcon_sc.vision.datasets import cifar, from_npz

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from matplotlib.axes import Axes

mpl.use("agg")

DIGITS = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
SHAPES = np.array(["round", "straight", "open"])
SHAPE_OF = np.array([0, 1, 2, 2, 1, 2, 0, 1, 0, 0])
CONFIG = FalconConfig(prior="uniform", lr=2e-3, max_epochs=15, batch_size=64, warmup_iterations=10)


class Saved(NamedTuple):
    """Images as npz, and models that were told their coarse or their fine classes."""

    data_file: Path
    coarse: Path
    fine: Path


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Saved:
    folder = tmp_path_factory.mktemp("models")
    images, fine = (part[:600] for part in digits())
    train = np.arange(600) % 3 > 0
    np.savez(
        folder / "digits.npz", images=np.repeat(images[..., None], 3, axis=3), fine=fine, coarse=SHAPE_OF[fine],
        split=np.where(train, "train", "test"), fine_names=DIGITS, coarse_names=SHAPES,
    )  # fmt: skip
    options = {"config": CONFIG, "backbone": small_network(), "views": Shifts(), "device": "cpu", "progress_bar": False}
    options["features"] = images[train].reshape(400, -1).astype(np.float32)
    discover(images[train], SHAPE_OF[fine[train]], 10, save_model=folder / "coarse", **options)  # by number
    discover(images[train], DIGITS[fine[train]], 20, save_model=folder / "fine", **options)  # by name
    return Saved(folder / "digits.npz", folder / "coarse", folder / "fine")


@pytest.fixture(autouse=True)
def no_figure_left() -> Iterator[None]:
    yield
    plt.close("all")


def look(saved: Saved, model: str = "coarse", asked: tuple[str, ...] = ()) -> SeenImages:
    data = from_npz(saved.data_file, split="test")
    options = {"features": None, "backbone": small_network(seed=3), "views": Shifts(), "device": "cpu"}
    return SeenImages.by(getattr(saved, model), data, asked, **options)


@pytest.fixture(scope="module")
def seen(saved: Saved) -> SeenImages:
    return look(saved)


def best_three(seen: SeenImages, code: int) -> list[int]:
    """Row by row: images of the class, by falling probability."""
    members = [i for i, label in enumerate(seen.labels) if label == code]
    return sorted(members, key=lambda i: -seen.proba[i, code])[:3]


def majority(seen: SeenImages, code: int) -> str:
    names = [DIGITS[f] for f, label in zip(seen.truth.fine, seen.labels, strict=True) if label == code]
    name, n = Counter(sorted(names, key=DIGITS.tolist().index)).most_common(1)[0]
    return f"{name} {100 * n / len(names):.0f} %"


def check_images(ax: Axes, seen: SeenImages, codes: list[int]) -> None:
    rows = [row for code in codes for row in best_three(seen, code)]
    assert len(ax.images) == len(rows)
    for drawn, row in zip(ax.images, rows, strict=True):
        np.testing.assert_array_equal(drawn.get_array(), seen.images[row])


def codes_of(seen: SeenImages, name: str) -> list[int]:
    return np.flatnonzero(seen.told.relation[:, seen.told.names.index(name)]).tolist()


def test_figure_2(seen: SeenImages) -> None:
    figure, caption = seen.draw("2")
    left, middle, right = figure.axes
    assert caption.startswith("t-SNE of 200 of 200 images in the embedding")
    assert [ax.get_title(loc="left") for ax in (left, right)] == ["A: round", "B: straight"]
    named = []
    for ax, letter, name in ((left, "A", "round"), (right, "B", "straight")):
        codes = [code for code in codes_of(seen, name) if best_three(seen, code)]
        assert len(codes) > 1
        check_images(ax, seen, codes)
        texts = [f"{letter}{i}  {majority(seen, code)}" for i, code in enumerate(codes, start=1)]
        assert [text.get_text() for text in ax.texts] == texts
        named += [text[:2] for text in texts]
    assert [text.get_text() for text in middle.texts] == named
    # a color is a coarse class of the images themselves, also where the model put them elsewhere
    (dots,) = middle.collections
    assert len(dots.get_offsets()) == 200
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == sorted(SHAPES)
    assert middle.get_legend() is None
    counts = Counter(to_hex(color) for color in dots.get_facecolors())
    of_sorted = dict(zip(sorted(SHAPES), palette(3), strict=True))
    assert counts == {of_sorted[SHAPES[i]]: n for i, n in enumerate(np.bincount(seen.truth.coarse))}


def test_dots_have_the_color_of_their_own_coarse_class(seen: SeenImages) -> None:
    """A model that puts everything into one fine class shows one color for each coarse class, not one for all."""
    figure, _ = replace(seen, labels=np.zeros_like(seen.labels), asked=["round"]).draw("2")
    left, middle, right = figure.axes
    assert len(Counter(to_hex(color) for color in middle.collections[0].get_facecolors())) == 3
    assert left.get_title(loc="left") == "A: round"
    assert not right.axison  # one class was asked for
    assert not right.images


def test_figures_3_and_k1(seen: SeenImages) -> None:
    for number, shown in (("3", ["round", "straight"]), ("K1", ["round", "straight", "open"])):
        figure, caption = seen.draw(number)
        assert [ax.get_ylabel() for ax in figure.axes] == shown
        for ax, name in zip(figure.axes, shown, strict=True):
            check_images(ax, seen, codes_of(seen, name))
            above = [majority(seen, code) if best_three(seen, code) else "no image" for code in codes_of(seen, name)]
            assert [text.get_text() for text in ax.texts] == above
        trios = [best_three(seen, code) for name in shown for code in codes_of(seen, name)]
        alike = sum(len(set(seen.truth.fine[trio])) == 1 for trio in trios if trio)
        n = sum(bool(trio) for trio in trios)
        assert alike > 0
        assert f"Images of one true class alone: {alike} of {n} fine classes" in caption
        assert (f"{len(trios) - n} have no image" in caption) == (n < len(trios))


def test_classes_that_are_asked_for(saved: Saved) -> None:
    figure, _ = look(saved, asked=("OPEN",)).draw("3")
    assert [ax.get_ylabel() for ax in figure.axes] == ["open"]
    with pytest.raises(ValueError, match="classes holds 'square', and the model was told 'round', 'straight', 'open'"):
        look(saved, asked=("square",))


def test_an_image_is_shown_in_the_class_that_the_model_gives_it(seen: SeenImages, saved: Saved) -> None:
    """Which in a model with a tree of splits is not always the most probable class."""
    model = load(saved.coarse, backbone=small_network(), views=Shifts(), device="cpu")
    np.testing.assert_array_equal(seen.labels, model.predict(image_samples(seen.images, device="cpu")))
    one, other = codes_of(seen, "straight")[:2]
    best, labels = best_three(seen, one)[0], seen.labels.copy()
    labels[best] = other
    labels[labels == other] = np.where(np.flatnonzero(labels == other) == best, other, one)  # it alone
    moved = replace(seen, labels=labels)
    figure, _ = moved.draw("K1")
    ax = figure.axes[1]
    check_images(ax, moved, codes_of(seen, "straight"))
    assert ax.texts[1].get_text() == f"{DIGITS[seen.truth.fine[best]]} 100 %"


def test_figures_4_and_l1(saved: Saved) -> None:
    """Subclasses of digits, of a model that was told the digits."""
    seen = look(saved, "fine")
    divided = seen.told.divided(seen.labels)
    assert len(divided) > 4
    for number, shown in (("4", divided[:2]), ("L1", divided[2:5])):
        figure, caption = seen.draw(number)
        assert [ax.get_ylabel() for ax in figure.axes] == shown
        assert "There are no true subclasses to compare with." in caption
        for ax, name in zip(figure.axes, shown, strict=True):
            check_images(ax, seen, codes_of(seen, name))
            sizes = [int((seen.labels == code).sum()) for code in codes_of(seen, name)]
            above = ["no image" if n == 0 else "1 image" if n == 1 else f"{n} images" for n in sizes]
            assert [text.get_text() for text in ax.texts] == above


def test_the_classes_of_the_captions_are_shown_where_the_data_have_them(seen: SeenImages) -> None:
    names = ("bear", "salamander", "spider")
    told = replace(seen.told, names=names)
    figure, _ = replace(seen, told=told, truth=replace(seen.truth, coarse_names=names)).draw("3")
    assert [ax.get_ylabel() for ax in figure.axes] == ["salamander", "bear"]


@pytest.mark.parametrize(("model", "figure", "why"), [
    ("coarse", "4", "this model was told the coarse ones; fit one with the fine classes"),
    ("coarse", "L1", "this model was told the coarse ones; fit one with the fine classes"),
    ("fine", "2", "this model was told the fine ones"),
    ("fine", "K1", "this model was told the fine ones"),
])  # fmt: skip
def test_what_a_model_does_not_give(saved: Saved, model: str, figure: str, why: str) -> None:
    with pytest.raises(LeftOutError, match=why):
        look(saved, model).draw(figure)


def test_nothing_divided(seen: SeenImages) -> None:
    for number in ("2", "3"):
        with pytest.raises(LeftOutError, match="the model divides no class"):
            replace(seen, labels=np.zeros_like(seen.labels)).draw(number)


def test_figure_f1(saved: Saved) -> None:
    data = from_npz(saved.data_file, split="train")
    figure = draw_class_sizes(data.fine, data.relation, data.fine_names, data.coarse_names, "images")
    figure.draw_without_rendering()
    (ax,) = figure.axes
    names = [text.get_text() for text in ax.get_xticklabels()]
    assert names == [DIGITS[i] for shape in range(3) for i in np.flatnonzero(shape == SHAPE_OF)]
    colors = [to_hex(bar.get_facecolor()) for bars in ax.containers for bar in bars]
    assert colors == np.repeat(palette(3), np.bincount(SHAPE_OF)).tolist()
    heights = [bar.get_height() for bars in ax.containers for bar in bars]
    assert heights == [int((DIGITS[data.fine] == name).sum()) for name in names]
    assert sum(heights) == 400
    assert [text.get_text() for text in figure.legends[0].get_texts()] == SHAPES.tolist()
    assert ax.get_ylabel() == "images of the fine class"


def test_many_classes_have_no_names() -> None:
    fine = np.repeat(np.arange(200), 2)
    relation = np.eye(20, dtype=np.uint8)[np.arange(200) // 10]
    figure = draw_class_sizes(fine, relation, [f"f{i}" for i in range(200)], [f"c{i}" for i in range(20)], "cells")
    figure.draw_without_rendering()
    (ax,) = figure.axes
    assert not ax.get_xticklabels()
    assert ax.get_xlabel() == "200 fine classes"
    assert sum(len(bars) for bars in ax.containers) == 200


def width_of(path: Path) -> int:
    with Image.open(path) as image:
        return image.width


def test_files_and_what_is_left_out(saved: Saved, tmp_path: Path, capsys) -> None:
    out = tmp_path / "results"
    options = {"backbone": small_network(), "views": Shifts(), "device": "cpu", "out": out}
    asked = ["3", "4", "F1"]
    table = figures.run(model=saved.coarse, data_file=saved.data_file, figures=asked, **options)
    assert table["figure"].tolist() == asked
    assert table["file"].dropna().to_dict() == {0: "figure_3.png", 2: "figure_F1.png"}
    assert "figure 4 is left out: it shows subclasses" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [
        "figure_3.pdf", "figure_3.png", "figure_F1.pdf", "figure_F1.png", "figures.csv", "figures.md",
    ]  # fmt: skip
    assert width_of(out / "figure_3.png") > 1000
    assert (out / "figure_3.pdf").read_bytes().startswith(b"%PDF")
    written = pd.read_csv(out / "figures.csv")
    assert written["text"].tolist() == table["text"].tolist()
    assert "ImageData: 200 images of 8 x 8, 3 coarse classes, 10 fine classes (split test)" in (
        out / "figures.md"
    ).read_text(encoding="utf-8")
    assert not plt.get_fignums()


def test_sizes_of_an_official_set_need_no_model(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(cifar, "SHA256", write_archive(tmp_path / "cifar-100-python.tar.gz", cifar_files(4, 2)))
    # few images: of each class the first one to four stay
    monkeypatch.setattr(cifar, "KEPT_IN_CIFAR_SI", 1 + np.arange(100) % 4)
    command = ["bench", "figures", "--dataset", "cifar_si", "--root", str(tmp_path), "--split", "train"]
    assert main([*command, "-o", str(tmp_path / "results")]) == 0
    printed = capsys.readouterr().out
    assert "figure F1: Training images of each of 100 fine classes" in printed
    assert "1 to 4, 250 in all" in printed
    assert "figure 2 is left out: it needs a model" in printed
    assert width_of(tmp_path / "results" / "figure_F1.png") > 2000
    assert main([*command, "--figures", "2", "-o", str(tmp_path / "results")]) == 2
    assert "no figure can be drawn: figure 2, left out: it needs a model" in capsys.readouterr().err


@pytest.mark.image
def test_the_command_reads_a_model_by_itself(saved: Saved, tmp_path: Path, capsys) -> None:
    """A ResNet and its views are built from the names in the model; no word of them on the command line."""
    data = from_npz(saved.data_file, split="train").take(np.arange(60))
    config = FalconConfig(start="random", max_epochs=1, batch_size=32)
    names = np.array(data.coarse_names)[data.coarse]
    options = {"features": np.ones((60, 2), np.float32), "device": "cpu", "progress_bar": False}
    discover(data.images, names, 10, config=config, save_model=tmp_path / "model", **options)
    command = [
        "bench",
        "figures",
        "--model",
        str(tmp_path / "model"),
        "--data",
        str(saved.data_file),
        "--device",
        "cpu",
    ]
    assert main([*command, "--figures", "K1", "-o", str(tmp_path / "results")]) == 0
    assert "figure K1: The three most confident images of each fine class" in capsys.readouterr().out
    assert (tmp_path / "results" / "figure_K1.png").is_file()


class Model(NamedTuple):
    """The attributes of a fitted model that say what it was told."""

    coarse_names_: np.ndarray
    coarse_dataset_: np.ndarray
    relations_: dict[object, np.ndarray]


def told(names: list[object]) -> Told:
    model = Model(np.array(names, dtype=object), np.zeros(len(names)), {0: np.eye(len(names), dtype=np.uint8)})
    return Told.by(model, COARSE_NAMES[:3], ["a", "b", "c", "d"])


def test_classes_with_a_comma_in_their_names() -> None:
    given = Told("coarse", ("T cell, CD4", "T cell", "B cell"), np.eye(3, dtype=np.uint8))
    assert check_asked(words("t cell,CD4,b cell, T cell"), given) == ["T cell, CD4", "B cell", "T cell"]


def test_classes_are_recognized_by_name_or_by_all_numbers() -> None:
    assert (told([0, 1, 2]).level, told([0, 1, 2]).names) == ("coarse", tuple(COARSE_NAMES[:3]))
    assert (told([0, 1, 2, 3]).level, told([0, 1, 2, 3]).names) == ("fine", ("a", "b", "c", "d"))
    assert (told(["a", "c"]).level, told(["a", "c"]).names) == ("fine", ("a", "c"))
    assert told([COARSE_NAMES[2]]).names == (COARSE_NAMES[2],)
    for unclear in ([0, 1], [1, 2, 3], ["a", "e"], [COARSE_NAMES[0], "a"]):
        with pytest.raises(ValueError, match="They are neither the coarse classes of the data"):
            told(unclear)
    both = Model(
        np.array(["x", "y", "a", "b"]),
        np.array(["T1", "T1", "T2", "T2"]),
        {"T1": np.zeros((3, 2)), "T2": np.ones((3, 2))},
    )
    of_second = Told.by(both, COARSE_NAMES[:3], ["a", "b", "c", "d"])
    assert (of_second.level, of_second.names, of_second.relation.sum()) == ("fine", ("a", "b"), 6)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"out": None}, ValueError, r"out is not given: name a folder for the figures \(-o\)"),
        ({"figures": ["5"]}, ValueError, r"figures: \['5'\] are not among \['2', '3', '4', 'F1', 'K1', 'L1'\]"),
        (
            {"data_file": None},
            ValueError,
            "give either dataset and root, for a data set of the paper, or data, an npz of images or an h5ad",
        ),
        ({"dataset": "cifar100"}, ValueError, "give either dataset and root"),
        ({"data_file": None, "dataset": "mnist"}, ValueError, "dataset must be one of 'cifar100', .* found 'mnist'"),
        ({"data_file": None, "dataset": "cifar68"}, ValueError, "root is not given: name the folder"),
        ({"data_file": "gone.npz"}, FileNotFoundError, "data='gone.npz' is no file"),
        ({"model": "gone"}, FileNotFoundError, "path='gone' holds no saved Falcon"),
        ({"coarse_key": "coarse"}, ValueError, "the data are images: 'coarse_key' would be ignored. Leave them out"),
        ({"split": "test90"}, ValueError, "split must be one of 'train'"),
        ({"backbone": None}, ValueError, r"was fitted with network of its own \(SmallNetwork\)"),
    ],
)
def test_refused(changed, error, message, saved: Saved, tmp_path: Path) -> None:
    options = {"model": saved.coarse, "data_file": saved.data_file, "out": tmp_path / "results", "device": "cpu"}
    with pytest.raises(error, match=message):
        figures.run(**options | {"backbone": small_network(), "views": Shifts()} | changed)
    assert not (tmp_path / "results").exists()


def test_data_that_do_not_fit(saved: Saved, tmp_path: Path) -> None:
    with np.load(saved.data_file) as file:
        arrays = dict(file)
    options = {"model": saved.fine, "backbone": small_network(), "views": Shifts(), "device": "cpu", "out": tmp_path}
    np.savez(tmp_path / "all_train.npz", **arrays | {"split": np.full(600, "train")})
    with pytest.raises(ValueError, match="split='test' has no image in these data: give --split train or all"):
        figures.run(data_file=tmp_path / "all_train.npz", **options)
    np.savez(tmp_path / "other_names.npz", **arrays | {"fine_names": np.array(list("abcdefghij"))})
    with pytest.raises(ValueError, match=r"model was told the classes 'eight', .* They are neither the coarse classes"):
        figures.run(data_file=tmp_path / "other_names.npz", **options)
    large = np.repeat(np.repeat(arrays["images"], 2, axis=1), 2, axis=2)
    np.savez(tmp_path / "large.npz", **arrays | {"images": large})
    with pytest.raises(ValueError, match="X has 768 features, the model was fitted on 192"):
        figures.run(data_file=tmp_path / "large.npz", **options)
    with pytest.raises(ValueError, match=r"coarse' is one of images, and data are cells: give its images"):
        figures.run(
            model=saved.coarse,
            data_file=_as_cells(arrays, tmp_path),
            coarse_key="coarse",
            fine_key="fine",
            out=tmp_path,
        )


def _as_cells(arrays: dict[str, np.ndarray], folder: Path) -> Path:
    obs = pd.DataFrame({"coarse": SHAPES[arrays["coarse"]], "fine": DIGITS[arrays["fine"]]}).set_index(
        np.arange(600).astype(str)
    )
    AnnData(arrays["images"].reshape(600, -1).astype(np.float32), obs=obs).write_h5ad(folder / "digits.h5ad")
    return folder / "digits.h5ad"


def test_a_model_of_frozen_features(saved: Saved, tmp_path: Path, capsys) -> None:
    """As `bench images --features` reads them: in the order of the images, with their labels."""
    with np.load(saved.data_file) as file:
        images, fine, split = (file[name] for name in ("images", "fine", "split"))
    features = images[..., 0].reshape(600, -1).astype(np.float32)
    np.savez(tmp_path / "features.npz", features=features, fine=fine, coarse=SHAPE_OF[fine], split=split)
    train = split == "train"
    discover(features[train], SHAPES[SHAPE_OF[fine[train]]], 10, config=CONFIG, device="cpu", progress_bar=False,
             save_model=tmp_path / "model")  # fmt: skip
    command = ["bench", "figures", "--data", str(saved.data_file), "--device", "cpu", "-o", str(tmp_path / "results")]
    of_features = [*command, "--model", str(tmp_path / "model")]
    assert main([*of_features, "--features", str(tmp_path / "features.npz"), "--figures", "3"]) == 0
    assert (tmp_path / "results" / "figure_3.png").is_file()
    # the images that are drawn are those of the test rows of the features
    options = {"features": features[~train], "backbone": None, "views": None, "device": "cpu"}
    seen = SeenImages.by(tmp_path / "model", from_npz(saved.data_file, split="test"), (), **options)
    model = Falcon.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(seen.labels, model.predict(features[~train]))
    figure, _ = seen.draw("3")
    check_images(figure.axes[0], seen, codes_of(seen, figure.axes[0].get_ylabel()))
    capsys.readouterr()
    for extra, message in (
        ([], "was fitted on 64 features of them, not on images: give these (--features)."),
        (["--features", str(tmp_path / "gone.npz")], "is no file."),
        (["--features", str(saved.data_file)], "lacks the arrays 'features'; it has 'images'"),
    ):
        assert main([*of_features, *extra]) == 2
        assert message in capsys.readouterr().err
    np.savez(tmp_path / "other.npz", features=features, fine=fine[::-1], split=split)
    assert main([*of_features, "--features", str(tmp_path / "other.npz")]) == 2
    assert "features hold 200 samples of --split='test' that are not the 200 images" in capsys.readouterr().err
    of_images = [*command, "--model", str(saved.coarse), "--features", str(tmp_path / "features.npz")]
    assert main(of_images) == 2
    assert "was fitted on images: leave features out." in capsys.readouterr().err
