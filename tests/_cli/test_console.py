from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from falcon_sc._cli.console import one_line

# stands for a run: it says things, shows a bar, and has something to write in the end
RUN = """
import logging, pathlib, sys
from tqdm import tqdm
from falcon_sc._cli.console import steady_console

with steady_console():
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    for _ in tqdm(range(3)):
        logging.info("\\u7ed3")
        print("\\u7ed3\\u679c " + 10_000 * "more than a buffer holds ")
    pathlib.Path(sys.argv[1]).write_text("done")
    print("wrote \\u7ed3\\u679c \\udce4")
"""


def _run(written: Path, **streams) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([sys.executable, "-c", RUN, written], check=False, **streams)
    finally:
        assert written.read_text() == "done"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_full_disk_behind_a_stream(tmp_path: Path, name: str) -> None:
    other = {"stdout": "stderr", "stderr": "stdout"}[name]
    with Path("/dev/full").open("wb") as full:
        done = _run(tmp_path / "written", **{name: full, other: subprocess.PIPE})
    assert done.returncode == 0
    assert b"rror" not in (done.stderr or b"")  # Python would complain about what is left in its buffer


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_pipe(tmp_path: Path, name: str) -> None:
    """As before `| head -1`, which ends when it has its line."""
    reader, writer = os.pipe()
    os.close(reader)
    other = {"stdout": "stderr", "stderr": "stdout"}[name]
    done = _run(tmp_path / "written", **{name: writer, other: subprocess.PIPE})
    os.close(writer)
    assert done.returncode == 0
    assert b"rror" not in (done.stderr or b"")


def test_a_console_without_the_letters(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = _run(tmp_path / "written", capture_output=True, env=environment)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == rb"wrote \u7ed3\u679c \udce4"


@pytest.mark.skipif(os.name == "nt", reason="a shell of its own")
def test_no_streams_at_all(tmp_path: Path) -> None:
    shell = ["sh", "-c", '"$0" -c "$1" "$2" >&- 2>&-', sys.executable, RUN, tmp_path / "written"]
    assert subprocess.run(shell, check=False).returncode == 0
    assert (tmp_path / "written").read_text() == "done"


def test_one_line() -> None:
    assert one_line(KeyError("no such\n  column")) == "no such column"
    assert one_line(MemoryError()) == "MemoryError"
