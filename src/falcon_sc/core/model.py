"""Falcon: fit, predict, save and load, on arrays."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch

from falcon_sc.core import persistence, relations
from falcon_sc.core.batches import as_samples
from falcon_sc.core.budget import fine_budget
from falcon_sc.core.checkpoint import Checkpoint, fingerprint
from falcon_sc.core.config import FalconConfig
from falcon_sc.core.device import resolve_device
from falcon_sc.core.fitted import Fitted
from falcon_sc.core.initial import initialize
from falcon_sc.core.neighbors import neighbors_within_classes
from falcon_sc.core.networks import build_mlp_classifier
from falcon_sc.core.projection import Projection, fit_projection
from falcon_sc.core.revival import revive_empty_classes
from falcon_sc.core.start import StartInput
from falcon_sc.core.taxonomy import Taxonomy
from falcon_sc.core.trainer import Trainer, TrainingData

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from numpy.typing import ArrayLike, NDArray

logger = logging.getLogger(__name__)


class Falcon:
    """Discovers fine classes inside coarse classes (FALCON, Algorithm A1 and E1).

    Parameters
    ----------
    n_fine
        Number of fine classes, `K_F`: a total, at least the number of coarse classes, or a mapping from each coarse
        class to its number of fine classes (one data set only).
    config
        Hyperparameters; `None` is `FalconConfig()`.
    device
        `None`: CUDA if there, else the CPU.
    rng
        Seed or generator. On the CPU the same seed gives the same labels, bit for bit, with the same number of
        threads; on a GPU sums may be taken in another order.
    progress_bar
        Show progress of the start and of the training.

    Attributes
    ----------
    labels_ : int64, (N,)
        Fine class of each training sample: codes by coarse class, then by falling size inside it.
    proba_ : float32, (N, K_F)
        Probabilities of the training samples; rows sum to 1.
    embedding_ : float32, (N, n_hidden)
        Last hidden layer for the training samples.
    relation_ : uint8, (K_F, K_C)
        M: which fine class hangs under which coarse class; several data sets stand side by side.
    relations_ : dict
        M of each data set.
    coarse_names_ : (K_C,)
        Coarse classes, the columns of `relation_`.
    coarse_dataset_ : (K_C,)
        Data set of each column of `relation_`.
    history_ : dict of 1-d arrays
        One entry an epoch: losses, fine classes used, relation changes, learning rate.
    solver_, device_ : str
        Relation solver and device of the run.
    feature_names_in_ : (features,) or None
        Names given to :meth:`fit`.
    metadata : dict
        Plain values that are saved with the model; the method does not read them.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.simulate(600, 200, n_coarse=3, n_fine=6)
    >>> model = fsc.Falcon(6).fit(adata.X.log1p(), adata.obs["coarse"])
    >>> model.relation_.shape
    (6, 3)
    """

    def __init__(
        self,
        n_fine: int | Mapping[Any, int],
        config: FalconConfig | None = None,
        *,
        device: str | torch.device | None = None,
        rng: int | np.random.Generator | None = 0,
        progress_bar: bool = False,
    ) -> None:
        self.n_fine = n_fine
        self.config = config
        self.device = device
        self.rng = rng
        self.progress_bar = progress_bar
        self.metadata: dict[str, Any] = {}

    # -- fit ----------------------------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        coarse: ArrayLike,
        dataset: ArrayLike | None = None,
        *,
        start_input: StartInput | None = None,
        feature_names: ArrayLike | None = None,
        checkpoint: Path | None = None,
    ) -> Self:
        """Find the fine classes of `X`.

        Parameters
        ----------
        X
            Samples, (N, features), finite: numpy array, scipy sparse matrix or torch tensor. For cells:
            log-normalised expression of the variable genes.
        coarse
            Coarse label of each sample, (N,), none missing.
        dataset
            Data set of each sample, (N,), when several with their own coarse classes are given (section 3.4).
        start_input
            What the start clusters, if not `X`: for cells the counts of all genes. Same samples as `X`.
        feature_names
            Names of the features, kept in `feature_names_in_`.
        checkpoint
            Folder that keeps the state of the run. If it holds an unfinished run on the same data with the same
            settings, that run goes on.

        Returns
        -------
        Self
            The fitted model.

        Raises
        ------
        ValueError
            For inputs that do not fit together; before anything is computed.
        FloatingPointError
            If the training diverges.
        """
        config = self.config or FalconConfig()
        device = resolve_device(self.device)
        X = _as_matrix(X)
        taxonomy = Taxonomy.of(coarse, dataset)
        codes = taxonomy.encode(coarse, dataset)
        budget = fine_budget(self.n_fine, taxonomy, codes, X.shape[0])
        start_rng, input_rng, train_rng = np.random.default_rng(self.rng).spawn(3)

        projection = _projection_for(X, config, input_rng)
        Z = X if projection is None else projection(X)
        keeper = None
        if checkpoint is not None:
            seed = None if isinstance(self.rng, np.random.Generator) else self.rng
            key = fingerprint(Z, codes, repr(config.to_dict()), repr(self.n_fine), repr(seed), str(device))
            keeper = Checkpoint(checkpoint, key)

        start = initialize(
            start_input or StartInput(X, "embedding"),
            Z,
            codes,
            taxonomy,
            budget,
            config,
            rng=start_rng,
            keeper=keeper,
            progress_bar=self.progress_bar,
        )
        near = neighbors_within_classes(
            Z if start.latents is None else start.latents,
            codes,
            config.n_neighbors,
            metric=config.metric,
            device=device,
            rng=input_rng,
        )
        logger.info("neighbours: %d in each of %d coarse classes", config.n_neighbors, taxonomy.n_coarse)

        n_fine = budget if isinstance(budget, int) else int(budget.sum())
        weights = torch.Generator().manual_seed(int(train_rng.integers(2**63)))
        classifier = build_mlp_classifier(Z.shape[1], n_fine, config, weights).to(device)
        batches = torch.Generator(device).manual_seed(int(train_rng.integers(2**63)))
        samples = as_samples(Z, device)
        data = TrainingData(samples, codes, near.indices, taxonomy, start.labels)
        # numbers that the user gave for each coarse class are kept; a total leaves M to eq. 14
        trainer = Trainer(
            data, classifier, start.relation, config, batches, relation_is_known=not isinstance(budget, int)
        )
        trained = trainer.run(checkpoint=keeper, progress_bar=self.progress_bar)

        fitted = Fitted(
            config=config,
            device=device,
            n_features=int(X.shape[1]),
            feature_names=None if feature_names is None else np.asarray(feature_names),
            projection=projection,
            classifier=trained.classifier,
            taxonomy=taxonomy,
            relation=trained.relation,
            history=trained.history,
            solver=relations.solver_name(config.relation_solver),
        )
        proba, self.embedding_ = fitted.infer(Z, codes)
        if start.labels is not None and config.restrict_to_coarse:
            sizes = np.bincount(start.labels, minlength=n_fine)
            revived = revive_empty_classes(trained.classifier, self.embedding_, codes, trained.relation, sizes)
            if revived:
                logger.info("training left %d fine classes empty: they got the samples nearest to them", revived)
                proba, _ = fitted.infer(Z, codes)
        order = fitted.order_by_size(np.bincount(proba.argmax(axis=1), minlength=n_fine))
        self.proba_ = proba[:, order]
        self.labels_ = self.proba_.argmax(axis=1).astype(np.int64)
        self._adopt(fitted)
        used = len(np.unique(self.labels_))
        logger.info(
            "training: %d epochs on %s, %d of %d fine classes used", len(self.history_["epoch"]), device, used, n_fine
        )
        if used < n_fine:
            logger.warning("%d of %d fine classes have no sample", n_fine - used, n_fine)
        return self

    def _adopt(self, fitted: Fitted) -> None:
        """Take over what was fitted or loaded."""
        self._fitted = fitted
        self.relation_ = fitted.relation
        self.history_ = fitted.history
        self.solver_ = fitted.solver
        self.device_ = str(fitted.device)
        self.n_features_in_ = fitted.n_features
        self.feature_names_in_ = fitted.feature_names
        taxonomy = fitted.taxonomy
        self.coarse_names_ = np.asarray(taxonomy.names)
        self.coarse_dataset_ = np.asarray([taxonomy.datasets[d] for d in taxonomy.dataset_of_column])
        blocks = zip(taxonomy.datasets, taxonomy.blocks, strict=True)
        self.relations_ = {name: fitted.relation[:, block] for name, block in blocks}

    # -- predict ------------------------------------------------------------------------------------------------

    def predict(self, X: Any, coarse: ArrayLike | None = None, dataset: ArrayLike | None = None) -> NDArray[np.int64]:
        """Fine class of each sample, int64 (N,); see :meth:`predict_proba`."""
        return self.predict_proba(X, coarse, dataset).argmax(axis=1).astype(np.int64)

    def predict_proba(
        self, X: Any, coarse: ArrayLike | None = None, dataset: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Probabilities of the fine classes, float32 (N, K_F); rows sum to 1.

        Parameters
        ----------
        X
            Samples with the features of :meth:`fit`.
        coarse
            Known coarse labels, (N,); a sample with one only gets children of it, unless
            `config.restrict_to_coarse` is false. Missing entries, or `None`: all fine classes.
        dataset
            Data set of each sample, if the model was fitted on several.
        """
        X = self._check_input(X)
        unknown = np.full(X.shape[0], -1)
        codes = unknown if coarse is None else self._fitted.taxonomy.encode(coarse, dataset)
        return self._fitted.infer(self._fitted.project(X), codes)[0]

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Last hidden layer, float32 (N, n_hidden)."""
        X = self._check_input(X)
        return self._fitted.infer(self._fitted.project(X), np.full(X.shape[0], -1))[1]

    def _check_input(self, X: Any) -> Any:
        if not hasattr(self, "_fitted"):
            msg = "this Falcon is not fitted: call fit, or Falcon.load a saved model."
            raise ValueError(msg)
        X = _as_matrix(X)
        if X.shape[1] != self.n_features_in_:
            msg = f"X has {X.shape[1]} features, the model was fitted on {self.n_features_in_}."
            raise ValueError(msg)
        return X

    # -- save and load ------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the model to a folder: `weights.pt` (tensors only) and `model.json`. See :meth:`load`.

        Raises
        ------
        ValueError
            If the model is not fitted.
        OSError
            If the folder cannot be written.
        """
        if not hasattr(self, "_fitted"):
            msg = "this Falcon is not fitted: there is nothing to save."
            raise ValueError(msg)
        persistence.write(path, self._fitted, self.metadata)

    @classmethod
    def load(cls, path: str | Path, *, device: str | torch.device | None = None) -> Falcon:
        """Read a model that :meth:`save` wrote. No code in the files is run.

        Parameters
        ----------
        path
            The folder.
        device
            Where it is put; `None`: CUDA if there, else the CPU.

        Raises
        ------
        FileNotFoundError
            If there is no model at `path`.
        ValueError
            If the model was saved by a version whose models this one cannot read.
        """
        fitted, metadata = persistence.read(path, resolve_device(device))
        model = cls(len(fitted.relation), fitted.config, device=device)
        model.metadata = metadata
        model._adopt(fitted)
        return model


def _as_matrix(X: Any) -> Any:
    """A finite float32 matrix, dense numpy or scipy CSR."""
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu().numpy()
    X = X.tocsr().astype(np.float32) if sp.issparse(X) else np.asarray(X, dtype=np.float32)
    if X.ndim != 2 or 0 in X.shape:
        msg = f"X must be a matrix of samples and features, found shape {X.shape}."
        raise ValueError(msg)
    if not np.isfinite(X.data if sp.issparse(X) else X).all():
        msg = "X has values that are NaN or infinite: remove or impute them."
        raise ValueError(msg)
    return X


def _projection_for(X: Any, config: FalconConfig, rng: np.random.Generator) -> Projection | None:
    if config.n_pcs is None or X.shape[1] <= config.n_pcs:
        return None
    return fit_projection(X, config.n_pcs, rng)
