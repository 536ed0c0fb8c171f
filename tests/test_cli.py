from __future__ import annotations

import logging
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import anndata
import pytest

import falcon_sc as fsc
from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.fixture
def source(planted: AnnData, tmp_path: Path) -> Path:
    path = tmp_path / "in.h5ad"
    planted.write_h5ad(path)
    return path


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "falcon_sc._cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [[], ["discover"], ["pretrain"], ["demo"], ["bench"]], ids=str)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\nfrom falcon_sc._cli import main\n"
        f"try:\n    main({[*command, '--help']!r})\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "assert not {'torch', 'scanpy', 'anndata', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: falcon-sc")


def test_discover(source: Path, planted: AnnData, tmp_path: Path) -> None:
    output = tmp_path / "new folder" / "out.h5ad"
    options = ["--max-epochs", 2, "--seed", 5, "--key-added", "sub", "--device", "cpu", "--no-progress-bar"]
    done = _run("discover", source, "--coarse-key", "coarse", "--n-fine", 6, "-o", output, *options)
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
        ({"--coarse-key": "celltype"}, "coarse_key='celltype' is not a column of adata.obs, which has: 'coarse'"),
        ({"--n-fine": "2"}, "n_fine=2 is smaller than the number of coarse classes"),
        ({"--layer": "raw"}, "layer='raw' is not in adata.layers"),
        ({"--device": "cuda:77"}, "device='cuda:77' is not there"),
        ({"-o": "in.h5ad/out.h5ad"}, "--output='in.h5ad/out.h5ad' cannot be written"),
        ({"-o": "."}, "--output='.' is a folder"),
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
    assert params["n_fine_stable"] <= params["n_fine"] <= params["n_fine_supported"]


def test_neither_number_nor_auto(source: Path, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["discover", str(source), "--coarse-key", "coarse", "--n-fine", "six", "-o", "out.h5ad"])
    assert "argument --n-fine: give a number or auto, found 'six'" in capsys.readouterr().err


def test_mistake_in_a_real_process(tmp_path: Path) -> None:
    done = _run("discover", tmp_path / "no.h5ad", "--coarse-key", "a", "--n-fine", 3, "-o", tmp_path / "out.h5ad")
    assert done.returncode == 2
    assert done.stderr == f"falcon-sc: error: there is no file '{tmp_path / 'no.h5ad'}'.\n"


def test_file_of_another_kind(tmp_path: Path, capsys) -> None:
    (tmp_path / "in.h5ad").write_text("cell,gene\n")
    code = main(
        ["discover", str(tmp_path / "in.h5ad"), "--coarse-key", "a", "--n-fine", "3", "-o", str(tmp_path / "o")]
    )
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_traceback_on_request(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(["--traceback", "discover", "no.h5ad", "--coarse-key", "a", "--n-fine", "3", "-o", str(tmp_path / "o")])


def test_benchmark_gets_what_is_given_and_no_more(monkeypatch, tmp_path: Path, capsys) -> None:
    from falcon_sc.benchmarks.images import images
    from falcon_sc.benchmarks.performance import speed

    given: list[dict] = []

    def run(*, data=None, out=None, seeds=1, device=None):
        given.append({"data": data, "out": out, "seeds": seeds, "device": device})

    monkeypatch.setattr(images, "run", run)
    monkeypatch.delenv("FALCON_SC_DATA", raising=False)
    assert main(["bench", "images", "--seeds", "3", "--device", "cpu", "--data", str(tmp_path)]) == 0
    assert main(["bench", "images"]) == 0
    assert given == [
        {"data": tmp_path, "out": None, "seeds": 3, "device": "cpu"},
        {"data": None, "out": None, "seeds": 1, "device": None},
    ]
    monkeypatch.setattr(speed, "run", lambda *, out=None: pytest.fail("started"))
    assert main(["bench", "speed", "--seeds", "3"]) == 2
    assert "bench speed takes no --seeds." in capsys.readouterr().err


def test_unknown_benchmark_lists_the_others(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "nothing"])
    assert "'relations'" in capsys.readouterr().err


def test_demo(tmp_path: Path, capsys) -> None:
    assert main(["demo", "-o", str(tmp_path / "demo")]) == 0
    text = capsys.readouterr().out
    assert "700 cells, 5 coarse classes" in text
    found = dict(line.rsplit(maxsplit=2)[:2] for line in text.splitlines() if line.startswith("  "))
    assert float(found["  falcon_fine"]) > float(found["  coarse labels alone"]) > 0.6
    assert {path.suffix for path in (tmp_path / "demo").iterdir()} == {".h5ad", ".png"}
    assert "falcon_fine" in anndata.read_h5ad(tmp_path / "demo" / "pbmc68k_reduced_falcon.h5ad").obs


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
