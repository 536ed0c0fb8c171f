from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.representation import principal_axes
from falcon_sc.core.start.representation.class_representations import class_representations
from falcon_sc.core.start.representation.contrast import (
    CELLS,
    CELLS_PER_CLASS,
    MIN_CELLS,
    Background,
    background_cells,
    contrasted_directions,
)


def covariance(rng: np.random.Generator, d: int) -> np.ndarray:
    X = rng.normal(size=(3 * d, d)) * np.linspace(3, 0.5, d)
    return X.T @ X / len(X)


@given(st.integers(1, 12), st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_directions_are_orthonormal_by_falling_contrast_whatever_the_units(d: int, seed: int, unit: float) -> None:
    rng = np.random.default_rng(seed)
    own, others = covariance(rng, d), covariance(rng, d)
    V = contrasted_directions(own, others)
    np.testing.assert_allclose(V.T @ V, np.eye(d), atol=1e-9)
    contrast = [v @ own @ v / np.trace(own) - v @ others @ v / np.trace(others) for v in V.T]
    assert (np.diff(contrast) <= 1e-9).all()
    if d > 1 and np.min(-np.diff(contrast)) > 1e-3:  # else the directions are not unique
        again = contrasted_directions(unit * own, others)
        np.testing.assert_allclose(np.abs(np.sum(again * V, axis=0)), 1, atol=1e-6)


def test_directions_of_what_only_this_class_has_come_first() -> None:
    own, others = np.diag([9.0, 4.0, 1.0]), np.diag([9.0, 1.0, 1.0])
    np.testing.assert_allclose(np.abs(contrasted_directions(own, others)[:, 0]), [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(np.abs(contrasted_directions(own, np.zeros((3, 3)))), np.eye(3), atol=1e-12)


def test_background_is_about_even_and_leaves_out_the_class_and_tiny_ones() -> None:
    coarse = np.repeat([0, 1, 2, 3], [500, 1000, MIN_CELLS - 1, 50])
    cells = background_cells(coarse, 0)
    assert (np.diff(cells) > 0).all()
    np.testing.assert_array_equal(np.bincount(coarse[cells]), [0, CELLS_PER_CLASS, 0, 50])
    assert len(background_cells(coarse[coarse != 1], 3)) == CELLS_PER_CLASS
    assert len(background_cells(np.repeat([0, 1], [500, MIN_CELLS - 1]), 0)) == 0
    many = np.repeat(np.arange(41), 200)
    np.testing.assert_array_equal(np.bincount(many[background_cells(many, 0)])[1:], CELLS // 40)


def with_a_shared_program(seed: int, n: int = 400, g: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts of two classes; half of the cells of either have a strong program on; the first has two types besides."""
    rng = np.random.default_rng(seed)
    coarse = np.repeat([0, 1], n)
    on = rng.random(2 * n) < 0.5
    types = np.where(coarse == 0, rng.random(2 * n) < 0.5, 0).astype(int)
    rate = np.tile(rng.gamma(1, 2, g), (2 * n, 1))
    rate[on, :60] *= np.exp(rng.choice([-1.5, 1.5], 60))
    rate[types == 1, 60:80] *= np.exp(rng.choice([-1.5, 1.5], 20))
    rate[coarse == 1, 80:100] *= 3
    return rng.poisson(rate * rng.gamma(4, 0.25, (2 * n, g))).astype(np.float32), coarse, types


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(abs(np.corrcoef(x, y)[0, 1]))


@pytest.mark.parametrize("leads", [True, False])
def test_the_first_contrasted_component_is_the_types_of_the_class_not_what_all_classes_share(
    monkeypatch: pytest.MonkeyPatch, *, leads: bool
) -> None:
    if not leads:
        monkeypatch.setattr(principal_axes, "LEADING", np.inf)
    counts, coarse, types = with_a_shared_program(0)
    own, kind = counts[coarse == 0], types[coarse == 0]
    background = Background(counts[coarse == 1], coarse[coarse == 1])
    own_space = class_representations(own, "counts", np.random.default_rng(0), background=background, max_cells=300)
    assert len(own_space.fit_cells) == 300
    assert own_space.own_scale is leads
    assert list(own_space.contrasted) == (["log"] if leads else ["log", "scaled", "pearson"])
    others = np.setdiff1d(np.arange(len(own)), own_space.fit_cells)
    for name, contrasted in own_space.contrasted.items():
        plain = own_space.scores[name]
        assert contrasted.dtype == np.float32
        assert contrasted.shape == (400, 20)
        assert correlation(plain[:, 0], kind) < 0.3
        assert correlation(contrasted[own_space.fit_cells, 0], kind[own_space.fit_cells]) > 0.8
        assert correlation(contrasted[others, 0], kind[others]) > 0.8


def test_where_the_other_classes_lie_does_not_count_only_what_varies_inside_them() -> None:
    """The other class is all of one type: its mean lies off along the axis of the types, on which it does not vary."""
    counts, coarse, types = with_a_shared_program(0)
    own, kind = counts[coarse == 0], types[coarse == 0]
    others = own[kind == 1]
    background = Background(others, np.ones(len(others), dtype=np.int64))
    own_space = class_representations(own, "counts", np.random.default_rng(0), background=background)
    for scores in own_space.contrasted.values():
        assert correlation(scores[:, 0], kind) > 0.8


def test_without_others_the_contrasted_components_are_the_principal_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(principal_axes, "LEADING", np.inf)  # those of all normalizations
    counts, coarse, _ = with_a_shared_program(1)
    own_space = class_representations(counts[coarse == 0], "counts", np.random.default_rng(0))
    for name, scores in own_space.scores.items():
        np.testing.assert_array_equal(own_space.contrasted[name], scores[:, :20])
    assert [X.shape[1] for X in own_space.contrasted_components()] == [10, 20] * 3


def test_of_an_embedding_nothing_is_taken_off() -> None:
    counts, coarse, _ = with_a_shared_program(1)
    background = Background(counts[coarse == 1], coarse[coarse == 1])
    own_space = class_representations(counts[coarse == 0], "embedding", np.random.default_rng(0), background=background)
    assert own_space.contrasted_components() == []
    alone = class_representations(counts[coarse == 0], "embedding", np.random.default_rng(0))
    np.testing.assert_allclose(
        np.abs(alone.scores["log"][:, :2]), np.abs(own_space.scores["log"][:, :2]), rtol=1e-2, atol=0.1
    )


def test_dense_equals_csr() -> None:
    counts, coarse, _ = with_a_shared_program(2)
    own, rest, codes = counts[coarse == 0], counts[coarse == 1], coarse[coarse == 1]
    dense = class_representations(own, "counts", np.random.default_rng(0), background=Background(rest, codes))
    csr = class_representations(
        sparse.csr_matrix(own),
        "counts",
        np.random.default_rng(0),
        background=Background(sparse.csr_matrix(rest), codes),
    )
    for name, scores in dense.contrasted.items():
        np.testing.assert_allclose(np.abs(csr.contrasted[name][:, :1]), np.abs(scores[:, :1]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_further_class_goes_where_types_are_not_where_the_shared_program_is(seed: int) -> None:
    counts, coarse, _ = with_a_shared_program(seed)
    start = consensus_start(StartInput(counts, "counts"), coarse, 3, rng=0, n_jobs=1, n_repeats=1)
    np.testing.assert_array_equal(start.relation.sum(axis=0), [2, 1])
