"""What is typed, what is run, and how it ends."""

from __future__ import annotations

import argparse
import logging
import sys
from importlib.metadata import version

from falcon_sc._cli import bench, cut, demo, discover, markers, predict, pretrain, refine, report
from falcon_sc._cli.console import one_line, steady_console, warnings_in_words
from falcon_sc._cli.spelling import SpelledFormatter, Spelling

USER_ERROR = 2
_INTERRUPTED = 130  # what a shell reports for Ctrl-C
_COMMANDS = {
    "discover": discover, "cut": cut, "refine": refine, "predict": predict, "markers": markers, "report": report,
    "pretrain": pretrain, "demo": demo, "bench": bench,
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Run the command line; what the user can put right ends as one line on stderr and exit code 2."""
    with steady_console():
        arguments = _parser().parse_args(argv)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(SpelledFormatter(arguments.spelled))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        logging.getLogger().setLevel(logging.WARNING)
        logging.getLogger("falcon_sc").setLevel(logging.INFO)
        with warnings_in_words(arguments.spelled):
            return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    options = dict(vars(arguments))
    command, spelled, show_traceback = (options.pop(name) for name in ("command", "spelled", "traceback"))
    try:
        command(**options)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return _INTERRUPTED
    except (ArithmeticError, ImportError, KeyError, MemoryError, OSError, RuntimeError, TypeError, ValueError) as error:
        if show_traceback:
            raise
        sys.stderr.write(f"falcon-sc: error: {_with_file(spelled(one_line(error)), options.get('source'))}\n")
        return USER_ERROR
    return 0


def _with_file(message: str, source: object) -> str:
    """Which of many files it was: their loop has one line of each."""
    return message if source is None or str(source) in message else f"{source}: {message}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="falcon-sc", description="Discover fine-grained cell types inside coarse annotations."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('falcon-sc')}")
    parser.add_argument("--traceback", action="store_true", help="show the whole traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="{" + ",".join(_COMMANDS) + "}")
    for name, module in _COMMANDS.items():
        own = commands.add_parser(name, help=module.HELP, add_help=module is not bench)  # which has many, and its own
        module.add_options(own)
        own.set_defaults(command=module.run, spelled=Spelling(own, _COMMANDS, getattr(module, "CALLED_OTHERWISE", {})))
    return parser
