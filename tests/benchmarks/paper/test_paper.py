"""All eight image data sets of the paper, from small files in the official layouts: classes as many as there, images few."""

from __future__ import annotations

import io
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tests.vision.datasets.official_files import cifar_files, write_archive
from tests.vision.datasets.official_imagenet import Written, write_imagenet, write_taxonomy
from tests.vision.networks import Tiny

from falcon_sc.benchmarks.paper import _image_sets, _on_images, figures, paper
from falcon_sc.core.config import FalconConfig
from falcon_sc.metrics import clustering_accuracy
from falcon_sc.vision import backbones, image_samples, load, save_encoder
from falcon_sc.vision.datasets import cifar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# coarse and fine classes (table 1), training images of each class, and what the paper says of FALCON
EXPECTED = {
    "cifar100": (20, 100, 3, "59.6 (T2), 59.6 ± 0.7 (H1)", "0.0 (T3), 0.0 ± 0.0 (H3)"),
    "cifar68": (20, 68, 3, "60.4 (T2), 60.4 ± 1.2 (H1)", "40.3 (T3), 40.3 ± 7.1 (H3)"),
    "cifar_si": (20, 100, 3, "55.6 (T2), 55.6 ± 0.2 (H2)", "0.0 (T3), 0.0 ± 0.0 (H3)"),
    "living17": (17, 68, 2, "71.8 (T2), 71.8 ± 1.2 (H1)", "0.0 (T3), 0.0 ± 0.0 (H3)"),
    "nonliving26": (26, 104, 2, "65.7 (T2), 65.7 ± 1.2 (H1)", "0.0 (T3), 0.0 ± 0.0 (H3)"),
    "entity30": (30, 240, 2, "65.1 (T2), 65.1 ± 0.6 (H1)", "0.0 (T3), 0.0 ± 0.0 (H3)"),
    "entity13": (13, 260, 2, "63.6 (T2), 63.6 ± 1.1 (H1)", "0.0 (T3), 0.0 ± 0.0 (H3)"),
    "tieredimagenet": (34, 608, 2, "53.4 (T2), 53.4 ± 0.6 (H1), 53.4 (H4)", "110.7 (T3), 110.7 ± 9.2 (H3)"),
}
# small views, and a network of a few weights: a ResNet takes a minute for a thousand images
QUICK = {"backbone": Tiny(), "epochs": 1, "device": "cpu"}
SMALL = QUICK | {"size": 14}


def colored(number: int) -> bytes:
    """A JPEG of one color."""
    file = io.BytesIO()
    color = tuple(np.random.default_rng(number).integers(0, 256, 3).tolist())
    Image.new("RGB", (16, 16), color).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All archives in one folder, with the checksum of the small archive of CIFAR in place of the official one."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "imagenet_class_hierarchy").mkdir()
    classes = Written(folder / _image_sets.HIERARCHY).classes
    classes = sorted({*classes, *write_taxonomy(folder / _image_sets.TAXONOMY)})
    write_imagenet(folder / "imagenet", classes, n_train=2, content=colored)
    with pytest.MonkeyPatch.context() as patch:
        archive = write_archive(folder / "cifar-100-python.tar.gz", cifar_files(4, 2))
        patch.setattr(cifar, "SHA256", archive)
        yield folder


@pytest.mark.parametrize("dataset", EXPECTED)
def test_all_eight(dataset: str, root: Path, tmp_path: Path) -> None:
    n_coarse, n_fine, n_each, accuracy, distance = EXPECTED[dataset]
    options = QUICK if dataset.startswith("cifar") else SMALL
    methods = ["SCGM", "FALCON"]
    table = paper.run(dataset=dataset, root=root, preset="published", methods=methods, seeds=1, out=tmp_path, **options)
    assert table["method"].tolist() == methods
    n_test = n_fine * (2 if dataset.startswith("cifar") else 1)
    assert table[["n_train", "n_test"]].to_numpy().tolist() == [[n_each * n_fine, n_test]] * 2
    assert table["accuracy"].between(0, 100, inclusive="right").all()
    assert table["ged"].notna().all()
    assert _image_sets.SETS[dataset].read(root, "test").relation.shape == (n_fine, n_coarse)
    beside = pd.read_csv(tmp_path / f"paper_{dataset}.csv").set_index("method")
    assert beside.loc["FALCON", "paper, ACC"] == accuracy
    assert beside.loc["FALCON", "paper, GED"] == distance
    assert f"{dataset}, test images. Preset published: 1 epochs" in (tmp_path / f"paper_{dataset}.md").read_text()
    assert (
        f"({accuracy[:4]})"
        in pd.read_csv(tmp_path / "paper_tables.csv").set_index("method").loc["FALCON", f"{dataset} ACC"]
    )


