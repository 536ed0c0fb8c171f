"""What is said on the console, which never decides whether work is done or lost.

A console that has no letters for a name, the closed pipe of ``| head`` and a full disk behind ``2> log`` are no reason
to end a run, or to call a written file a failure.
"""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO


@contextlib.contextmanager
def steady_console() -> Iterator[None]:
    """Standard output and standard error, as streams that raise nothing."""
    with (
        contextlib.redirect_stdout(_SteadyStream(sys.stdout)),
        contextlib.redirect_stderr(_SteadyStream(sys.stderr)),
    ):
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


@contextlib.contextmanager
def warnings_in_words(spelled: Callable[[str], str]) -> Iterator[None]:
    """Warnings for the user, as lines like those of errors; a place in the code says nothing on a command line.

    `spelled` puts them into the words of the command.
    """
    usual = warnings.formatwarning

    def in_words(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if issubclass(category, UserWarning):
            return f"falcon-sc: warning: {spelled(' '.join(str(message).split()))}\n"
        return usual(message, category, filename, lineno, line)

    warnings.formatwarning = in_words
    try:
        yield
    finally:
        warnings.formatwarning = usual


def one_line(error: BaseException) -> str:
    """The message of an error."""
    # str() of a KeyError puts its message in quotes
    message = error.args[0] if isinstance(error, KeyError) and error.args else error
    return " ".join(str(message).split()) or type(error).__name__


class _SteadyStream:
    """A text stream; what it has no letters for is written with backslashes, and what it cannot take is dropped."""

    def __init__(self, stream: TextIO | None) -> None:
        # Python has none where a program is started without
        self._stream = open(os.devnull, "w", encoding="utf-8") if stream is None else stream  # noqa: PTH123, SIM115

    def write(self, text: str) -> int:
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self.write(text.encode(encoding, "backslashreplace").decode(encoding))
        except (OSError, ValueError):  # ValueError: it was closed
            self._drop_the_rest()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._drop_the_rest()

    def _drop_the_rest(self) -> None:
        """Python writes what is left in the buffer when it ends, and would end with an error of its own."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
