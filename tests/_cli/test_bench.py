from __future__ import annotations

import re
from importlib import import_module
from inspect import signature
from pathlib import Path

import pytest

from falcon_sc._cli import main


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


def test_quick_is_said_or_not(monkeypatch) -> None:
    from falcon_sc.benchmarks.cells import evidence

    given: list[bool] = []
    monkeypatch.setattr(evidence, "run", lambda *, quick=False: given.append(quick))
    assert main(["bench", "evidence", "--quick"]) == 0
    assert main(["bench", "evidence"]) == 0
    assert given == [True, False]


def test_unknown_benchmark_lists_the_others(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "nothing"])
    assert "'relations'" in capsys.readouterr().err


def test_help_lists_the_benchmarks_and_the_options_of_one(capsys) -> None:
    def shown(*command: str) -> str:
        with pytest.raises(SystemExit, match="0"):
            main(["bench", *command])
        return capsys.readouterr().out

    every = shown("--help")
    assert "  donors         Fine classes that are donors" in every
    assert "--pretrained" not in every
    donors = shown("donors", "--help")
    assert donors.startswith("usage: falcon-sc bench donors [options]")
    assert set(re.findall(r"--[a-z-]+", donors)) == {"--help", "--data", "--output", "--seeds"}
    assert "number of seeds [3]" in donors
    assert "--data DATA" in shown("pbmc", "-h")  # a file, where the others take a folder


def test_what_is_wrong_is_known_before(monkeypatch, tmp_path: Path, capsys) -> None:
    from falcon_sc.benchmarks.cells import cells
    from falcon_sc.benchmarks.robustness import fuzz

    given: list[dict] = []
    monkeypatch.setattr(cells, "run", lambda *, data=None, out=None: given.append({"data": data, "out": out}))
    monkeypatch.setattr(fuzz, "run", lambda *, out=None, minutes=10.0: given.append({"out": out, "minutes": minutes}))
    (tmp_path / "file").touch()
    assert main(["bench", "cells", "--data", str(tmp_path / "gone")]) == 2
    assert "gone' is no folder" in capsys.readouterr().err
    assert main(["bench", "cells", "-o", str(tmp_path / "file")]) == 2
    assert "--output='" in capsys.readouterr().err
    assert given == []
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["bench", "fuzz", "--minutes", "0.5", "-o=~/results"]) == 0
    assert given == [{"out": tmp_path / "results", "minutes": 0.5}]


def test_numbers_of_cells(monkeypatch, capsys) -> None:
    from falcon_sc.benchmarks.performance import scale

    given: list[tuple[int, ...]] = []
    monkeypatch.setattr(scale, "run", lambda *, cells=(): given.append(cells))
    assert main(["bench", "scale", "--cells", "3000,10_000"]) == 0
    assert given == [(3000, 10_000)]
    for wrong in ("3000,", "few", "0"):
        with pytest.raises(SystemExit, match="2"):
            main(["bench", "scale", "--cells", wrong])
        assert f"argument --cells: invalid numbers value: {wrong!r}" in capsys.readouterr().err


def test_tables_by_name(monkeypatch) -> None:
    from falcon_sc.benchmarks.paper import ablation

    given: list[tuple[str, ...]] = []
    monkeypatch.setattr(ablation, "run", lambda *, tables=(): given.append(tables))
    assert main(["bench", "ablation", "--tables", "5, N1"]) == 0
    assert given == [("5", "N1")]


def test_files_of_features(monkeypatch, tmp_path: Path) -> None:
    from inspect import signature

    from falcon_sc.benchmarks.images import images

    given: list[dict] = []
    known = set(signature(images.run).parameters)

    def run(*, data=None, features=None, encoder=None, epochs=None):
        given.append({"features": features, "encoder": encoder, "epochs": epochs})

    assert set(signature(run).parameters) <= known
    monkeypatch.setattr(images, "run", run)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["bench", "images", "--features", "~/a.npz, b.npz", "--epochs", "3"]) == 0
    assert main(["bench", "images", "--encoder", "efficientnet-lite1"]) == 0
    assert given == [
        {"features": (tmp_path / "a.npz", Path("b.npz")), "encoder": None, "epochs": 3},
        {"features": None, "encoder": "efficientnet-lite1", "epochs": None},
    ]