def test_every_system_labels_the_test_images(root: Path) -> None:
    known = {"Leiden"} if find_spec("leidenalg") is None else set()
    methods = [name for name in _on_images.SYSTEMS if name not in known]
    table = paper.run(dataset="living17", root=root, methods=methods, seeds=1, **SMALL)
    assert table["method"].tolist() == methods
    assert table["accuracy"].between(0, 100, inclusive="right").all()
    assert table.loc[table["ged"].notna(), "method"].tolist() == ["SCGM", "FALCON"]
    assert table["classes_used"].between(1, 68).all()
    # a class has one color here, which any features show: its training and test images come together
    assert table.set_index("method").loc[["ANCOR", "SNCA", "GEORGE"], "accuracy"].min() > 90


def test_our_settings_begin_at_a_clustering(root: Path) -> None:
    text, ours = (
        paper.run(dataset="living17", root=root, preset=preset, methods=["FALCON"], seeds=1, **SMALL).iloc[0]
        for preset in ("paper", "ours")
    )
    assert ours["classes_used"] > text["classes_used"]  # one step after a random start is nothing
    assert ours["ged"] == 0  # four fine classes in each coarse one, by the sizes of these


def test_the_model_of_falcon_is_kept_for_figures(root: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(backbones, "_resnet", lambda *_, **__: Tiny())  # of that name: a ResNet itself takes a minute
    options = SMALL | {"backbone": "resnet18"}
    table = paper.run(
        dataset="living17", root=root, methods=["FALCON"], preset="ours", seeds=1, out=tmp_path, **options
    )
    (model,) = (tmp_path / "models").iterdir()
    assert re.fullmatch("living17-ours-[0-9a-f]{8}-0", model.name)
    test = _image_sets.SETS["living17"].read(root, "test")
    loaded = load(model, device="cpu")  # the backbone by its name
    found = loaded.predict(image_samples(test.images, size=16, device="cpu"))
    assert 100 * clustering_accuracy(test.fine, found) == pytest.approx(table["accuracy"].iloc[0])
    drawn = figures.run(model=model, dataset="living17", root=root, out=tmp_path, device="cpu", figures=["K1", "L1"])
    assert drawn["file"].dropna().tolist() == ["figure_K1.png"]


def test_what_is_finished_is_not_run_again(root: Path, tmp_path: Path, monkeypatch) -> None:
    options = {"root": root, "out": tmp_path, **SMALL}
    started = []
    for name in ("SCAN-C", "SCAN"):
        find = _on_images.SYSTEMS[name]
        monkeypatch.setitem(
            paper.SYSTEMS, name, lambda *what, name=name, find=find: started.append((name, what[1])) or find(*what)
        )
    first = paper.run(dataset="living17", methods=["SCAN-C"], seeds=1, **options)
    both = paper.run(dataset="living17", methods=["SCAN-C", "SCAN"], seeds=2, **options)
    assert started == [("SCAN-C", 0), ("SCAN", 0), ("SCAN-C", 1), ("SCAN", 1)]
    assert both["accuracy"].iloc[0] == pytest.approx(first["accuracy"].iloc[0])
    # other settings are other runs, and the tables keep them apart; other data sets of the same preset stand beside
    paper.run(dataset="living17", methods=["SCAN"], seeds=1, **options | {"epochs": 2})
    paper.run(dataset="nonliving26", methods=["SCAN"], seeds=1, **options)
    paper.run(dataset="nonliving26", methods=["SCAN"], seeds=1, preset="ours", **options)
    assert started[4:] == [("SCAN", 0)] * 3
    assert len(pd.read_csv(tmp_path / "paper.csv")) == 7
    assert pd.read_csv(tmp_path / "paper_tables.csv").columns[1::3].tolist() == ["nonliving26 ACC"]
    again = paper.run(dataset="nonliving26", methods=["SCAN"], seeds=1, **options)
    assert len(started) == 7
    assert len(again) == 1
    tables = pd.read_csv(tmp_path / "paper_tables.csv")
    assert tables.columns[1::3].tolist() == ["living17 ACC", "nonliving26 ACC"]
    assert tables["method"].tolist() == ["SCAN"]  # of living17 what was run last, with two epochs
    text = (tmp_path / "paper_tables.md").read_text()
    assert "living17, test images. Preset paper: 2 epochs" in text
    assert "nonliving26, test images. Preset paper: 1 epochs" in text


def test_an_interrupted_run_goes_on_from_its_state(root: Path, tmp_path: Path, interrupted) -> None:
    options = {
        "dataset": "living17",
        "root": root,
        "methods": ["FALCON"],
        "seeds": 1,
        **SMALL,
        "epochs": 2,
        "preset": "published",
    }
    whole = paper.run(**options)
    with interrupted():
        paper.run(**options, out=tmp_path)
    assert len(list((tmp_path / "state").iterdir())) == 1
    again = paper.run(**options, out=tmp_path)
    assert again["accuracy"].tolist() == whole["accuracy"].tolist()
    assert not (tmp_path / "state").exists()


def test_training_begins_at_the_weights_that_are_given(root: Path, tmp_path: Path, capsys) -> None:
    save_encoder(Tiny(seed=1), tmp_path / "encoder.pt")
    options = {"dataset": "living17", "root": root, "methods": ["K-Means"], "seeds": 1, **SMALL}
    table, same, other = (
        paper.run(**options | changed)
        for changed in ({"pretrained": tmp_path / "encoder.pt"}, {"backbone": Tiny(seed=1)}, {})
    )
    scores = ["accuracy", "ari", "macro_accuracy"]
    assert table[scores].equals(same[scores])
    assert not table[scores].equals(other[scores])
    assert table["weights"].iloc[0].startswith("encoder.pt, sha256 ")
    assert "at random weights" not in capsys.readouterr().out
    with pytest.raises(ValueError, match="does not fit the backbone"):
        paper.run(**options | {"pretrained": tmp_path / "encoder.pt", "backbone": Tiny(norm=False)})


@pytest.mark.image
def test_a_random_backbone_is_said_to_be_one(root: Path, tmp_path: Path, capsys) -> None:
    options = {"dataset": "living17", "root": root, "methods": ["K-Means"], "out": tmp_path, "size": 8}
    table = paper.run(**options | {"root": str(root), "out": str(tmp_path)}, backbone="resnet18", seeds=2)
    said = "begins at random weights, as no pretrained ones were given"
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "paper_living17.md").read_text()
    assert table["accuracy"].nunique() == 2  # other weights for each seed


