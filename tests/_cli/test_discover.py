from __future__ import annotations

import argparse
import inspect
import logging
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anndata
import h5py
import pytest

import falcon_sc as fsc
from falcon_sc._cli import main
from falcon_sc._cli.discover import add_options

if TYPE_CHECKING:
    from anndata import AnnData


def test_a_real_process(source: Path, planted: AnnData, tmp_path: Path, falcon_sc) -> None:
    output = tmp_path / "new folder" / "out.h5ad"
    options = ["--max-epochs", 2, "--seed", 5, "--key-added", "sub", "--device", "cpu", "--no-progress-bar"]
    done = falcon_sc("discover", source, "--coarse-key", "coarse", "--n-fine", 6, "-o", output, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote {output}\n"
    assert "adata.X: taken for raw counts" in done.stderr
    assert [path.name for path in output.parent.iterdir()] == ["out.h5ad"]
    expected = fsc.tl.discover(
        planted, "coarse", 6, max_epochs=2, rng=5, device="cpu", progress_bar=False, key_added="sub", copy=True
    )
    written = anndata.read_h5ad(output)
    assert written.obs["sub_fine"].astype(str).equals(expected.obs["sub_fine"].astype(str))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"--coarse-key": "celltype"},
            "in.h5ad: --coarse-key='celltype' is not a column of adata.obs, which has: 'coarse'",
        ),
        ({"--n-fine": "2"}, "in.h5ad: --n-fine=2 is smaller than the number of coarse classes"),
        ({"--layer": "raw"}, "layer='raw' is not in adata.layers"),
        ({"--device": "cuda:77"}, "device='cuda:77' is not there"),
        ({"-o": "in.h5ad/out.h5ad"}, "--output='in.h5ad/out.h5ad' cannot be written"),
        ({"-o": "."}, "--output='.' is a folder"),
        ({"-o": "out.csv"}, "--output='out.csv' is of an unknown format: give a name that ends in .h5ad or .zarr"),
    ],
    ids=lambda value: " ".join(next(iter(value.items()))) if isinstance(value, dict) else "",
)
def test_mistakes_are_one_line(source: Path, capsys, monkeypatch, change: dict[str, str], message: str) -> None:
    monkeypatch.chdir(source.parent)
    options = {"--coarse-key": "coarse", "--n-fine": "6", "-o": "out.h5ad"} | change
    code = main(["discover", "in.h5ad", *(part for option in options.items() for part in option)])
    captured = capsys.readouterr()
    assert code == 2
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("falcon-sc: error: ")
    assert message in captured.err
    assert captured.out == ""
    assert [path.name for path in source.parent.iterdir()] == ["in.h5ad"]


@pytest.mark.parametrize(
    ("option", "folder", "other"),
    [("--save-model", "o.zarr/model", "--output"), ("--checkpoint", "o.zarr", "--output"), ("--save-model", "l.csv", "--csv")],
)  # fmt: skip
def test_a_folder_inside_what_is_written_is_known_before(
    source: Path, few_steps: list[str], capsys, monkeypatch, option: str, folder: str, other: str
) -> None:
    monkeypatch.chdir(source.parent)
    code = main(["discover", "in.h5ad", *few_steps, "-o", "o.zarr", "--csv", "l.csv", option, folder])
    assert code == 2
    assert f"{option}='{folder}' is or lies in {other}=" in capsys.readouterr().err
    assert [path.name for path in source.parent.iterdir()] == ["in.h5ad"]


def test_number_of_fine_classes_is_estimated(planted: AnnData, tmp_path: Path) -> None:
    source, output = tmp_path / "in.h5ad", tmp_path / "out.h5ad"
    planted[:120].copy().write_h5ad(source)
    options = [
        "--coarse-key",
        "coarse",
        "--n-fine",
        "auto",
        "--max-epochs",
        "2",
        "--no-progress-bar",
        "-o",
        str(output),
    ]
    assert main(["discover", str(source), *options]) == 0
    params = anndata.read_h5ad(output).uns["falcon"]["params"]
    assert params["n_fine_stable"] <= params["n_fine"]


def test_numbers_of_some_classes_are_fixed(source: Path, tmp_path: Path, capsys) -> None:
    output = tmp_path / "fixed.h5ad"
    coarse = anndata.read_h5ad(source).obs["coarse"].astype(str)
    first, second, *_ = sorted(coarse.unique())
    options = ["--coarse-key", "coarse", "--n-fine", "8", "--fixed", f"{first}=4", "--fixed", f"{second}=1"]
    assert main(["discover", str(source), *options, "--max-epochs", "2", "--no-progress-bar", "-o", str(output)]) == 0
    fine = anndata.read_h5ad(output).obs["falcon_fine"]
    numbers = fine.groupby(coarse, observed=True).nunique()
    assert (numbers[first], numbers[second]) == (4, 1)
    with pytest.raises(SystemExit, match="2"):
        main(["discover", str(source), *options, "--fixed", "T", "-o", str(output)])
    assert "argument --fixed: give CLASS=N, for instance 'T cell=6', found 'T'" in capsys.readouterr().err