def test_a_file_goes_to_the_benchmark_that_reads_one(monkeypatch, tmp_path: Path, capsys) -> None:
    from falcon_sc.benchmarks.paper import pbmc

    given: list[dict] = []

    def run(*, data_file=None, simulate=20_000, coarse_key="cell_type", methods=()):
        given.append({"data_file": data_file, "simulate": simulate, "coarse_key": coarse_key, "methods": methods})

    monkeypatch.setattr(pbmc, "run", run)
    monkeypatch.setenv("FALCON_SC_DATA", str(tmp_path))  # a folder, which is for others
    assert main(["bench", "pbmc", "--simulate", "900", "--methods", "SCAN-C, falcon_sc"]) == 0
    (tmp_path / "atlas.h5ad").touch()
    assert main(["bench", "pbmc", "--data", str(tmp_path / "atlas.h5ad"), "--coarse-key", "type"]) == 0
    assert main(["bench", "pbmc", "--data", str(tmp_path / "gone.h5ad")]) == 2
    assert "gone.h5ad' is no file" in capsys.readouterr().err
    assert given == [
        {"data_file": None, "simulate": 900, "coarse_key": "cell_type", "methods": ("SCAN-C", "falcon_sc")},
        {"data_file": tmp_path / "atlas.h5ad", "simulate": 20_000, "coarse_key": "type", "methods": ()},
    ]


def test_a_table_of_the_paper(monkeypatch, tmp_path: Path, capsys) -> None:
    from inspect import signature

    from falcon_sc.benchmarks.paper import paper

    command = ["bench", "paper", "--dataset", "cifar68", "--root", str(tmp_path)]
    assert main([*command, "--preset", "text"]) == 2
    assert "preset must be one of 'paper'" in capsys.readouterr().err
    assert main([*command, "--methods", "SCAN", "-o", str(tmp_path / "results")]) == 2
    assert "holds neither cifar-100-python.tar.gz" in capsys.readouterr().err
    given: list[dict] = []
    known = set(signature(paper.run).parameters)

    def run(
        *, dataset=None, root=None, pretrained=None, preset="", methods=(), seeds=0, epochs=0, out=None, device=None
    ):
        given.append(locals().copy())

    monkeypatch.setattr(paper, "run", run)
    options = ["--pretrained", "w.pt", "--preset", "ours", "--methods", "SCAN-C,upper bound", "--epochs", "2"]
    assert main([*command, *options, "--seeds", "1", "--device", "cpu", "--out", str(tmp_path)]) == 0
    assert set(given[0]) - {"given"} <= known
    assert given[0]["methods"] == ("SCAN-C", "upper bound")
    assert (given[0]["dataset"], given[0]["root"], given[0]["pretrained"].name) == ("cifar68", tmp_path, "w.pt")
    assert (given[0]["preset"], given[0]["epochs"], given[0]["seeds"]) == ("ours", 2, 1)
    assert (given[0]["out"], given[0]["device"]) == (tmp_path, "cpu")


def test_options_with_several_values_are_those_of_benchmarks_that_take_several() -> None:
    from falcon_sc._cli import bench

    several = {
        option for option, its in bench._OPTIONS.items() if its.get("type") in (bench.numbers, bench.words, bench.paths)
    }
    checked = 0
    for module in bench._benchmarks().values():
        for name, parameter in signature(import_module(module).run).parameters.items():
            if name in bench._OPTIONS:
                assert ("Sequence" in str(parameter.annotation)) == (name in several), f"{module}: {name}"
                checked += 1
    assert checked > 50


def test_no_benchmark_takes_one_number_for_several(capsys) -> None:
    assert main(["bench", "departures", "--epochs", "40"]) == 2  # ended in a TypeError
    assert "bench departures takes no --epochs" in capsys.readouterr().err
