"""The main job on 700 blood cells: a tree of splits, what speaks for each, and one decision."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from anndata import AnnData
    from matplotlib.figure import Figure

    from falcon_sc.pl._splits import Node, Split

CELLS, PICTURE, REPORT = FILES = "pbmc68k_reduced_falcon.h5ad", "pbmc68k_reduced_falcon.png", "report.html"
_N_FINE = 10
_FALSE_DISCOVERIES = 0.05
_N_GENES = 3  # named beside each type
_YES = {True: "yes", False: "no"}

_MEANING = """\
  comes back  in molecules that were not used to find it; 1: without an error, 0: by chance
  agreement   of independent clusterings about it; 1: all of them, 0: as by chance
  markers     genes that differ twofold between the two sides
  supported   the mean of the first two is above {least}"""
_AND_THEN = """\
On your own cells:
  falcon-sc discover cells.h5ad --coarse-key cell_type --n-fine 30 -o fine.h5ad
  falcon-sc report fine.h5ad -o report.html"""


def demo(folder: Path) -> str:
    """Tell the story of :func:`falcon_sc.datasets.pbmc68k_reduced` in words; write cells, picture and report to `folder`."""
    import falcon_sc as fsc

    adata = fsc.datasets.pbmc68k_reduced()
    fsc.tl.discover(adata, coarse_key="coarse", n_fine=_N_FINE)
    found, trees = _numbers(adata), _trees(adata)
    began = perf_counter()
    fsc.tl.cut(adata, n_fine="auto")
    seconds = perf_counter() - began
    told = _telling(trees, found, _numbers(adata))
    decision = _decision(told, found, _numbers(adata), seconds)
    genes = _own_genes(fsc.tl.markers(adata, n_genes=None))
    names = _names(adata, genes)
    fsc.tl.rename(adata, names)
    fsc.tl.markers(adata)  # under the new names, for the picture and the report

    folder.mkdir(parents=True, exist_ok=True)
    adata.write_h5ad(folder / CELLS)
    _picture(adata).savefig(folder / PICTURE, dpi=110)
    fsc.tl.report(adata, folder / REPORT)
    return "\n\n".join(
        [
            f"{adata.n_obs} blood cells with {len(found)} coarse labels, divided into {_N_FINE} fine types as asked.\n"
            f"Inside each label there is a tree of splits. That of {told}:",
            _tree_in_words(trees[told]),
            decision,
            f"The {sum(_numbers(adata).values())} types, each named by the gene that most of its cells have and fewest of "
            f"its siblings',\nand the authors' label of most of its cells, which was not used:\n\n"
            f"{_types_in_words(adata, {names.get(old, old): own[:_N_GENES] for old, own in genes.items()})}",
            f"In {folder}: {REPORT} to open in a browser, {PICTURE}, and the cells, {CELLS}.",
            _AND_THEN,
        ]
    )


def _numbers(adata: AnnData) -> dict[str, int]:
    """How many fine types each coarse label has now."""
    fine, coarse = _column(adata, "falcon_fine"), _column(adata, "coarse")
    return {str(label): types.nunique() for label, types in fine.groupby(coarse)}


def _column(adata: AnnData, name: str) -> pd.Series[str]:
    return adata.obs[name].astype(str)


def _trees(adata: AnnData) -> dict[str, Node]:
    from falcon_sc.pl._classes import read_classes
    from falcon_sc.pl._splits import read_trees

    return read_trees(adata, "falcon", read_classes(adata, "falcon"))


def _telling(trees: dict[str, Node], found: dict[str, int], supported: dict[str, int]) -> str:
    """The coarse label about which the evidence says most: another number of types, or else the most splits."""
    from falcon_sc.pl._splits import splits_below

    return max(trees, key=lambda name: (abs(supported[name] - found[name]), len(list(splits_below(trees[name])))))


def _tree_in_words(root: Node) -> str:
    """A line for each split, indented by its depth, and what the columns mean."""
    from falcon_sc.core.start.tree.support import LEAST_WITH_COUNTS

    lines = [
        f"  {'cells on each side':26}{'comes back':>10}{'agreement':>11}{'markers':>9}{'supported':>11}{'made':>6}"
    ]
    for depth, split in _by_depth(root):
        sides = f"{'  ' * depth}{split.sizes[0]} | {split.sizes[1]}"
        lines.append(
            f"  {sides:26}{_value(split, 'comes_back', '.2f'):>10}{_value(split, 'agreement', '.2f'):>11}"
            f"{_value(split, 'markers', '.0f'):>9}{_YES[split.supported]:>11}{_YES[split.is_made]:>6}"
        )
    return "\n".join([*lines, "", _MEANING.format(least=LEAST_WITH_COUNTS)])


def _by_depth(node: Node, depth: int = 0) -> Iterator[tuple[int, Split]]:
    """The splits of a tree with how many lie above them, each before those of its sides."""
    if node.split is not None:
        yield depth, node.split
        for side in node.split.sides:
            yield from _by_depth(side, depth + 1)


def _value(split: Split, name: str, how: str) -> str:
    return format(split.evidence[name], how) if name in split.evidence else "-"


def _decision(told: str, found: dict[str, int], supported: dict[str, int], seconds: float) -> str:
    changes = [f"{label} has {supported[label]} types" for label in found if supported[label] != found[label]]
    if not changes:
        return f"The supported splits are those that were made, in {told} and everywhere else: the types stay."
    others = "the others stay" if len(changes) < len(found) else "none stays"
    return (
        f"One decision, by this evidence: tl.cut(adata, n_fine='auto') makes the supported splits.\n"
        f"Now {', '.join(changes)}; {others}. It took {seconds:.2f} s: nothing is trained again."
    )


def _own_genes(table: pd.DataFrame) -> dict[str, list[str]]:
    """The genes of each fine type that has siblings, those first that most of its cells have and fewest of theirs."""
    own = table[(table["against"] == "siblings") & (table["p_adjusted"] <= _FALSE_DISCOVERIES)]
    own = own.assign(more=own["share"] - own["share_others"]).sort_values("more", ascending=False, kind="stable")
    return {str(name): rows["gene"].tolist() for name, rows in own[own["more"] > 0].groupby("fine", sort=False)}


def _names(adata: AnnData, genes: dict[str, list[str]]) -> dict[str, str]:
    """A new name for each type: with its gene, or the coarse label where there is one type; no two have one name."""
    names: dict[str, str] = {}
    numbers = _numbers(adata)
    for old, coarse in _column(adata, "coarse").groupby(_column(adata, "falcon_fine")).first().items():
        alone = numbers[coarse] == 1
        own = [coarse] if alone else [f"{coarse} {gene}+" for gene in genes.get(str(old), [])]
        free = [name for name in own if name not in names.values()]
        names |= {str(old): name for name in free[:1]}
    return names


def _types_in_words(adata: AnnData, genes: dict[str, list[str]]) -> str:
    """A line for each type: cells, genes against its siblings, and how the authors call most of its cells."""
    types, labels = _column(adata, "falcon_fine"), _column(adata, "fine")
    wide = max(map(len, types)) + 2
    lines = [f"  {'':{wide}}{'cells':>6}  {'genes':26}authors' label"]
    for name in sorted(types.unique()):
        shares = labels[types == name].value_counts(normalize=True)
        known = ", ".join(genes.get(name, []))
        lines.append(f"  {name:{wide}}{(types == name).sum():6}  {known:26}{shares.iloc[0]:4.0%} {shares.index[0]}")
    return "\n".join(lines)


def _picture(adata: AnnData) -> Figure:
    """The cells by coarse label and by fine type, and below them the tree of splits."""
    import matplotlib.pyplot as plt
    import scanpy as sc

    from falcon_sc.pl import tree

    drawn = adata.copy()  # scanpy stores the colors it chooses
    plt.switch_backend("agg")  # a file, not a window
    figure, axes = plt.subplot_mosaic(
        [["coarse", "falcon_fine"], ["tree", "tree"]], figsize=(12, 10), height_ratios=[4, 7], layout="constrained"
    )
    for column, title in (("coarse", "coarse labels: given"), ("falcon_fine", "fine types: discovered")):
        sc.pl.umap(drawn, color=column, title=title, size=35, ax=axes[column], show=False, frameon=False)
    tree(drawn, ax=axes["tree"])
    return figure
