"""The log can be seen where nobody has set up logging."""

from __future__ import annotations

import builtins
import logging
import os
import sys
from typing import TextIO

_PACKAGE = logging.getLogger("falcon_sc")


def show_log() -> None:
    """Print the log of this package from now on, unless the program has set up logging, or its level here, itself.

    A library that prints without being asked is a nuisance in a program that has set up logging, and one that says
    nothing is a nuisance in a notebook. So this is what `logging.info` does: the first call decides, and nothing is
    touched where there is a handler. Of several processes the leading one prints.
    """
    if _PACKAGE.hasHandlers() or os.environ.get("RANK", "0") != "0":
        return
    _PACKAGE.addHandler(_Printed())
    if _PACKAGE.level == logging.NOTSET:
        _PACKAGE.setLevel(logging.INFO)


class _Printed(logging.StreamHandler[TextIO]):
    """Prints where scanpy does: below the cell of a notebook on stdout, elsewhere on stderr."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(logging.Formatter("%(message)s"))

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """What the stream is now: notebooks and tests exchange it."""
        return sys.stdout if hasattr(builtins, "__IPYTHON__") else sys.stderr

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:
        """Silent once the program has set up logging after all: no line comes twice."""
        return False if logging.getLogger().handlers else super().filter(record)
