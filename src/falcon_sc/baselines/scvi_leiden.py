"""Leiden inside each coarse class, on the latent space of scVI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from falcon_sc._checks import check_int
from falcon_sc.baselines._scvi import Encoder, check_installed
from falcon_sc.baselines.leiden import FairLeiden
from falcon_sc.core.data.inputs import as_input
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.settings.ranges import generator_of

if TYPE_CHECKING:
    from typing import Self

    import torch
    from numpy.typing import ArrayLike, NDArray

_FEWEST = 3  # cells: of fewer, scvi-tools leaves none to train on


class SCVILeiden(FairLeiden):
    """scVI, then Leiden inside each coarse class with one common resolution.

    :cite:t:`Lopez2018`'s variational auto-encoder of all cells, as scvi-tools has it by default (one hidden layer of 128,
    zero-inflated negative binomial counts; nine tenths of the cells are trained on), and :class:`FairLeiden` on the
    means of the latent variables. The training reads neither coarse nor fine labels. Counts only.

    Parameters
    ----------
    n_fine
        Total number of fine classes.
    n_latent
        Latent variables. Default: scvi-tools.
    n_epochs
        None: 400, or in proportion fewer for more than 20,000 cells (scvi-tools).
    n_neighbors
        As for :class:`FairLeiden`.
    device
        None: CUDA if there, else the CPU.
    progress_bar
        Show the bar of scvi-tools.
    rng
        Seed or generator; on the CPU the same seed gives the same labels.

    Attributes
    ----------
    labels_ : int64, (N,)
        Fine class of each cell: codes by coarse class, then by falling size inside it.
    n_per_class_ : int64, (K_C,)
        Number of fine classes of each coarse class.
    coarse_names_ : (K_C,)
        Coarse classes.
    latent_ : float32, (N, n_latent)
        Means of the latent variables.
    resolution_ : float
        The common resolution, after bisection.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.simulate(600, 200, n_coarse=3, n_fine=9)
    >>> model = fsc.baselines.SCVILeiden(9).fit(adata.X, adata.obs["coarse"])  # doctest: +SKIP
    """

    def __init__(
        self,
        n_fine: int,
        *,
        n_latent: int = 10,
        n_epochs: int | None = None,
        n_neighbors: int = 15,
        device: str | torch.device | None = None,
        progress_bar: bool = False,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        super().__init__(n_fine, n_neighbors=n_neighbors, rng=rng)
        self.n_latent = n_latent
        self.n_epochs = n_epochs
        self.device = device
        self.progress_bar = progress_bar

    def fit(self, X: Any, coarse: ArrayLike, *, batch: ArrayLike | None = None) -> Self:
        """Train scVI on all cells, and cluster those of each coarse class.

        Parameters
        ----------
        X
            Raw counts, (N, genes), dense or scipy sparse: whole numbers, none negative. The genes are all used: choose
            variable ones before, some thousand.
        coarse
            Coarse label of each cell, (N,), none missing.
        batch
            Batch or donor of each cell, (N,), none missing, which the decoder is told. None: one batch.

        Returns
        -------
        The fitted model.

        Raises
        ------
        ImportError
            If scvi-tools, leidenalg or igraph is not installed.
        TypeError, ValueError
            If `X` holds no counts or fewer than three cells, `batch` does not fit it, or for what :class:`FairLeiden`
            refuses; before anything is computed.
        FloatingPointError
            If the training diverges.
        """
        check_installed(type(self).__name__)
        counts = _as_counts(X)
        n_latent = check_int(self.n_latent, "n_latent")
        n_epochs = None if self.n_epochs is None else check_int(self.n_epochs, "n_epochs")
        self._classes_and_total(counts, coarse)
        if counts.shape[0] < _FEWEST:
            msg = f"X has {counts.shape[0]} cells: scVI needs at least {_FEWEST}."
            raise ValueError(msg)
        encoder = Encoder.train(
            counts,
            _batch_codes(batch, counts.shape[0]),
            n_latent=n_latent,
            n_epochs=n_epochs,
            device=resolve_device(self.device),
            seed=int(generator_of(self.rng).integers(2**31)),
            progress_bar=self.progress_bar,
        )
        self.latent_ = encoder.latent(counts)
        self._encoder = encoder
        return super().fit(self.latent_, coarse)

    def predict(self, X: Any, coarse: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fine class of each cell, int64 (N,): that of most of its 15 nearest training cells in the latent space.

        Parameters
        ----------
        X
            Raw counts, (N, genes), with the genes of :meth:`fit`. The encoder does not ask for their batch.
        coarse
            Known coarse labels, (N,), entries may be missing; cells with one are voted on by cells of that class only.

        Returns
        -------
        The fine classes.

        Raises
        ------
        TypeError, ValueError
            If the model is not fitted, `X` holds no counts or has other genes than it was fitted on, or `coarse` unknown
            labels.
        """
        if not hasattr(self, "_encoder"):
            msg = f"this {type(self).__name__} is not fitted: call fit."
            raise ValueError(msg)
        counts = _as_counts(X)
        if counts.shape[1] != self._encoder.n_genes:
            msg = f"X has {counts.shape[1]} genes, the model was fitted on {self._encoder.n_genes}."
            raise ValueError(msg)
        return super().predict(self._encoder.latent(counts), coarse)


def _as_counts(X: Any) -> Any:
    """Float32, dense or CSR; refuses what scVI would take and make nothing of."""
    counts = as_input(X)
    if not (isinstance(counts, np.ndarray) or sp.issparse(counts)):
        msg = f"X ({type(X).__name__}) is read in batches: scVI needs a matrix of counts in memory."
        raise TypeError(msg)
    values = counts.data if sp.issparse(counts) else counts
    if values.size and values.min() < 0:
        msg = (
            f"X has negative values (smallest found {values.min():g}), and scVI is a model of counts: give raw counts."
        )
        raise ValueError(msg)
    if (values != np.rint(values)).any():
        msg = "X has values that are no whole numbers, and scVI is a model of counts: give raw counts, not normalized values."
        raise ValueError(msg)
    return counts


def _batch_codes(batch: ArrayLike | None, n: int) -> NDArray[np.int64]:
    """A number for each batch, (N,)."""
    import pandas as pd

    if batch is None:
        return np.zeros(n, dtype=np.int64)
    codes, _ = pd.factorize(np.asarray(batch))
    if len(codes) != n:
        msg = f"batch has {len(codes)} labels, X has {n} samples."
        raise ValueError(msg)
    if (codes < 0).any():
        msg = f"batch is missing for {int((codes < 0).sum())} samples: give them one, such as 'unknown'."
        raise ValueError(msg)
    return codes.astype(np.int64)
