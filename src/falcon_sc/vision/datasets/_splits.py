"""Which rows belong to a split; the names of splits are the same for all data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Split = Literal["train", "train90", "val", "test", "all"]
"""Official training part; its first 90 % and last 10 % of each fine class; official test part; both parts."""


def check_split(split: str) -> None:
    """Refuse other names."""
    if split not in get_args(Split):
        msg = f"split must be one of {', '.join(map(repr, get_args(Split)))}, found {split!r}."
        raise ValueError(msg)


def parts_of(split: Split) -> tuple[str, ...]:
    """The official parts, "train" and "test", that hold the images of a split."""
    return {"test": ("test",), "all": ("train", "test")}.get(split, ("train",))


def rows_of(split: Split, fine: NDArray[np.int64], in_test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Mask of the rows of a split, given the fine class of every row and whether it is of the official test part."""
    if split == "all":
        return np.ones(len(fine), bool)
    if split == "test":
        return in_test
    rows = ~in_test
    if split != "train":
        train = fine[rows]
        # 90 % of each fine class, rounded down (appendix F: 45,000 and 5,000 images of CIFAR-100)
        early = first_of_each_class(train, np.bincount(train) * 9 // 10)
        rows[rows] = early if split == "train90" else ~early
    return rows


def first_of_each_class(labels: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mask of the first ``counts[k]`` rows of each class k."""
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels, minlength=len(counts))
    rank = np.empty(len(labels), np.int64)
    rank[order] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rank < counts[labels]
