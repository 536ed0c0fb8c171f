"""Class-local representations: genes chosen, normalized and reduced again inside one coarse class.

Several normalizations of the same cells ("log", "scaled", "pearson") give representations that disagree where a cluster is an
artifact of one of them. Everything is learned on at most `max_cells` cells of the class; the others are projected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.core.start.parallel import stop_if_unwanted
from falcon_sc.core.start.progress import fits_done
from falcon_sc.core.start.representation.cells import Cells, counts_and_library, variable_columns
from falcon_sc.core.start.representation.contrast import contrasted_directions
from falcon_sc.core.start.representation.normalizations import Normalizer
from falcon_sc.core.start.representation.principal_axes import one_axis_leads, principal_axes

if TYPE_CHECKING:
    from collections.abc import Collection

    from scipy import sparse

    from falcon_sc.core.start.input import Kind
    from falcon_sc.core.start.representation.contrast import Background

N_COMPONENTS = 30
N_CONTRASTED = 20  # contrasted components kept, of the span of
N_SPAN = 60  # principal components
PROJECTION_ROWS = 4096
DONOR_PRIOR_CELLS = 10.0  # pseudo-cells that pull the mean of a donor towards the mean of the class

COUNT_REPRESENTATIONS = (
    ("log", 10),
    ("log", 20),
    ("scaled", 10),
    ("scaled", 15),
    ("scaled", 20),
    ("pearson", 10),
    ("pearson", 20),
)
CONTINUOUS_REPRESENTATIONS = (("log", 10), ("log", 20), ("scaled", 10), ("scaled", 15), ("scaled", 20))
# Somebody chose the scale of each marker of a panel: divided by its deviation, a marker that only holds noise here counts as
# much as one that tells types apart.
OWN_SCALE_REPRESENTATIONS = (("log", 10), ("log", 15), ("log", 20), ("log", 30))
EQUAL_SIZE_REPRESENTATIONS = (
    ("log", 10),
    ("log", 20),
    ("log", 30),
)  # features in their own scale, which distances go by
CONTRASTED_DIMS = (10, 20)  # of each normalization


@dataclass(frozen=True)
class ClassRepresentations:
    """Principal component scores of all cells of one class.

    `scores`: normalization -> float32 n x d (d <= 30). `fit_cells`: sorted indices of the cells learned from. `depth`:
    float32 n, log1p of the molecules of each cell, standardized over `fit_cells`; None without counts. `contrasted`:
    normalization -> float32 n x d (d <= 20), contrastive components against the other coarse classes, principal ones
    where there are no others; empty for an embedding. `own_scale`: clusters are found in the scale of the values alone, no
    column divided by its deviation: in a panel of markers, and where one axis leads.
    """

    scores: dict[str, np.ndarray]
    fit_cells: np.ndarray
    depth: np.ndarray | None = None
    contrasted: dict[str, np.ndarray] = field(default_factory=dict)
    own_scale: bool = False

    def components(self, normalization: str, n_dims: int) -> np.ndarray:
        """Scores of all cells on the first axes; at most as many as a fifth of the learning cells, at least two."""
        return self.scores[normalization][:, : usable_dims(n_dims, len(self.fit_cells))]

    def contrasted_components(self) -> list[np.ndarray]:
        """Contrasted scores of each normalization in 10 and 20 dimensions, all cells; none of an embedding."""
        n = len(self.fit_cells)
        return [
            np.ascontiguousarray(scores[:, : usable_dims(n_dims, n)])
            for scores in self.contrasted.values()
            for n_dims in CONTRASTED_DIMS
        ]

    def components_without_depth(self, normalization: str, n_dims: int) -> np.ndarray:
        """The same less what a line in the depth explains, fitted on the learning cells; needs counts."""
        if self.depth is None:
            msg = "there are no counts, so no depth"
            raise ValueError(msg)
        scores = self.components(normalization, n_dims)  # n x d
        learned = self.depth[self.fit_cells]  # mean 0, variance 1
        slopes = learned @ scores[self.fit_cells] / len(learned)  # d
        return np.asarray(scores - self.depth[:, None] * slopes)

    def latent(self, n_dims: int = 15) -> np.ndarray:
        """Concatenated scores, each normalization scaled to unit root mean square: n x (n_dims * normalizations)."""
        blocks = []
        for scores in self.scores.values():
            block = np.zeros((len(scores), n_dims), dtype=np.float32)
            block[:, : scores.shape[1]] = scores[:, :n_dims]
            rms = float(np.sqrt(np.mean(block[:, : scores.shape[1]] ** 2)))
            blocks.append(block / rms if rms > 0 else block)
        return np.hstack(blocks)


def plain(representations: ClassRepresentations) -> tuple[tuple[str, int], ...]:
    """Normalization and dimensions of the representations that are not contrasted."""
    if representations.own_scale:
        return OWN_SCALE_REPRESENTATIONS
    return COUNT_REPRESENTATIONS if "pearson" in representations.scores else CONTINUOUS_REPRESENTATIONS


def usable_dims(n_dims: int, n_cells: int) -> int:
    """Dimensions of a representation learned on `n_cells`."""
    return max(2, min(n_dims, n_cells // 5))


def class_representations(
    rows: np.ndarray | sparse.csr_matrix,
    kind: Kind,
    rng: np.random.Generator,
    *,
    batch: np.ndarray | None = None,
    background: Background | None = None,
    has_counts: bool = True,
    n_genes: int = 2000,
    max_cells: int = 3000,
    normalizations: Collection[str] = ("log", "scaled", "pearson"),
    n_components: int = N_COMPONENTS,
) -> ClassRepresentations:
    """Representations of one coarse class.

    Parameters
    ----------
    rows
        n x genes, the cells of the class: dense or CSR, never made dense beyond the chosen genes.
    kind
        What `rows` holds.
    rng
        Draws the cells learned from.
    batch
        Donor codes, n: genes are ranked per donor, and every matrix is centered per donor.
    background
        Cells of the other coarse classes; without them nothing is taken off. Not used for an embedding: what varies in
        all classes is a nuisance among molecules, but was kept on purpose in a representation that was learned.
    has_counts
        For "lognorm": whether counts can be recovered (`counts_can_be_recovered`).
    n_genes
        Genes kept (the paper's 2000).
    max_cells
        Cells learned from.
    normalizations, n_components
        Those that are wanted, and the number of components of each.
    """
    n = rows.shape[0]
    fit_cells = np.arange(n) if n <= max_cells else np.sort(rng.choice(n, max_cells, replace=False))
    counts, library = counts_and_library(rows, kind, has_counts=has_counts)
    columns = variable_columns(rows, counts, kind, fit_cells, batch=batch, n_genes=n_genes)
    cells_of_class = Cells(rows, counts, library, columns)
    fit_block = cells_of_class.block(fit_cells)
    normalizer = Normalizer.learn(kind, *fit_block)
    codes = np.zeros(n, dtype=np.int64) if batch is None else np.unique(batch, return_inverse=True)[1]
    spans: dict[str, np.ndarray] = {}  # genes x axes
    centers: dict[str, np.ndarray] = {}  # donors x genes
    projected: dict[str, np.ndarray] = {}  # n x axes
    matrices = dict(normalizer.apply(*fit_block, only=normalizations))
    del fit_block
    for name in list(matrices):
        stop_if_unwanted()
        centered = matrices.pop(name)  # one after the other goes: they are the largest there is
        centers[name] = _centers(centered, codes[fit_cells], int(codes.max()) + 1)
        _subtract(centered, centers[name], codes[fit_cells])
        spans[name] = principal_axes(centered, N_SPAN if background else n_components)
        projected[name] = np.zeros((n, spans[name].shape[1]), dtype=np.float32)
        projected[name][fit_cells] = centered @ spans[name]
    del centered
    others = np.setdiff1d(np.arange(n), fit_cells)
    for start in range(0, len(others), PROJECTION_ROWS):
        stop_if_unwanted()
        cells = others[start : start + PROJECTION_ROWS]
        for name, matrix in normalizer.apply(*cells_of_class.block(cells), only=normalizations).items():
            _subtract(matrix, centers[name], codes[cells])
            projected[name][cells] = matrix @ spans[name]
        fits_done()  # in a large class the blocks take as long as fits, and are shown like them
    own_scale = kind == "panel" or (
        kind != "embedding" and "log" in projected and one_axis_leads(projected["log"][fit_cells, :2])
    )
    contrasted = {
        name: own[:, :N_CONTRASTED]
        for name, own in projected.items()
        if kind != "embedding" and (name == "log" or not own_scale)
    }
    if contrasted and background is not None:
        rows_of_others = Cells(
            background.rows, *counts_and_library(background.rows, kind, has_counts=has_counts), columns
        )
        spans = {name: spans[name] for name in contrasted}
        for name, covariance in _covariances(rows_of_others, background.codes, normalizer, spans).items():
            own = projected[name][fit_cells]
            directions = contrasted_directions(own.T @ own / len(own), covariance)[:, :N_CONTRASTED]  # axes x 20
            contrasted[name] = projected[name] @ directions.astype(np.float32)
    scores = {name: np.ascontiguousarray(own[:, :n_components]) for name, own in projected.items()}
    depth = None if library is None else _depth(library, fit_cells)
    return ClassRepresentations(scores, fit_cells, depth, contrasted, own_scale=own_scale)


def _covariances(
    cells: Cells, codes: np.ndarray, normalizer: Normalizer, spans: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Mean covariance inside the other classes, in the span of the axes of each normalization (d x d)."""
    classes = np.unique(codes)
    total = {name: np.zeros((axes.shape[1], axes.shape[1])) for name, axes in spans.items()}
    for code in classes:
        block = cells.block(np.flatnonzero(codes == code))
        for name, matrix in normalizer.apply(*block, only=spans).items():
            scores = (matrix @ spans[name]).astype(np.float64)  # cells of the class x d
            scores -= scores.mean(axis=0)
            total[name] += scores.T @ scores / (len(scores) * len(classes))
    return total


def _depth(library: np.ndarray, fit_cells: np.ndarray) -> np.ndarray:
    """Log molecules of each cell in standard deviations; 0 where all cells have as many."""
    depth = np.log1p(library)
    deviation = depth - depth[fit_cells].mean()
    spread = float(depth[fit_cells].std())
    return np.asarray(deviation / spread if spread > 1e-6 else np.zeros(len(depth)), dtype=np.float32)


def _centers(matrix: np.ndarray, codes: np.ndarray, n_codes: int) -> np.ndarray:
    """Column means per donor (n_codes x p), pulled to the mean of the class; with one donor, that mean."""
    mean = matrix.mean(axis=0, dtype=np.float64)
    if n_codes == 1:
        return np.asarray(mean[None], dtype=np.float32)
    centers = np.empty((n_codes, matrix.shape[1]), dtype=np.float32)
    for code in range(n_codes):
        own = matrix[codes == code]
        centers[code] = (own.sum(axis=0, dtype=np.float64) + DONOR_PRIOR_CELLS * mean) / (len(own) + DONOR_PRIOR_CELLS)
    return centers


def _subtract(matrix: np.ndarray, centers: np.ndarray, codes: np.ndarray) -> None:
    """Take the center of its donor off every row, in place."""
    if len(centers) == 1:
        matrix -= centers[0]
        return
    for code, center in enumerate(centers):
        matrix[codes == code] -= center