def test_neither_number_nor_auto(source: Path, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["discover", str(source), "--coarse-key", "coarse", "--n-fine", "six", "-o", "out.h5ad"])
    assert "argument --n-fine: give a number or auto, found 'six'" in capsys.readouterr().err


def test_zarr_in_and_out(planted: AnnData, tmp_path: Path, few_steps) -> None:
    planted.write_zarr(tmp_path / "in.zarr")
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "out.zarr" / "zarr.json").touch()  # a store that is replaced
    assert main(["discover", str(tmp_path / "in.zarr"), "-o", str(tmp_path / "out.zarr"), *few_steps]) == 0
    assert main(["discover", str(tmp_path / "out.zarr"), "-o", str(tmp_path / "out.h5ad"), *few_steps]) == 0
    for written in (anndata.read_zarr(tmp_path / "out.zarr"), anndata.read_h5ad(tmp_path / "out.h5ad")):
        assert written.obs["falcon_fine"].nunique() == 3
        assert (written.X != planted.X).nnz == 0
    with h5py.File(tmp_path / "out.h5ad") as file:
        assert file["X/data"].compression == "gzip"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zarr", "out.h5ad", "out.zarr"]


def test_compression_is_that_of_the_source(planted: AnnData, tmp_path: Path, few_steps) -> None:
    planted.write_h5ad(tmp_path / "in.h5ad", compression="lzf")
    assert main(["discover", str(tmp_path / "in.h5ad"), "-o", str(tmp_path / "out.h5ad"), *few_steps]) == 0
    with h5py.File(tmp_path / "out.h5ad") as file:
        assert file["X/data"].compression == "lzf"
        assert file["obsm/falcon_proba"].compression == "lzf"


def test_a_console_without_the_letters_and_a_log_on_a_full_disk(
    source: Path, tmp_path: Path, few_steps, falcon_sc
) -> None:
    output = tmp_path / "\u7ed3\u679c.h5ad"
    with Path("/dev/full").open("wb") as full:
        done = falcon_sc(
            "discover", source, "-o", output, *few_steps[:-3],  # with a bar
            capture_output=False, stdout=subprocess.PIPE, stderr=full, env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout == f"wrote {tmp_path}/\\u7ed3\\u679c.h5ad\n"
    assert "falcon_fine" in anndata.read_h5ad(output).obs


def test_home_folder(source: Path, tmp_path: Path, few_steps, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["discover", "~/in.h5ad", "-o=~/out.h5ad", "--save-model=~/model", *few_steps]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.h5ad", "model", "out.h5ad"]


def test_a_model_that_cannot_be_written_costs_neither_cells_nor_itself(
    source: Path, tmp_path: Path, few_steps, once_trained, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with once_trained((tmp_path / "model").touch):  # a file, where the folder was to be made
        options = ["-o", str(tmp_path / "out.h5ad"), "--save-model", str(tmp_path / "model")]
        assert main(["discover", str(source), *options, *few_steps]) == 2
    said = capsys.readouterr()
    assert said.out == f"wrote {tmp_path / 'out.h5ad'}\n"
    assert "falcon_fine" in anndata.read_h5ad(tmp_path / "out.h5ad").obs
    (instead,) = tmp_path.glob("falcon-sc-*/model")
    assert said.err.startswith(
        f"falcon-sc: error: {source}: --save-model={str(tmp_path / 'model')!r} could not be written ("
    )
    assert said.err.endswith(f"It is in {str(instead)!r}.\n")
    assert fsc.Falcon.load(instead, device="cpu").relation_.shape == (3, 3)


def test_cells_that_cannot_be_written_are_elsewhere(
    source: Path, tmp_path: Path, few_steps, once_trained, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "folder").mkdir()

    def lose_folder() -> None:
        (tmp_path / "folder").rmdir()
        (tmp_path / "folder").touch()

    with once_trained(lose_folder):
        assert main(["discover", str(source), "-o", str(tmp_path / "folder" / "out.h5ad"), *few_steps]) == 2
    (instead,) = tmp_path.glob("falcon-sc-*/out.h5ad")
    assert capsys.readouterr().err.endswith(f"It is in {str(instead)!r}.\n")
    assert "falcon_fine" in anndata.read_h5ad(instead).obs


def test_every_argument_of_the_function_is_an_option() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    options = {action.dest for action in parser._actions}
    arguments = set(inspect.signature(fsc.tl.discover).parameters)
    assert arguments - options == {"adata", "config", "copy"}
    assert options - arguments == {"help", "source", "csv", "on_disk"}


def test_interrupt_writes_nothing(source: Path, tmp_path: Path, capsys) -> None:
    class Interrupt(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage().startswith("training:"):
                signal.raise_signal(signal.SIGINT)  # Ctrl-C, just before the results are written

    interrupt = Interrupt()
    # a shell starts jobs in the background with Ctrl-C ignored, and pytest may be one of them
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.getLogger("falcon_sc").addHandler(interrupt)
    try:
        options = ["--coarse-key", "coarse", "--n-fine", "6", "--max-epochs", "2", "--no-progress-bar"]
        code = main(["discover", str(source), *options, "-o", str(tmp_path / "out.h5ad")])
    finally:
        logging.getLogger("falcon_sc").removeHandler(interrupt)
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert capsys.readouterr().err.endswith("interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in.h5ad"]
