from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_sc.core.start.class_clustering import fit_class, label_class
from falcon_sc.core.start.thinning import molecules
from falcon_sc.core.start.tree.found_again import separation
from falcon_sc.core.start.tree.splits import Splits, find_splits
from falcon_sc.datasets import simulate


def _splits(
    counts, k: int, n_leaves: int, *, kind: str = "counts", batch=None, seed: int = 0
) -> tuple[Splits, np.ndarray]:
    rng = np.random.default_rng(seed)
    fit = fit_class(
        counts,
        kind,
        [k],
        rng,
        batch=batch,
        background=None,
        has_counts=kind == "counts",
        n_genes=200,
        max_cells=1000,
    )
    labels, _ = label_class(fit.representations, k, rng, n_repeats=2)
    counted = molecules(np.arange(counts.shape[0]), counts, "counts") if kind == "counts" else None
    found = find_splits(fit.representations, labels, n_leaves, rng, molecules=counted, batch=batch, n_genes=200)
    return found, labels


def _planted(seed: int, strength: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Counts of 240 cells in two clusters that differ in a tenth of 200 genes, and the clusters."""
    rng = np.random.default_rng(seed)
    true = rng.integers(2, size=240)
    fold = np.exp(strength * rng.normal(size=200) * (rng.random(200) < 0.1))
    return rng.poisson(2 * np.where(true[:, None] == 0, 1, fold)).astype(np.float32), true


@pytest.mark.parametrize("kind", ["counts", "embedding"])
def test_a_planted_split_is_supported_and_those_below_it_are_not(kind: str) -> None:
    counts, true = _planted(0)
    found, labels = _splits(counts if kind == "counts" else np.log1p(counts), 2, 4, kind=kind)
    assert len(set(zip(labels.tolist(), true.tolist(), strict=True))) == 2
    np.testing.assert_array_equal(found.evidence.supported, [*[False] * (len(found.tree.joins) - 1), True])
    assert found.evidence.comes_back[-1] > 0.9
    assert found.evidence.agreement[-1] > 0.6  # of clusterings with four components, in representations of all kinds
    assert found.evidence.markers[-1] > 5 if kind == "counts" else np.isnan(found.evidence.markers).all()
    assert np.isnan(found.evidence.depth).all() == (kind == "embedding")


def test_of_classes_without_substructure_few_are_split() -> None:
    """Simulated, with donors and depth; the benchmark has more sizes and depths."""
    adata = simulate(8 * 120, 400, n_coarse=8, n_fine=8, gini=0.1, rng=0)
    donor = adata.obs["donor"].cat.codes.to_numpy().astype(np.int64)
    for name in adata.obs["coarse"].cat.categories:
        own = (adata.obs["coarse"] == name).to_numpy()
        assert not _splits(adata.X[own], 2, 5, batch=donor[own])[0].evidence.supported.any()


def test_donors_and_depth_are_seen() -> None:
    counts, true = _planted(1)
    shallow = np.random.default_rng(0).binomial(counts.astype(int), np.where(true == 1, 0.4, 1)[:, None])
    found, labels = _splits(shallow.astype(np.float32), 2, 2)
    assert found.evidence.depth[-1] > 0.5
    assert np.isnan(found.evidence.batch).all()
    donor = np.where(np.arange(240) % 4 == 0, labels, np.arange(240) % 2)  # a quarter of the cells go with the donor
    _, table = np.unique(np.stack([labels, donor]), axis=1, return_counts=True)
    found, _ = _splits(counts, 2, 2, batch=donor)
    assert 0 < found.evidence.batch[-1] < 0.5
    assert len(table) == 4


def test_the_same_seed_gives_the_same_evidence() -> None:
    counts, _ = _planted(2)
    first, second = (_splits(counts, 2, 5)[0] for _ in range(2))
    np.testing.assert_equal(vars(first.tree), vars(second.tree))
    np.testing.assert_equal(vars(first.evidence), vars(second.evidence))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_separation_is_the_balanced_accuracy_without_chance(seed: int) -> None:
    """By a slow count over the cells: every cluster given to the side of which it holds the larger share."""
    rng = np.random.default_rng(seed)
    leaves, clusters = rng.integers(4, size=60), rng.integers(3, size=60)
    first, second = np.array([True, True, False, False]), np.array([False, False, True, False])
    table = np.zeros((4, 3))
    np.add.at(table, (leaves, clusters), 1)
    [found] = separation(table, (first[None], second[None]))
    sides = [clusters[mask[leaves]] for mask in (first, second)]
    right = [0, 0]
    for cluster in range(3):
        shares = [(side == cluster).mean() for side in sides]
        winner = int(shares[1] > shares[0])
        right[winner] += (sides[winner] == cluster).sum()
    balanced = np.mean([n / len(side) for n, side in zip(right, sides, strict=True)])
    assert found == pytest.approx(2 * balanced - 1)
