"""Discovered against known classes: accuracies after matching (equation 18), and the adjusted Rand index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from falcon_sc.metrics._labels import check_paired, contingency, encode, matching

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def clustering_accuracy(true: ArrayLike, predicted: ArrayLike) -> float:
    """Share of samples that are right under the best one-to-one matching of classes.

    Equation 18 of :cite:t:`Grcic2024`: every predicted class stands for at most one true class, and the
    matching that gets most samples right is found with the Hungarian algorithm. The numbers of classes may
    differ; samples of a predicted class that is left without a true class count as wrong.

    Parameters
    ----------
    true
        Known fine class of every sample: one-dimensional, any labels (strings, integers, a
        :class:`pandas.Categorical`, a column of `adata.obs`).
    predicted
        Discovered fine class of every sample, in the same order; columns of pandas with one index in another order are a
        warning. Only the grouping matters, not the names.

    Returns
    -------
    Accuracy between 0 and 1; the sizes of the classes weigh in, so large classes dominate.

    Raises
    ------
    ValueError
        If the two differ in length, are empty or not one-dimensional, or hold missing values.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> fsc.metrics.clustering_accuracy(["a", "a", "b", "b"], [1, 1, 1, 0])
    0.75
    """
    counts = contingency(true, predicted)[0]
    rows, columns = matching(counts)
    return float(counts[rows, columns].sum() / counts.sum())


def macro_accuracy(true: ArrayLike, predicted: ArrayLike) -> float:
    """Recall of each true class under the matching of :func:`clustering_accuracy`, averaged over true classes.

    Small classes weigh as much as large ones, and a true class without a partner scores 0. The matching still
    maximizes the number of right samples, not this average. Where several matchings get equally many samples
    right, the one with the largest average is taken, so that the value depends neither on the names of the
    classes nor on the order of the samples.

    Parameters
    ----------
    true
        Known fine class of every sample, as in :func:`clustering_accuracy`.
    predicted
        Discovered fine class of every sample, in the same order.

    Returns
    -------
    Mean recall between 0 and 1.

    Raises
    ------
    ValueError
        If the two differ in length, are empty or not one-dimensional, or hold missing values.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> fsc.metrics.macro_accuracy(["a", "a", "a", "b"], [0, 0, 0, 0])
    0.5
    """
    counts = contingency(true, predicted)[0]
    rows, columns = matching(counts)
    return float((counts[rows, columns] / counts.sum(axis=1)[rows]).sum() / len(counts))


def adjusted_rand_index(true: ArrayLike, predicted: ArrayLike) -> float:
    """Agreement of two groupings over pairs of samples, corrected for chance :cite:p:`Hubert1985`.

    Parameters
    ----------
    true
        Known fine class of every sample, as in :func:`clustering_accuracy`.
    predicted
        Discovered fine class of every sample, in the same order.

    Returns
    -------
    1 for equal groupings, about 0 for independent ones, never below -0.5.

    Raises
    ------
    ValueError
        If the two differ in length, are empty or not one-dimensional, or hold missing values.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> fsc.metrics.adjusted_rand_index(["a", "a", "b", "b"], [1, 1, 0, 0])
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    check_paired(true, predicted)
    return float(adjusted_rand_score(encode(true, "true")[0], encode(predicted, "predicted")[0]))


def match_classes(true: ArrayLike, predicted: ArrayLike) -> dict[Any, Any]:
    """Which true class each predicted class stands for, under the matching of :func:`clustering_accuracy`.

    Parameters
    ----------
    true
        Known fine class of every sample, as in :func:`clustering_accuracy`.
    predicted
        Discovered fine class of every sample, in the same order.

    Returns
    -------
    Mapping from predicted to true class. If there are more predicted than true classes, those left over are
    absent; a pair without a common sample is absent too.

    Raises
    ------
    ValueError
        If the two differ in length, are empty or not one-dimensional, or hold missing values.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> fsc.metrics.match_classes(["a", "a", "b", "b"], ["x", "x", "x", "y"])
    {'x': 'a', 'y': 'b'}
    """
    counts, true_names, predicted_names = contingency(true, predicted)
    pairs = sorted(zip(*matching(counts), strict=True), key=lambda pair: pair[1])
    return {predicted_names[column]: true_names[row] for row, column in pairs if counts[row, column]}
