from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.core.start.test_consensus_start import N_TRUE, simulate

from falcon_sc.core.runtime.checkpoint import Checkpoint
from falcon_sc.core.start import consensus_start as module
from falcon_sc.core.start.class_clustering import fit_class
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.input import StartInput
from falcon_sc.core.start.keeping import KeptClasses, packed, unpacked
from falcon_sc.core.start.representation.contrast import Background

if TYPE_CHECKING:
    from falcon_sc.core.start.start import Start


class InMemory(dict[str, Any]):
    """A storage that is gone with the process."""

    load_part = dict.get
    save_part = dict.__setitem__


def _fit_of(kind: str, ks: list[int]) -> Any:
    counts, coarse, _ = simulate()
    rows, others = counts[coarse == 0], Background(counts[coarse != 0], coarse[coarse != 0])
    return fit_class(
        rows if kind == "counts" else rows - rows.mean(axis=0),
        kind,
        ks,
        np.random.default_rng(0),
        batch=None,
        background=others,
        has_counts=kind == "counts",
        n_genes=100,
        max_cells=120,
    )


@pytest.mark.parametrize(
    ("kind", "ks"), [("counts", [1, 2]), ("embedding", [1, 2]), ("panel", [1, 2]), ("counts", [3])]
)
def test_the_fits_of_a_class_are_kept_whole(kind: str, ks: list[int], tmp_path: Path) -> None:
    fit = _fit_of(kind, ks)
    storage = Checkpoint(tmp_path, "abc")
    storage.save_part("fits_0", packed(fit))
    again = unpacked(storage.load_part("fits_0"))
    np.testing.assert_equal(vars(again.representations), vars(fit.representations))
    assert again.representations.own_scale is fit.representations.own_scale
    assert again.representations.own_scale is (kind != "embedding")  # of these counts one axis leads
    assert [list(part) for part in (again.representations.scores, again.representations.contrasted)] == [
        list(part) for part in (fit.representations.scores, fit.representations.contrasted)
    ]  # the latents are the scores side by side, in their order
    assert (fit.log_likelihood is None) == (len(ks) == 1)
    np.testing.assert_equal(again.log_likelihood, fit.log_likelihood)


@pytest.mark.parametrize("bits", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_the_generator_goes_on_where_the_fits_left_it(bits: str) -> None:
    def generator() -> np.random.Generator:
        return np.random.Generator(getattr(np.random, bits)(0))

    first, second, storage = generator(), generator(), InMemory()

    def compute() -> Any:
        first.normal(size=3)
        first.integers(5, size=3, dtype=np.int32)  # leaves half of a number behind
        return _fit_of("embedding", [2])

    KeptClasses(storage).fit(0, first, compute)
    KeptClasses(storage).fit(0, second, lambda: pytest.fail("was kept"))
    np.testing.assert_array_equal(first.integers(9, size=9, dtype=np.int32), second.integers(9, size=9, dtype=np.int32))
    assert first.normal() == second.normal()


def test_further_paths_of_a_class_are_kept_and_the_generator_goes_on() -> None:
    first, second, storage = np.random.default_rng(0), np.random.default_rng(0), InMemory()
    found = KeptClasses(storage).paths(0, first, lambda: first.normal(size=(3, 6, 4)))
    again = KeptClasses(storage).paths(0, second, lambda: pytest.fail("was kept"))
    np.testing.assert_array_equal(again, found)
    assert first.normal() == second.normal()


RUN = """
import os, signal, sys
from pathlib import Path
from falcon_sc.core.runtime.checkpoint import Checkpoint
from falcon_sc.core.start import workers
from tests.core.start.test_keeping import start
save, saved = Checkpoint.save_part, []
workers.CELLS_EACH = 1  # two processes

def save_and_die(storage, name, arrays):
    save(storage, name, arrays)
    saved.append(name)
    if len(saved) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

Checkpoint.save_part = save_and_die
start(Path(sys.argv[1]), sys.argv[3])
"""


def start(folder: Path | None, asked: str) -> Start:
    counts, coarse, _ = simulate(n=200)
    storage = None if folder is None else Checkpoint(folder, "abc")
    n_fine = 7 if asked == "total" else N_TRUE
    return consensus_start(
        StartInput(counts, "counts"), coarse, n_fine, rng=0, n_jobs=2, storage=storage, n_repeats=1, max_cells=90
    )


@pytest.mark.parametrize(("n_parts", "asked"), [(2, "total"), (4, "total"), (6, "total"), (1, "numbers")])
def test_a_start_that_is_killed_goes_on_from_the_classes_that_were_done(
    n_parts: int, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A real process dies among the fits, the further paths or the labels of three coarse classes; the start ends bit for bit the same."""
    code = [sys.executable, "-c", RUN, str(tmp_path), str(n_parts), asked]
    root = str(Path(__file__).parents[3])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    killed = subprocess.run(code, check=False, env={**os.environ, "PYTHONPATH": paths})
    assert killed.returncode == -signal.SIGKILL
    kept = sorted(path.stem for path in (tmp_path / "start").glob("*.npz"))
    assert n_parts <= len(kept) <= n_parts + 1  # of two processes, the other may have been at it
    n_fits, n_paths, n_labels = (sum(name.startswith(part) for name in kept) for part in ("fits", "paths", "labels"))
    computed: list[str] = []
    for name in ("fit_class", "paths", "label_class"):  # the real ones, which are counted
        monkeypatch.setattr(module, name, _counting(computed, name, getattr(module, name)))
    with caplog.at_level("INFO", "falcon_sc"):
        resumed = start(tmp_path, asked)
    assert computed.count("fit_class") == 3 - n_fits
    assert computed.count("paths") == 2 * (asked == "total") - n_paths  # of classes whose numbers hang on the path
    assert computed.count("label_class") == 3 - n_labels
    assert f"before the interrupt, of the coarse classes: fits of {n_fits}, labels of {n_labels}" in caplog.text
    np.testing.assert_equal(vars(resumed), vars(start(None, asked)))


def _counting(computed: list[str], name: str, function: Any) -> Any:
    def counted(*args: Any, **options: Any) -> Any:
        computed.append(name)
        return function(*args, **options)

    return counted
