from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from falcon_sc._cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData


@pytest.mark.parametrize(
    "command",
    [[], ["discover"], ["cut"], ["refine"], ["predict"], ["markers"], ["report"], ["pretrain"], ["demo"], ["bench"]],
    ids=str,
)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\nfrom falcon_sc._cli import main\n"
        f"try:\n    main({[*command, '--help']!r})\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "assert not {'torch', 'scanpy', 'anndata', 'matplotlib', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: falcon-sc")


def test_mistake_in_a_real_process(tmp_path: Path, falcon_sc) -> None:
    done = falcon_sc("discover", tmp_path / "no.h5ad", "--coarse-key", "a", "--n-fine", 3, "-o", tmp_path / "out.h5ad")
    assert done.returncode == 2
    assert done.stderr == f"falcon-sc: error: there is no file '{tmp_path / 'no.h5ad'}'.\n"


def test_traceback_on_request(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(
            ["--traceback", "discover", "no.h5ad", "--coarse-key", "a", "--n-fine", "3", "-o", str(tmp_path / "o.h5ad")]
        )


def test_version(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"falcon-sc {version('falcon-sc')}\n"


def test_errors_of_every_kind_name_the_file(tmp_path: Path, capsys, monkeypatch, planted: AnnData) -> None:
    from falcon_sc import tl

    def fail(*_: object, **__: object) -> None:
        raise error  # a mock, because memory that is too small cannot be had in a test

    planted.write_h5ad(tmp_path / "in.h5ad")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tl, "discover", fail)
    for error in (
        MemoryError("no room"),
        RuntimeError("no license"),
        OSError("no disk"),
        FloatingPointError("diverged"),
    ):
        assert main(["discover", "in.h5ad", "--coarse-key", "coarse", "--n-fine", "6", "-o", "out.h5ad"]) == 2
        assert capsys.readouterr().err == f"falcon-sc: error: in.h5ad: {error}\n"


def test_warnings_are_lines_of_words(tmp_path: Path, planted: AnnData, falcon_sc, few_steps) -> None:
    """On a command line a place in the code says nothing."""
    adata = planted.copy()
    adata.obs.loc[adata.obs_names[:5], "coarse"] = None
    adata.write_h5ad(tmp_path / "in.h5ad")
    done = falcon_sc("discover", tmp_path / "in.h5ad", *few_steps, "--n-neighbors", 80, "-o", tmp_path / "out.h5ad")
    assert done.returncode == 0
    assert "\ncoarse classes with too few cells for --n-neighbors=80 repeat theirs: {" in f"\n{done.stderr}"
    assert (
        "\nfalcon-sc: warning: --coarse-key='coarse' is missing (NA) for 5 of 240 cells: they are not used"
        in done.stderr
    )
    assert "UserWarning" not in done.stderr
