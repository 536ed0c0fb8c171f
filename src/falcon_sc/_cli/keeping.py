"""Hours of work are not lost because the file for them cannot be written at the end."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from falcon_sc._cli.console import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    type Write = Callable[[Path], object]


@dataclass(frozen=True)
class Output:
    """Something to write: `path` and the name of its argument, what writes it to a path, and the `least` of it.

    `least` is the name of a small file with what a person waited for, and what writes that.
    """

    path: Path
    argument: str
    write: Write
    least: tuple[str, Write] | None = None


def write_all(outputs: Sequence[Output]) -> None:
    """Write what was computed: each output to its path, or else to a new folder for temporary files.

    Raises
    ------
    OSError
        After all of them were tried, if one could not be written; says where it is instead.
    """
    problems = []
    for output in outputs:
        try:
            output.write(output.path)
            print(f"wrote {output.path}")
        except Exception as error:  # noqa: BLE001 - raised below, when nothing more can be saved
            where = _instead(output)
            problems.append(f"{output.argument}={str(output.path)!r} could not be written ({one_line(error)}). {where}")
    if problems:
        raise OSError(" ".join(problems))


def _instead(output: Output) -> str:
    tried = [(output.path.name, output.write, "It is")]
    if output.least is not None:
        tried.append((*output.least, "What was found is"))
    why = ""
    for name, how, what in tried:
        try:
            return f"{what} in {str(_in_new_folder(name, how))!r}."
        except Exception as error:  # noqa: BLE001 - there may be another way
            why = one_line(error)
    return f"Nor could anything be written elsewhere ({why})."


def _in_new_folder(name: str, write: Write) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="falcon-sc-"))
    try:
        write(folder / name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder / name
