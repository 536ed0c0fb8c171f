"""All of a result on one page, to read, to send, and to decide by."""

from __future__ import annotations

import warnings
from base64 import b64encode
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int, check_is_anndata, check_writable
from falcon_sc._log import show_log
from falcon_sc.core.runtime.files import write_whole
from falcon_sc.pl._classes import coarse_names_now, read_about
from falcon_sc.pl._names import MissingLettersWarning
from falcon_sc.pl.tree import read_picture
from falcon_sc.tl._decisions_in_words import decisions_in_words
from falcon_sc.tl._findings import find
from falcon_sc.tl._report_page import report_page

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc.tl._findings import Findings

_N_MARKERS = 3  # of each class, in the pictures
# on the page, text of a readable size, which looks the same on every machine, byte for byte
_SETTINGS: dict[str, Any] = {"font.size": 12, "svg.fonttype": "path", "svg.hashsalt": "falcon_sc"}


def report(
    adata: AnnData,
    path: str | Path = "report.html",
    *,
    key: str = "falcon",
    by: str | None = None,
    depth: int | None = 1,
) -> Path:
    """Write one page about the fine classes: what to look at twice, and for each coarse class all there is to know.

    The page begins with warnings in plain words: classes with a low confidence, from one donor, of a few cells or
    without a marker against their siblings, and splits that the evidence does not support or that depth, mitochondria or
    batch explain. Then, for each coarse class, there is its tree of splits (:func:`falcon_sc.pl.tree`), a table of its
    fine classes with cells, confidence, markers and donors, and the evidence for every split; at the end the decisions so
    far, settings and versions, and how to cite. It is one file with everything in it, which loads nothing and can be sent.

    .. image:: /_static/report.png
        :alt: The beginning of a page on 700 blood cells: warnings, a table of coarse classes, and the first of them

    Markers are those of :func:`falcon_sc.tl.markers` where it was run for these classes. Else they are computed for the
    page, from the values that the classes were found in, and not kept; what cannot be had is said on the page.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover` or :func:`falcon_sc.tl.predict`.
    path
        The file, with a name that ends in ``.html``. One that is there is replaced.
    key
        `key_added` of the result.
    by
        Column of ``adata.obs`` with the donor, or the condition or batch; by default the `batch_key` of the run.
    depth
        Levels of splits that are drawn below the present fine classes, see :func:`falcon_sc.pl.tree`.

    Returns
    -------
    The path that was written. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`, or `by` is not in ``adata.obs``.
    TypeError
        `adata` is no AnnData, `path` no path, or `depth` no int.
    ValueError
        `path` does not end in ``.html``, or is a folder; no cell has a fine class, or none has a group in `by`; nothing
        says which coarse class a new name belongs to.
    PermissionError
        `path` cannot be written.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> fsc.tl.report(adata, "report.html").name
    'report.html'
    """
    show_log()
    check_is_anndata(adata)
    target = check_writable(path, "path", folder=False)
    if target.suffix.lower() != ".html":
        msg = f"path={str(path)!r} must end in .html: the report is a page."
        raise ValueError(msg)
    depth = None if depth is None else check_int(depth, "depth", minimum=0)
    about = read_about(adata, key)
    params = about.get("params", {})
    if by is None and params.get("batch_key") in adata.obs:
        by = params["batch_key"]
    findings = find(adata, key, by)
    pictures = {
        coarse.name: _picture(adata, key, coarse.name, findings, depth)
        for coarse in findings.coarse
        if coarse.tree is not None and coarse.tree.split is not None
    }
    made = f"{datetime.now(UTC):%Y-%m-%d}"
    content = report_page(findings, pictures, decisions_in_words(about, coarse_names_now(adata, key)), params, made)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, lambda beside: beside.write_text(content, encoding="utf-8"))
    return target


def _picture(adata: AnnData, key: str, coarse: str, findings: Findings, depth: int | None) -> str:
    """The tree of a coarse class as an image that stands in the page itself, in the style of matplotlib, whatever is set."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with (
        style.context(["default", _SETTINGS]),
        warnings.catch_warnings(action="ignore", category=MissingLettersWarning),
    ):
        picture = read_picture(adata, key, coarse, findings.markers, depth=depth, n_markers=_N_MARKERS)
        figure = Figure(figsize=picture.size, layout="constrained")
        picture.draw(figure.add_subplot(), picture.size[0])
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{b64encode(drawn.getvalue()).decode()}"
