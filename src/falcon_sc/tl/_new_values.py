"""New cells, brought to the values that a model was trained on."""

from __future__ import annotations

import logging
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from falcon_sc._blocks import columns_of, factors_to, log_scaled
from falcon_sc._expression import ASSUMED, read_continuous, read_expression
from falcon_sc._kinds import rates_behind, spread
from falcon_sc.core.data.rows import changed, each_block, in_memory
from falcon_sc.tl._training_values import TrainingValues

if TYPE_CHECKING:
    from collections.abc import Callable

    from anndata import AnnData
    from scipy import sparse

    from falcon_sc._expression import Expression
    from falcon_sc._kinds import Kind, Values
    from falcon_sc.tl._training_values import WithMetadata

logger = logging.getLogger(__name__)

_SAME = 1e-3  # relative difference of totals that is rounding
_COMPLETE = 0.95  # share of the training cells' rates in the genes at hand from which on their sums are totals
_ALIKE = 2.0  # factor between sums over some genes that the composition of cells explains
_FAR = 20.0  # factor that no composition explains: no logarithms of what the model was trained on
_WIDE = 1.0  # spread of sums between cells; of rates 0.1 to 0.7 on real data, of counts taken for logarithms 1 to 18
_FEW = 3  # cells that have no spread
_ENOUGH_TO_BE_NEGATIVE = 100  # values


def read_new_values(
    adata: AnnData, layer: str | None, values: Values | None, columns: np.ndarray, model: WithMetadata
) -> tuple[Any, str]:
    """Values of the genes in `columns` as `model` reads them, n_obs x columns, and what they were taken for.

    Where `adata` holds something else than the training cells did, it is brought over; a warning says so where that
    rests on a guess.
    """
    trained = TrainingValues.of_model(model)
    if trained is not None:
        _check_statement(values, trained)
    if values == "continuous" or (trained is not None and trained.kind == "continuous"):
        features = in_memory(columns_of(read_continuous(adata, layer), columns))
        if trained is not None and trained.limits is not None:
            _warn_unlike(features, trained.limits)
        return features, "continuous"
    if trained is None:  # fitted on arrays: nothing is known but the names of the genes
        expression = read_expression(adata, layer, values)
        return expression.log_normalized(columns), expression.kind
    expression = read_expression(adata, layer, values, announce=False)
    return _brought_over(expression, trained, adata.var_names, columns)


def _check_statement(values: Values | None, trained: TrainingValues) -> None:
    """What cannot be brought to the values of the training cells."""
    if values is None or (values == "continuous") == (trained.kind == "continuous"):
        return
    msg = (
        f"values={values!r}, but the model was trained on {ASSUMED[trained.kind].partition(';')[0]}, and one cannot be "
        "brought to the other: give the same kind of values."
    )
    raise ValueError(msg)


def _brought_over(
    expression: Expression, trained: TrainingValues, names: pd.Index, columns: np.ndarray
) -> tuple[Any, str]:
    position = names.get_indexer(pd.Index(trained.genes))
    shared = position >= 0
    of_training = np.zeros(names.size)
    of_training[position[shared]] = 1
    expected, share = trained.expected(shared), trained.share(shared)
    kind = expression.kind

    def of_columns(scaled: Callable[..., sparse.csr_matrix]) -> Any:
        step = partial(scaled, total=expected, genes=of_training, columns=columns)
        return changed(expression.values, step, len(columns))

    if not expression.sure or kind == "lognorm":
        logarithms = np.concatenate(each_block(expression.values, partial(_sums_of_rates, genes=of_training)))
    if not expression.sure:
        kind = _guess(logarithms / expected, trained)
    logger.info("new cells: taken for %s", kind)
    if kind != "lognorm":
        if trained.total is None or share < _COMPLETE:
            _warn(f"the cells hold counts, which were scaled to {expected:,.0f} a cell", trained, share)
        return of_columns(_scaled_counts), kind
    chosen = columns_of(expression.values, columns)
    filled = logarithms > 0
    ratio = float(np.median(logarithms[filled])) / expected if filled.any() else 1.0
    if np.abs(logarithms[filled] / expected - 1).max(initial=0) <= _SAME:
        return chosen, kind
    known = trained.total is not None and share >= _COMPLETE
    if not known and 1 / _ALIKE <= ratio <= _ALIKE:
        return chosen, kind
    found = f"the cells hold log-normalized values whose rates sum to {ratio * expected:,.0f} (median)"
    if known and expression.sure:
        logger.info("%s; brought to %s, as in training", found, f"{expected:,.0f}")
    else:
        _warn(f"{found}, which were scaled to {expected:,.0f} a cell", trained, share)
    return of_columns(_scaled_again), kind


