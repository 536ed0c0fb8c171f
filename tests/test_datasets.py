from __future__ import annotations

import re
import tracemalloc

import anndata as ad
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import isspmatrix_csr
from scipy.stats import chisquare, nbinom
from sklearn.linear_model import LogisticRegression

from falcon_sc import datasets
from falcon_sc.datasets import _gamma_poisson
from falcon_sc.datasets._class_sizes import gini_coefficient, sizes_with_gini
from falcon_sc.datasets._gamma_poisson import sample_counts


@pytest.fixture(scope="module")
def simulated():
    return datasets.simulate()


def assert_nested(adata):
    parents = adata.obs.groupby("fine", observed=False)["coarse"].nunique()
    assert (parents == 1).all()


# --- pbmc68k_reduced ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pbmc():
    return datasets.pbmc68k_reduced()


def test_pbmc_has_two_levels_of_labels(pbmc):
    assert pbmc.shape == (700, 765)
    assert pbmc.obs["fine"].nunique() == 10
    assert pbmc.obs["coarse"].value_counts().to_dict() == {
        "Myeloid cell": 369,
        "T cell": 192,
        "B cell": 95,
        "NK cell": 31,
        "Progenitor": 13,
    }
    assert not pbmc.obs[["coarse", "fine"]].isna().any(axis=None)
    assert pbmc.obsm["X_pca"].shape == (700, 50)
    assert pbmc.obsm["X_umap"].shape == (700, 2)
    assert_nested(pbmc)


def test_pbmc_is_log_normalized_counts(pbmc):
    assert isspmatrix_csr(pbmc.X)
    assert pbmc.X.dtype == np.float32
    normalized = np.expm1(pbmc.X.toarray().astype(np.float64))
    assert (normalized.sum(axis=1) < 10_000).all()  # the 765 genes are part of all genes
    counts = normalized * pbmc.obs["n_counts"].to_numpy()[:, None] / 10_000
    assert counts.max() > 50
    # the file holds three decimals of the logarithm
    assert (np.abs(counts - counts.round()) < 1e-3 * counts + 1e-3).all()


def test_pbmc_calls_share_nothing(pbmc):
    other = datasets.pbmc68k_reduced()
    other.X.data[:] = -1
    assert pbmc.X.data.min() > 0


# --- class sizes ----------------------------------------------------------------------------------------------


def test_gini_coefficient_is_the_mean_difference():
    sizes = np.array([3, 1, 7, 7, 20])
    expected = np.abs(sizes[:, None] - sizes).mean() / (2 * sizes.mean())
    assert gini_coefficient(sizes) == pytest.approx(expected)


