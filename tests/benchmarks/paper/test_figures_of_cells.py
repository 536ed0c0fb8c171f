"""The figures of the paper from models of cells."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import anndata
import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

import falcon_sc as fsc
from falcon_sc._cli import main
from falcon_sc.benchmarks.paper import figures
from falcon_sc.benchmarks.paper._figure_classes import LeftOutError
from falcon_sc.benchmarks.paper._figures_of_cells import CellTruth, SeenCells
from falcon_sc.pl._style import palette

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from anndata import AnnData

mpl.use("agg")

QUICK = {"max_epochs": 60, "progress_bar": False, "device": "cpu", "copy": True}


@pytest.fixture(scope="module")
def models(planted: AnnData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model that was told the coarse classes, one that was told the fine ones, and the cells."""
    folder = tmp_path_factory.mktemp("models")
    planted.write_h5ad(folder / "cells.h5ad")
    fsc.tl.discover(planted, "coarse", 6, save_model=folder / "coarse", **QUICK)
    fsc.tl.discover(planted, "fine", 12, save_model=folder / "fine", **QUICK)
    return folder


@pytest.fixture(autouse=True)
def no_figure_left() -> Iterator[None]:
    yield
    plt.close("all")


def look(models: Path, level: str, asked: tuple[str, ...] = ()) -> SeenCells:
    adata = anndata.read_h5ad(models / "cells.h5ad")
    return SeenCells.by(models / level, adata, CellTruth.of(adata, "coarse", "fine"), asked, device="cpu")


@pytest.fixture(scope="module")
def seen(models: Path) -> SeenCells:
    return look(models, "coarse")


def majority(seen: SeenCells, code: int) -> str:
    fine = seen.adata.obs["fine"][seen.labels == code].astype(str)
    name, n = Counter(sorted(fine)).most_common(1)[0]
    return f"{name} {100 * n / len(fine):.0f} %"


def test_labels_are_those_of_predict(seen: SeenCells, models: Path, planted: AnnData) -> None:
    model = fsc.Falcon.load(models / "coarse", device="cpu")
    found = fsc.tl.predict(planted, model, copy=True).obs["falcon_fine"].astype(str)
    assert found.tolist() == [model.fine_names_[label] for label in seen.labels]
    assert seen.told.names == tuple(planted.obs["coarse"].cat.categories)


def test_figure_2(seen: SeenCells, planted: AnnData) -> None:
    figure, caption = seen.draw("2")
    (ax,) = figure.axes
    assert "t-SNE of 240 of 240 cells" in caption
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(planted.obs["coarse"].cat.categories)
    codes = [np.flatnonzero(seen.told.relation[:, column]) for column in (0, 1)]
    named = [
        f"{letter}{i} {majority(seen, code)}"
        for letter, own in zip("AB", codes, strict=True)
        for i, code in enumerate(own, start=1)
    ]
    assert [text.get_text() for text in ax.texts] == named
    counts = Counter(to_hex(color) for color in ax.collections[0].get_facecolors())
    colors = palette(3)
    assert counts == {colors[i]: n for i, n in enumerate(planted.obs["coarse"].value_counts(sort=False))}


def test_figures_3_and_k1(seen: SeenCells) -> None:
    names = [f"{parent}:{i}" for parent in seen.told.names for i in (0, 1)]
    noted = [f"{name} ({majority(seen, code)})" for code, name in enumerate(names)]
    for number, rows in (("3", noted[:4]), ("K1", noted)):
        figure, caption = seen.draw(number)
        assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == rows
        assert "Genes that mark the 50 most confident cells of each fine class" in caption
    assert list(seen.adata.uns["figures"]["fine_names"]) == names  # the notes are in the picture alone
    figure, _ = replace(seen, asked=["µ glia"]).draw("3")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == noted[4:]


def test_figures_4_and_l1(models: Path) -> None:
    seen = look(models, "fine")
    divided = seen.told.divided(seen.labels)
    for number, shown in (("4", divided[:2]), ("L1", divided[2:5])):
        figure, caption = seen.draw(number)
        codes = [c for c, parent in enumerate(seen.told.parents()) if seen.told.names[parent] in shown]
        sizes = [int((seen.labels == code).sum()) for code in codes]
        names = [str(seen.adata.uns["figures"]["fine_names"][code]) for code in codes]
        rows = [f"{name} ({n} cell{'s' * (n > 1)})" for name, n in zip(names, sizes, strict=True) if n]
        assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == rows
        assert f"within {', '.join(shown)}." in caption
    with pytest.raises(LeftOutError, match="this model was told the fine ones"):
        seen.draw("K1")


def test_the_command(models: Path, tmp_path: Path, capsys) -> None:
    command = ["bench", "figures", "--model", str(models / "coarse"), "--data", str(models / "cells.h5ad")]
    columns = ["--coarse-key", "coarse", "--fine-key", "fine", "--device", "cpu", "-o", str(tmp_path)]
    assert main([*command, *columns, "--figures", "3,F1,L1", "--classes", "CD4/CD8 T"]) == 0
    printed = capsys.readouterr().out
    assert (
        "figure F1: Cells of each of 6 fine classes, those of a coarse class side by side: 20 to 60, 240 in all"
        in printed
    )
    assert "figure L1 is left out" in printed
    assert {path.name for path in tmp_path.glob("*.png")} == {"figure_3.png", "figure_F1.png"}
    assert "240 cells, 3 coarse classes, 6 fine classes" in (tmp_path / "figures.md").read_text(encoding="utf-8")
    assert main([*command, "-o", str(tmp_path)]) == 2
    assert "--coarse-key='cell_type' is no column of obs" in capsys.readouterr().err
    assert main([*command, *columns, "--split", "train"]) == 2
    assert "the data are cells: 'split' would be ignored. Leave them out." in capsys.readouterr().err


def test_an_embedding_has_no_genes_to_draw(cells: AnnData, tmp_path: Path) -> None:
    """The other figures are drawn all the same."""
    cells.obsm["X_pca"] = np.random.default_rng(0).normal(size=(240, 4)).astype(np.float32)
    fsc.tl.discover(cells, "coarse", 6, use_rep="X_pca", save_model=tmp_path / "model", **QUICK)
    cells.X = -cells.X.toarray() / 3
    cells.write_h5ad(tmp_path / "cells.h5ad")
    table = figures.run(
        model=tmp_path / "model", data_file=tmp_path / "cells.h5ad", coarse_key="coarse", fine_key="fine",
        figures=["2", "K1"], out=tmp_path / "results", device="cpu",
    )  # fmt: skip
    assert table["file"].dropna().tolist() == ["figure_2.png"]
    assert "left out: its genes cannot be drawn: " in table["text"].iloc[1]


def test_labels_that_are_not_nested(models: Path, cells: AnnData, tmp_path: Path) -> None:
    cells.obs["fine"] = "all"
    cells.write_h5ad(tmp_path / "cells.h5ad")
    options = {"coarse_key": "coarse", "fine_key": "fine", "out": tmp_path / "results", "device": "cpu"}
    with pytest.raises(ValueError, match=r"fine_key='fine': classes in several coarse ones: \['all'\]"):
        figures.run(model=models / "coarse", data_file=tmp_path / "cells.h5ad", **options)
    assert not (tmp_path / "results").exists()
