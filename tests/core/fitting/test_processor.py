"""The fits of the start with tensors: on the CPU, on a device that is pretended, and on a GPU where there is one."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from falcon_sc.core.fitting.processor import MOST_AT_ONCE, at_once, processor_of, tensors_on
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.estimation import estimate_numbers
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.mixtures import merging
from falcon_sc.core.start.mixtures.arrays import CPU, Array, Processor, on_host
from falcon_sc.core.start.mixtures.em import expectation_maximization, factor, likeliest_starts, one_hot
from falcon_sc.core.start.mixtures.kmeans import kmeans_labels
from falcon_sc.core.start.mixtures.student import StudentSteps
from falcon_sc.core.start.mixtures.tied import TiedSteps
from falcon_sc.datasets import pbmc68k_reduced, simulate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from falcon_sc.core.start.mixtures.em import Mixtures

KINDS = {
    "gaussian": TiedSteps,
    "equal weights": partial(TiedSteps, equal_weights=True),
    "spherical": partial(TiedSteps, equal_weights=True, spherical=True),
    "student": StudentSteps,
    "student, equal weights": partial(StudentSteps, equal_weights=True),
}


class Apart(torch.Tensor):
    """A tensor that says it is on the device "meta", and holds one of the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Apart:
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), dtype=held.dtype, device=torch.device("meta")
        )

    def __init__(self, held: torch.Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        return on_either_side(function, args, kwargs or {})


class ADevice(TorchDispatchMode):
    """A stand-in for a GPU, which this machine may lack: what lies on it cannot be computed with what lies on the host."""

    def __torch_dispatch__(self, function: Any, _: Any, args: Any = (), kwargs: Any = None) -> Any:
        return on_either_side(function, args, kwargs or {})


def on_either_side(function: Any, args: Any, kwargs: Any) -> Any:
    """A function of torch on tensors of the pretended device or of the host, not of both; or from one to the other."""
    given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = any(isinstance(tensor, Apart) for tensor in given)
    if "device" in kwargs:
        there = torch.device(kwargs["device"]).type == "meta"
        kwargs = kwargs | {"device": torch.device("cpu")}
    elif there and not all(isinstance(tensor, Apart) or tensor.ndim == 0 for tensor in given):
        msg = f"{function} of tensors on the device and on the host"
        raise RuntimeError(msg)
    args, kwargs = tree_map_only(Apart, lambda tensor: tensor.held, (args, kwargs))
    result = function(*args, **kwargs)
    return tree_map_only(torch.Tensor, Apart, result) if there else result


@pytest.fixture
def tensors(device: torch.device) -> Processor:
    """Batches as large as those of numpy, so that the same numbers are drawn for them."""
    return tensors_on(device, CPU.at_once)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu), "pretended"])
def processor(request: pytest.FixtureRequest) -> Iterator[Processor]:
    """The same, and on the pretended device, which takes ten times as long."""
    with ADevice() if request.param == "pretended" else nullcontext():
        yield tensors_on(torch.device("meta" if request.param == "pretended" else request.param), CPU.at_once)


