"""Blocks of rows that stay in memory because they are read many times: small, as counts mostly are."""

from __future__ import annotations

import contextlib
import ctypes
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from scipy import sparse

_MOST = 1 << 30  # bytes; a million cells with 350 counts each


@dataclass(frozen=True, eq=False)
class PackedBlock:
    """A CSR matrix, float32, whose values and column numbers take one or two bytes each, where they fit."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    n_columns: int

    @classmethod
    def of(cls, block: sparse.csr_matrix) -> PackedBlock:
        """The rows of a block, all of them."""
        columns = block.indices.astype(_smallest(block.shape[1]))
        return cls(_packed(block.data), columns, block.indptr.astype(np.int64), block.shape[1])

    @property
    def n_bytes(self) -> int:
        """What it takes."""
        return self.data.nbytes + self.indices.nbytes + self.indptr.nbytes

    def rows(self, picked: np.ndarray | None) -> sparse.csr_matrix:
        """The picked rows, or all of them, as they were."""
        lengths = np.diff(self.indptr) if picked is None else np.diff(self.indptr)[picked]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        data, indices = self.data, self.indices
        if picked is not None:
            places = np.arange(indptr[-1]) + np.repeat(self.indptr[picked] - indptr[:-1], lengths)
            data, indices = data[places], indices[places]
        parts = (data.astype(np.float32), indices.astype(np.int32), indptr)
        return sparse.csr_matrix(parts, shape=(len(lengths), self.n_columns))


@dataclass
class KeptBlocks:
    """The first blocks that were read, by their numbers, as many as fit in `most` bytes; the others are read again."""

    most: int = _MOST
    is_full: bool = False
    _blocks: dict[int, PackedBlock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def n_bytes(self) -> int:
        """What the blocks take."""
        return sum(block.n_bytes for block in self._blocks.values())

    def get(self, number: int) -> PackedBlock | None:
        """A block, if it is here."""
        return self._blocks.get(number)

    def offer(self, number: int, block: PackedBlock) -> None:
        """Keep a block, if there is room."""
        with self._lock:
            if self.n_bytes + block.n_bytes > self.most:
                self.is_full = True
            else:
                self._blocks.setdefault(number, block)

    def clear(self) -> None:
        """Keep none of them any longer."""
        with self._lock:
            self._blocks.clear()
            self.is_full = False
        _give_back()


def _give_back() -> None:
    """What was freed goes back to the system, which glibc does not do with pieces of a few megabytes that lay between others."""
    with contextlib.suppress(OSError, TypeError, AttributeError):  # no such function there: nothing to be done
        ctypes.CDLL(None).malloc_trim(0)


def _packed(data: np.ndarray) -> np.ndarray:
    """Whole numbers in one or two bytes, others as they are."""
    largest = float(data.max(initial=0))
    if not (data.min(initial=0) >= 0 and largest <= np.iinfo(np.uint16).max):  # NaN is neither
        return data
    whole = data.astype(_smallest(int(largest) + 1))
    return whole if np.array_equal(whole, data) else data


def _smallest(n: int) -> type[np.unsignedinteger]:
    """The type that holds 0 to n - 1."""
    return np.uint8 if n <= 1 << 8 else np.uint16 if n <= 1 << 16 else np.uint32
