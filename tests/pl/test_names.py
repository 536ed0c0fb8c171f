"""What a picture shows of names that are no words: one line each, not endless, and one warning for letters that are not there."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import falcon_sc as fsc
from falcon_sc.pl._names import MissingLettersWarning, shown

if TYPE_CHECKING:
    from anndata import AnnData

ODD = {"B cell": "B\n\tcell", "CD4/CD8 T": "T 細胞 🧬", "µ glia": "glia " * 30}


def test_one_line_that_ends() -> None:
    assert shown(["B\r\ncell", "a\tb", "µ glia", 3]) == ["B cell", "a b", "µ glia", "3"]
    first, second = shown([f"{'x' * 100}:{number}" for number in range(2)])
    assert first != second
    assert len(first) == 60
    assert shown(["x" * 60]) == ["x" * 60]


def test_letters_that_no_font_has() -> None:
    with pytest.warns(
        MissingLettersWarning, match=r"lacks letters of the names \(細胞\), .* drawn as □: .*font\.family"
    ) as said:
        assert shown(["細胞", "胞 B", "B"]) == ["□□", "□ B", "B"]
    assert len(said) == 1
    with mpl.rc_context({"font.family": ["no such font", "DejaVu Sans", "DejaVu Serif"]}):
        assert shown(["ᴥ"]) == ["ᴥ"]


def draw(adata: AnnData, name: str) -> plt.Axes:
    if name == "flow":
        return fsc.pl.flow(adata, "coarse", "falcon_fine")
    if name == "composition":
        return fsc.pl.composition(adata, "coarse")
    return getattr(fsc.pl, name)(adata)


@pytest.mark.parametrize("name", ["relation", "confident", "composition", "flow", "tree"])
def test_every_picture(discovered: AnnData, name: str) -> None:
    adata = discovered.copy()
    adata.obs["coarse"] = adata.obs["coarse"].cat.rename_categories(ODD)
    fine = [str(own) for own in adata.uns["falcon"]["fine_names"]]
    adata.uns["falcon"]["fine_names"] = np.array([fine[0].replace(" ", "\n"), *fine[1:-1], "glia 細胞"])
    adata.obs["falcon_fine"] = adata.obs["falcon_fine"].cat.rename_categories(
        dict(zip(fine, adata.uns["falcon"]["fine_names"], strict=True))
    )
    with pytest.warns(MissingLettersWarning):
        ax = draw(adata, name)
    texts = [text.get_text() for text in ax.figure.findobj(mpl.text.Text)]
    assert not [text for text in texts if "\n" in text or "\t" in text or "細" in text or len(text) > 100]
    assert "glia □□" in texts
    ax.figure.savefig(BytesIO())  # warnings are errors here: matplotlib has none