def test_settings_of_each_data_set() -> None:
    for name, chosen in _image_sets.SETS.items():
        assert chosen.config("published", chosen.size).drop_lambda_M, name
        assert not chosen.config("paper", chosen.size).drop_lambda_M, name
        assert chosen.config("ours", chosen.size).start == "consensus", name
    text = {name: chosen.config("paper", 0) for name, chosen in _image_sets.SETS.items()}
    assert text["cifar68"] == FalconConfig.cifar68()
    assert text["entity13"].lambda_3 == 3
    assert text["tieredimagenet"] == FalconConfig.tiered_imagenet()
    sizes = {name: (chosen.size, chosen.backbone) for name, chosen in _image_sets.SETS.items()}
    assert {size for name, size in sizes.items() if name.startswith("cifar")} == {(32, "resnet18")}
    assert {size for name, size in sizes.items() if not name.startswith("cifar")} == {(224, "resnet50")}


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"dataset": "mnist"}, ValueError, "dataset must be one of 'cifar100', .* found 'mnist'"),
        ({"dataset": None}, ValueError, "dataset must be one of 'cifar100', .* found None"),
        ({"root": None}, ValueError, "root is not given: name the folder of the official files"),
        ({"root": "gone"}, FileNotFoundError, "root='gone' is not there"),
        ({"pretrained": "gone.pt"}, FileNotFoundError, "pretrained='gone.pt' is not there"),
        ({"preset": "text"}, ValueError, "preset must be one of 'paper', 'published', 'ours', found 'text'"),
        ({"methods": ["KNN"]}, ValueError, r"methods: \['KNN'\] are not among \['upper bound'"),
        ({"seeds": 0}, ValueError, "seeds must be at least 1, found 0"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1, found 0"),
        ({"size": 0}, ValueError, "size must be at least 1, found 0"),
    ],
)
def test_refused(changed, error, message, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        paper.run(**{"dataset": "cifar100", "root": tmp_path, "methods": ["SCAN"]} | changed)


def test_a_package_that_is_missing_is_known_before_any_work(tmp_path: Path, monkeypatch) -> None:
    """Not after the days that the systems before Leiden take."""
    monkeypatch.setitem(sys.modules, "leidenalg", None)  # as if it were not installed
    with pytest.raises(
        ImportError, match=r"Leiden needs leidenalg and igraph: pip install 'scanpy\[leiden\]', or name"
    ):
        paper.run(dataset="living17", root=tmp_path)
    with pytest.raises(FileNotFoundError):  # nor is it asked for where it is not needed
        paper.run(dataset="living17", root=tmp_path, methods=["SCAN"])


def test_no_imagenet(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no folders train and val of ImageNet"):
        paper.run(dataset="living17", root=tmp_path, methods=["SCAN"])
