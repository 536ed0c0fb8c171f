"""What kind of values an expression matrix holds, told by evidence in the values alone.

Every test asks for something that one kind does by construction and the others by chance only: whole numbers, one
total for all cells, whole numbers behind a factor of each cell, gaps between whole numbers.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from scipy import sparse

from falcon_sc.core.data.rows import LARGEST, Rows, each_block
from falcon_sc.core.start.representation.normalizations import counts_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    Kind = Literal["counts", "lognorm", "linear"]

Values = Literal["counts", "lognorm", "continuous"]
"""What a user can say that the values are."""

VALUES: tuple[Values, ...] = ("counts", "lognorm", "continuous")

_LARGEST_VALUE = 2.0**53  # whole numbers beyond it are no longer exact, and no cell holds as many molecules
_LARGEST_LOG = 30.0  # log2(1 + 10^9): no logarithm of a count or a rate is larger
_LARGEST_TOTAL = 2e6  # rates of a cell are scaled to a million at most, in practice
_BASES = (np.e, 2.0, 10.0)  # of log1p in scanpy and Seurat, of log2(x + 1) in bulk pipelines, of log10(x + 1)
_CONSTANT = 2e-3  # relative spread below which sums of cells count as equal; logarithms kept with two digits pass
_FEWEST_CELLS = 3  # two cells of a hundred pairs have sums as close as that by chance, three do not
_CELLS_LOOKED_AT = 2000  # spread evenly over the matrix
_FEWEST_BESIDE = 20  # values around one and around two, without which a gap between them proves nothing
_CHUNK = 1 << 22


@dataclass(frozen=True)
class Recognized:
    """What the values of a matrix were taken for.

    `kind`: "counts" (whole numbers), "lognorm" (logarithms of one plus a rate) or "linear" (rates without a logarithm, or
    counts that were corrected). `base` of the logarithm. `sure`: whether there was evidence; without any, "lognorm".
    `plausible`: whether logarithms of that base would sum to what rates of a cell sum to.
    """

    kind: Kind
    base: float = np.e
    sure: bool = True
    plausible: bool = True


class UnusableValuesError(ValueError):
    """No counts, and nothing that was made of counts; `found` says what it is, without the advice."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(f"{found}: {advice}")
        self.found, self.advice = found, advice

    def __reduce__(self) -> tuple[type[UnusableValuesError], tuple[str, str]]:
        return type(self), (self.found, self.advice)  # so that it comes back from another process


@contextmanager
def advised(advice: str) -> Iterator[None]:
    """For those who read values, and cannot be given all that the usual advice names."""
    try:
        yield
    except UnusableValuesError as error:
        raise UnusableValuesError(error.found, advice) from error


def recognize(values: sparse.csr_matrix | Rows, name: str) -> Recognized:
    """Tell counts from log-normalized and linear values; refuse NaN, inf, negative values and an empty matrix."""
    whole, largest = _whole_and_largest(values, name)
    if whole:
        return Recognized("counts")
    if largest > _LARGEST_LOG:
        return Recognized("linear")
    cells = np.unique(np.linspace(0, values.shape[0] - 1, _CELLS_LOOKED_AT).astype(np.int64))
    rates = values[cells].astype(np.float64)
    by_base = {base: rates_behind(rates, base) for base in _BASES}
    told = _by_equal_sums(rates, by_base) or _by_whole_numbers(rates, by_base)
    if told is None and _gaps_between_whole_numbers(rates.data):
        told = Recognized("linear")
    if told is not None:
        return told
    typical = float(np.median(_sums(by_base[np.e])))
    return Recognized("lognorm", sure=False, plausible=typical <= _LARGEST_TOTAL)


def check_stated(values: Any, name: str, stated: Values) -> None:
    """Refuse values that cannot be what `stated` says: NaN and inf, negative counts, logarithms that are too large."""
    if stated == "continuous":
        looks = each_block(values, _look)
        _check_finite(looks, values, name)
        largest = max(max(look.largest, -look.smallest) for look in looks)
        if largest > LARGEST:
            raise ValueError(too_large(name, largest))
        return
    _, largest = _whole_and_largest(values, name, f"values={stated!r} cannot be")
    if stated == "lognorm" and largest > _LARGEST_LOG:
        msg = (
            f"{name} holds values up to {largest:g}, so values='lognorm' cannot be: no logarithm of a count or a rate is "
            "above 30. Leave values out, or say values='counts'."
        )
        raise ValueError(msg)


def too_large(name: str, largest: float) -> str:
    """What is said of values that are used as they are, and are beyond what can be computed with."""
    return (
        f"{name} holds values as large as {largest:g}, beyond {LARGEST:g}, whose squares cannot be summed: correct or remove "
        "them, if they stand for missing ones."
    )


