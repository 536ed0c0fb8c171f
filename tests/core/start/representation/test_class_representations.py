from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from falcon_sc.core.start.representation.class_representations import class_representations, plain
from falcon_sc.core.start.representation.contrast import Background


def simulate(rng: np.random.Generator, n: int = 300, g: int = 200, n_groups: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Gamma-Poisson cells; a tenth of the genes differs between the groups."""
    group = rng.integers(n_groups, size=n)
    fold = np.exp(rng.normal(0, 1.5, (n_groups, g)) * (rng.random((n_groups, g)) < 0.1))
    rate = rng.gamma(1, 1, g) * fold[group] * np.exp(rng.normal(0, 0.3, (n, 1)))
    return rng.poisson(rate * rng.gamma(4, 0.25, (n, g))).astype(np.float32), group


def test_groups_stand_out_in_every_representation() -> None:
    rng = np.random.default_rng(0)
    counts, group = simulate(rng)
    representations = class_representations(counts, "counts", rng)
    assert list(representations.scores) == ["log", "scaled", "pearson"]
    for scores in representations.scores.values():
        assert scores.shape == (300, 30)
        two = scores[:, :2]
        centers = np.stack([two[group == g].mean(axis=0) for g in range(3)])
        nearest = ((two[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)
        assert (nearest == group).mean() > 0.95


def test_a_leading_axis_is_looked_for_in_expression_alone() -> None:
    counts, _ = simulate(np.random.default_rng(0), n_groups=2)
    logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4).astype(np.float32)
    found = {
        kind: class_representations(values, kind, np.random.default_rng(0), has_counts=False)
        for kind, values in (("counts", counts), ("lognorm", logs), ("embedding", logs))
    }
    assert {kind: own.own_scale for kind, own in found.items()} == {"counts": True, "lognorm": True, "embedding": False}
    assert all(list(own.contrasted) == (["log"] if own.own_scale else []) for own in found.values())
    only = class_representations(counts, "counts", np.random.default_rng(0), normalizations={"scaled", "pearson"})
    assert (only.own_scale, list(only.contrasted)) == (False, ["scaled", "pearson"])


def test_dense_equals_csr() -> None:
    counts, _ = simulate(np.random.default_rng(1))
    dense = class_representations(counts, "counts", np.random.default_rng(0), n_genes=100)
    csr = class_representations(sparse.csr_matrix(counts), "counts", np.random.default_rng(0), n_genes=100)
    for name, scores in dense.scores.items():
        np.testing.assert_allclose(np.abs(csr.scores[name][:, :3]), np.abs(scores[:, :3]), rtol=1e-3, atol=1e-3)


def test_projected_cells_lie_where_learned_ones_lie() -> None:
    counts, _ = simulate(np.random.default_rng(2), n=600)
    doubled = np.vstack([counts, counts])
    representations = class_representations(doubled, "counts", np.random.default_rng(0), max_cells=600)
    assert len(representations.fit_cells) == 600
    for scores in representations.scores.values():
        np.testing.assert_allclose(scores[:600], scores[600:], rtol=1e-4, atol=1e-4)


def test_donor_shift_is_removed() -> None:
    rng = np.random.default_rng(3)
    counts, _ = simulate(rng, n=600)
    donor = rng.integers(2, size=600)
    counts[donor == 1] = rng.poisson(counts[donor == 1] * np.exp(rng.normal(0, 0.7, 200)))

    def shift(batch: np.ndarray | None) -> float:
        scores = class_representations(counts, "counts", np.random.default_rng(0), batch=batch).scores["scaled"]
        difference = scores[donor == 0].mean(axis=0) - scores[donor == 1].mean(axis=0)
        return float(np.linalg.norm(difference) / np.sqrt(scores.var(axis=0).sum()))

    assert shift(None) > 0.5
    assert shift(donor) < 0.1


def test_log_normalized_values_give_residuals_only_where_counts_are_recovered() -> None:
    counts, _ = simulate(np.random.default_rng(4))
    lognorm = np.log1p(counts / counts.sum(1, keepdims=True) * 1e4)
    assert list(class_representations(lognorm, "lognorm", np.random.default_rng(0)).scores) == [
        "log",
        "scaled",
        "pearson",
    ]
    without = class_representations(lognorm, "lognorm", np.random.default_rng(0), has_counts=False)
    assert list(without.scores) == ["log", "scaled"]


def test_a_panel_is_clustered_in_its_own_scale_and_all_of_it_is_kept() -> None:
    rng = np.random.default_rng(5)
    X = (rng.normal(size=(300, 8)) - 1) * np.arange(1, 9)  # negative values, too
    others = Background(rng.normal(size=(90, 8)) * np.arange(1, 9), np.repeat([1, 2], 45))
    panel = class_representations(X, "panel", rng, background=others, has_counts=False)
    assert {name for name, _ in plain(panel)} == set(panel.contrasted) == {"log"}
    assert list(panel.scores) == ["log", "scaled"]  # the evidence for the splits looks at both
    np.testing.assert_allclose(panel.scores["log"].var(axis=0).sum(), X.var(axis=0).sum(), rtol=1e-4)
    assert panel.depth is None


def test_embedding_is_used_as_it_is() -> None:
    X = np.random.default_rng(5).normal(size=(100, 8)).astype(np.float32)
    scores = class_representations(X, "embedding", np.random.default_rng(0)).scores["log"]
    np.testing.assert_allclose(np.linalg.norm(scores, axis=1), np.linalg.norm(X - X.mean(axis=0), axis=1), rtol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_tiny_classes(n: int) -> None:
    counts, _ = simulate(np.random.default_rng(6), n=n)
    representations = class_representations(counts, "counts", np.random.default_rng(0))
    assert representations.latent().shape == (n, 45)
    assert np.isfinite(representations.latent()).all()


def test_latent_blocks_have_unit_scale() -> None:
    counts, _ = simulate(np.random.default_rng(7))
    latent = class_representations(counts, "counts", np.random.default_rng(0)).latent()
    for block in np.split(latent, 3, axis=1):
        assert np.sqrt(np.mean(block**2)) == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("kind", ["counts", "lognorm"])
def test_a_representation_without_depth_is_the_residual_of_a_line_in_it(kind: str) -> None:
    counts, _ = simulate(np.random.default_rng(5), n=500)
    counts = np.random.default_rng(6).binomial(counts.astype(int), 0.5).astype(np.float32)
    counts[:, 0] += 1  # the smallest positive value of each cell is one: log-normalized values give the counts back
    values = counts if kind == "counts" else np.log1p(counts / counts.sum(1, keepdims=True) * 1e4)
    representations = class_representations(values, kind, np.random.default_rng(0), max_cells=300)
    assert representations.depth is not None
    depth = np.log1p(counts.sum(axis=1, dtype=np.float64))
    learned = representations.fit_cells
    for name in representations.scores:
        scores, found = representations.components(name, 10), representations.components_without_depth(name, 10)
        assert found.dtype == np.float32
        correlation = np.corrcoef(depth[learned], found[learned].T)[0, 1:]
        np.testing.assert_allclose(correlation, 0, atol=1e-3)
        for column, own in zip(scores.T, found.T, strict=True):
            slope, _ = np.polyfit(depth[learned], column[learned], 1)
            expected = column - slope * (depth - depth[learned].mean())
            np.testing.assert_allclose(own, expected, atol=1e-2 * column.std())


def test_equal_depths_change_nothing_and_embeddings_have_none() -> None:
    counts, _ = simulate(np.random.default_rng(7))
    counts[:, 0] += counts.sum(axis=1).max() + 1 - counts.sum(axis=1)
    representations = class_representations(counts, "counts", np.random.default_rng(0))
    np.testing.assert_array_equal(
        representations.components_without_depth("scaled", 10), representations.components("scaled", 10)
    )
    embedding = class_representations(counts, "embedding", np.random.default_rng(0))
    assert embedding.depth is None
    with pytest.raises(ValueError, match="no depth"):
        embedding.components_without_depth("scaled", 10)