def test_the_pretended_device_is_apart() -> None:
    with ADevice():
        there = torch.as_tensor(np.arange(3.0), device="meta")
        assert there.device.type == "meta"
        assert isinstance(there, Apart)
        np.testing.assert_array_equal(on_host(there + there), [0, 2, 4])
        with pytest.raises(RuntimeError, match="on the device and on the host"):
            there + torch.zeros(3)


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    """Three data sets, 400 x 6, float64, about centered: five overlapping groups in each."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 400, 6)) + 2 * rng.normal(size=(3, 5, 6))[:, rng.integers(5, size=400)]
    return X - X.mean(axis=1, keepdims=True)


def assert_equal(found: Mixtures, expected: Mixtures) -> None:
    """To 1e-6, but for the order of the components: of two starts that end in one optimum either may be taken."""
    for field in fields(expected):
        there = getattr(found, field.name)
        assert isinstance(there, torch.Tensor)
        assert there.dtype == torch.float64
    for own, other in zip(in_order(found.on_host()), in_order(expected), strict=True):
        assert type(own) is np.ndarray
        np.testing.assert_allclose(own, other, rtol=1e-6, atol=1e-6)


def in_order(mixtures: Any) -> list[np.ndarray]:
    """All parameters, components by the first coordinate of their means."""
    order = mixtures.means[:, :, 0].argsort(axis=1)
    of_components = [np.take_along_axis(mixtures.log_weights, order, axis=1)]
    of_components += [np.take_along_axis(mixtures.means, order[:, :, None], axis=1)]
    shared = [field.name for field in fields(mixtures) if field.name not in ("log_weights", "means")]
    return of_components + [getattr(mixtures, name) for name in shared]


def fitted(steps: Callable[[Array], TiedSteps | StudentSteps], X: Array) -> tuple[Mixtures, np.ndarray]:
    """Mixtures of five components from K-Means labels, and how their likelihoods rose."""
    start = one_hot(kmeans_labels(X, 5, np.random.default_rng(0)), 5, X.dtype)
    own = steps(X)
    runs = expectation_maximization(own, (start, start * 0 + 1) if isinstance(own, StudentSteps) else start)
    return runs.mixtures, runs.trace


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_those_of_numpy(kind: str, data: np.ndarray, processor: Processor) -> None:
    expected, expected_trace = fitted(KINDS[kind], data)
    found, trace = fitted(KINDS[kind], processor.put(data))
    assert_equal(found, expected)
    np.testing.assert_allclose(trace, expected_trace, atol=1e-9)
    X = data.astype(np.float32)
    np.testing.assert_array_equal(on_host(found.predict(processor.put(X))), expected.predict(X))


def test_the_likeliest_of_several_starts_is_that_of_numpy(data: np.ndarray, processor: Processor) -> None:
    assert_equal(likeliest(processor.put(data)), likeliest(data))


def likeliest(X: Array) -> Mixtures:
    """A mixture of three components of each data set, from the better of two K-Means starts."""
    steps = TiedSteps(X)
    repeated = steps.of(np.repeat(np.arange(len(X)), 2))
    starts = one_hot(kmeans_labels(repeated.X, 3, np.random.default_rng(0)), 3, X.dtype)
    return expectation_maximization(steps, likeliest_starts(repeated, starts, 2)).mixtures


@pytest.mark.parametrize("n", [400, 12])
def test_the_path_of_merged_mixtures_is_that_of_numpy(n: int, data: np.ndarray, processor: Processor) -> None:
    X, ks = np.ascontiguousarray(data[:, :n]), [1, 2, 4]
    expected = merging.merge_down(X, ks, np.random.default_rng(1))
    found = merging.merge_down(processor.put(X), ks, np.random.default_rng(1))
    np.testing.assert_allclose(found.log_likelihood, expected.log_likelihood, atol=1e-9)
    for own, other in zip(found.mixtures, expected.mixtures, strict=True):
        assert_equal(own, other)


def test_seeds_of_equal_rows_and_of_as_many_clusters_as_rows(processor: Processor) -> None:
    X = np.zeros((2, 10, 2), dtype=np.float32)
    X[0, 5:], X[1] = 1, np.random.default_rng(0).normal(size=(10, 2))
    for k in (1, 4, 10):
        labels = on_host(kmeans_labels(processor.put(X), k, np.random.default_rng(0)))
        np.testing.assert_array_equal(labels, kmeans_labels(X, k, np.random.default_rng(0)))


@pytest.mark.parametrize("least", [-1e-3, 1e-9])
def test_the_factor_of_a_covariance_that_lost_an_eigenvalue(least: float, processor: Processor) -> None:
    """One that is no covariance any more, and one that lies below the floor."""
    covariances = np.stack([np.eye(3), np.diag([4.0, 1.0, least])])
    floor = np.array([0.1, 1e-6])
    found = factor(processor.put(covariances.copy()), processor.put(floor))
    np.testing.assert_allclose(on_host(found), factor(covariances, floor), rtol=1e-9, atol=1e-12)


def test_labels_of_the_start_are_those_of_numpy_on_simulated_cells(tensors: Processor) -> None:
    adata = simulate(200, 60, n_coarse=2, n_fine=4, rng=0)
    codes = adata.obs["coarse"].cat.codes.to_numpy()
    assert_same_start(StartInput(adata.X, "counts"), codes, 4, tensors, leaves_per_class=2)


def test_labels_of_the_start_are_those_of_numpy_on_real_cells(tensors: Processor) -> None:
    adata = pbmc68k_reduced()
    codes = np.unique(adata.obs["coarse"].to_numpy(dtype=np.str_), return_inverse=True)[1]
    assert_same_start(StartInput(np.asarray(adata.obsm["X_pca"][:, :20]), "embedding"), codes, 10, tensors)


def test_labels_of_equal_sizes_are_those_of_numpy(tensors: Processor) -> None:
    adata = simulate(200, 60, n_coarse=2, n_fine=4, rng=1)
    codes = adata.obs["coarse"].cat.codes.to_numpy()
    assert_same_start(StartInput(adata.X, "counts"), codes, 4, tensors, equal_sizes=True)


def assert_same_start(
    cells: StartInput, coarse: np.ndarray, n_fine: int, tensors: Processor, **settings: int | bool
) -> None:
    expected, found = (
        consensus_start(cells, coarse, n_fine, rng=0, n_jobs=1, n_repeats=1, processor=own, **settings)
        for own in (CPU, tensors)
    )
    np.testing.assert_array_equal(found.relation, expected.relation)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.leaves, expected.leaves)
    np.testing.assert_allclose(found.agreement, expected.agreement, atol=1e-6)


def test_numbers_of_classes_are_those_of_numpy(tensors: Processor) -> None:
    """Of an embedding, whose cells are halved."""
    X = np.random.default_rng(2).normal(size=(160, 5)).astype(np.float32)
    X[::2, 0] += 8
    cells, codes = StartInput(X, "embedding"), np.zeros(160, dtype=np.int64)
    expected, found = (
        estimate_numbers(cells, codes, max_per_class=3, rng=0, n_jobs=1, n_repeats=1, processor=own)
        for own in (CPU, tensors)
    )
    np.testing.assert_array_equal(found.estimate, expected.estimate)
    np.testing.assert_allclose(found.support, expected.support, atol=1e-6)


def test_without_a_gpu_the_fits_are_numpys() -> None:
    assert processor_of(torch.device("cpu")) is CPU
    assert processor_of(torch.device("mps")) is CPU


@pytest.mark.gpu
def test_the_cores_beside_a_gpu_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)  # whatever machine this runs on
    assert processor_of(torch.device("cuda")) is CPU


@pytest.mark.gpu
def test_a_gpu_fits_beside_a_single_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)
    processor = processor_of(torch.device("cuda"))
    assert processor.at_once >= CPU.at_once
    assert processor.put(np.zeros(3)).device.type == "cuda"


def test_batches_go_by_the_memory_of_the_device() -> None:
    assert at_once(80 * 2**30) == MOST_AT_ONCE
    assert CPU.at_once < at_once(4 * 2**30) < at_once(8 * 2**30) < MOST_AT_ONCE
    assert at_once(10 * 2**20) == CPU.at_once  # as many as a CPU takes, at least