def _scaled_counts(
    values: sparse.csr_matrix, total: float, genes: np.ndarray, columns: np.ndarray
) -> sparse.csr_matrix:
    """Counts of the genes in `columns`, normalized so that `genes` (1 or 0, n_vars) sum to `total`, then log1p."""
    return log_scaled(values[:, columns], factors_to(total, values @ genes))


def _scaled_again(values: sparse.csr_matrix, total: float, genes: np.ndarray, columns: np.ndarray) -> sparse.csr_matrix:
    """The same of logarithms, whose rates had another sum."""
    rates = rates_behind(values[:, columns]).astype(np.float32)
    return log_scaled(rates, factors_to(total, _sums_of_rates(values, genes)))


def _sums_of_rates(logarithms: sparse.csr_matrix, genes: np.ndarray) -> np.ndarray:
    return np.asarray(rates_behind(logarithms) @ genes)


def _guess(ratios: np.ndarray, trained: TrainingValues) -> Kind:
    """What the values are when nothing in them tells: what the model was trained on, if they can be that.

    `ratios`: for each cell, what its rates sum to if the values are logarithms, by what they sum to in training.
    """
    filled = ratios[ratios > 0]
    level = float(np.median(filled)) if filled.size else 1.0
    logarithms = 1 / _FAR <= level <= _FAR and (filled.size < _FEW or spread(filled) < _WIDE)
    kind: Kind = "lognorm" if logarithms and trained.kind != "linear" else "linear"
    if kind != trained.kind:
        described = "log-normalized values" if kind == "lognorm" else "counts that were corrected or scaled"
        msg = (
            f"nothing in the values of the new cells tells what they are; they were taken for {described}. "
            "Say values='counts' or 'lognorm'."
        )
        warnings.warn(msg, UserWarning, stacklevel=6)
    return kind


def _warn(done: str, trained: TrainingValues, share: float) -> None:
    """Say what was found and done, and why it is not exact."""
    why = (
        f"genes of the training cells with {1 - share:.0%} of their counts are missing"
        if share < _COMPLETE
        else "the training cells had no common total"
        if trained.total is None
        else "nothing proves that they are logarithms"
    )
    msg = f"{done}: the mean of the training cells over the genes in common. This is an estimate, as {why}."
    warnings.warn(msg, UserWarning, stacklevel=6)


def _warn_unlike(features: np.ndarray | sparse.csr_matrix, limits: tuple[float, float]) -> None:
    """Continuous values are used as they are: only their range can tell that they are others."""
    lowest, largest = float(features.min()), float(features.max())
    width = limits[1] - limits[0]
    never_negative = limits[0] < 0 <= lowest and features.size >= _ENOUGH_TO_BE_NEGATIVE
    if never_negative or lowest < limits[0] - width or largest > limits[1] + width:
        msg = (
            f"the values of the new cells lie between {lowest:g} and {largest:g}, those of the training cells between "
            f"{limits[0]:g} and {limits[1]:g}: they were used as they are, but do not look alike."
        )
        warnings.warn(msg, UserWarning, stacklevel=5)
