"""Learned against true relations of fine and coarse classes: three graph edit distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from falcon_sc.metrics._labels import check_paired, count_pairs, encode, matching

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def graph_edit_distance(
    M: ArrayLike,
    M_true: ArrayLike,
    *,
    kind: Literal["falcon", "iso", "matched"] = "falcon",
    labels: ArrayLike | None = None,
    labels_true: ArrayLike | None = None,
) -> int:
    r"""Edits between the learned and the true graph of fine and coarse classes.

    Write :math:`A_c` and :math:`B_c` for the fine classes under coarse class `c` in `M` and in `M_true`.

    `"falcon"`
        The published number (Table 3 of :cite:t:`Grcic2024`, after :cite:t:`Fischer2017`), in closed form:
        :math:`\sum_c [|A_c| \ne |B_c|] \min(|A_c \triangle B_c|, 4)`, without the cap of 4 where :math:`A_c`
        is empty. It compares learned class number 17 with true class number 17, an arbitrary pairing; it is 0
        as soon as every coarse class has the right *number* of fine classes, whatever samples are in them.
        Report it only next to published values.
    `"iso"`
        :math:`\sum_c \big| |A_c| - |B_c| \big| + |K_F - K_F^*|`: the exact distance when the coarse classes
        are fixed and the fine ones interchangeable (edges moved, plus fine nodes added or removed).
    `"matched"`
        Fine classes are first paired by the samples they share, as in :func:`clustering_accuracy`. A pair under
        different coarse classes costs 2 (one edge removed, one added), a class without a partner 2 (its node
        and its edge). Pairings that share equally many samples are settled in favor of equal parents. This is
        what the name suggests: do the discovered classes hang under the right parent.

    Parameters
    ----------
    M
        Learned relations, K_F x K_C, entries 0 or 1, one 1 in each row: the coarse class of each fine class.
    M_true
        True relations, K_F* x K_C, with the coarse classes in the same order of columns.
    kind
        Which of the three distances.
    labels
        Read by `"matched"` only: the discovered fine class of every sample, either the row of `M`
        (0 ... K_F - 1) or a categorical with one category per row of `M`, in that order.
    labels_true
        Read by `"matched"` only: the same for the true classes and the rows of `M_true`.

    Returns
    -------
    Number of edits.

    Raises
    ------
    ValueError
        If a matrix is not a relation, the numbers of columns differ (or, for `"falcon"`, of rows), the labels
        do not index the rows, or `kind` is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> import falcon_sc as fsc
    >>> M = np.eye(3, dtype=np.uint8)[[0, 0, 0, 1, 1, 2]]
    >>> M_true = np.eye(3, dtype=np.uint8)[[0, 0, 1, 1, 2, 2]]
    >>> fsc.metrics.graph_edit_distance(M, M_true)
    2
    """
    learned, known = _relation(M, "M"), _relation(M_true, "M_true")
    if learned.shape[1] != known.shape[1]:
        msg = (
            f"M has {learned.shape[1]} columns and M_true {known.shape[1]}: "
            "give both the same coarse classes, in the same order."
        )
        raise ValueError(msg)
    if kind == "falcon":
        return _falcon_distance(learned, known)
    if kind == "iso":
        moved = np.abs(learned.sum(axis=0) - known.sum(axis=0)).sum()
        return int(moved) + abs(len(learned) - len(known))
    if kind == "matched":
        return _matched_distance(learned, known, labels, labels_true)
    msg = f"kind={kind!r} is unknown: choose 'falcon', 'iso' or 'matched'."
    raise ValueError(msg)


def _falcon_distance(learned: NDArray[np.int64], known: NDArray[np.int64]) -> int:
    if learned.shape != known.shape:
        msg = (
            f"kind='falcon' needs equally many fine classes, M has {len(learned)} and M_true {len(known)}: it compares "
            "classes by their row number, and with other numbers of rows fine and coarse classes would be mixed up. "
            "Use kind='iso' or kind='matched'."
        )
        raise ValueError(msg)
    differing = (learned != known).sum(axis=0)
    # A coarse class can trade places with one of its own fine classes for 4 edits, if it has one.
    capped = np.where(learned.any(axis=0), np.minimum(differing, 4), differing)
    return int(capped[learned.sum(axis=0) != known.sum(axis=0)].sum())


def _matched_distance(
    learned: NDArray[np.int64],
    known: NDArray[np.int64],
    labels: ArrayLike | None,
    labels_true: ArrayLike | None,
) -> int:
    if labels is None or labels_true is None:
        msg = "kind='matched' pairs the classes by their samples: give labels and labels_true."
        raise ValueError(msg)
    check_paired(labels_true, labels, "labels_true", "labels")
    rows = _row_numbers(labels, len(learned), "labels", "M")
    rows_true = _row_numbers(labels_true, len(known), "labels_true", "M_true")
    counts = count_pairs(rows_true, rows, len(known), len(learned))
    same_parent = known @ learned.T
    pairs = matching(counts, same_parent)
    misplaced = len(pairs[0]) - same_parent[pairs].sum()
    return 2 * int(misplaced) + 2 * abs(len(learned) - len(known))


def _relation(M: ArrayLike, name: str) -> NDArray[np.int64]:
    try:
        relation = np.asarray(M.toarray() if hasattr(M, "toarray") else M)
    except ValueError as error:
        msg = f"{name} must be a fine x coarse matrix, found no matrix ({error})."
        raise ValueError(msg) from error
    if relation.ndim != 2 or not relation.size:
        msg = f"{name} must be a fine x coarse matrix, it has shape {relation.shape}."
        raise ValueError(msg)
    if not np.isin(relation, (0, 1)).all() or not (relation.sum(axis=1) == 1).all():
        msg = f"{name} must hold 0 and 1 only, and exactly one 1 in each row: every fine class has one coarse class."
        raise ValueError(msg)
    return relation.astype(np.int64)


def _row_numbers(labels: ArrayLike, n_rows: int, name: str, of: str) -> NDArray[np.int64]:
    from pandas import Categorical, Index, Series

    values = labels.array if isinstance(labels, Series | Index) else labels
    if isinstance(values, Categorical):
        encode(values, name)  # refuses missing values
        if len(values.categories) != n_rows:
            msg = f"{name} has {len(values.categories)} categories and {of} {n_rows} rows: one category per row, in order."
            raise ValueError(msg)
        return np.asarray(values.codes, dtype=np.int64)
    rows = np.asarray(labels)
    if rows.dtype.kind not in "iu" or rows.min() < 0 or rows.max() >= n_rows:
        msg = f"{name} must be row numbers of {of} (integers 0 ... {n_rows - 1}) or a categorical with its rows as categories."
        raise ValueError(msg)
    return rows.astype(np.int64)
