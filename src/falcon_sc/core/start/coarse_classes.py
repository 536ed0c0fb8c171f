"""The cells of each coarse class, and work on all coarse classes in parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from falcon_sc.core.start.parallel import in_threads
from falcon_sc.core.start.representation.contrast import Background, background_cells
from falcon_sc.core.start.representation.normalizations import counts_can_be_recovered
from falcon_sc.core.start.thinning import Molecules, molecules

if TYPE_CHECKING:
    from collections.abc import Callable

    from falcon_sc.core.start.input import Kind, StartInput
    from falcon_sc.core.start.progress import Stage
    from falcon_sc.core.start.workers import Workers


class CoarseClasses:
    """Cells by coarse class; `coarse`: int64 n, codes 0..K_C-1, every one of which occurs.

    `kind`: what the matrix holds. `sizes`: cells of each class, K_C. `has_counts`: whether there are counts, or they can be
    recovered.
    """

    def __init__(self, start_input: StartInput, coarse: np.ndarray) -> None:
        matrix, kind = start_input.matrix, start_input.kind
        self._matrix = matrix.tocsr() if sparse.issparse(matrix) else matrix
        self.has_counts = kind == "counts" or (kind == "lognorm" and counts_can_be_recovered(self._matrix))
        self.kind: Kind = kind
        self._batch = start_input.batch
        self._coarse = coarse
        self._kept: dict[int, Molecules] = {}
        self.sizes = np.bincount(coarse)

    def members(self, c: int) -> np.ndarray:
        """Sorted indices of the cells of a class."""
        return np.flatnonzero(self._coarse == c)

    def given(self, c: int, halved_later: np.ndarray | None = None) -> dict[str, Any]:
        """What a class is fitted from: its rows, their batch codes, cells of other classes, and what they all hold; see `fit_class`.

        Of a matrix that is slow to read, the molecules of the cells that are `halved_later` are kept for then.
        """
        rows = self._matrix[self.members(c)]
        if halved_later is not None and self.has_counts and getattr(self._matrix, "slow", False):
            self._kept[c] = molecules(halved_later, rows[halved_later], self.kind)
        return {
            "rows": rows,
            "kind": self.kind,
            "batch": self.batch_of(c),
            "background": self.around(c),
            "has_counts": self.has_counts,
        }

    def molecules(self, c: int, cells: np.ndarray) -> Molecules | None:
        """Counts of some cells of a class (sorted), None where there are none; those that were kept are let go."""
        if not self.has_counts:
            return None
        kept = self._kept.pop(c, None)
        return molecules(cells, self._matrix[self.members(c)[cells]], self.kind) if kept is None else kept

    def batch_of(self, c: int) -> np.ndarray | None:
        """Batch codes of the cells of a class."""
        return None if self._batch is None else self._batch[self.members(c)]

    def around(self, c: int) -> Background | None:
        """Some cells of the other classes; None where no other is large enough, and for an embedding: see `class_representations`."""
        if self.kind == "embedding":
            return None
        cells = background_cells(self._coarse, c)
        return Background(self._matrix[cells], self._coarse[cells]) if len(cells) else None

    def each[T](self, task: Callable[[int], T], *, workers: Workers, stage: Stage) -> list[T]:
        """`task` for every class, large ones first, in the threads of `workers`; one BLAS thread each, so that threads change no result."""
        from threadpoolctl import threadpool_limits

        order = np.argsort(-self.sizes, kind="stable").tolist()
        with threadpool_limits(limits=1):
            done = in_threads(stage.counted(task), order, workers.n_threads, progress=stage.draw, end=workers.kill)
        result: dict[int, T] = dict(zip(order, done, strict=True))
        return [result[c] for c in range(len(order))]
