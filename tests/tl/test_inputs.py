from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from falcon_sc.core.data.inputs import as_input
from falcon_sc.core.data.projection import Projection
from falcon_sc.tl import discover
from falcon_sc.tl._inputs import read_inputs


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


def _scaled(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    totals = np.asarray(counts.sum(axis=1)).ravel()
    return sparse.csr_matrix(counts.multiply(1e4 / np.maximum(totals, 1)[:, None]), dtype=np.float32)


FORMS = {
    "counts": lambda counts: counts,
    "log-normalized": lambda counts: _scaled(counts).log1p(),
    "linear": _scaled,
    "without counts": lambda counts: _scaled(counts.multiply(np.linspace(0.5, 1, 40)).tocsr()).log1p(),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_made_of_the_values_takes_little_memory(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million cells must fit: at most half of the matrix, its values, once more, beside what does not grow with them."""
    for size in ("core.data.rows._VALUES", "_kinds._CHUNK"):
        monkeypatch.setattr(f"falcon_sc.{size}", 10_000)
    matrix = FORMS[form](sparse.random_array((60_000, 40), density=0.3, format="csr", rng=0).astype(np.float32).ceil())
    adata, known = AnnData(sparse.csr_matrix(matrix)), np.ones(60_000, dtype=bool)
    projection = Projection(np.zeros(40, np.float32), np.eye(40, 3, dtype=np.float32), 1.0)
    n_bytes = matrix.data.nbytes + matrix.indices.nbytes
    tracemalloc.start()
    try:
        inputs = read_inputs(adata, known=known, layer=None, use_rep=None, n_top_genes=40, batch=None)
        projection(as_input(inputs.features))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.0 * n_bytes


@pytest.mark.parametrize(
    ("n_columns", "n_chosen", "kind"), [(100, 2000, "panel"), (101, 2000, "embedding"), (200, 50, "embedding")]
)
def test_few_continuous_columns_are_a_panel(n_columns: int, n_chosen: int, kind: str) -> None:
    """A few columns that are chosen among many are none: nobody chose the scale of each."""
    adata = AnnData(np.random.default_rng(0).normal(size=(20, n_columns)).astype(np.float32))
    known = np.ones(20, dtype=bool)
    start = read_inputs(
        adata, known=known, layer=None, use_rep=None, n_top_genes=n_chosen, batch=None, values="continuous"
    ).start
    assert start.matrix.shape[1] == min(n_columns, n_chosen)
    assert start.kind == kind


@pytest.mark.parametrize(("n_columns", "kind"), [(100, "panel"), (101, "lognorm")])
def test_few_columns_without_counts_are_a_panel_too(n_columns: int, kind: str) -> None:
    known = np.ones(60, dtype=bool)
    smooth = np.random.default_rng(0).gamma(1, 1, (60, n_columns)).astype(np.float32)
    counts = np.random.default_rng(0).poisson(2, (60, n_columns)).astype(np.float32)
    for values, expected in ((smooth, kind), (counts, "counts")):
        start = read_inputs(
            AnnData(values), known=known, layer=None, use_rep=None, n_top_genes=2000, batch=None, values=None
        ).start
        assert start.kind == expected


def test_a_lazy_embedding_is_read_once() -> None:
    array = pytest.importorskip("dask.array")
    callbacks = pytest.importorskip("dask.callbacks")
    values = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    adata = AnnData(obs=pd.DataFrame(index=[f"c{i}" for i in range(20)]))
    adata.obsm["X_lazy"] = array.from_array(values, chunks=(5, 3))
    known = np.arange(20) < 15
    readings: list[object] = []
    with callbacks.Callback(start=readings.append):
        inputs = read_inputs(adata, known=known, layer=None, use_rep="X_lazy", n_top_genes=2000, batch=None)
    assert len(readings) == 1
    np.testing.assert_array_equal(inputs.features, values[known])
    np.testing.assert_array_equal(inputs.others, values[~known])
