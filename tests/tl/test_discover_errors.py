"""Every mistake is named before anything is computed, and leaves the object as it was."""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

import falcon_sc as fsc

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def odd(cells: AnnData) -> AnnData:
    """Cells with everything that can be asked for by mistake."""
    coarse = cells.obs["coarse"].astype(str).to_numpy()
    cells.obs["lonely"] = np.where(np.arange(240) == 5, "alone", coarse)
    cells.obs["holes"] = np.where(np.arange(240) < 3, None, coarse)
    cells.layers["nan"] = np.where(np.arange(160) == 7, np.nan, cells.X.toarray())
    cells.layers["inf"] = np.where(np.arange(160) == 7, np.inf, cells.X.toarray())
    cells.layers["scaled"] = cells.X.toarray() - 1
    cells.layers["constant"] = np.full(cells.shape, -2.5)
    cells.obsm["X_pca"] = np.ones((240, 4))
    return cells


MAPPING = {"B cell": 2, "CD4/CD8 T": 2, "µ glia": 2}
MISTAKES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "coarse_key": (
        {"coarse_key": "celltype"},
        KeyError,
        "coarse_key='celltype' is not a column of adata.obs, which has: 'coarse', 'fine'",
    ),
    "too many for a class of one cell": (
        {"coarse_key": "lonely", "n_fine": {**dict.fromkeys(("B cell", "CD4/CD8 T", "µ glia"), 2), "alone": 2}},
        ValueError,
        r"n_fine\['alone'\]=2 must be from 1 to the number of members of that class, 1",
    ),
    "too few": ({"n_fine": 2}, ValueError, "n_fine=2 is smaller than the number of coarse classes, 3"),
    "too many": ({"n_fine": 241}, ValueError, "n_fine=241 is larger than the number of coarse labels, 240"),
    "float": ({"n_fine": 6.0}, TypeError, r"n_fine must be an int, or a mapping .*, found 6\.0 \(float\)"),
    "bool": ({"n_fine": True}, TypeError, "n_fine must be an int, or a mapping .*, found True"),
    "text": ({"n_fine": "many"}, TypeError, "n_fine must be an int, a mapping.* or 'auto', found 'many'"),
    "none": ({"n_fine": None}, TypeError, "n_fine must be an int, or a mapping .*, found None"),
    "mapping misses": ({"n_fine": {"B cell": 2, "µ glia": 1}}, ValueError, "no number for .* 'CD4/CD8 T'"),
    "mapping names another": ({"n_fine": MAPPING | {"NK": 1}}, ValueError, "n_fine names 'NK'"),
    "mapping names one twice": (
        {"n_fine": pd.Series([2, 2, 2, 1], index=[*MAPPING, "B cell"])},
        ValueError,
        "'B cell' twice",
    ),
    "mapping to nothing": ({"n_fine": MAPPING | {"B cell": 0}}, ValueError, r"n_fine\['B cell'\]=0 must be from 1 to"),
    "mapping to text": ({"n_fine": MAPPING | {"B cell": "2"}}, TypeError, r"n_fine\['B cell'\] must be an int"),
    "mapping too large": (
        {"n_fine": MAPPING | {"B cell": 91}},
        ValueError,
        r"n_fine\['B cell'\]=91 .* number of members .* 90",
    ),
    "mapping, data sets": (
        {"n_fine": MAPPING, "dataset_key": "donor"},
        ValueError,
        "n_fine cannot be a mapping with several data sets",
    ),
    "layer": ({"layer": "raw"}, KeyError, "layer='raw' is not in adata.layers, which has: 'nan'"),
    "use_rep": ({"use_rep": "X_scvi"}, KeyError, "use_rep='X_scvi' is not in adata.obsm, which has: 'X_pca'"),
    "both": ({"layer": "nan", "use_rep": "X_pca"}, ValueError, "were both given: choose one"),
    "one column for both": (
        {"dataset_key": "coarse"},
        ValueError,
        "dataset_key='coarse' is the column of coarse labels",
    ),
    "NaN": ({"layer": "nan"}, ValueError, "'nan'.* holds NaN or inf"),
    "inf": ({"layer": "inf"}, ValueError, "'inf'.* holds NaN or inf"),
    "scaled": ({"layer": "scaled"}, ValueError, "'scaled'.* holds negative values .*looks scaled"),
    "values": ({"values": "tpm"}, ValueError, "values must be None or one of 'counts', 'lognorm', 'continuous'"),
    "values, embedding": ({"values": "counts", "use_rep": "X_pca"}, ValueError, "values='counts' were both given"),
    "negative counts": ({"layer": "scaled", "values": "counts"}, ValueError, "negative values .*'counts' cannot be"),
    "counts as logarithms": ({"values": "lognorm"}, ValueError, "values='lognorm' cannot be: no logarithm"),
    "NaN, continuous": ({"layer": "nan", "values": "continuous"}, ValueError, "'nan'.* holds NaN or inf"),
    "constant": ({"layer": "constant", "values": "continuous"}, ValueError, "no column of the matrix varies"),
    "n_top_genes": ({"n_top_genes": 0}, ValueError, "n_top_genes must be at least 1"),
    "batch_key": ({"batch_key": "lane"}, KeyError, "batch_key='lane' is not a column"),
    "batch_key NA": ({"batch_key": "holes"}, ValueError, "batch_key='holes' is missing"),
    "dataset_key": ({"dataset_key": "lab"}, KeyError, "dataset_key='lab' is not a column"),
    "dataset_key NA": ({"dataset_key": "holes"}, ValueError, "dataset_key='holes' is missing"),
    "n_neighbors": ({"n_neighbors": 0}, ValueError, "n_neighbors must be at least 1"),
    "config": ({"config": {"lr": 1}}, TypeError, "config must be a falcon_sc.FalconConfig, found {'lr': 1}"),
    "max_epochs": ({"max_epochs": 0}, ValueError, "max_epochs must be at least 1"),
    "batch_size": ({"batch_size": 1.5}, TypeError, "batch_size must be an int"),
    "lr": ({"lr": -1.0}, ValueError, r"lr=-1\.0 must be a number above 0"),
    "relation_solver": ({"relation_solver": "cplex"}, ValueError, "relation_solver='cplex' must be one of"),
    "device": ({"device": "cuda:77"}, ValueError, "device='cuda:77' is not there"),
    "device name": ({"device": "gpu"}, ValueError, "device='gpu' is not there"),
    "rng": ({"rng": "zero"}, TypeError, "rng must be an int"),
    "negative rng": ({"rng": -1}, ValueError, "rng must not be negative"),
    "key_added": ({"key_added": "a/b"}, ValueError, "key_added must be a non-empty string without '/'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(odd: AnnData, fingerprint, quick, mistake: str) -> None:
    options, error, message = MISTAKES[mistake]
    before = fingerprint(odd)
    with pytest.raises(error, match=message):
        fsc.tl.discover(odd, **({"coarse_key": "coarse", "n_fine": 6} | quick | options))
    assert fingerprint(odd) == before


@pytest.mark.parametrize("mistake", ["scaled", "device", "too few"])
def test_the_same_for_a_copy(odd: AnnData, quick, mistake: str) -> None:
    options, error, message = MISTAKES[mistake]
    with pytest.raises(error, match=message):
        fsc.tl.discover(odd, **({"coarse_key": "coarse", "n_fine": 6, "copy": True} | quick | options))


@pytest.mark.parametrize("argument", ["save_model", "checkpoint"])
def test_unwritable_path(cells: AnnData, quick, fingerprint, tmp_path: Path, argument: str) -> None:
    (tmp_path / "file").touch()
    before = fingerprint(cells)
    with pytest.raises(PermissionError, match=f"{argument}='.*file/model' cannot be written"):
        fsc.tl.discover(cells, "coarse", 6, **{argument: tmp_path / "file" / "model"}, **quick)
    assert fingerprint(cells) == before


def test_names_that_are_not_unique(cells: AnnData, quick, tmp_path: Path) -> None:
    cells.var_names = ["twice", "twice", *cells.var_names[2:]]
    fsc.tl.discover(cells, "coarse", 6, **quick)  # genes need no names here
    with pytest.raises(ValueError, match="var_names_make_unique"):
        fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path / "model", **quick)
    cells.obs_names = ["twice", "twice", *cells.obs_names[2:]]
    with pytest.raises(ValueError, match="obs_names_make_unique"):
        fsc.tl.discover(cells, "coarse", 6, **quick)


