"""Where the nodes of a tree are drawn: each on a row of its own, a split between its two sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from falcon_sc.pl._splits import splits_below

if TYPE_CHECKING:
    from falcon_sc.pl._splits import Node, Split


@dataclass(eq=False)
class Row:
    """A node on its row.

    Parameters
    ----------
    node
        What is drawn.
    above
        The row of the split that it is a side of; None for the whole coarse class.
    n_cells
        Cells of the run on this side of the split above.
    below
        How many splits lie between it and the fine class that it is a part of: 0 for the class itself, None where
        several classes lie here.
    split
        How it comes apart, if that is drawn.
    x
        Of its split, or of the mark of its class, as a number of fine classes; nothing for parts of a class.
    y
        Of the row, in rows from the top.
    sides
        The rows of its sides; none where one row is enough to say how it would come apart.
    """

    node: Node
    above: Row | None = None
    n_cells: int = 0
    below: int | None = None
    split: Split | None = None
    x: float = 0.0
    y: float = 0.0
    sides: list[Row] = field(default_factory=list)

    @property
    def is_class(self) -> bool:
        """Whether these are all cells, or all on this branch, of one fine class."""
        return self.below == 0


def rows_of(root: Node, depth: int | None) -> list[Row]:
    """The rows of a coarse class from top to bottom, with the splits of at most `depth` levels below the present cut."""
    cut = max((split.opens_at for split in splits_below(root) if split.is_made), default=1) + 0.5
    rows: list[Row] = []
    waiting = [_row(root, None, 0, depth)]
    sides_known = set()
    while waiting:
        row = waiting.pop()
        if row in sides_known or row.split is None:
            rows.append(row)
            continue
        row.sides = [_row(node, row, n, depth) for node, n in zip(row.split.sides, row.split.sizes, strict=True)]
        if row.below is not None and not any(side.split for side in row.sides):
            row.sides = []
        sides_known.add(row)
        waiting += [*row.sides[1:], row, *row.sides[:1]]
    for y, row in enumerate(rows):
        row.y = float(y)
    for row in sides_known.union(rows):
        if row.below is None and row.split is not None:
            row.x = float(row.split.opens_at)
    for row in rows:
        if row.is_class:
            row.x = max(cut, (1.0 if row.above is None else row.above.x) + 0.5)
    return rows


def _row(node: Node, above: Row | None, n_cells: int, depth: int | None) -> Row:
    if len(node.classes) > 1:
        return Row(node, above, n_cells, split=node.split)
    below = 0 if above is None or above.below is None else above.below + 1
    drawn = depth is None or below < depth
    return Row(node, above, n_cells, below, node.split if drawn else None)
