"""The fine classes of a result, by name, as the object has them now.

Between `falcon_sc.tl.discover` and a plot the column may have been subset, merged, reordered, renamed or turned to
text. Positions then mean nothing; names do, and the cells that carry a new name say where it belongs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._checks import check_is_anndata, check_name, obs_column
from falcon_sc._written import is_rest
from falcon_sc.core.data.labels import distinct, listed, missing_as_text
from falcon_sc.core.data.naming import parent_names

if TYPE_CHECKING:
    from anndata import AnnData

_STRAY = 0.1  # a smaller share of the cells of a class, in another coarse class, does not make that one its parent


@dataclass(frozen=True)
class Classes:
    """Fine classes in the order in which they are drawn; those of one parent stand together.

    Parameters
    ----------
    names
        str, n_classes: what the user calls them.
    parents
        str, n_classes: the coarse class of each (or classes, joined by ``|``).
    codes
        int64, n_obs: position in `names`, -1 where a cell has no fine class.
    families
        The names of each coarse class, those without cells too.
    """

    names: np.ndarray
    parents: np.ndarray
    codes: np.ndarray
    families: Mapping[str, list[str]]

    @property
    def sizes(self) -> np.ndarray:
        """int64, n_classes: number of cells."""
        return np.bincount(self.codes[self.codes >= 0], minlength=self.names.size)


def read_about(adata: AnnData, key: str) -> Mapping[str, Any]:
    """The entry ``adata.uns[key]``.

    Raises
    ------
    KeyError, ValueError
        If it is no result, or not a whole one.
    """
    check_is_anndata(adata)
    check_name(key, "key")
    about = adata.uns.get(key)
    if isinstance(about, Mapping) and is_rest(about):
        again = (
            "this is what the results of different runs share, of which anndata.concat drops the rest. Give all cells the "
            "classes of one model with falcon_sc.tl.predict, or run falcon_sc.tl.discover on all of them"
        )
        check_holds(about, ("M", "fine_names"), f"adata.uns[{key!r}]", again)
    if not isinstance(about, Mapping) or "fine_names" not in about:
        msg = (
            f"adata.uns[{key!r}] holds no result: run falcon_sc.tl.discover(adata, ..., key_added={key!r}) first "
            "(after anndata.concat: give it uns_merge='same', which keeps the result that all parts share)."
        )
        raise KeyError(msg)
    check_holds(about, ("M", "coarse_names"), f"adata.uns[{key!r}]", "run falcon_sc.tl.discover again")
    shape, n_fine, n_coarse = np.shape(about["M"]), len(about["fine_names"]), len(about["coarse_names"])
    if shape != (n_fine, n_coarse):
        msg = (
            f"M of adata.uns[{key!r}] has the shape {shape}, and there are names of {n_fine} fine and {n_coarse} coarse "
            "classes: run falcon_sc.tl.discover again."
        )
        raise ValueError(msg)
    return about


def check_holds(part: Mapping[str, Any], names: Iterable[str], place: str, what_to_do: str) -> None:
    """A part of a result must hold all of these: anndata.concat drops what the parts do not share."""
    if missing := [name for name in names if name not in part]:
        msg = f"{place} lacks {listed(missing)}: {what_to_do}."
        raise KeyError(msg)


def parents_of(about: Mapping[str, Any]) -> dict[str, str]:
    """The coarse class of each fine class that a result knows, by its name."""
    coarse = np.asarray(about["coarse_names"])
    parents = parent_names(
        np.asarray(about["M"]), coarse, np.asarray(about.get("coarse_dataset", np.zeros(coarse.size)))
    )
    return dict(zip(map(str, about["fine_names"]), parents, strict=True))


def check_column(adata: AnnData, name: str, key: str) -> None:
    """A column that `falcon_sc.tl.discover` wrote to ``adata.obs`` must still be there."""
    if name not in adata.obs:
        msg = f"adata.obs[{name!r}] is missing: run falcon_sc.tl.discover(adata, ..., key_added={key!r}) first."
        raise KeyError(msg)


def read_classes(adata: AnnData, key: str) -> Classes:
    """The fine classes that the cells have now.

    A class that ``adata.uns[key]`` knows has its parent in M. One that it does not know was named by the user:
    its parent is the coarse class of the cells that carry it, and it stands among its siblings by size. A known class
    without a cell is kept if its coarse class has cells, unless the user named classes there: it may be one of them.

    Raises
    ------
    KeyError
        There is no result under `key`.
    ValueError
        No cell has a fine class, or nothing says the coarse class of one.
    """
    about = read_about(adata, key)
    parent_of = parents_of(about)
    check_column(adata, f"{key}_fine", key)
    labels = _texts(adata, f"{key}_fine", parent_of)
    sizes = _sizes(labels)
    if not sizes:
        msg = f"adata.obs[{key + '_fine'!r}] holds no fine class: it is missing (NA) for all {adata.n_obs} cells."
        raise ValueError(msg)
    column = _coarse_column(adata, about)
    now = _current_names(parent_of, labels, column)
    parents = {name: now[parent] for name, parent in parent_of.items()}
    new = [name for name in sizes if name not in parent_of]
    if new:
        parents |= _parents_of_new(new, labels, _coarse_of_cells(adata, key, column, list(parents.values())), key)
    families = _families(parents, set(new), sizes)
    rows = [name for names in families.values() if not sizes.keys().isdisjoint(names) for name in names]
    codes = pd.Index(rows, dtype=object).get_indexer(pd.Index(labels, dtype=object)).astype(np.int64)
    return Classes(
        np.array(rows, dtype=object), np.array([parents[name] for name in rows], dtype=object), codes, families
    )


def coarse_names_now(adata: AnnData, key: str) -> tuple[str, ...]:
    """What each coarse class of a result is called now, K_C, in the order of ``coarse_names``, as plots and tables say it."""
    about = read_about(adata, key)
    names = tuple(str(name) for name in about["coarse_names"])
    if f"{key}_fine" not in adata.obs:
        return names
    parent_of = parents_of(about)
    now = _current_names(parent_of, _texts(adata, f"{key}_fine", parent_of), _coarse_column(adata, about))
    return tuple(now.get(name, name) for name in names)


def _texts(adata: AnnData, name: str, known: Collection[str] = ()) -> np.ndarray:
    """Labels of a column as text, object, n_obs; None where one is missing, also where that became text, as "nan".

    A class that is known by the name "NA" is no missing label.
    """
    codes, labels = distinct(obs_column(adata, name, "key"), f"adata.obs[{name!r}]")
    texts: list[str | None] = [str(label) for label in labels]
    missing = set(missing_as_text(texts)).difference(known)
    return np.array([*(None if text in missing else text for text in texts), None], dtype=object)[codes]


def _sizes(labels: np.ndarray) -> dict[str, int]:
    """Number of cells of each label, in the order of the names."""
    counts = pd.Series(labels, dtype=object).value_counts().sort_index()
    return {str(name): int(n) for name, n in counts.items()}


def _coarse_column(adata: AnnData, about: Mapping[str, Any]) -> np.ndarray | None:
    """Coarse labels of the cells that the classes were found in, if they are still there and name whole parents."""
    coarse_key = about.get("params", {}).get("coarse_key")
    if coarse_key not in adata.obs or "coarse_dataset" in about:  # of several data sets a label is a part of the parent
        return None
    return _texts(adata, coarse_key, [str(name) for name in about["coarse_names"]])


def _current_names(parent_of: dict[str, str], labels: np.ndarray, column: np.ndarray | None) -> dict[str, str]:
    """What each coarse class is called now: another name, if all cells of its classes carry that one instead.

    A name that another coarse class had is taken over where that one has given it up, as when two change their names.
    """
    now = {parent: parent for parent in parent_of.values()}
    if column is None:
        return now
    pairs = pd.DataFrame({"parent": pd.Series(labels, dtype=object).map(parent_of), "label": column})
    carried: dict[str, set[str]] = {parent: set() for parent in now}
    for parent, label in pairs.dropna().drop_duplicates().itertuples(index=False):
        carried[parent].add(label)
    gone = set(now) - set(column)
    for parent, present in carried.items():
        if len(present) == 1 and parent not in present:
            new = min(present)
            if parent in gone or (carried.get(new) and new not in carried[new]):
                now[parent] = new
    return now


def _coarse_of_cells(adata: AnnData, key: str, column: np.ndarray | None, parents: list[str]) -> np.ndarray:
    """Coarse class of every cell, by its label, else by its most probable fine class; None where neither is there."""
    coarse = np.full(adata.n_obs, None, dtype=object)
    proba = np.asarray(adata.obsm.get(f"{key}_proba", ()))
    if proba.ndim == 2 and proba.shape[1] == len(parents):
        is_known = proba.sum(axis=1) > 0  # of cells that anndata.concat put in it is NaN
        coarse[is_known] = np.array(parents, dtype=object)[proba[is_known].argmax(axis=1)]
    if column is not None:
        coarse = np.where(pd.notna(column), column, coarse)
    return coarse


def _parents_of_new(new: list[str], labels: np.ndarray, coarse: np.ndarray, key: str) -> dict[str, str]:
    """Coarse class of each class that the user named; several, joined, if its cells come from several."""
    parents = {}
    for name in new:
        counts = _sizes(coarse[labels == name])
        parents[name] = "|".join(own for own, n in counts.items() if n >= _STRAY * sum(counts.values()))
    orphans = [name for name, parent in parents.items() if not parent]
    if orphans:
        msg = (
            f"adata.obs[{key + '_fine'!r}] holds {listed(orphans)}, which adata.uns[{key!r}]['fine_names'] does not, and "
            "nothing says to which coarse class they belong. Put back the column of the coarse labels or "
            f"adata.obsm[{key + '_proba'!r}], or give these classes their old names."
        )
        raise ValueError(msg)
    return parents


def _families(parents: dict[str, str], new: set[str], sizes: dict[str, int]) -> dict[str, list[str]]:
    """Names of each coarse class, in the order in which they are drawn."""
    families: dict[str, list[str]] = {}
    for parent in dict.fromkeys(parents.values()):
        members = [name for name, own in parents.items() if own == parent]
        present = [name for name in members if name in sizes]
        named = new.intersection(present)
        families[parent] = sorted(present, key=lambda name: -sizes[name]) if named else members
    return families
