"""What the start is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["counts", "lognorm", "panel", "embedding"]

MARKERS_OF_A_PANEL = 100  # at most; larger ones are no longer chosen marker by marker, and their scales say less

LEAST_TO_SPLIT = 3  # samples of a coarse class; one or two have nothing to be compared with, and stay one fine class


def most_classes(sizes: np.ndarray) -> np.ndarray:
    """Fine classes that coarse classes of these sizes (K_C) can have at most."""
    return np.where(sizes < LEAST_TO_SPLIT, 1, sizes)


@dataclass(frozen=True)
class StartInput:
    """What the start clusters.

    Parameters
    ----------
    matrix
        n x genes, dense or sparse (CSR is used as it is), all genes; or n x d, an embedding. Or what gives CSR rows by
        their numbers, ``matrix[rows]``, and each block of them in turn: ``falcon_sc.core.data.rows.Rows``.
    kind
        "counts": raw counts. "lognorm": log1p of counts scaled per cell. "panel": intensities of up to
        `MARKERS_OF_A_PANEL` markers on a scale that was chosen for them, such as arcsinh of mass cytometry.
        "embedding": any continuous columns.
    batch
        Donor or batch codes, int, n; None where there is one.
    """

    matrix: Any
    kind: Kind
    batch: np.ndarray | None = None
