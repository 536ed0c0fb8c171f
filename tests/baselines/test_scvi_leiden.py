from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy import sparse

from falcon_sc.baselines import FairLeiden, SCVILeiden
from falcon_sc.core.data.batches import DenseSamples
from falcon_sc.metrics import clustering_accuracy

needs_scvi = pytest.mark.skipif(find_spec("scvi") is None, reason="the extra `scvi` is not installed")
N_EPOCHS = 100  # of two steps each


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if scvi-tools were there, for what is refused before it is imported."""
    monkeypatch.setattr("falcon_sc.baselines.scvi_leiden.check_installed", lambda what: None)


@needs_scvi
@pytest.mark.leiden
def test_finds_planted_classes_and_labels_new_cells(planted):
    X, coarse, fine = planted.X, planted.obs["coarse"].to_numpy(), planted.obs["fine"].to_numpy()
    known = np.arange(240) % 6 > 0
    model = SCVILeiden(6, n_epochs=N_EPOCHS).fit(X[known], coarse[known])
    assert clustering_accuracy(fine[known], model.labels_) > 0.95
    assert model.labels_.dtype == np.int64
    assert model.n_per_class_.tolist() == [2, 2, 2]
    assert model.coarse_names_.tolist() == sorted(set(coarse))
    assert model.latent_.shape == (200, 10)
    assert clustering_accuracy(fine[~known], model.predict(X[~known].toarray(), coarse[~known])) > 0.9
    assert clustering_accuracy(fine[~known], model.predict(X[~known])) > 0.9
    # the same clustering as FairLeiden's, on another space
    assert np.array_equal(FairLeiden(6).fit(model.latent_, coarse[known]).labels_, model.labels_)


@needs_scvi
@pytest.mark.leiden
def test_same_seed_same_labels_in_memory_of_either_kind(planted):
    coarse = planted.obs["coarse"]
    first, again, other = (SCVILeiden(9, n_epochs=2, rng=seed).fit(planted.X, coarse) for seed in (1, 1, 2))
    assert np.array_equal(first.latent_, again.latent_)
    assert np.array_equal(first.labels_, again.labels_)
    assert not np.array_equal(first.latent_, other.latent_)
    dense = SCVILeiden(9, n_epochs=2, rng=1).fit(planted.X.toarray().astype(np.int64), coarse)
    assert np.array_equal(first.labels_, dense.labels_)


@needs_scvi
@pytest.mark.leiden
def test_the_decoder_is_told_the_batch(planted):
    donor = planted.obs["donor"]
    model = SCVILeiden(9, n_latent=3, n_epochs=2).fit(planted.X, planted.obs["coarse"], batch=donor)
    assert model.latent_.shape == (240, 3)
    assert model._encoder.model.summary_stats.n_batch == 2
    assert SCVILeiden(9, n_epochs=1).fit(planted.X, planted.obs["coarse"])._encoder.model.summary_stats.n_batch == 1
    assert len(model.predict(planted.X)) == 240


@needs_scvi
@pytest.mark.leiden
def test_three_cells_and_empty_ones(planted):
    counts = sparse.csr_matrix(planted.X.multiply((np.arange(240) > 5)[:, None]))
    assert SCVILeiden(9, n_epochs=1).fit(counts, planted.obs["coarse"]).n_per_class_.sum() == 9
    assert SCVILeiden(1, n_epochs=1).fit(planted.X[:3], ["a", "a", "a"]).labels_.tolist() == [0, 0, 0]


@pytest.mark.leiden
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda X: X - 1, ValueError, r"X has negative values \(smallest found -1\), and scVI is a model of counts"),
        (np.log1p, ValueError, "X has values that are no whole numbers, .* not normalized values"),
        (lambda X: sparse.csr_matrix(np.log1p(X)), ValueError, "no whole numbers"),
        (lambda X: np.where(X > 3, np.nan, X), ValueError, "NaN or infinite"),
        (
            lambda X: DenseSamples(X, torch.device("cpu")),
            TypeError,
            r"X \(DenseSamples\) is read in batches: scVI needs a matrix",
        ),
    ],
)
def test_what_holds_no_counts_is_refused(planted, change, error, message):
    with pytest.raises(error, match=message):
        SCVILeiden(6).fit(change(planted.X.toarray()), planted.obs["coarse"])


@pytest.mark.leiden
@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("n_fine", "coarse", "keywords", "error", "message"),
    [
        (9, ["a", "b"] * 4, {}, ValueError, "n_fine=9 is larger than the number of coarse labels, 8"),
        ({"a": 2, "b": 2}, ["a", "b"] * 4, {}, TypeError, "give the total"),
        (2, ["a", "b"] * 3, {}, ValueError, "coarse has 6 labels, X has 8 samples"),
        (2, ["a", "b"] * 4, {"batch": ["x"] * 7}, ValueError, "batch has 7 labels, X has 8 samples"),
        (2, ["a", "b"] * 4, {"batch": ["x", None] * 4}, ValueError, "batch is missing for 4 samples"),
        (2, ["a", "b"] * 4, {"n_epochs": 0}, ValueError, "n_epochs"),
        (2, ["a", "b"] * 4, {"n_latent": 1.5}, TypeError, "n_latent"),
        (2, ["a", "b"] * 4, {"device": "nowhere"}, ValueError, "device='nowhere' is not there"),
    ],
)
def test_what_does_not_fit_is_refused(planted, n_fine, coarse, keywords, error, message):
    batch = keywords.pop("batch", None)
    with pytest.raises(error, match=message):
        SCVILeiden(n_fine, **keywords).fit(planted.X[:8], coarse, batch=batch)


@pytest.mark.leiden
@pytest.mark.usefixtures("installed")
def test_two_cells_are_too_few(planted):
    with pytest.raises(ValueError, match="X has 2 cells: scVI needs at least 3"):
        SCVILeiden(1).fit(planted.X[:2], ["a", "a"])


@needs_scvi
@pytest.mark.leiden
def test_new_cells_that_do_not_fit_are_refused(planted):
    with pytest.raises(ValueError, match="this SCVILeiden is not fitted: call fit"):
        SCVILeiden(6).predict(planted.X)
    model = SCVILeiden(6, n_epochs=1).fit(planted.X, planted.obs["coarse"])
    with pytest.raises(ValueError, match="X has 100 genes, the model was fitted on 160"):
        model.predict(planted.X[:, :100])
    with pytest.raises(ValueError, match="negative values"):
        model.predict(-planted.X)
    with pytest.raises(ValueError, match="labels that the model does not know"):
        model.predict(planted.X[:1], ["z"])


def test_without_scvi_tools_the_extra_is_named(monkeypatch, planted):
    monkeypatch.setitem(sys.modules, "scvi", None)
    with pytest.raises(ImportError, match=r"SCVILeiden needs scvi-tools: pip install 'falcon-sc\[scvi\]'"):
        SCVILeiden(6).fit(-planted.X, planted.obs["coarse"])  # before anything else is looked at


@needs_scvi
@pytest.mark.leiden
def test_a_training_that_diverges_says_so(planted, monkeypatch):
    monkeypatch.setattr(
        "falcon_sc.core.data.inputs.LARGEST", np.inf
    )  # counts that are let through did not break it here
    counts = planted.X.toarray()
    counts[:5, :3] = 3e38  # whole numbers, whose sum is infinite
    with pytest.raises(FloatingPointError, match="the training of scVI diverged: look for cells or genes with extreme"):
        SCVILeiden(6, n_epochs=4).fit(counts, planted.obs["coarse"])
