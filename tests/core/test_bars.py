"""Progress bars in a notebook without ipywidgets: a bar of text, and no warning."""

from __future__ import annotations

import subprocess
import sys

import pytest

# what tqdm.auto looks at to find out that it is in a notebook, and widgets that cannot be imported
NOTEBOOK = """
import sys, types
sys.modules["ipykernel.zmqshell"] = types.ModuleType("zmqshell")
sys.modules["IPython"] = types.SimpleNamespace(get_ipython=lambda: None)
sys.modules["ipywidgets"] = None
"""
BAR = """
import numpy as np
from falcon_sc.core.start.coarse_classes import CoarseClasses
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.progress import FitsBar, fits_done
from falcon_sc.core.start.workers import Workers
classes = CoarseClasses(StartInput(np.zeros((4, 2), np.float32), "embedding", None), np.array([0, 0, 1, 1]))
with FitsBar([1, 1], shown=True) as bar:
    classes.each(lambda c: fits_done(), workers=Workers(0), stage=bar.stages[0])
"""


def _stderr(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", NOTEBOOK + code], capture_output=True, text=True, check=True)
    return done.stderr


def test_a_bar_of_text_without_a_warning() -> None:
    printed = _stderr(BAR)
    assert "inside coarse classes: 100%" in printed
    assert "Warning" not in printed


@pytest.mark.parametrize("module", ["falcon_sc.core.training.trainer", "falcon_sc.vision.pretraining"])
def test_so_with_the_bars_over_epochs(module: str) -> None:
    assert "IProgress" not in _stderr(f"import {module}")


def test_tqdm_alone_would_warn_there() -> None:
    assert "IProgress not found" in _stderr("import tqdm.auto")
