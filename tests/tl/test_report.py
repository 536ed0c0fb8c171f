from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import anndata as ad
import numpy as np
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anndata import AnnData

FINE = "falcon_fine"
AWKWARD = "B <script>alert('x')</script> & \"co\""


class _Page(HTMLParser):
    """A page, read strictly: what is opened is closed in its turn, names are there once, and links lead somewhere."""

    VOID = ("meta", "img", "br")

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<!doctype html>\n")
        self.feed(text)
        self.close()
        assert self.open == []
        ids = [of["id"] for _, of in self.tags if "id" in of]
        assert len(set(ids)) == len(ids)
        assert {of["href"] for tag, of in self.tags if "href" in of} <= {f"#{name}" for name in ids}
        assert all(of["src"].startswith("data:") for _, of in self.tags if "src" in of)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "\n".join(text for text in self.texts if text.strip())


@pytest.fixture(scope="module")
def trained(planted: AnnData) -> AnnData:
    config = fsc.FalconConfig(max_epochs=30)
    return fsc.tl.discover(
        planted, "coarse", 6, config=config, batch_key="donor", progress_bar=False, device="cpu", copy=True
    )


@pytest.fixture
def found(trained: AnnData, plant_tree: Callable[[AnnData], None]) -> AnnData:
    """With a tree that is known."""
    found = trained.copy()
    plant_tree(found)
    return found


def test_everything_is_on_the_page(found: AnnData, tmp_path: Path, fingerprint) -> None:
    before = fingerprint(found)
    path = fsc.tl.report(found, tmp_path / "new" / "report.html")
    assert path == tmp_path / "new" / "report.html"
    assert fingerprint(found) == before
    page = _Page(path)
    sizes = found.obs[FINE].value_counts()
    confidence = found.obs.groupby(FINE, observed=True)["falcon_confidence"].median()
    lines = page.text.splitlines()
    for name, n in sizes.items():
        at = [i for i, line in enumerate(lines) if line == name]
        assert any(lines[i + 1] == str(n) and f"{confidence[name]:.2f}" in lines[i + 1 : i + 4] for i in at), name
    assert sum(tag == "img" for tag, _ in page.tags) == 3  # a tree for each coarse class
    assert "240 cells, 3 coarse classes, 6 fine classes." in page.text
    assert {"d1", "d2"} <= set(lines)
    assert "@inproceedings{grcic2024fine" in page.text
    assert "coarse_key" in lines
    assert {"comes back", "What to look at", "Decisions so far", "None."} <= set(lines)
    assert {".82", "14", ".55"} <= set(lines)  # the evidence


def test_markers_are_those_of_the_tool(found: AnnData, tmp_path: Path) -> None:
    without = _Page(fsc.tl.report(found, tmp_path / "a.html")).text
    fsc.tl.markers(found, n_genes=None)
    assert _Page(fsc.tl.report(found, tmp_path / "b.html")).text == without
    genes = found.uns["falcon_markers_siblings"]["names"]["B cell:0"]
    genes[:] = [f"my {gene}" for gene in genes]
    assert "my gene" in _Page(fsc.tl.report(found, tmp_path / "c.html")).text


def _said(found: AnnData, folder: Path) -> dict[str, str]:
    """What is to be looked at, by class."""
    text = _Page(fsc.tl.report(found, folder / "report.html")).text
    part = text.partition("What to look at\n")[2].partition("\nCoarse classes\n")[0].splitlines()
    return {name: said.removeprefix(": ") for name, said in zip(part[::2], part[1::2], strict=True)}


def test_warnings_in_plain_words(found: AnnData, tmp_path: Path) -> None:
    found.obs["falcon_confidence"] = np.float32(0.9)
    first = _said(found, tmp_path)
    assert first["CD4/CD8 T:1"].endswith(
        "its split from CD4/CD8 T:0 is not supported (comes back .02, agreement .50, no markers)"
    )
    assert first["µ glia:1"].endswith("its split from µ glia:0 is to 55 % explained by depth")
    assert not any("donor" in said or "confidence" in said for said in first.values())
    cells = {name: (found.obs[FINE] == name).to_numpy() for name in found.obs[FINE].cat.categories}
    found.obs.loc[cells["B cell:0"], "falcon_confidence"] = 0.06
    found.obs["mouse"] = np.where(cells["B cell:1"], "m1", np.array(["m1", "m2", "m3"])[np.arange(240) % 3])
    found.obs["mouse"] = found.obs["mouse"].where(found.obs["coarse"] != "µ glia", "m2")
    found.obs["donor"] = found.obs.pop("mouse")
    found.obs.loc[found.obs_names[cells["CD4/CD8 T:0"]][3:], FINE] = None
    said = _said(found, tmp_path)
    assert said["B cell:0"].startswith("median confidence .06")
    assert said["B cell:1"].startswith("100 % of it is one donor, m1")
    assert said["µ glia"] == "100 % of it is one donor, m2"
    assert "donor" not in said["µ glia:1"]  # all of its coarse class is
    assert said["CD4/CD8 T:0"].startswith("only 3 cells")


def test_no_marker(found: AnnData, tmp_path: Path) -> None:
    fsc.tl.markers(found)
    found.uns["falcon_markers_siblings"]["pvals_adj"]["B cell:0"] = 1.0
    assert _said(found, tmp_path)["B cell:0"] == "no marker against its siblings"
    assert "B cell:1" not in _said(found, tmp_path)


