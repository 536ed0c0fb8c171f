from __future__ import annotations

from typing import TYPE_CHECKING

import anndata

from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path


def test_demo(tmp_path: Path, capsys) -> None:
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    text = capsys.readouterr().out
    assert "700 cells, 5 coarse classes" in text
    found = dict(line.rsplit(maxsplit=2)[:2] for line in text.splitlines() if line.startswith("  "))
    assert float(found["  falcon_fine"]) > float(found["  coarse labels alone"]) > 0.6
    assert {path.suffix for path in (tmp_path / "demo").iterdir()} == {".h5ad", ".png"}
    assert "falcon_fine" in anndata.read_h5ad(tmp_path / "demo" / "pbmc68k_reduced_falcon.h5ad").obs
