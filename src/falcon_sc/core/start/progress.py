"""How far the start is, counted in fits of mixtures.

Threads only count. The bar belongs to the thread that waits for them: what others print lands in the wrong cell of a
notebook.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Self

BETWEEN_DRAWINGS = 0.1  # seconds, at least: adding up takes longer than a short fit

_COUNT: ContextVar[Callable[[int], object] | None] = ContextVar("count", default=None)


def fits_done(n: int = 1) -> None:
    """To be called at the end of every fit of a mixture, or of `n` that were made together, for whoever counts."""
    count = _COUNT.get()
    if count is not None:
        count(n)


@contextmanager
def counting_fits(count: Callable[[int], object]) -> Iterator[None]:
    """`count` hears of every fit that this thread makes."""
    before = _COUNT.set(count)
    try:
        yield
    finally:
        _COUNT.reset(before)


class FitsBar:
    """A bar over the fits inside all coarse classes.

    How many there are is not known before: some are made only where they gain something. So the total is the expected
    one, corrected by what the coarse classes that are done really took.

    Parameters
    ----------
    expected
        For each stage the fits expected in each coarse class (K_C); right up to a factor is enough.
    shown
        Whether there is a bar at all.
    """

    def __init__(self, *expected: Sequence[float] | np.ndarray, shown: bool) -> None:
        self.stages = tuple(Stage(self, np.asarray(own, dtype=np.float64)) for own in expected)
        self._shown = shown
        self._bar: Any = None
        self._owner = get_ident()
        self._drawn = -np.inf

    def __enter__(self) -> Self:
        from falcon_sc.core.start.bars import Bar

        self._bar = Bar(total=self.total, desc="inside coarse classes", unit="fit", miniters=1, shown=self._shown)
        return self

    def __exit__(self, *_: object) -> None:
        self._drawn = -np.inf
        self.draw()
        self._bar.close()

    @property
    def total(self) -> int:
        """Fits made so far and those that are still expected."""
        return sum(stage.total for stage in self.stages)

    def draw(self) -> None:
        """Show where the fits are, some times a second, if this is the thread that shows it."""
        now = monotonic()
        if not self._shown or get_ident() != self._owner or now - self._drawn < BETWEEN_DRAWINGS:
            return
        self._drawn = now
        self._bar.total = self.total
        if hasattr(self._bar, "container"):  # the widget of a notebook, which has a total of its own
            self._bar.container.children[1].max = self._bar.total
        self._bar.update(int(sum(stage.made.sum() for stage in self.stages)) - self._bar.n)


class Stage:
    """One pass over the coarse classes. `expected`: float64 K_C, the fits expected; `made`: int64 K_C, those so far."""

    def __init__(self, bar: FitsBar, expected: np.ndarray) -> None:
        self.draw = bar.draw
        self.made = np.zeros(len(expected), dtype=np.int64)
        self.expected = expected
        self._done = np.zeros(len(expected), dtype=bool)

    def counted[T](self, task: Callable[[int], T]) -> Callable[[int], T]:
        """The task of a coarse class, in which fits are counted."""

        def run(c: int) -> T:
            def count(n: int) -> None:
                self.made[c] += n  # one thread works on a class
                self.draw()

            with counting_fits(count):
                result = task(c)
            self._done[c] = True
            return result

        return run

    @property
    def total(self) -> int:
        """Fits of this stage, as far as they are known."""
        known = self._done & (self.made > 0)
        factor = self.made[known].sum() / max(self.expected[known].sum(), 1) if known.any() else 1.0
        still = np.maximum(self.made, factor * self.expected)[~self._done]
        return int(self.made[self._done].sum() + np.rint(still).sum())
