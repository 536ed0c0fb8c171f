"""What a report says about each class: sizes, confidence, markers, donors, and what is to be looked at."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_unique_genes, obs_column
from falcon_sc._gene_values import read_gene_values
from falcon_sc._kinds import advised
from falcon_sc.pl._classes import read_about, read_classes
from falcon_sc.pl._groups import column_colors, read_column
from falcon_sc.pl._sibling_markers import is_tested, markers_of, stored_markers
from falcon_sc.pl._splits import read_trees
from falcon_sc.pl._style import class_colors, parent_colors
from falcon_sc.tl._ranked import rank_classes
from falcon_sc.tl._warnings_of_classes import about_class, about_coarse, about_splits, could_be_split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from falcon_sc.pl._classes import Classes
    from falcon_sc.pl._splits import Node


@dataclass(frozen=True)
class FineFindings:
    """A fine class: `share` is that of its coarse class, `confidence` the median, NaN for none; `groups` counts its cells."""

    name: str
    color: str
    n_cells: int
    share: float
    confidence: float
    markers: list[str] | None
    groups: np.ndarray
    warnings: list[str]
    hints: list[str]


@dataclass(frozen=True)
class CoarseFindings:
    """A coarse class; `tree` is None where there is none."""

    name: str
    color: str
    n_cells: int
    groups: np.ndarray
    tree: Node | None
    classes: list[FineFindings]
    warnings: list[str]


@dataclass(frozen=True)
class Findings:
    """Everything, and why some of it could not be had (`notes`).

    `groups` are the names and colors of the donors in the column `by`; `markers` is what scanpy keeps of its tests.
    """

    coarse: list[CoarseFindings]
    by: str | None
    groups: dict[str, str]
    markers: Mapping[str, Any] | None
    notes: list[str]

    @property
    def n_cells(self) -> int:
        """Cells with a fine class."""
        return sum(coarse.n_cells for coarse in self.coarse)

    @property
    def n_fine(self) -> int:
        """Fine classes, with cells or not."""
        return sum(len(coarse.classes) for coarse in self.coarse)


def find(adata: AnnData, key: str, by: str | None) -> Findings:
    """Gather what there is to say; nothing is written to `adata`.

    Raises
    ------
    KeyError, ValueError
        There is no result under `key`, no cell has a class, or `by` is no column with groups.
    """
    classes = read_classes(adata, key)
    groups = {} if by is None else _groups(adata, by)
    notes: list[str] = []
    trees = _trees(adata, key, classes, notes)
    kept = stored_markers(adata, key) or _markers(adata, key, classes, notes)
    facts = _Facts(
        classes, class_colors(adata, key), _confidence(adata, key, classes),
        list(groups), _counts(adata, by, classes), kept,
    )  # fmt: skip
    own = parent_colors(adata, key, list(dict.fromkeys(classes.parents)))
    return Findings(
        [_coarse(name, color, trees.get(name), facts) for name, color in own.items()], by, groups, kept, notes
    )


@dataclass(frozen=True)
class _Facts:
    """Of all classes, in their order; `counts` has a column for each of the `groups`."""

    classes: Classes
    colors: Mapping[str, str]
    confidence: np.ndarray
    groups: list[str]
    counts: np.ndarray
    markers: Mapping[str, Any] | None


def _coarse(parent: str, color: str, tree: Node | None, facts: _Facts) -> CoarseFindings:
    members = np.flatnonzero(facts.classes.parents == parent)
    sizes, of_parent = facts.classes.sizes, facts.counts[members].sum(axis=0)
    n_cells, of_splits = int(sizes[members].sum()), about_splits(tree)
    fine = []
    for member in members.tolist():
        name, size, confident = str(facts.classes.names[member]), int(sizes[member]), float(facts.confidence[member])
        kept, counts = facts.markers, facts.counts[member]
        genes = markers_of(kept, name) if kept is not None and is_tested(kept, name) else None
        said = about_class(size, confident, genes, counts=counts, of_parent=of_parent, groups=facts.groups)
        said += of_splits.pop(name, [])
        hints = could_be_split(tree, name)
        fine.append(FineFindings(name, facts.colors[name], size, size / n_cells, confident, genes, counts, said, hints))
    said = about_coarse(of_parent, facts.groups) + [text for texts in of_splits.values() for text in texts]
    return CoarseFindings(parent, color, n_cells, of_parent, tree, fine, said)


def _groups(adata: AnnData, by: str) -> dict[str, str]:
    """Names and colors."""
    names = read_column(adata, by, "by").names
    return dict(zip(names, column_colors(adata, by, names), strict=True))


def _counts(adata: AnnData, by: str | None, classes: Classes) -> np.ndarray:
    """Cells of each class, and in it of each group: int64, n_classes x n_groups."""
    if by is None:
        return np.zeros((classes.names.size, 0), dtype=np.int64)
    groups, known = read_column(adata, by, "by"), classes.codes >= 0
    counts = np.zeros((classes.names.size, len(groups.names)), dtype=np.int64)
    np.add.at(counts, (classes.codes[known], groups.codes[known]), 1)
    return counts


def _trees(adata: AnnData, key: str, classes: Classes, notes: list[str]) -> dict[str, Node]:
    try:
        return read_trees(adata, key, classes)
    except (KeyError, ValueError) as error:
        notes.append(f"There are no trees: {error.args[0]}")
        return {}


def _markers(adata: AnnData, key: str, classes: Classes, notes: list[str]) -> Mapping[str, Any] | None:
    """The tests that `falcon_sc.tl.markers` makes, of the values that the classes were found in."""
    about = read_about(adata, key)
    try:
        check_unique_genes(adata)
        with advised(
            "run falcon_sc.tl.markers first with the layer that has others, and the report takes its markers."
        ):
            values = read_gene_values(adata, about, about.get("params", {}).get("layer"))
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of single cells: the report says so
            ranked = rank_classes(classes, values, adata.var_names, n_genes=None, against=["siblings"])["siblings"]
    except (ImportError, KeyError, TypeError, ValueError) as error:
        notes.append(f"There are no markers: {error.args[0]}")
        return None
    return ranked.as_scanpy_keeps_it({}) if ranked.columns else None


def _confidence(adata: AnnData, key: str, classes: Classes) -> np.ndarray:
    """Median of each class, float64, NaN for none."""
    medians = np.full(classes.names.size, np.nan)
    if f"{key}_confidence" in adata.obs:
        values = obs_column(adata, f"{key}_confidence", "key").to_numpy(np.float64, na_value=np.nan)
        for code in range(medians.size):
            own = values[classes.codes == code]
            if not np.isnan(own).all():
                medians[code] = np.nanmedian(own)
    return medians
