"""Pages of HTML from elements, which escape what they hold."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, tostring

# What the page may load is what it holds: a browser refuses everything else.
_ALLOWED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def element(tag: str, *content: Element | str, **attributes: str) -> Element:
    """An element; ``class_="..."`` for the attribute "class"."""
    made = Element(tag, {name.removesuffix("_"): value for name, value in attributes.items()})
    for piece in content:
        if isinstance(piece, Element):
            made.append(piece)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + piece
        else:
            made.text = (made.text or "") + piece
    return made


def table(head: list[str], rows: list[list[Element | str]], **attributes: str) -> Element:
    """A table; columns whose head ends in ``>`` are numbers, on the right."""
    kinds: list[dict[str, str]] = [{"class_": "number"} if name.endswith(">") else {} for name in head]
    top = (element("th", name.removesuffix(">"), **kind) for name, kind in zip(head, kinds, strict=True))
    body = (
        element("tr", *(element("td", cell, **kind) for cell, kind in zip(row, kinds, strict=True))) for row in rows
    )
    return element("table", element("thead", element("tr", *top)), element("tbody", *body), **attributes)


def page(title: str, style: str, *content: Element) -> str:
    """A page by itself, with a style sheet."""
    root = Element("html", {"lang": "en"})
    head = SubElement(root, "head")
    head.extend(
        [
            element("meta", charset="utf-8"),
            Element("meta", {"http-equiv": "Content-Security-Policy", "content": _ALLOWED}),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("title", title),
            element("style", style),
        ]
    )
    root.append(element("body", element("main", *content)))
    return f"<!doctype html>\n{tostring(root, encoding='unicode', method='html')}\n"
