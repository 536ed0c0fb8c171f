"""With a client of a cluster, the workers read and compute: two processes, the labels of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import falcon_sc as fsc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

distributed = pytest.importorskip("distributed", reason="not installed")

# all genes, so that the workers need not import scanpy, which takes most of a minute on a busy machine
QUICK: dict[str, Any] = {"progress_bar": False, "device": "cpu", "max_epochs": 2, "n_top_genes": 200}


@pytest.fixture
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_labels_are_those_of_one_process(planted: AnnData, on_disk, client) -> None:
    n_fine = {"B cell": 2, "CD4/CD8 T": 1, "µ glia": 1}
    expected = fsc.tl.discover(planted, "coarse", n_fine, copy=True, **QUICK)
    stored = on_disk(planted, "backed")
    fsc.tl.discover(stored, "coarse", n_fine, **QUICK)
    assert stored.obs["falcon_fine"].equals(expected.obs["falcon_fine"])
    np.testing.assert_array_equal(stored.obsm["falcon_proba"], expected.obsm["falcon_proba"])
    done = client.run(lambda dask_worker: len(dask_worker.state.log))
    assert all(done.values()), done  # both took part
