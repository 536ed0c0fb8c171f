"""Libraries whose functions numba compiles when they are imported, and keeps on disk."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def says_where_to_keep_it(library: str) -> Iterator[None]:
    """Around the import of a library that insists on a folder for its compiled code: say how to give it one.

    Raises
    ------
    RuntimeError
        If numba finds no folder that it may write to, as in a read-only container.
    """
    try:
        yield
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        msg = (
            "set the environment variable NUMBA_CACHE_DIR to a folder that can be written, such as "
            f"NUMBA_CACHE_DIR=/tmp/numba, before Python starts: {library} keeps there what numba compiles for it, and "
            "numba found no folder that it may write to (a read-only container?)."
        )
        raise RuntimeError(msg) from error
