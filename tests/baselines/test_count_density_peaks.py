from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from falcon_sc.baselines import count_density_peaks
from falcon_sc.baselines.count_density_peaks import density_and_distance, encoded, n_peaks


def planted(n_classes: int, n_each: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Samples in 20 dimensions, and the coarse class of each: blobs in turn are "a" and "b"."""
    rng = np.random.default_rng(n_classes)
    fine = np.repeat(np.arange(n_classes), n_each)
    X = rng.normal(size=(n_classes, 20))[fine] * 6 + rng.normal(size=(len(fine), 20))
    return X.astype(np.float32), np.array(["a", "b"])[fine % 2]


def test_planted_classes_are_counted():
    X, _ = planted(14)
    found = count_density_peaks(X, n_embeddings=1)
    assert abs(found.n_fine - 14) <= 1
    assert found.counts.shape == (1, 1)
    assert found.coarse_names is None


def test_planted_classes_are_counted_inside_coarse_ones():
    X, coarse = planted(8, n_each=40)
    X, coarse = np.vstack([X, X[:5]]), np.append(coarse, ["too few for t-SNE"] * 5)
    found = count_density_peaks(X, coarse, n_latent=None, n_embeddings=2)
    assert found.coarse_names.tolist() == ["a", "b", "too few for t-SNE"]
    assert np.abs(found.n_per_class - [4, 4, 1]).max() <= 1
    assert found.counts.shape == (3, 2)
    assert found.n_per_class[2] == 1
    assert found.n_fine == found.n_per_class.sum()


def slow(places, cutoff):
    """Both formulas, sample by sample."""
    apart = [[math.dist(a, b) for b in places] for a in places]
    density = [sum(math.exp(-((d / cutoff) ** 2)) for d in row) for row in apart]
    distance = []
    for i, row in enumerate(apart):
        denser = [row[j] for j in range(len(places)) if (-density[j], j) < (-density[i], i)]
        distance.append(min(denser) if denser else max(row))
    return density, distance


def test_density_and_distance_are_the_formulas(rng):
    places = rng.normal(size=(60, 2))
    apart = sorted(math.dist(places[i], places[j]) for i in range(60) for j in range(i))
    density, distance = density_and_distance(places, n_rows=16)
    slow_density, slow_distance = slow(places.tolist(), float(np.quantile(apart, 0.02)))
    assert density == pytest.approx(slow_density, rel=1e-6)
    assert distance == pytest.approx(slow_distance, rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_places_that_are_one_make_one_peak(n):
    assert n_peaks(np.zeros((n, 2))) == 1


def test_the_auto_encoder_keeps_what_sets_samples_apart():
    X, _ = planted(6)
    codes = encoded(X, 8, torch.device("cpu"), 0)
    assert codes.shape == (300, 8)
    linear = np.column_stack([codes, np.ones(len(codes))])
    left = X - linear @ np.linalg.lstsq(linear, X, rcond=None)[0]
    assert left.var() < 0.15 * X.var()


def test_same_seed_same_counts_and_sparse_is_dense():
    X, _ = planted(4, n_each=30)
    first = count_density_peaks(X, n_latent=4, n_embeddings=1, rng=3, max_samples=100)
    again = count_density_peaks(sp.csr_matrix(X), n_latent=4, n_embeddings=1, rng=3, max_samples=100)
    assert np.array_equal(first.counts, again.counts)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_latent": 0}, ValueError, "n_latent must be at least 1"),
        ({"n_embeddings": 2.5}, TypeError, "n_embeddings must be an int"),
        ({"max_samples": 0}, ValueError, "max_samples must be at least 1"),
        ({"coarse": ["a"]}, ValueError, "coarse has 1 labels, X has 3 samples"),
        ({"coarse": ["a", None, "b"]}, ValueError, "coarse is missing for 1 samples"),
    ],
)
def test_what_cannot_be_counted_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        count_density_peaks(np.zeros((3, 2)), **change)


def test_samples_in_batches_are_refused():
    from falcon_sc.core.data.batches import as_samples

    with pytest.raises(TypeError, match="is read in batches: give a matrix"):
        count_density_peaks(as_samples(np.zeros((3, 2), dtype=np.float32), torch.device("cpu")))
