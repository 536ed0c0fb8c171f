"""What a report looks like: findings in, a page out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.pl._splits import percent, short, splits_below
from falcon_sc.tl._html import element, page, table
from falcon_sc.tl._report_texts import CITE, HOME, HOW_TO_READ, STYLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from xml.etree.ElementTree import Element

    from falcon_sc.pl._splits import Node, Split
    from falcon_sc.tl._findings import CoarseFindings, Findings, FineFindings

_N_MARKERS = 8  # named of each class
_MANY = 12  # donors, from which on the legend would be no help


def report_page(
    findings: Findings, pictures: Mapping[str, str], decisions: list[str], params: Mapping[str, Any], made: str
) -> str:
    """The page; `pictures` are those of the trees, by coarse class, as ``data:`` addresses; `made` is the day."""
    n_coarse = len(findings.coarse)
    sections = [
        section
        for number, coarse in enumerate(findings.coarse)
        for section in _coarse(coarse, number, pictures.get(coarse.name), findings)
    ]
    return page(
        "Fine classes",
        STYLE,
        element("h1", "Fine classes"),
        element(
            "p",
            f"{findings.n_cells:,} cells, {_count(n_coarse, 'coarse class')}, {_count(findings.n_fine, 'fine class')}. "
            f"Made by falcon_sc on {made}.",
            class_="lead",
        ),
        *(element("p", note, class_="note") for note in findings.notes),
        element("h2", "What to look at"),
        _to_look_at(findings),
        element("h2", "Coarse classes"),
        _overview(findings),
        *sections,
        element("h2", "Decisions so far"),
        element("ol", *(element("li", text) for text in decisions)) if decisions else element("p", "None."),
        element("h2", "How to read this"),
        element(
            "dl",
            *(element(tag, text) for term in HOW_TO_READ.items() for tag, text in zip(("dt", "dd"), term, strict=True)),
        ),
        element("h2", "Settings and versions"),
        _settings(params),
        element("h2", "How to cite"),
        element("p", f"The method, and the package: falcon-sc {params.get('falcon_sc', '')}, {HOME}"),
        element("pre", CITE),
    )


def _to_look_at(findings: Findings) -> Element:
    """All warnings, each class with a link to its coarse class."""
    items = []
    for number, coarse in enumerate(findings.coarse):
        said = [(coarse.name, coarse.warnings)] + [(fine.name, fine.warnings) for fine in coarse.classes]
        items += [
            element("li", element("a", name, href=f"#coarse-{number}"), f": {'; '.join(texts)}")
            for name, texts in said
            if texts
        ]
    return element("ul", *items, class_="warnings") if items else element("p", "Nothing stands out.")


def _overview(findings: Findings) -> Element:
    """A row for each coarse class."""
    rows: list[list[Element | str]] = []
    for number, coarse in enumerate(findings.coarse):
        made = [split for split in splits_below(coarse.tree) if split.is_made] if coarse.tree is not None else []
        supported = f"{sum(split.supported for split in made)} of {len(made)}" if made else ""
        n_warnings = len(coarse.warnings) + sum(len(fine.warnings) for fine in coarse.classes)
        rows.append(
            [
                _named(coarse.name, coarse.color, href=f"#coarse-{number}"),
                f"{coarse.n_cells:,}",
                str(len(coarse.classes)),
                supported,
                str(n_warnings or ""),
            ]
        )
    return table(["coarse class", "cells>", "fine classes>", "splits supported>", "warnings>"], rows)


def _coarse(coarse: CoarseFindings, number: int, picture: str | None, findings: Findings) -> list[Element]:
    """The section of a coarse class."""
    parts = [element("h2", _named(coarse.name, coarse.color), id=f"coarse-{number}")]
    if coarse.warnings:
        parts.append(element("ul", *(element("li", text) for text in coarse.warnings), class_="warnings"))
    if picture is not None:
        parts.append(element("img", src=picture, alt=f"The tree of splits of {coarse.name}, as in the tables below"))
    columns: list[tuple[str, Callable[[FineFindings], Element | str]]] = [
        ("fine class", _name),
        ("cells>", lambda fine: f"{fine.n_cells:,}"),
        ("share>", lambda fine: percent(fine.share)),
        ("confidence>", lambda fine: "" if np.isnan(fine.confidence) else f"{fine.confidence:.2f}"),
        ("markers against siblings", _markers),
        (findings.by or "", lambda fine: _shares(fine.groups, findings.groups)),
        ("to look at", _look_at),
    ]  # fmt: skip
    shown = [
        True, True, True, True, any(fine.markers is not None for fine in coarse.classes), len(findings.groups) > 1,
        any(fine.warnings or fine.hints for fine in coarse.classes),
    ]  # fmt: skip
    columns = [column for column, is_shown in zip(columns, shown, strict=True) if is_shown]
    rows = [[cell(fine) for _, cell in columns] for fine in coarse.classes]
    parts.append(table([head for head, _ in columns], rows, class_="classes"))
    if len(findings.groups) > 1:
        parts.append(_legend(findings.groups))
    if coarse.tree is not None and coarse.tree.split is not None:
        parts.append(element("details", element("summary", "Evidence for every split"), _evidence(coarse.tree)))
    return parts


def _name(fine: FineFindings) -> Element:
    return _named(fine.name, fine.color)


def _markers(fine: FineFindings) -> Element:
    genes = fine.markers or []
    more = f" and {len(genes) - _N_MARKERS:,} more" if len(genes) > _N_MARKERS else ""
    return element("span", element("i", ", ".join(genes[:_N_MARKERS])), more)


def _look_at(fine: FineFindings) -> Element:
    """What is to be doubted, and what could be done."""
    said = element("span", "; ".join(fine.warnings), class_="warning")
    between = [element("br")] if fine.warnings and fine.hints else []
    return element("span", said, *between, "; ".join(fine.hints))


def _shares(counts: np.ndarray, groups: Mapping[str, str]) -> Element:
    """A bar of the donors in the cells of a class."""
    total = max(int(counts.sum()), 1)
    pieces = [
        element("span", title=f"{name}: {percent(n / total)}", style=f"width:{100 * n / total:.2f}%;background:{color}")
        for (name, color), n in zip(groups.items(), counts.tolist(), strict=True)
        if n
    ]
    largest = max(zip(counts.tolist(), groups, strict=True))
    return element("div", element("div", *pieces, class_="bar"), f"{largest[1]}: {percent(largest[0] / total)}")


def _legend(groups: Mapping[str, str]) -> Element:
    if len(groups) > _MANY:
        return element("p", f"{len(groups)} of them; a pointer on a piece of a bar shows its name.", class_="note")
    return element("p", *(_named(name, color) for name, color in groups.items()), class_="legend")


def _evidence(root: Node) -> Element:
    """All splits of a coarse class in numbers, in the order in which they are made."""

    def row(split: Split) -> list[Element | str]:
        evidence = split.evidence
        shares = (
            short(evidence[name]) if name in evidence else ""
            for name in ("agreement", "depth", "mitochondria", "batch")
        )
        sides = [", ".join(side.classes) for side in split.sides]
        return [
            str(split.opens_at),
            " | ".join(sides) if split.is_made else f"{sides[0]}, not split" if sides[0] == sides[1] else ", ".join(dict.fromkeys(sides)),
            " | ".join(f"{size:,}" for size in split.sizes),
            short(evidence["comes_back"]) if "comes_back" in evidence else "",
            f"{evidence['markers']:.0f}" if "markers" in evidence else "",
            *shares,
            "yes" if split.supported else "no",
        ]  # fmt: skip

    head = [
        "fine classes>",
        "split",
        "cells>",
        "comes back>",
        "markers>",
        "agreement>",
        "depth>",
        "mitochondria>",
        "batch>",
        "supported",
    ]
    return table(head, [row(split) for split in sorted(splits_below(root), key=lambda split: split.opens_at)])


def _settings(params: Mapping[str, Any]) -> Element:
    rows: list[list[Element | str]] = [[name, f"{params[name]}"] for name in sorted(params)]
    return element("details", element("summary", f"All {len(rows)}"), table(["name", "value"], rows))


def _named(name: str, color: str, **link: str) -> Element:
    """A name after a patch of its color."""
    return element(
        "span",
        element("span", class_="patch", style=f"background:{color}"),
        element("a" if link else "span", name, **link),
    )


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'es' * (n != 1)}"
