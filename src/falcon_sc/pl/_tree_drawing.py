"""The picture of trees of splits: a dendrogram, and beside it a table of the fine classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from falcon_sc.pl._splits import in_words
from falcon_sc.pl._style import LITERAL, QUIET, ink, quiet, scaled
from falcon_sc.pl._tree_marks import KINDS, draw_kind, kind_of, knot_of, line_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes

    from falcon_sc.pl._tree_rows import Row

_INCHES_A_ROW = 0.2
_INCHES_OF_A_STEP = 0.3, 0.55  # least and most, from one number of classes to the next
_INCHES_OF_A_TREE = 3.2  # where there is room
_GAP = 0.15  # inches between the columns of the table
_MARGIN = 0.15  # inches left and right of everything
_INDENT = 0.25  # inches from a split of a class to those of its parts
_ON_A_SCREEN = 1.1  # times as wide, at most, where letters begin at whole pixels
_TITLE, _NAME, _SMALL = 10, 8, 7  # sizes of text
_ABOVE, _BETWEEN = 1.1, 2.2  # rows: from the name of a coarse class to its tree, from a tree to the next


@dataclass(frozen=True)
class Block:
    """A coarse class: its name, its color, a few words about it, and the rows of its tree."""

    name: str
    color: str
    about: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Label:
    """A fine class: its name as it is drawn, its color, its number of cells, and its markers where they are known."""

    name: str
    color: str
    cells: str
    markers: str


@dataclass(frozen=True)
class Columns:
    """Where they begin, in inches, but for numbers of cells, which end there; `end` is that of everything."""

    names: float
    cells: float
    markers: float
    next: float
    end: float


@dataclass(frozen=True)
class TreePicture:
    """Trees below each other, and the labels of their fine classes by name.

    On the left is the tree down to the present classes, then the table of these, then how they would come apart.
    Lengths are inches, which are the unit of the x axis.
    """

    blocks: Sequence[Block]
    labels: Mapping[str, Label]

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of a figure with room for everything."""
        titles = [
            _width([block.name], _TITLE, weight="bold") + _GAP + _width([block.about], _NAME) for block in self.blocks
        ]
        return max(self._columns(self._step).end, *titles) + 2 * _MARGIN, scaled(_INCHES_A_ROW) * (
            self._bottom + 1
        ) + 0.5

    def draw(self, ax: Axes, width: float | None = None) -> None:
        """Draw on axes of this width; by default theirs, which may be too small."""
        step = self._step
        width = ax.get_window_extent().width / ax.figure.dpi if width is None else width
        missing = max(self._columns(step).end - width, 0)
        step = max(step - missing / self._last, _INCHES_OF_A_STEP[0] / 2)
        columns = self._columns(step)
        ax.patch.set_visible(False)  # one background for texts that reach from the axes to the paper around them
        top = 0.0
        for block in self.blocks:
            self._draw_block(ax, block, top + _ABOVE, step, columns)
            top += _ABOVE + block.rows[-1].y + _BETWEEN
        for number, kind in enumerate(self._kinds()):
            draw_kind(ax, kind, top + number - 0.3)
        ax.set(xlim=(-_MARGIN, max(columns.end, width - _MARGIN)), ylim=(self._bottom, -0.7), yticks=[])
        quiet(ax)
        ax.grid(visible=False)  # it would run through the texts
        every = max(1, round(scaled(0.25) / step))
        numbers = range(2, int(self._last) + 1, every)
        ax.xaxis.tick_top()
        ax.set_xticks([step * (n - 1) for n in numbers], list(map(str, numbers)), fontsize=scaled(_SMALL))
        if numbers:
            ax.xaxis.set_label_position("top")
            ax.set_xlabel("split from this number of fine classes on", loc="left", fontsize=scaled(_SMALL))
        if any(row.is_class and row.split for row in self._rows()):
            ax.annotate(
                "would be split next, from this number on:", (columns.next, 1), xycoords=ax.get_xaxis_transform(),
                xytext=(0, 4), textcoords="offset points", fontsize=scaled(_SMALL), color=QUIET,
            )  # fmt: skip

    @property
    def _bottom(self) -> float:
        """Rows of all trees and of the legend."""
        return sum(_ABOVE + block.rows[-1].y + _BETWEEN for block in self.blocks) + len(self._kinds())

    @property
    def _last(self) -> float:
        """The largest number of fine classes that something is drawn at."""
        return max(row.x for row in self._rows())

    @property
    def _step(self) -> float:
        """Inches from one number of fine classes to the next, where there is room."""
        least, most = _INCHES_OF_A_STEP
        return scaled(min(max(_INCHES_OF_A_TREE / self._last, least), most))

    def _rows(self) -> Iterator[Row]:
        return (row for block in self.blocks for row in block.rows)

    def _kinds(self) -> list[tuple[bool, bool]]:
        """The kinds of splits that are drawn, in the order of the legend."""
        there = {kind_of(row) for row in self._rows() if row.split is not None}
        return [kind for kind in KINDS if kind in there]

    def _columns(self, step: float) -> Columns:
        classes = [row.node.classes[0] for row in self._rows() if row.is_class]
        labels = [self.labels[name] for name in classes]
        names = max(step * (row.x - 1) for row in self._rows() if row.is_class) + 1.5 * _GAP
        cells = (
            names
            + _width([label.name for label in labels], _NAME)
            + _GAP
            + _width([label.cells for label in labels], _SMALL)
        )
        markers = cells + _GAP
        genes = _width([label.markers for label in labels], _SMALL, style="italic")
        beyond = markers + genes + (2 * _GAP if genes else 0)
        ends = [step * (row.x - 1) + _GAP + _width([_beside(row)], _SMALL) for row in self._rows() if row.below is None]
        ends += [
            beyond + _INDENT * row.below + _GAP + _width([_beside(row)], _SMALL)
            for row in self._rows()
            if row.below is not None
        ]
        return Columns(names, cells, markers, beyond, max(ends))

    def _draw_block(self, ax: Axes, block: Block, top: float, step: float, columns: Columns) -> None:
        """The name of a coarse class, and below it the tree with its table."""
        title = ax.text(
            0, top - _ABOVE, block.name, va="center", fontsize=scaled(_TITLE), weight="bold", color=ink(ax), **LITERAL
        )
        ax.annotate(
            block.about, (1, 0.5), xycoords=title, xytext=(8, 0), textcoords="offset points", va="center",
            fontsize=scaled(_NAME), color=QUIET,
        )  # fmt: skip
        for row in block.rows:
            y = top + row.y
            if not row.below:
                start = 0.0 if row.above is None else step * (row.above.x - 1)
                ax.plot([start, step * (row.x - 1)], [y, y], **line_of(kind_of(row.above), block.color))
            if row.below is None:
                _draw_split(ax, row, step * (row.x - 1), top, block.color)
            else:
                self._draw_part(ax, row, columns.next + _INDENT * row.below, top)
            if row.is_class:
                self._draw_class(ax, row, y, step * (row.x - 1), columns)

    def _draw_class(self, ax: Axes, row: Row, y: float, x: float, columns: Columns) -> None:
        """The mark of a fine class, and its row in the table."""
        label = self.labels[row.node.classes[0]]
        ax.plot([x], [y], marker="s", markersize=scaled(7), color=label.color, zorder=4)
        ax.text(columns.names, y, label.name, va="center", fontsize=scaled(_NAME), color=ink(ax), **LITERAL)
        ax.text(columns.cells, y, label.cells, va="center", ha="right", fontsize=scaled(_SMALL), color=QUIET)
        ax.text(
            columns.markers, y, label.markers, va="center", fontsize=scaled(_SMALL), color=ink(ax), style="italic",
            **LITERAL,
        )  # fmt: skip

    def _draw_part(self, ax: Axes, row: Row, x: float, top: float) -> None:
        """How a class, or a part of one, would come apart; or the cells of a part."""
        if row.above is not None and row.below:
            ax.plot([x - _INDENT, x], [top + row.y] * 2, **line_of(kind_of(row.above), QUIET))
        if row.split is not None:
            _draw_split(ax, row, x, top, QUIET)
        else:
            _write_beside(ax, row, x, top, QUIET)


