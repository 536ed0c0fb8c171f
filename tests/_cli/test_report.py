from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import falcon_sc as fsc
from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


def test_the_page(planted: AnnData, tmp_path: Path, quick, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    found = fsc.tl.discover(planted, "coarse", 6, copy=True, key_added="sub", **quick)
    found.write_h5ad("found.h5ad")
    assert main(["report", "found.h5ad", "--key", "sub", "--by", "donor"]) == 0
    assert capsys.readouterr().out == "wrote report.html\n"
    fsc.tl.report(found, "wanted.html", key="sub", by="donor")
    written, wanted = (
        (tmp_path / name).read_text("utf-8").partition("What to look at") for name in ("report.html", "wanted.html")
    )
    assert written[1:] == wanted[1:]  # before it is the day


def test_in_a_process_of_its_own(planted: AnnData, tmp_path: Path, falcon_sc) -> None:
    """Where nothing else has loaded what draws the trees."""
    found = fsc.tl.discover(planted, "coarse", 6, copy=True, max_epochs=2, progress_bar=False, device="cpu")
    fsc.tl.markers(found)
    found.write_h5ad(tmp_path / "found.h5ad")
    done = falcon_sc("report", tmp_path / "found.h5ad", "-o", tmp_path / "report.html")
    assert (done.returncode, done.stderr) == (0, "")
    assert "data:image/svg+xml" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "in.h5ad: adata.uns['falcon'] holds no result: run falcon-sc discover --key-added='falcon' first"),
        (
            ["-o", "report.pdf"],
            "in.h5ad: --output='report.pdf' is of an unknown format: give a name that ends in .html",
        ),
    ],
)
def test_mistakes(source: Path, capsys, monkeypatch, options: list[str], message: str) -> None:
    monkeypatch.chdir(source.parent)
    assert main(["report", "in.h5ad", *options]) == 2
    assert f"falcon-sc: error: {message}" in capsys.readouterr().err
    assert [path.name for path in source.parent.iterdir()] == ["in.h5ad"]
