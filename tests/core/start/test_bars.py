from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from falcon_sc.core.start.bars import Bar

if TYPE_CHECKING:
    import pytest

WORK = """
import sys
from falcon_sc.core.start.bars import Bar
if "without" in sys.argv:
    sys.stderr = None  # as Python has it in a program without a console
with Bar(total=3, desc="work", shown=True, mininterval=0) as bar:
    for _ in range(3):
        bar.update()
        bar.set_postfix(loss="1", refresh=True)
print("done")
"""


def test_a_bar_is_shown_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    for shown in (True, False):
        with Bar(total=2, desc="work", shown=shown) as bar:
            bar.update(2)
        assert ("work: 100%" in capsys.readouterr().err) == shown


def test_no_standard_error_is_no_reason_to_end() -> None:
    done = subprocess.run([sys.executable, "-c", WORK, "without"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_nor_is_one_that_nobody_reads() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    # what is left in the buffer is an error when Python ends, as without a bar; the work is done by then
    done = subprocess.run([sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=writes, text=True, check=False)
    os.close(writes)
    assert done.stdout == "done\n"
