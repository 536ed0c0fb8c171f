"""What odd objects are made of: values, formats, columns of labels and embeddings, each under a name."""

# ruff: noqa: ARG005 - entries of a table share one signature and use what they need of it

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Callable


def planted_counts(rng: np.random.Generator, classes: np.ndarray, n_vars: int) -> np.ndarray:
    """Counts of cells in three classes with two kinds of cell in each."""
    rates = rng.gamma(0.7, 2.0, (12, n_vars))
    kinds = 2 * classes + rng.integers(0, 2, len(classes))
    return rng.poisson(rates[kinds] * rng.uniform(0.5, 2, (len(classes), 1))).astype(np.float32)


def _log_normalized(counts: np.ndarray, total: float) -> np.ndarray:
    totals = counts.sum(axis=1, keepdims=True)
    return np.log1p(counts / np.where(totals > 0, totals, 1) * total)


def _with(counts: np.ndarray, value: float, rng: np.random.Generator) -> np.ndarray:
    """One entry replaced."""
    values = counts.copy()
    if values.size:
        values.flat[int(rng.integers(values.size))] = value
    return values


VALUES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "counts": lambda counts, rng: counts,
    "log-normalized": lambda counts, rng: _log_normalized(counts, 1e4),
    "log-normalized to the median": lambda counts, rng: _log_normalized(counts, float(np.median(counts.sum(axis=1)))),
    "linear": lambda counts, rng: np.expm1(_log_normalized(counts, 1e4)),
    "corrected counts": lambda counts, rng: counts * rng.uniform(0.8, 1, counts.shape),
    "scaled": lambda counts, rng: counts - counts.mean(),
    "zeros": lambda counts, rng: np.zeros_like(counts),
    "ones": lambda counts, rng: np.ones_like(counts),
    "NaN": lambda counts, rng: _with(counts, np.nan, rng),
    "inf": lambda counts, rng: _with(counts, np.inf, rng),
    "negative": lambda counts, rng: _with(counts, -1.0, rng),
    "huge": lambda counts, rng: _with(counts, 1e30, rng),
    "empty cells": lambda counts, rng: counts * (rng.random((len(counts), 1)) < 0.8),
    "empty genes": lambda counts, rng: counts * (rng.random((1, counts.shape[1])) < 0.5),
}


def _read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flags.writeable = False
    return values


def _sparse(kind: str) -> Callable[[np.ndarray], Any]:
    """Sparse formats hold numbers only; other types stay dense."""
    return lambda values: (
        getattr(sparse, kind)(values) if values.dtype.kind in "biuf" and values.dtype != "f2" else values
    )


def _duplicated(values: np.ndarray) -> Any:
    """A CSR matrix that stores every value in two halves, and a zero."""
    if values.dtype.kind != "f" or values.dtype.itemsize < 4:
        return values
    half = sparse.coo_matrix(values / 2)
    rows, columns = np.tile(half.row, 2), np.tile(half.col, 2)
    parts = np.tile(half.data, 2)
    whole = sparse.csr_matrix(values.shape, dtype=values.dtype)
    order = np.argsort(rows, kind="stable")
    whole.data, whole.indices = parts[order], columns[order].astype(np.int32)
    whole.indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(values)))]).astype(np.int32)
    return whole


FORMATS: dict[str, Callable[[np.ndarray], Any]] = {
    "csr": _sparse("csr_matrix"),
    "csc": _sparse("csc_matrix"),
    "csr_array": _sparse("csr_array"),
    "csc_array": _sparse("csc_array"),
    "dense": lambda values: values,
    "fortran": np.asfortranarray,
    "read-only": _read_only,
    "duplicated entries": _duplicated,
}

_WORDS = np.array(["T cell", "B cell", "CD4/CD8 µ", "a:b|c", "$x$", ""])


def _some_missing(values: Any, rng: np.random.Generator, missing: Any) -> np.ndarray:
    labels = np.array(values, dtype=object)
    labels[rng.random(len(labels)) < 0.2] = missing
    return labels


COLUMNS: dict[str, Callable[[np.ndarray, np.random.Generator], Any]] = {
    "text": lambda codes, rng: np.array(["a", "b", "c", "d", "e", "f"], dtype=object)[codes],
    "awkward text": lambda codes, rng: _WORDS.astype(object)[codes],
    "categories": lambda codes, rng: pd.Categorical(np.array(list("abcdef"))[codes], categories=list("abcdefgh")),
    "ordered categories": lambda codes, rng: pd.Categorical(
        np.array(list("abcdef"))[codes], categories=list("fedcbazy"), ordered=True
    ),
    "categories of numbers": lambda codes, rng: pd.Categorical(codes * 10),
    "integers": lambda codes, rng: codes,
    "large integers": lambda codes, rng: codes + 2**53,
    "unsigned": lambda codes, rng: codes.astype(np.uint64) + np.uint64(2**63),
    "floats": lambda codes, rng: codes.astype(float),
    "floats with NaN": lambda codes, rng: _some_missing(codes, rng, np.nan).astype(float),
    "fractions": lambda codes, rng: codes / 3,
    "Int64 with NA": lambda codes, rng: pd.array(_some_missing(codes, rng, pd.NA), dtype="Int64"),
    "string with NA": lambda codes, rng: pd.array(_some_missing(_WORDS[codes], rng, pd.NA), dtype="string"),
    "text with None": lambda codes, rng: _some_missing(_WORDS[codes], rng, None),
    "text nan": lambda codes, rng: _some_missing(_WORDS[codes], rng, "nan"),
    "all missing": lambda codes, rng: np.full(len(codes), None, dtype=object),
    "booleans": lambda codes, rng: codes > 0,
    "mixed": lambda codes, rng: np.array([1, "1", 2.5, "b", True, None], dtype=object)[codes],
    "long": lambda codes, rng: np.array([f"{'class ' * 20}{code}" for code in codes], dtype=object),
    "one of a kind": lambda codes, rng: np.arange(len(codes)).astype(str).astype(object),
    "dates": lambda codes, rng: pd.to_datetime(codes, unit="D"),
}


def _floats(classes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(rng.normal(size=(len(classes), 6)) + classes[:, None])


EMBEDDINGS: dict[str, Callable[[np.ndarray, np.random.Generator, pd.Index], Any]] = {
    "floats": lambda classes, rng, index: _floats(classes, rng),
    "half precision": lambda classes, rng, index: _floats(classes, rng).astype(np.float16),
    "one column": lambda classes, rng, index: _floats(classes, rng)[:, :1],
    "constant": lambda classes, rng, index: np.ones((len(classes), 4)),
    "NaN": lambda classes, rng, index: _with(_floats(classes, rng), np.nan, rng),
    "table": lambda classes, rng, index: pd.DataFrame(_floats(classes, rng), index=index, columns=list("abcdef")),
    "table with text": lambda classes, rng, index: pd.DataFrame({"a": 1.0, "b": "x"}, index=index),
    "images": lambda classes, rng, index: np.zeros((len(classes), 4, 4)),
    "sparse": lambda classes, rng, index: sparse.csr_matrix(_floats(classes, rng)),
}
