from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from falcon_sc.core.data.batches import (
    DenseSamples,
    DeviceCSRSamples,
    HostCSRSamples,
    Samples,
    SparseRows,
    as_samples,
    head,
)


@pytest.fixture
def X():
    matrix = sp.random(40, 15, density=0.3, format="csr", dtype=np.float32, random_state=1).tolil()
    matrix[5] = 0  # a row with nothing in it
    matrix[6] = 1  # a full row
    return matrix.tocsr()


def _dense(rows):
    return rows.to_dense() if isinstance(rows, SparseRows) else rows


@pytest.mark.parametrize("form", ["dense", "csr", "csc", "array", "device_csr"])
def test_every_place_gives_the_same_rows(X, form, device):
    index = torch.tensor([6, 5, 5, 39, 0], device=device)
    samples = {
        "dense": lambda: as_samples(X.toarray(), device),
        "csr": lambda: as_samples(X, device),
        "csc": lambda: as_samples(X.tocsc(), device),
        "array": lambda: as_samples(sp.csr_array(X), device),
        # also on the CPU, so that the code of the GPU is tested where there is none
        "device_csr": lambda: DeviceCSRSamples(X, device),
    }[form]()
    assert len(samples) == 40
    assert samples.n_features == 15
    np.testing.assert_array_equal(_dense(samples.rows(index)).cpu(), X.toarray()[index.cpu()])


def test_sparse_input_stays_sparse_on_the_host(X):
    samples = as_samples(X, torch.device("cpu"))
    assert isinstance(samples, HostCSRSamples)
    assert isinstance(samples.rows(torch.tensor([1, 2])), SparseRows)


def test_dense_samples_are_float32_and_leave_the_input_alone(X):
    array = X.toarray().astype(np.float64)
    kept = array.copy()
    samples = DenseSamples(array, torch.device("cpu"))
    samples.rows(torch.tensor([0])).fill_(7)
    assert samples.rows(torch.tensor([0])).dtype == torch.float32
    np.testing.assert_array_equal(array, kept)


@pytest.mark.parametrize("form", ["dense", "csr"])
@pytest.mark.parametrize("n_rows", [1, 3, 5])
def test_head_is_the_first_rows(X, form, n_rows):
    samples = as_samples(X.toarray() if form == "dense" else X, torch.device("cpu"))
    index = torch.tensor([6, 5, 39, 0, 5])
    first = head(samples.rows(index), n_rows)
    assert first.shape == (n_rows, 15)
    np.testing.assert_array_equal(_dense(first), X.toarray()[index.numpy()[:n_rows]])


def test_a_matrix_is_streamed_without_reading_ahead(X):
    samples = as_samples(X.toarray(), torch.device("cpu"))
    asked = []

    def indices():
        for i in range(3):
            asked.append(i)
            yield torch.tensor([i])

    stream = samples.stream(indices())
    np.testing.assert_array_equal(next(stream), X.toarray()[:1])
    assert asked == [0]


def test_samples_are_taken_as_they_are(X):
    samples = DenseSamples(X.toarray(), torch.device("cpu"))
    assert as_samples(samples, torch.device("cpu")) is samples
    assert not isinstance(X.tolil(), Samples)  # which has an attribute `rows`