def test_decisions(trained: AnnData, tmp_path: Path) -> None:
    found = trained.copy()
    fsc.tl.cut(found, fixed={"CD4/CD8 T": 1})
    fsc.tl.merge(found, ["B cell:0", "B cell:1"], "B")
    fsc.tl.rename(found, {"µ glia:0": "rest", "µ glia:1": "active"})
    page = _Page(fsc.tl.report(found, tmp_path / "report.html"))
    assert "Cut into 5 fine classes: 2 of B cell, 1 of CD4/CD8 T, 2 of µ glia." in page.text
    assert "Merged B cell:0, B cell:1 into B." in page.text
    assert "Renamed µ glia:0 to rest, µ glia:1 to active." in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 3
    del found.uns["falcon"]["tree"]
    page = _Page(fsc.tl.report(found, tmp_path / "report.html"))
    assert "There are no trees: adata.uns['falcon'] holds no tree" in page.text
    assert not any(tag == "img" for tag, _ in page.tags)


def test_names_are_escaped(found: AnnData, tmp_path: Path) -> None:
    names = found.uns["falcon"]["fine_names"].astype(object)
    found.uns["falcon"]["fine_names"] = np.where(names == "B cell:0", AWKWARD, names).astype(str)
    found.obs[FINE] = found.obs[FINE].cat.rename_categories({"B cell:0": AWKWARD})
    found.obs["donor"] = found.obs["donor"].cat.rename_categories({"d1": AWKWARD})
    page = _Page(fsc.tl.report(found, tmp_path / "report.html"))
    assert not any(tag == "script" for tag, _ in page.tags)
    assert page.text.count(AWKWARD) >= 2
    assert any(AWKWARD in of.get("title", "") for _, of in page.tags)


def test_what_cannot_be_had_is_said(found: AnnData, tmp_path: Path) -> None:
    found.obs[FINE] = found.obs[FINE].cat.rename_categories({"B cell:0": "naive"})  # by hand
    found.X = found.X * -1
    del found.obs["falcon_confidence"], found.obs["donor"]
    text = _Page(fsc.tl.report(found, tmp_path / "report.html")).text
    assert "There are no trees: adata.obs['falcon_fine'] holds 'naive'" in text
    assert "There are no markers: adata.X holds negative values" in text
    assert "naive" in text.splitlines()


@pytest.mark.parametrize("how", ["subset", "view", "backed", "zarr"])
def test_other_objects(found: AnnData, tmp_path: Path, how: str) -> None:
    if how == "subset":
        found = found[found.obs["coarse"] != "B cell"].copy()
    elif how == "view":
        found = found[found.obs["coarse"] != "B cell"]
    elif how == "backed":
        found.write_h5ad(tmp_path / "a.h5ad")
        found = ad.read_h5ad(tmp_path / "a.h5ad", backed="r")
    elif how == "zarr":
        fsc.tl.markers(found)
        found.write_zarr(tmp_path / "a.zarr")
        found = ad.read_zarr(tmp_path / "a.zarr")
    path = fsc.tl.report(found, tmp_path / "report.html")
    text = _Page(path).text
    assert ("B cell" in text.splitlines()) == (how not in ("subset", "view"))
    assert found.is_view == (how == "view")
    if how == "backed":
        found.file.close()


def test_names_that_are_no_words(found: AnnData, tmp_path: Path) -> None:
    """The text has them in full, the pictures what there are letters for, and nothing warns of each letter."""
    adata = found.copy()
    names = [str(name) for name in adata.uns["falcon"]["fine_names"]]
    odd = ["T\n細胞\t🧬", "long " * 50, *names[2:]]
    adata.uns["falcon"]["fine_names"] = np.array(odd)
    adata.obs[FINE] = adata.obs[FINE].cat.rename_categories(dict(zip(names, odd, strict=True)))
    text = _Page(fsc.tl.report(adata, tmp_path / "report.html")).text
    assert "細胞\t🧬" in text
    assert "long " * 50 in text


def test_refusals(found: AnnData, planted: AnnData, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="holds no result"):
        fsc.tl.report(planted, tmp_path / "a.html")
    with pytest.raises(ValueError, match=r"must end in .html: the report is a page"):
        fsc.tl.report(found, tmp_path / "a.pdf")
    with pytest.raises(ValueError, match="is a folder, but a file is to be written there"):
        fsc.tl.report(found, tmp_path)
    with pytest.raises(KeyError, match=r"by='mouse' is not a column of adata.obs"):
        fsc.tl.report(found, tmp_path / "a.html", by="mouse")
    with pytest.raises(TypeError, match="adata must be an AnnData object, found dict"):
        fsc.tl.report({}, tmp_path / "a.html")
    with pytest.raises(ValueError, match="depth must be at least 0"):
        fsc.tl.report(found, tmp_path / "a.html", depth=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_page(found: AnnData, tmp_path: Path, full_disk) -> None:
    path = fsc.tl.report(found, tmp_path / "report.html")
    before = path.read_bytes()
    with full_disk(), pytest.raises(OSError, match="cannot be written"):
        fsc.tl.report(found, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next((where for name in names if (where := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: {', '.join(names)}")
    return found


def test_in_a_browser(found: AnnData, tmp_path: Path, browser: str) -> None:
    """It shows every name and all pictures, and asks for nothing."""
    path = fsc.tl.report(found, tmp_path / "report.html")
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--disable-extensions", f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
        "--window-size=1000,3000", "--hide-scrollbars",
    ]  # fmt: skip
    picture = tmp_path / "page.png"
    done = subprocess.run(
        [browser, *options, f"--screenshot={picture}", path.as_uri()], capture_output=True, text=True, check=True
    )
    assert "CONSOLE" not in done.stderr  # where it says what it refused or could not load
    import matplotlib.pyplot as plt

    rgb = np.round(plt.imread(picture)[..., :3] * 255).astype(np.int64) @ [1 << 16, 1 << 8, 1]
    assert {int(color[1:], 16) for color in found.uns["falcon_fine_colors"]} <= set(np.unique(rgb).tolist())
