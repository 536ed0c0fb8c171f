"""Class-local representations: genes chosen, normalised and reduced again inside one coarse class.

Several normalisations of the same cells ("log", "sc", "pr") give views that disagree where a cluster is an artefact
of one of them. Everything is learned on at most `max_cells` cells of the class; the others are projected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg, sparse

from falcon_sc.core.start.representation.contrast import contrasted_directions
from falcon_sc.core.start.representation.normalizations import Normaliser, pseudo_counts
from falcon_sc.core.start.representation.variable_genes import select_variable_genes

if TYPE_CHECKING:
    from falcon_sc.core.start.input import Kind
    from falcon_sc.core.start.representation.contrast import Background

N_COMPONENTS = 30
N_CONTRASTED = 20  # contrasted components kept, of the span of
N_SPAN = 60  # principal components
EXACT_PCA_UP_TO = 600  # min(cells, genes) up to which an exact eigendecomposition is the faster one
PROJECTION_ROWS = 4096
DONOR_PRIOR_CELLS = 10.0  # pseudo-cells that pull the mean of a donor towards the mean of the class

COUNT_VIEWS = (("log", 10), ("log", 20), ("sc", 10), ("sc", 15), ("sc", 20), ("pr", 10), ("pr", 20))
CONTINUOUS_VIEWS = (("log", 10), ("log", 20), ("sc", 10), ("sc", 15), ("sc", 20))
EQUAL_SIZE_VIEWS = (("log", 10), ("log", 20), ("log", 30))  # features in their own scale, which distances go by
CONTRASTED_DIMS = (10, 20)  # of each normalisation


@dataclass(frozen=True)
class ClassViews:
    """Principal component scores of all cells of one class.

    `scores`: normalisation -> float32 n x d (d <= 30). `fit_cells`: sorted indices of the cells learned from. `depth`:
    float32 n, log1p of the molecules of each cell, standardised over `fit_cells`; None without counts. `contrasted`:
    normalisation -> float32 n x d (d <= 20), contrastive components against the other coarse classes, principal ones
    where there are no others; empty for an embedding.
    """

    scores: dict[str, np.ndarray]
    fit_cells: np.ndarray
    depth: np.ndarray | None = None
    contrasted: dict[str, np.ndarray] = field(default_factory=dict)

    def view(self, name: str, n_dims: int) -> np.ndarray:
        """Scores of one view, all cells; at most a fifth of the learning cells as dimensions, at least two."""
        return self.scores[name][:, : usable_dims(n_dims, len(self.fit_cells))]

    def contrasted_views(self) -> list[np.ndarray]:
        """Contrasted scores of each normalisation in 10 and 20 dimensions, all cells; none of an embedding."""
        n = len(self.fit_cells)
        return [
            np.ascontiguousarray(scores[:, : usable_dims(n_dims, n)])
            for scores in self.contrasted.values()
            for n_dims in CONTRASTED_DIMS
        ]

    def view_without_depth(self, name: str, n_dims: int) -> np.ndarray:
        """The same less what a line in the depth explains, fitted on the learning cells; needs counts."""
        if self.depth is None:
            msg = "there are no counts, so no depth"
            raise ValueError(msg)
        scores = self.view(name, n_dims)
        known = self.depth[self.fit_cells]
        slopes = known @ scores[self.fit_cells] / len(known)  # the depth has mean 0 and variance 1
        return np.asarray(scores - self.depth[:, None] * slopes)

    def latent(self, n_dims: int = 15) -> np.ndarray:
        """Concatenated scores, each normalisation scaled to unit root mean square: n x (n_dims * normalisations)."""
        blocks = []
        for scores in self.scores.values():
            block = np.zeros((len(scores), n_dims), dtype=np.float32)
            block[:, : scores.shape[1]] = scores[:, :n_dims]
            rms = float(np.sqrt(np.mean(block[:, : scores.shape[1]] ** 2)))
            blocks.append(block / rms if rms > 0 else block)
        return np.hstack(blocks)


def usable_dims(n_dims: int, n_cells: int) -> int:
    """Dimensions of a view learned on `n_cells`."""
    return max(2, min(n_dims, n_cells // 5))


def class_views(
    rows: np.ndarray | sparse.csr_matrix,
    kind: Kind,
    rng: np.random.Generator,
    *,
    batch: np.ndarray | None = None,
    background: Background | None = None,
    has_counts: bool = True,
    n_genes: int = 2000,
    max_cells: int = 3000,
) -> ClassViews:
    """Representations of one coarse class.

    Parameters
    ----------
    rows
        n x genes, the cells of the class: dense or CSR, never made dense beyond the chosen genes.
    kind
        What `rows` holds.
    rng
        Draws the cells learned from and the PCA's test vectors.
    batch
        Donor codes, n: genes are ranked per donor, and every matrix is centred per donor.
    background
        Cells of the other coarse classes; without them nothing is taken off. Not used for an embedding: what varies in
        all classes is a nuisance among molecules, but was kept on purpose in a representation that was learned.
    has_counts
        For "lognorm": whether counts can be recovered (`look_like_counts`).
    n_genes
        Genes kept (the paper's 2000).
    max_cells
        Cells learned from.
    """
    n = rows.shape[0]
    fit_cells = np.arange(n) if n <= max_cells else np.sort(rng.choice(n, max_cells, replace=False))
    counts, library = _counts_and_library(rows, kind, has_counts=has_counts)
    columns = _columns(rows, counts, kind, fit_cells, batch, n_genes=n_genes)
    cells_of_class = _Cells(rows, counts, library, columns)
    fit_block = cells_of_class.block(fit_cells)
    normaliser = Normaliser.learn(kind, *fit_block)
    codes = np.zeros(n, dtype=np.int64) if batch is None else np.unique(batch, return_inverse=True)[1]
    spans: dict[str, np.ndarray] = {}
    centres: dict[str, np.ndarray] = {}
    projected: dict[str, np.ndarray] = {}
    matrices = dict(normaliser.apply(*fit_block))
    del fit_block
    for name in list(matrices):
        centred = matrices.pop(name)  # one after the other goes: they are the largest there is
        centres[name] = _centres(centred, codes[fit_cells], int(codes.max()) + 1)
        for code, centre in enumerate(centres[name]):
            centred[codes[fit_cells] == code] -= centre
        spans[name] = principal_axes(centred, N_SPAN if background else N_COMPONENTS, rng)
        projected[name] = np.zeros((n, spans[name].shape[1]), dtype=np.float32)
        projected[name][fit_cells] = centred @ spans[name]
    del centred
    others = np.setdiff1d(np.arange(n), fit_cells)
    for start in range(0, len(others), PROJECTION_ROWS):
        cells = others[start : start + PROJECTION_ROWS]
        for name, matrix in normaliser.apply(*cells_of_class.block(cells)).items():
            projected[name][cells] = (matrix - centres[name][codes[cells]]) @ spans[name]
    contrasted = {name: own[:, :N_CONTRASTED] for name, own in projected.items() if kind != "embedding"}
    if contrasted and background is not None:
        rows_of_others = _Cells(
            background.rows, *_counts_and_library(background.rows, kind, has_counts=has_counts), columns
        )
        for name, covariance in _covariances(rows_of_others, background.codes, normaliser, spans).items():
            own = projected[name][fit_cells]
            directions = contrasted_directions(own.T @ own / len(own), covariance)[:, :N_CONTRASTED]
            contrasted[name] = projected[name] @ directions.astype(np.float32)
    scores = {name: np.ascontiguousarray(own[:, :N_COMPONENTS]) for name, own in projected.items()}
    return ClassViews(scores, fit_cells, None if library is None else _depth(library, fit_cells), contrasted)


@dataclass(frozen=True)
class _Cells:
    """Cells of which dense blocks of the chosen genes are wanted."""

    rows: np.ndarray | sparse.csr_matrix
    counts: np.ndarray | sparse.csr_matrix | None
    library: np.ndarray | None
    columns: np.ndarray

    def block(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Values, counts and library of some cells, as `Normaliser` takes them."""
        values = _dense(self.rows, cells, self.columns)
        counts = self.counts
        block_counts = (
            None if counts is None else values if counts is self.rows else _dense(counts, cells, self.columns)
        )
        return values, block_counts, None if self.library is None else self.library[cells]


def _covariances(
    cells: _Cells, codes: np.ndarray, normaliser: Normaliser, spans: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Mean covariance inside the other classes, in the span of the axes of each normalisation (d x d)."""
    classes = np.unique(codes)
    total = {name: np.zeros((axes.shape[1], axes.shape[1])) for name, axes in spans.items()}
    for code in classes:
        for name, matrix in normaliser.apply(*cells.block(np.flatnonzero(codes == code))).items():
            seen = (matrix @ spans[name]).astype(np.float64)
            seen -= seen.mean(axis=0)
            total[name] += seen.T @ seen / (len(seen) * len(classes))
    return total


def _depth(library: np.ndarray, fit_cells: np.ndarray) -> np.ndarray:
    """Log molecules of each cell in standard deviations; 0 where all cells have as many."""
    depth = np.log1p(library)
    deviation = depth - depth[fit_cells].mean()
    spread = float(depth[fit_cells].std())
    return np.asarray(deviation / spread if spread > 1e-6 else np.zeros(len(depth)), dtype=np.float32)


def principal_axes(centred: np.ndarray, n_axes: int, rng: np.random.Generator) -> np.ndarray:
    """Leading axes (p x n_axes, float32, at least one) of centred n x p data."""
    n, p = centred.shape
    n_axes = max(1, min(n_axes, n - 1, p))
    if min(n, p) <= EXACT_PCA_UP_TO:
        gram = (centred @ centred.T if n <= p else centred.T @ centred).astype(np.float64)
        values, vectors = linalg.eigh(gram, subset_by_index=(len(gram) - n_axes, len(gram) - 1))
        vectors = vectors[:, ::-1]
        if n <= p:
            vectors = centred.T @ (vectors / np.sqrt(np.maximum(values[::-1], 1e-12))).astype(np.float32)
        return np.asarray(vectors, dtype=np.float32)
    from sklearn.utils.extmath import randomized_svd

    seed = int(rng.integers(2**31))
    axes = randomized_svd(centred, n_axes, n_iter=4, random_state=seed)[2]
    return np.asarray(axes.T, dtype=np.float32)


def _centres(matrix: np.ndarray, codes: np.ndarray, n_codes: int) -> np.ndarray:
    """Column means per donor (n_codes x p), pulled to the mean of the class; with one donor, that mean."""
    mean = matrix.mean(axis=0, dtype=np.float64)
    centres = np.empty((n_codes, matrix.shape[1]), dtype=np.float32)
    for code in range(n_codes):
        own = matrix[codes == code]
        prior = 0.0 if n_codes == 1 else DONOR_PRIOR_CELLS
        centres[code] = (own.sum(axis=0, dtype=np.float64) + prior * mean) / max(len(own) + prior, 1)
    return centres


def _counts_and_library(
    rows: np.ndarray | sparse.csr_matrix, kind: Kind, *, has_counts: bool
) -> tuple[np.ndarray | sparse.csr_matrix | None, np.ndarray | None]:
    if kind == "embedding" or (kind == "lognorm" and not has_counts):
        return None, None
    counts = rows if kind == "counts" else pseudo_counts(rows)
    return counts, np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()


def _columns(
    rows: np.ndarray | sparse.csr_matrix,
    counts: np.ndarray | sparse.csr_matrix | None,
    kind: Kind,
    fit_cells: np.ndarray,
    batch: np.ndarray | None,
    *,
    n_genes: int,
) -> np.ndarray:
    if kind == "embedding" or len(fit_cells) == 1:
        return np.arange(rows.shape[1])[:n_genes]
    learned = (rows if counts is None else counts)[fit_cells]
    if counts is None:
        learned = learned.expm1() if sparse.issparse(learned) else np.expm1(learned)
    columns = select_variable_genes(learned, n_genes, None if batch is None else batch[fit_cells])
    return columns if len(columns) > 0 else np.arange(min(rows.shape[1], 2))


def _dense(matrix: np.ndarray | sparse.csr_matrix, cells: np.ndarray, columns: np.ndarray) -> np.ndarray:
    if isinstance(matrix, np.ndarray):
        return matrix[np.ix_(cells, columns)].astype(np.float32)
    chosen = matrix[cells] if len(columns) == matrix.shape[1] else matrix[cells][:, columns]
    return np.asarray(chosen.toarray(), dtype=np.float32)
