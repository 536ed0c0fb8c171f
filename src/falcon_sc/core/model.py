"""Falcon: fit, predict, save and load, on arrays."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews
from falcon_sc.core.data.budget import fine_budget
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.fitting.fit import Run, fit
from falcon_sc.core.fitting.inputs import as_input, check_start_input, n_features, n_samples
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.state import persistence
from falcon_sc.core.training.networks import check_network

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    import torch
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from falcon_sc.core.data.batches import Views
    from falcon_sc.core.start.input import StartInput
    from falcon_sc.core.state.fitted import Fitted

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
    network
        What gives the features under the linear head: a module from the rows of a batch to (B, `n_features_out`), an
        attribute that it must have. A copy of it is trained. `None` is the MLP of `config`.
    views
        What teacher, student and prediction see of a sample (:class:`falcon_sc.core.data.batches.Views`). `None`: the sample
        itself, for all of them.
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
        Probabilities of the training samples; rows sum to 1. After a start from labels the logits are divided by one
        temperature, so that their mean certainty is that of the clusterings of the start.
    confidence_ : float32, (N,)
        How far the clusterings of the start agree on `labels_`; the probability of `labels_` where there is no start,
        or there are several data sets.
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
        network: nn.Module | None = None,
        views: Views | None = None,
        device: str | torch.device | None = None,
        rng: int | np.random.Generator | None = 0,
        progress_bar: bool = False,
    ) -> None:
        self.n_fine = n_fine
        self.config = config
        self.network = network
        self.views = views
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
            log-normalised expression of the variable genes. Or an object that reads samples in batches, see
            :class:`falcon_sc.core.data.batches.Samples`, with a `network` that takes them.
        coarse
            Coarse label of each sample, (N,), none missing.
        dataset
            Data set of each sample, (N,), when several with their own coarse classes are given (section 3.4).
        start_input
            What the start clusters, if not `X`: for cells the counts of all genes. Same samples as `X`. If `X` is no
            matrix: features, of kind `"embedding"`, in which neighbours are searched as well.
        feature_names
            Names of the features, kept in `feature_names_in_`.
        checkpoint
            Folder that keeps the state of the run. If it holds an unfinished run on the same data with the same
            settings, that run goes on.

        Returns
        -------
        The fitted model.

        Raises
        ------
        ValueError
            For inputs that do not fit together; before anything is computed.
        FloatingPointError
            If the training diverges.
        """
        device = resolve_device(self.device)
        X = as_input(X)
        taxonomy = Taxonomy.of(coarse, dataset)
        codes = taxonomy.encode(coarse, dataset)
        budget = fine_budget(self.n_fine, taxonomy, codes, n_samples(X))
        check_start_input(X, start_input)
        if self.network is not None:
            check_network(self.network)
        config = self.config or FalconConfig()
        seed = None if isinstance(self.rng, np.random.Generator) else self.rng
        run = Run(config, device, self.rng, self.network, self.views or SameViews(), progress_bar=self.progress_bar)
        distributed.join(device)
        found = fit(X, start_input, taxonomy, codes, budget, run, checkpoint, (repr(self.n_fine), repr(seed)))
        self.proba_, self.confidence_, self.embedding_ = found.proba, found.confidence, found.embedding
        self.labels_ = self.proba_.argmax(axis=1).astype(np.int64)
        found.fitted.feature_names = None if feature_names is None else np.asarray(feature_names)
        self._adopt(found.fitted)
        n_fine, used = self.proba_.shape[1], len(np.unique(self.labels_))
        n_epochs = len(self.history_["epoch"])
        logger.info("training: %d epochs on %s, %d of %d fine classes used", n_epochs, device, used, n_fine)
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
            Samples with the features of :meth:`fit`, a matrix or samples as there.
        coarse
            Known coarse labels, (N,); a sample with one only gets children of it, unless
            `config.restrict_to_coarse` is false. Missing entries, or `None`: all fine classes.
        dataset
            Data set of each sample, if the model was fitted on several.
        """
        X = self._check_input(X)
        unknown = np.full(n_samples(X), -1)
        codes = unknown if coarse is None else self._fitted.taxonomy.encode(coarse, dataset)
        return self._fitted.infer(self._fitted.project(X), codes)[0]

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Last hidden layer, float32 (N, n_hidden)."""
        X = self._check_input(X)
        return self._fitted.infer(self._fitted.project(X), np.full(n_samples(X), -1))[1]

    def _check_input(self, X: Any) -> Any:
        if not hasattr(self, "_fitted"):
            msg = "this Falcon is not fitted: call fit, or Falcon.load a saved model."
            raise ValueError(msg)
        X = as_input(X)
        if n_features(X) != self.n_features_in_:
            msg = f"X has {n_features(X)} features, the model was fitted on {self.n_features_in_}."
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
        if distributed.rank() == 0:
            persistence.write(path, self._fitted, self.metadata)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        network: nn.Module | None = None,
        views: Views | None = None,
        device: str | torch.device | None = None,
    ) -> Falcon:
        """Read a model that :meth:`save` wrote. No code in the files is run.

        Parameters
        ----------
        path
            The folder.
        network, views
            For a model that was fitted with some of its own: the same kind of module, whose weights are replaced in a
            copy of it, and the same views. They are code, which is not saved.
        device
            Where it is put; `None`: CUDA if there, else the CPU.

        Raises
        ------
        FileNotFoundError
            If there is no model at `path`.
        ValueError
            If the model was saved by a version whose models this one cannot read, or `network` or `views` is missing.
        """
        fitted, metadata = persistence.read(path, resolve_device(device), network, views)
        model = cls(len(fitted.relation), fitted.config, network=network, views=views, device=device)
        model.metadata = metadata
        model._adopt(fitted)
        return model