def check_values(values: object) -> None:
    """Refuse what is not a kind."""
    if values is not None and values not in VALUES:
        msg = f"values must be None or one of {', '.join(map(repr, VALUES))}, found {values!r}."
        raise ValueError(msg)


def rates_behind(logarithms: sparse.csr_matrix, base: float = np.e) -> sparse.csr_matrix:
    """``base ** x - 1`` of the stored values, float64."""
    data = np.expm1(logarithms.data * np.log(base), dtype=np.float64)
    return sparse.csr_matrix((data, logarithms.indices, logarithms.indptr), shape=logarithms.shape)


def equal_sums(sums: np.ndarray) -> bool:
    """Whether all cells that hold anything have one sum."""
    return spread(sums) < _CONSTANT


def spread(sums: np.ndarray) -> float:
    """Standard deviation over mean, of cells that hold anything; infinite where there are too few to tell."""
    filled = sums[sums > 0]
    return float(filled.std() / filled.mean()) if filled.size >= _FEWEST_CELLS else np.inf


def _whole_and_largest(values: Any, name: str, problem: str = "it looks scaled or centered") -> tuple[bool, float]:
    """Whether all values are whole numbers, and the largest one."""
    looks = each_block(values, _look)
    _check_finite(looks, values, name)
    smallest = min(look.smallest for look in looks)
    if smallest < 0:
        found = f"{name} holds negative values (smallest found {smallest:g}), so {problem}"
        advice = (
            "pass raw counts or log-normalized values, e.g. with layer='counts' or adata.raw.to_adata(), "
            "an embedding with use_rep=..., or say values='continuous' to use the values as they are."
        )
        raise UnusableValuesError(found, advice)
    largest = max(look.largest for look in looks)
    if largest == 0.0:
        msg = f"{name} holds nothing but zeros."
        raise ValueError(msg)
    if largest > _LARGEST_VALUE:
        found = f"{name} holds values as large as {largest:g}, which are neither counts nor rates of molecules"
        raise UnusableValuesError(found, "correct or remove them.")
    return all(look.whole for look in looks), largest


class _Look(NamedTuple):
    """What was seen of a block of values."""

    finite: bool
    smallest: float
    largest: float
    whole: bool


def _look(values: np.ndarray | sparse.csr_matrix) -> _Look:
    """Piece after piece, so that it needs little memory."""
    finite, smallest, largest, whole = True, 0.0, 0.0, True
    data = values.reshape(-1) if isinstance(values, np.ndarray) else values.data
    for begin in range(0, data.size, _CHUNK):
        chunk = data[begin : begin + _CHUNK]
        finite = finite and bool(np.isfinite(chunk).all())
        if not finite:
            break
        smallest, largest = min(smallest, float(chunk.min())), max(largest, float(chunk.max()))
        whole = whole and bool((chunk == np.rint(chunk)).all())
    return _Look(finite, smallest, largest, whole)


def _check_finite(looks: list[_Look], values: Any, name: str) -> None:
    for number, look in enumerate(looks):
        if not look.finite:
            where = values.describe(number) if isinstance(values, Rows) else name
            msg = f"{where} holds NaN or inf: remove or fill those values first."
            raise ValueError(msg)


def _by_equal_sums(rates: sparse.csr_matrix, by_base: dict[float, sparse.csr_matrix]) -> Recognized | None:
    """A normalization gives every cell one total: in the rates, or in what is behind logarithms of one base."""
    if equal_sums(_sums(rates.power(2))):  # copies of one cell sum alike in any case
        return None
    candidates = [(spread(_sums(rates)), Recognized("linear"))]
    candidates += [(spread(_sums(own)), Recognized("lognorm", base)) for base, own in by_base.items()]
    smallest, told = min(candidates, key=lambda candidate: candidate[0])
    return told if smallest < _CONSTANT else None


def _by_whole_numbers(rates: sparse.csr_matrix, by_base: dict[float, sparse.csr_matrix]) -> Recognized | None:
    """Counts that each cell scaled by a factor of its own, with a logarithm or without."""
    for base, own in by_base.items():
        if counts_behind(own) is not None:
            return Recognized("lognorm", base)
    return Recognized("linear") if counts_behind(rates) is not None else None


def _gaps_between_whole_numbers(data: np.ndarray) -> bool:
    """Corrected counts: many near one and near two, few between (measured: logarithms have no such gap)."""
    between = np.count_nonzero((data > 1.35) & (data <= 1.65))
    beside = [np.count_nonzero(np.abs(data - whole) <= 0.15) for whole in (1, 2)]
    return bool(min(beside) >= _FEWEST_BESIDE and between < min(beside) / 2)


def _sums(rates: sparse.csr_matrix) -> np.ndarray:
    return np.asarray(rates.sum(axis=1, dtype=np.float64)).ravel()
