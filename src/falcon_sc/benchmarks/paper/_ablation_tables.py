"""Rows and columns of tables 4, 5, 6, J1, M1, N1 to N5 and O1 of the paper, and the values that it has there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from falcon_sc.benchmarks.paper._ablation_runs import Run

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Cell:
    """Which score of which run, and what the paper has there."""

    run: Run
    score: str
    paper: float


@dataclass(frozen=True)
class Table:
    """A title, and rows: what each column holds."""

    title: str
    rows: tuple[Mapping[str, str | Cell], ...]

    @property
    def runs(self) -> list[Run]:
        """What has to be run for it, in order."""
        return list(dict.fromkeys(cell.run for row in self.rows for cell in row.values() if isinstance(cell, Cell)))


def _scores(run: Run, *paper: float, of: str = "") -> dict[str, str | Cell]:
    """ACC, ARI and, where the paper has it, GED of a run."""
    names = {"ACC": "accuracy", "ARI": "ari", "GED": "ged"}
    return {f"{of}{name}": Cell(run, names[name], value) for name, value in zip(names, paper, strict=False)}


def _both(labels: str, scan_c: tuple[float, float], falcon: tuple[float, float]) -> dict[str, str | Cell]:
    return {
        **_scores(Run("SCAN-C", labels=labels), *scan_c, of="SCAN-C "),
        **_scores(Run(labels=labels), *falcon, of="FALCON "),
    }


def _varied(title: str, column: str, field: str, default: float, values: Mapping[float, tuple[float, ...]]) -> Table:
    """Tables N1 to N5: one field of the configuration, its value in the preset among others."""
    rows: list[dict[str, str | Cell]] = []
    for value, paper in values.items():
        run = Run() if value == default else Run(changes=((field, value),))
        rows.append({column: f"**{value:g}**" if value == default else f"{value:g}", **_scores(run, *paper)})
    return Table(title, tuple(rows))


_BOTH_POLICIES = ((49.6, 36.7), (61.5, 43.9))
_PAPER = (59.6, 42.5)  # FALCON on CIFAR-100
_PAPER_68 = (60.4, 47.0)  # on CIFAR68
_SEVEN = Run(data="seven")
_OFF, _ON = "✗", "✓"

TABLES = {
    "4": Table(
        "Simultaneous training on two data sets with other coarse labels",
        (
            {"data": "D1", "samples": "N/2", "taxonomy": "T1"} | _both("T1, first half", (48.7, 35.9), (56.0, 38.6)),
            {"data": "D2", "samples": "N/2", "taxonomy": "T2"} | _both("T2, second half", (47.8, 34.4), (56.6, 38.7)),
            {"data": "D_ALL", "samples": "N", "taxonomy": "T1&T2"} | _both("T1&T2", *_BOTH_POLICIES),
        ),
    ),
    "5": Table(
        "Without one of the losses of equation 10",
        (
            {"coarse": _ON, "fine": _OFF, "reg": _ON} | _scores(Run(changes=(("lambda_2", 0.0),)), 22.9, 14.6),
            {"coarse": _ON, "fine": _ON, "reg": _OFF} | _scores(Run(changes=(("lambda_3", 0.0),)), 18.7, 22.8),
            # without coarse labels there are no relations, and no pseudo-labels that rest on them
            {"coarse": _OFF, "fine": _ON, "reg": _ON}
            | _scores(Run(changes=(("lambda_1", 0.0), ("lambda_conf", 0.0))), 51.0, 32.0),
            {"coarse": _ON, "fine": _ON, "reg": _ON} | _scores(Run(), *_PAPER),
        ),
    ),
    "6": Table(
        "With the estimated number of fine classes",
        (
            {"method": "GEORGE"}
            | _scores(Run("GEORGE"), 51.9, 36.0, of="ten ")
            | _scores(Run("GEORGE", data="seven"), 59.6, 42.8, of="seven "),
            {"method": "FALCON"} | _scores(Run(), *_PAPER, of="ten ") | _scores(_SEVEN, *_PAPER_68, of="seven "),
            {"method": "FALCON, estimated K_F"}
            | _scores(Run(n_fine="estimated"), 54.9, 39.9, of="ten ")
            | _scores(Run(data="seven", n_fine="estimated"), 59.1, 45.7, of="seven "),
        ),
    ),
    "J1": Table(
        "The same number of samples under other labels",
        (
            {"samples": "N", "taxonomy": "T1"} | _both("T1", (48.7, 36.1), _PAPER),
            {"samples": "N", "taxonomy": "T2"} | _both("T2", (49.0, 36.3), (57.7, 41.1)),
            {"samples": "N", "taxonomy": "T1&T2"} | _both("T1&T2", *_BOTH_POLICIES),
        ),
    ),
    "M1": Table(  # that of CIFAR68, by its value at K_F
        "Accuracy with other numbers of fine classes",
        (
            {
                "": "FALCON",
                "80% K_F": Cell(Run(data="seven", n_fine="80%"), "accuracy", 55.1),
                "K_F": Cell(_SEVEN, "accuracy", 60.4),
                "120% K_F": Cell(Run(data="seven", n_fine="120%"), "accuracy", 57.5),
                "150% K_F": Cell(Run(data="seven", n_fine="150%"), "accuracy", 57.6),
            },
        ),
    ),
    "N1": _varied(
        "The balance penalty of equation 14",
        "lambda_M",
        "lambda_M",
        0.1,
        {0.5: (59.3, 42.2, 0.0), 0.1: (*_PAPER, 0.0), 0.05: (59.0, 41.9, 0.0)},
    ),
    "N2": _varied(
        "The temperature of equation 7", "T", "temperature", 0.9, {0.6: (57.1, 40.5), 0.8: (58.3, 41.1), 0.9: _PAPER}
    ),
    "N3": _varied(
        "The weight of the coarse loss",
        "lambda_1",
        "lambda_1",
        0.5,
        {0.6: (58.3, 41.1), 0.5: _PAPER, 0.4: (58.6, 42.0)},
    ),
    "N4": _varied(
        "The weight of consistency and confidence",
        "lambda_2",
        "lambda_2",
        0.5,
        {0.6: (58.5, 41.8), 0.5: _PAPER, 0.4: (58.6, 41.8)},
    ),
    "N5": _varied(
        "The weight of the regularizer",
        "lambda_3",
        "lambda_3",
        2.0,
        {2.2: (59.0, 41.6), 2.0: _PAPER, 1.8: (59.1, 42.0)},
    ),
    "O1": Table(
        "Relations that are known, and estimated ones",
        (
            {"M": "actual"}
            | _scores(Run(n_fine="known M"), *_PAPER, 0.0, of="ten ")
            | _scores(Run(data="seven", n_fine="known M"), 67.2, 50.7, 0.0, of="seven "),
            {"M": "estimated"}
            | _scores(Run(), *_PAPER, 0.0, of="ten ")
            | _scores(_SEVEN, *_PAPER_68, 40.3, of="seven "),
        ),
    ),
}