def test_gurobi_license_too_small(cells: AnnData, quick, fingerprint) -> None:
    from falcon_sc.core import relations

    n_fine = 230  # 693 variables still fit the piecewise-linear form of the free license, more classes do not
    cells.obs["many"] = (np.arange(240) // 20).astype(str)
    try:
        relations.solve(np.full((n_fine, 12), 1 / n_fine), 0.1, solver="gurobi")
    except RuntimeError:
        before = fingerprint(cells)
        quick["config"] = fsc.FalconConfig(start="random", relation_solver="gurobi", lambda_M=0.1)
        with pytest.raises(RuntimeError, match='solver="flow"'):
            fsc.tl.discover(cells, "many", n_fine, **quick)
        assert fingerprint(cells) == before
    else:
        pytest.skip("a full Gurobi license is here")


@pytest.mark.parametrize("message", ["neighbors:", "training:"])
def test_interrupt_leaves_everything_as_it_was(
    cells: AnnData, quick, fingerprint, tmp_path: Path, message: str
) -> None:
    class Interrupt(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith(message):
                raise KeyboardInterrupt

    before = fingerprint(cells)
    logger, interrupt = logging.getLogger("falcon_sc"), Interrupt()
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            fsc.tl.discover(cells, "coarse", 6, save_model=tmp_path / "model", **quick)
    finally:
        logger.removeHandler(interrupt)
        logger.setLevel(level)
    assert fingerprint(cells) == before
    assert not (tmp_path / "model").exists()


RUN = """
import os, signal, sys
import anndata
import falcon_sc as fsc
from falcon_sc.core.runtime.checkpoint import Checkpoint

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started pytest with Ctrl-C ignored
save, cells = Checkpoint.save_training, anndata.read_h5ad(sys.argv[1])
before = repr(cells), cells.obs.copy()

def said(checkpoint, state):
    save(checkpoint, state)
    os.write(1, f"{state['epoch']}\\n".encode())  # all of it, or nothing

Checkpoint.is_due, Checkpoint.save_training = lambda checkpoint: True, said  # and not every twenty seconds
for _ in range(2):
    try:  # it would take hours
        fsc.tl.discover(
            cells, "coarse", 3, max_epochs=1_000_000, progress_bar=True, device="cpu", checkpoint="run", save_model="model"
        )
    except KeyboardInterrupt:
        print("as it was" if repr(cells) == before[0] and cells.obs.equals(before[1]) else "changed", flush=True)
"""


def test_ctrl_c_while_it_trains(planted: AnnData, tmp_path: Path) -> None:
    """A real process: the same call right after goes on from there, and when it is over nothing computes any more."""
    planted.write_h5ad(tmp_path / "cells.h5ad")
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "cells.h5ad"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, process_group=0,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        epochs = []
        for _ in range(2):
            epochs.append([int(running.stdout.readline()) for _ in range(2)])
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does
            while (line := running.stdout.readline().strip()).isdecimal():
                epochs[-1].append(int(line))
            assert line == "as it was"
        running.communicate()  # until the last process that holds these streams has ended
    first, second = epochs
    assert first[0] == 1
    assert second[0] - first[-1] in (1, 2)  # an epoch may be kept that was not told any more
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells.h5ad", "run"]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["run.json", "start.npz", "training.pt"]


def test_divergence_is_no_result(cells: AnnData, fingerprint) -> None:
    config = fsc.FalconConfig(
        start="random", optimizer="sgd", lr=1e30, max_grad_norm=None, batch_norm=False, max_epochs=5, n_pcs=None
    )
    before = fingerprint(cells)
    with pytest.raises(FloatingPointError):
        fsc.tl.discover(cells, "coarse", 6, config=config, progress_bar=False, device="cpu")
    assert fingerprint(cells) == before


def test_device_that_is_there(cells: AnnData, quick) -> None:
    quick["device"] = None
    fsc.tl.discover(cells, "coarse", 6, **quick)
    device = cells.uns["falcon"]["params"]["device"]
    assert device.startswith("cuda" if torch.cuda.is_available() else "cpu")
    assert math.isfinite(cells.obs["falcon_confidence"].sum())


@pytest.mark.parametrize(
    ("n_fine", "fixed", "message"),
    [
        ("auto", {"0": 2}, "fixed is given with n_fine='auto': give the total"),
        ({"0": 2, "1": 2, "2": 2}, {"0": 2}, "fixed is given with an n_fine for every coarse class"),
        (6, {"nobody": 2}, "fixed names 'nobody', which is no coarse class here"),
        (6, {"0": 6}, "n_fine=6 leaves 0 for the coarse classes that fixed does not name"),
        (6, {"0": 2}, "fixed needs a start that shares the rest out, config has start='random'"),
    ],
)
def test_fixed_numbers_that_do_not_fit(cells: AnnData, quick, fingerprint, n_fine, fixed, message: str) -> None:
    names = dict(zip("012", sorted(cells.obs["coarse"].astype(str).unique()), strict=False))
    renamed = [
        {names.get(k, k): v for k, v in own.items()} if isinstance(own, dict) else own for own in (n_fine, fixed)
    ]
    before = fingerprint(cells)
    with pytest.raises(ValueError, match=message):
        fsc.tl.discover(cells, "coarse", renamed[0], fixed=renamed[1], **quick)
    assert fingerprint(cells) == before
