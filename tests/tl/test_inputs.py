from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from falcon_sc.tl import discover

if TYPE_CHECKING:
    from anndata import AnnData


@pytest.mark.parametrize("n_top_genes", [160, 60])
def test_counts_become_logarithms_once(
    cells: AnnData, quick: dict[str, Any], n_top_genes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a million cells each pass over the values takes seconds, and memory."""
    discover(cells.copy(), "coarse", 6, n_top_genes=n_top_genes, **quick)  # what is imported late needs the real log1p
    n_values: list[int] = []
    log1p = np.log1p

    def counted(values: Any, *args: Any, **options: Any) -> Any:  # the real one, whose work is counted
        n_values.append(np.size(values))
        return log1p(values, *args, **options)

    monkeypatch.setattr(np, "log1p", counted)
    discover(cells, "coarse", 6, n_top_genes=n_top_genes, **quick)
    chosen = cells.var["falcon_highly_variable"].to_numpy()
    assert sum(n for n in n_values if n > cells.n_obs) == cells.X[:, chosen].nnz