@given(st.integers(5, 120), st.integers(20, 3000), st.floats(0, 0.7))
def test_sizes_hit_the_gini_coefficient(n_classes, cells_per_class, gini):
    n_obs = n_classes * cells_per_class + n_classes // 2
    sizes = sizes_with_gini(n_obs, n_classes, gini)
    assert sizes.sum() == n_obs
    assert len(sizes) == n_classes
    assert abs(gini_coefficient(sizes) - gini) <= 0.03
    assert sizes.min() >= max(1, n_obs // (20 * n_classes))


def test_unreachable_gini_is_refused():
    with pytest.raises(ValueError, match=r"gini=0.9 cannot be reached with 100 cells in 2 classes.*0.00 and 0.48"):
        datasets.simulate(100, 10, n_coarse=1, n_fine=2, gini=0.9)


# --- counts ---------------------------------------------------------------------------------------------------


def counts_of_one_profile(means, n_cells, rng, **program):
    total = means.sum()
    depth = np.full(n_cells, total)
    none = {"programs": np.empty((0, len(means))), "usage": np.empty((n_cells, 0))}
    return sample_counts(
        depth, means[None] / total, np.zeros(n_cells, dtype=np.int64), **(none | program), rng=rng
    ).toarray()


def test_counts_are_negative_binomial():
    means = np.array([0.003, 0.1, 0.9, 6.0, 80.0])
    n = 200_000
    counts = counts_of_one_profile(means, n, np.random.default_rng(1))
    theory = nbinom(1, 1 / (1 + means))
    # 4.5 standard errors
    np.testing.assert_array_less(np.abs(counts.mean(axis=0) - means), 4.5 * np.sqrt(theory.var() / n))
    np.testing.assert_allclose(counts.var(axis=0), theory.var(), rtol=0.12)
    np.testing.assert_allclose(counts[:, 2:].var(axis=0), theory.var()[2:], rtol=0.02)
    for gene, mean in enumerate(means):
        upper = int(nbinom(1, 1 / (1 + mean)).ppf(1 - 50 / n)) + 1  # at least about 50 cells in the last bin
        observed = np.bincount(np.minimum(counts[:, gene].astype(int), upper), minlength=upper + 1)
        expected = nbinom(1, 1 / (1 + mean)).pmf(np.arange(upper + 1))
        expected[-1] = 1 - expected[:-1].sum()
        assert chisquare(observed, n * expected).pvalue > 1e-3


def test_genes_and_cells_are_independent():
    counts = counts_of_one_profile(np.full(6, 2.0), 50_000, np.random.default_rng(0))
    between_genes = np.corrcoef(counts.T) - np.eye(6)
    assert np.abs(between_genes).max() < 0.02
    assert np.abs(np.corrcoef(counts[:-1, 0], counts[1:, 0])[0, 1]) < 0.02


def test_depth_and_programs_set_the_mean():
    rng = np.random.default_rng(0)
    n = 40_000
    profiles = rng.dirichlet(np.ones(8), 2)
    programs = rng.dirichlet(np.ones(8), 2)
    depth, profile_of, usage = np.array([20.0, 60.0]), np.array([0, 1]), np.array([[0.0, 0.0], [0.3, 0.5]])
    cells = np.tile([0, 1], n)
    counts = sample_counts(depth[cells], profiles, profile_of[cells], programs, usage[cells], rng=rng).toarray()
    plain = 20 * profiles[0]
    mixed = 60 * (0.2 * profiles[1] + 0.3 * programs[0] + 0.5 * programs[1])
    for mean, found in ((plain, counts[::2]), (mixed, counts[1::2])):
        np.testing.assert_array_less(np.abs(found.mean(axis=0) - mean), 4.5 * np.sqrt((mean + mean**2) / n))


def test_silent_genes_stay_silent():
    counts = counts_of_one_profile(np.array([0.0, 5.0, 1e-300]), 1000, np.random.default_rng(0))
    assert counts[:, [0, 2]].sum() == 0
    assert counts[:, 1].sum() > 0


def test_blocks_do_not_change_the_counts(monkeypatch):
    whole = datasets.simulate(200, 30)
    monkeypatch.setattr(_gamma_poisson, "BLOCK_ENTRIES", 7 * 30 + 1)
    in_blocks = datasets.simulate(200, 30)
    np.testing.assert_array_equal(whole.X.toarray(), in_blocks.X.toarray())


# --- simulate -------------------------------------------------------------------------------------------------


def test_simulated_hierarchy(simulated):
    obs, truth = simulated.obs, simulated.uns["truth"]
    assert simulated.shape == (3000, 2000)
    assert_nested(simulated)
    assert list(obs["fine"].cat.categories) == list(truth["fine_names"])
    assert list(obs["coarse"].cat.categories) == list(truth["coarse_names"])
    assert truth["M"].shape == (18, 6)
    assert truth["M"].dtype == np.uint8
    np.testing.assert_array_equal(truth["M"][obs["fine"].cat.codes].argmax(axis=1), obs["coarse"].cat.codes)
    children = truth["M"].sum(axis=0)
    assert children.min() >= 1
    assert len(np.unique(children)) > 2
    sizes = obs["fine"].value_counts()
    assert sizes.min() >= 3000 // (20 * 18)
    assert gini_coefficient(sizes) == pytest.approx(0.5, abs=0.03)


def test_simulated_counts_look_like_cells(simulated):
    X = simulated.X
    assert isspmatrix_csr(X)
    assert X.dtype == np.float32
    assert X.has_canonical_format
    assert X.data.min() >= 1
    assert (X.data == np.round(X.data)).all()
    assert 0.05 < X.nnz / np.prod(X.shape) < 0.2
    totals = np.asarray(X.sum(axis=1)).ravel()
    assert totals.mean() == pytest.approx(3000, rel=0.05)
    assert 0.4 < np.log(totals).std() < 0.7
    assert simulated.var["baseline"].sum() == pytest.approx(1)


def test_counts_of_one_class_are_overdispersed(simulated):
    largest = simulated.obs["fine"].value_counts().index[0]
    counts = simulated.X[(simulated.obs["fine"] == largest).to_numpy()].toarray()
    expressed = counts.mean(axis=0) > 1
    assert expressed.sum() > 100
    mean, variance = counts.mean(axis=0)[expressed], counts.var(axis=0)[expressed]
    assert (variance > mean).all()
    # gamma noise alone has dispersion 1; depth, donors and programs come on top
    assert 1 < np.median((variance - mean) / mean**2) < 3


def test_donors_cut_across_classes_and_shift_genes(simulated):
    donor = simulated.obs["donor"]
    assert donor.value_counts().tolist() == [1000] * 3
    shares = simulated.obs.groupby("coarse", observed=True)["donor"].value_counts(normalize=True)
    assert shares.between(0.2, 0.47).all()
    profiles = np.array([simulated.X[(donor == d).to_numpy()].sum(axis=0).A1 for d in donor.cat.categories])
    profiles /= profiles.sum(axis=1, keepdims=True)
    expressed = profiles.mean(axis=0) > 1 / 3000
    log_ratio = np.log(profiles[0, expressed] / profiles[1, expressed])
    assert 0.2 < log_ratio.std() < 0.45  # 0.2 for each donor, and sampling noise


def test_same_seed_same_cells(simulated):
    again = datasets.simulate(rng=np.random.default_rng(0))
    assert (again.X != simulated.X).nnz == 0
    assert again.obs.equals(simulated.obs)
    assert again.var.equals(simulated.var)
    other = datasets.simulate(rng=1)
    assert (other.X != simulated.X).nnz > 0
    assert not other.obs.equals(simulated.obs)


def held_out_accuracy(adata):
    """Logistic regression inside each coarse class, on log-normalized counts."""
    X = adata.X.toarray()
    X = np.log1p(10_000 * X / X.sum(axis=1, keepdims=True))
    fine, coarse = (adata.obs[key].to_numpy() for key in ("fine", "coarse"))
    held_out = np.arange(len(X)) % 4 == 0
    right = 0
    for c in np.unique(coarse):
        train, test = (coarse == c) & ~held_out, (coarse == c) & held_out
        model = LogisticRegression(C=0.05, max_iter=1000).fit(X[train], fine[train])
        right += (model.predict(X[test]) == fine[test]).sum()
    return right / held_out.sum()


def test_difficulty_sets_how_well_classes_separate():
    sizes = {"n_obs": 1500, "n_vars": 600, "n_coarse": 2, "n_fine": 6, "gini": 0.2}
    easy, default, hard = (held_out_accuracy(datasets.simulate(**sizes, difficulty=d)) for d in (0.4, 1.0, 5.0))
    assert easy > 0.95
    assert hard < default - 0.1 < easy
    assert hard < 0.6


def test_edge_cases():
    flat = datasets.simulate(40, 30, n_coarse=4, n_fine=4, gini=0.0, n_donors=1, n_programs=0)
    assert flat.obs["fine"].value_counts().tolist() == [10] * 4
    assert flat.obs["donor"].nunique() == 1
    single = datasets.simulate(50, 1, n_coarse=1, n_fine=1, gini=0.0)
    assert single.uns["truth"]["M"].tolist() == [[1]]
    unequal = datasets.simulate(2000, 20, n_coarse=27, n_fine=83)
    assert sorted(set(unequal.uns["truth"]["M"].sum(axis=0))) == [1, 2, 3, 4, 5]


def test_no_dense_matrix():
    tracemalloc.start()
    adata = datasets.simulate(20_000, 2000, rng=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sparse = adata.X.data.nbytes + adata.X.indices.nbytes
    assert peak < 2 * sparse + 30e6 < 20_000 * 2000 * 4


def test_round_trip(tmp_path):
    adata = datasets.simulate(60, 20, n_coarse=2, n_fine=4, gini=0.2)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    read = ad.read_h5ad(tmp_path / "cells.h5ad")
    assert (read.X != adata.X).nnz == 0
    assert read.obs["fine"].tolist() == adata.obs["fine"].tolist()
    np.testing.assert_array_equal(read.uns["truth"]["M"], adata.uns["truth"]["M"])
    assert list(read.uns["truth"]["fine_names"]) == list(adata.uns["truth"]["fine_names"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_obs": 17}, "n_obs=17: give at least 18 .a cell in every fine class"),
        ({"n_vars": 0}, "n_vars=0: give at least 1"),
        ({"n_coarse": 0}, "n_coarse=0"),
        ({"n_fine": 5}, "n_fine=5: give at least 6 .one fine class in every coarse class"),
        ({"n_donors": 0}, "n_donors=0"),
        ({"n_donors": 4000}, "n_obs=3000: give at least 4000"),
        ({"n_programs": -1}, "n_programs=-1: give at least 0"),
        ({"difficulty": 0}, "difficulty=0: give a finite number, above 0"),
        ({"mean_counts": float("nan")}, "mean_counts=nan"),
        ({"gini": -0.1}, "gini=-0.1: give a finite number, 0 or more"),
    ],
)
def test_simulate_errors(wrong, message):
    with pytest.raises(ValueError, match=message):
        datasets.simulate(**wrong)


NUMBERS = ("n_obs", "n_vars", "n_coarse", "n_fine", "n_donors", "n_programs")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["many", None, True, 2.5, float("nan"), float("inf")])
def test_what_is_no_whole_number(name, value):
    with pytest.raises(TypeError, match=f"{name} must be an int, found {value!r}"):
        datasets.simulate(**{name: value})


@pytest.mark.parametrize("name", ["gini", "difficulty", "mean_counts", "donor_effect"])
@pytest.mark.parametrize("value", ["much", None, [], float("nan"), float("inf"), -1])
def test_what_is_no_number(name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name}={re.escape(repr(value))}"):
        datasets.simulate(200, 30, n_coarse=2, n_fine=4, **{name: value})


def test_whole_numbers_of_numpy_and_no_effect_of_donors():
    adata = datasets.simulate(np.int64(60), np.float64(20), n_coarse=2, n_fine=4, gini=0.2, donor_effect=0)
    assert adata.shape == (60, 20)


@pytest.mark.parametrize(("rng", "error"), [("one", TypeError), (2.5, TypeError), (True, TypeError), (-1, ValueError)])
def test_what_is_no_seed(rng, error):
    with pytest.raises(error, match="rng must"):
        datasets.simulate(60, 20, n_coarse=2, n_fine=4, gini=0.2, rng=rng)
