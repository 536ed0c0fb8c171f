"""Messages name arguments as Python spells them; on a command line they are options."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection, Mapping

_CODE = re.compile(r"""(?<!= )\b(?:del (?=adata)|adata(?:\.\w+|\[[^\]]*\])*(?:\(| = ))""")  # what no shell can do
_QUOTED = re.compile(r"""((?<!\w)'[^']*'(?!\w)|"[^"]*")""")  # names of the user, which stay as they are


class Spelling:
    """Of the messages of one command.

    Parameters
    ----------
    parser
        Knows its options, and what their arguments are called.
    commands
        Names of all commands, which are functions of `falcon_sc.tl`.
    others
        Option for what a function calls otherwise than the command.
    """

    def __init__(self, parser: argparse.ArgumentParser, commands: Collection[str], others: Mapping[str, str]) -> None:
        given = [action for action in parser._actions if action.option_strings and action.nargs != 0]
        self._options = {action.dest: action.option_strings[-1] for action in given} | dict(others)
        names = "|".join(self._options)
        ways = [rf"({names})(?==)", rf"^({names})(?= must )"]
        if plain := [name for name in self._options if "_" in name or name == "fixed"]:  # the others are words as well
            ways.append(rf"({'|'.join(plain)})(?!\w|\.\w)")
        self._argument = re.compile(rf"(?<![\w.-])(?:{'|'.join(ways)})")
        self._call = re.compile(
            rf"falcon_sc\.tl\.({'|'.join(commands)})\b(?:\((?:adata, )?(?:\.\.\., )?(\w+)=([^()]*)\))?(?!\()"
        )

    def __call__(self, message: str) -> str:
        """The message in the words of the command line."""
        message = _CODE.sub(r"in Python \g<0>", self._call.sub(_as_command, message))
        if "fixed" in self._options:
            message = re.sub(r"""\bfixed=\{(['"])(.*?)\1: (\d+)\}""", r"--fixed='\2=\3'", message)
            message = re.sub(r"""\bfixed\[(['"])(.*?)\1\]=(\d+)""", r"--fixed='\2=\3'", message)
            message = re.sub(r"""\bfixed\[(['"].*?['"])\]""", r"--fixed \1", message)
        pieces = _QUOTED.split(message)
        return "".join(
            piece if place % 2 else self._argument.sub(lambda found: self._options[found[found.lastindex or 0]], piece)
            for place, piece in enumerate(pieces)
        )


def _as_command(found: re.Match[str]) -> str:
    command, argument, value = found.groups()
    option = "" if argument is None else f" --{argument.replace('_', '-')}={value}"
    return f"falcon-sc {command}{option}"


class SpelledFormatter(logging.Formatter):
    """The lines of the log, which also say what can be given."""

    def __init__(self, spelled: Callable[[str], str]) -> None:
        super().__init__("%(message)s")
        self._spelled = spelled

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return self._spelled(super().format(record))