def _draw_split(ax: Axes, row: Row, x: float, top: float, color: str) -> None:
    """A split with its evidence."""
    kind = kind_of(row)
    if row.sides:
        ax.plot([x, x], [top + row.sides[0].y, top + row.sides[1].y], **line_of(kind, color))
    ax.plot([x], [top + row.y], **knot_of(ax, kind, color))
    _write_beside(ax, row, x, top, ink(ax) if any(kind) else QUIET)  # what is made, and what could be


def _write_beside(ax: Axes, row: Row, x: float, top: float, color: str) -> None:
    ax.annotate(
        _beside(row), (x, top + row.y), xytext=(7, 0), textcoords="offset points", va="center", fontsize=scaled(_SMALL),
        color=color, **LITERAL,
    )  # fmt: skip


def _beside(row: Row) -> str:
    """The text right of what is drawn of a row."""
    if row.split is None:
        return f"{row.n_cells:,} cells" if row.below else ""
    if row.below is None:
        return in_words(row.split)
    larger, smaller = row.split.sizes
    return f"{row.split.opens_at}: {larger:,} | {smaller:,} cells, {in_words(row.split)}"


def _width(texts: Sequence[str], size: float, **font: Any) -> float:
    """Inches of the longest of the texts, at a size in :func:`falcon_sc.pl._style.scaled`."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    style = FontProperties(size=scaled(size), **font)
    points = [text_to_path.get_text_width_height_descent(text, style, ismath=False)[0] for text in texts]
    return _ON_A_SCREEN * max(points, default=0) / 72
