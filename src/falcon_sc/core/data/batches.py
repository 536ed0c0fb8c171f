"""Where the samples live, how a batch of them is read, and what the network sees of it: one small protocol for each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import scipy.sparse as sp
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from torch import Generator, Tensor


@dataclass(frozen=True)
class SparseRows:
    """Some rows of a sparse matrix: the entries of row i are `offsets[i]` to `offsets[i + 1]`."""

    indices: Tensor
    values: Tensor
    offsets: Tensor
    n_features: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, features)."""
        return len(self.offsets), self.n_features

    def to_dense(self) -> Tensor:
        """(rows, features), float."""
        lengths = torch.diff(self.offsets, append=self.offsets.new_tensor([len(self.values)]))
        rows = torch.repeat_interleave(lengths, output_size=len(self.values))
        dense = self.values.new_zeros(self.shape)
        return dense.index_put_((rows, self.indices.long()), self.values)

    def head(self, n_rows: int) -> SparseRows:
        """The first rows; nothing is copied."""
        end = int(self.offsets[n_rows]) if n_rows < len(self.offsets) else len(self.values)
        return SparseRows(self.indices[:end], self.values[:end], self.offsets[:n_rows], self.n_features)


def head(rows: Tensor | SparseRows, n_rows: int) -> Tensor | SparseRows:
    """The first rows of a batch; nothing is copied."""
    return rows.head(n_rows) if isinstance(rows, SparseRows) else rows[:n_rows]


@runtime_checkable
class Samples(Protocol):
    """What the method needs of a data set: `n_features` numbers a sample, read `block` samples at a time to predict."""

    n_features: int
    device: torch.device
    block: int

    def __len__(self) -> int: ...

    def rows(self, index: Tensor) -> Tensor | SparseRows:
        """The samples at `index` (int64, on the device of the samples), ready for the views."""
        ...

    def stream(self, indices: Iterable[Tensor]) -> Iterator[Tensor | SparseRows]:
        """The samples at each of `indices` in turn; who decodes files takes several indices ahead."""
        ...


class Views(Protocol):
    """Two views of the same samples, each row for itself, and the one view that prediction takes."""

    def weak(self, rows: Any, generator: Generator) -> Any:
        """What the teacher sees."""
        ...

    def strong(self, rows: Any, generator: Generator) -> Any:
        """What the student sees."""
        ...

    def plain(self, rows: Any) -> Any:
        """What is predicted from: no randomness."""
        ...


def check_views(views: object) -> None:
    """Refuse what gives no views.

    Raises
    ------
    TypeError
        If a method is missing.
    """
    if not all(callable(getattr(views, name, None)) for name in ("weak", "strong", "plain")):
        msg = f"views must have the methods weak, strong and plain, found {views!r}."
        raise TypeError(msg)


class SameViews:
    """The sample itself, for everyone: cells are not augmented (paper, appendix G)."""

    def weak(self, rows: Any, generator: Generator) -> Any:  # noqa: ARG002 - the protocol's name
        """As it is."""
        return rows

    def strong(self, rows: Any, generator: Generator) -> Any:  # noqa: ARG002 - the protocol's name
        """As it is."""
        return rows

    def plain(self, rows: Any) -> Any:
        """As it is."""
        return rows


class InMemory(ABC):
    """Samples that are there when they are asked for, so that nothing is read ahead."""

    block = 8192

    @abstractmethod
    def rows(self, index: Tensor) -> Tensor | SparseRows:
        """See :class:`Samples`."""

    def stream(self, indices: Iterable[Tensor]) -> Iterator[Tensor | SparseRows]:
        """Each batch when it is its turn."""
        return map(self.rows, indices)


class DenseSamples(InMemory):
    """Samples in one tensor, which stays on the device: float32, (N, features)."""

    def __init__(self, X: Tensor | np.ndarray[Any, Any], device: torch.device) -> None:
        self._X = torch.as_tensor(X).to(device, torch.float32).contiguous()
        self.n_features = self._X.shape[1]
        self.device = device

    def __len__(self) -> int:
        return self._X.shape[0]

    def rows(self, index: Tensor) -> Tensor:
        """(B, features)."""
        return self._X[index]


class HostCSRSamples(InMemory):
    """Samples in a scipy CSR matrix, read row by row on the host and multiplied sparse."""

    def __init__(self, X: sp.csr_matrix | sp.csr_array) -> None:
        self._X = sp.csr_array(X, dtype=np.float32)
        self.n_features = X.shape[1]
        self.device = torch.device("cpu")

    def __len__(self) -> int:
        return int(self._X.shape[0])

    def rows(self, index: Tensor) -> SparseRows:
        """The rows, still sparse."""
        block = self._X[index.numpy()]
        return SparseRows(
            torch.from_numpy(block.indices),
            torch.from_numpy(block.data),
            torch.from_numpy(block.indptr[:-1]),
            self.n_features,
        )


class DeviceCSRSamples(InMemory):
    """Samples in CSR form on an accelerator; a batch is made dense there, without asking the host for its size."""

    def __init__(self, X: sp.csr_matrix | sp.csr_array, device: torch.device) -> None:
        X = sp.csr_array(X, dtype=np.float32)
        lengths = np.diff(X.indptr)
        self._starts = torch.from_numpy(X.indptr[:-1].astype(np.int64)).to(device)
        self._lengths = torch.from_numpy(lengths.astype(np.int64)).to(device)
        # one entry of padding, so that a row shorter than the longest can point somewhere
        self._indices = torch.from_numpy(np.append(X.indices, 0).astype(np.int32)).to(device)
        self._values = torch.from_numpy(np.append(X.data, np.float32(0))).to(device)
        self._columns = torch.arange(int(lengths.max(initial=0)), device=device)
        self.n_features = int(X.shape[1])
        self.device = device

    def __len__(self) -> int:
        return len(self._starts)

    def rows(self, index: Tensor) -> Tensor:
        """(B, features), dense, on the device."""
        inside = self._columns < self._lengths[index, None]
        position = torch.where(inside, self._starts[index, None] + self._columns, len(self._values) - 1)
        dense = torch.zeros(len(index), self.n_features, device=self.device)
        return dense.scatter_add_(1, self._indices[position].long(), self._values[position])


def as_samples(X: Any, device: torch.device) -> Samples:
    """The class that fits `X` (samples, dense array or tensor, or any scipy sparse matrix) and the device."""
    if isinstance(X, Samples):
        return X
    if not sp.issparse(X):
        return DenseSamples(X, device)
    return HostCSRSamples(X.tocsr()) if device.type == "cpu" else DeviceCSRSamples(X.tocsr(), device)
