"""Falcon: fit, predict, save and load, on arrays."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews
from falcon_sc.core.data.inputs import checked_names
from falcon_sc.core.data.labels import listed
from falcon_sc.core.fitting.fit import fit
from falcon_sc.core.fitting.problem import Problem
from falcon_sc.core.fitting.run import Run
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.runtime.files import as_path
from falcon_sc.core.state import persistence
from falcon_sc.core.state.found import Found
from falcon_sc.core.state.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Self

    import torch
    from numpy.typing import ArrayLike
    from torch import nn

    from falcon_sc.core.data.batches import Views
    from falcon_sc.core.start.input import StartInput
    from falcon_sc.core.state.decisions import Decision

logger = logging.getLogger(__name__)


class Falcon(Predictor):
    """Discovers fine classes inside coarse classes (FALCON, Algorithm A1 and E1).

    Parameters
    ----------
    n_fine
        Number of fine classes, `K_F`: a total, at least the number of coarse classes, or a mapping from each coarse
        class to its number of fine classes (one data set only).
    fixed
        With a total: a mapping from some coarse classes to their numbers; the others share the rest out (one data set).
    config
        Hyperparameters; `None` is `FalconConfig()`.
    network
        What gives the features under the linear head: a module from the rows of a batch to (B, `n_features_out`), an
        attribute that it must have. A copy of it is trained. `None` is the MLP of `config`.
    views
        What teacher, student and prediction see of a sample: :class:`falcon_sc.core.data.batches.Views`. `None`: itself.
    device
        Where to train. `None`: CUDA if there, else the CPU. The start takes the cores, with or without a GPU.
    rng
        Seed or generator. On the CPU the same seed and number of threads give the same labels, bit for bit; not on a GPU.
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
        How far the clusterings of the start agree on `labels_`, less where a split above them is not supported, or one
        inside them is; the probability of `labels_` where there is no start, or there are several data sets.
    embedding_ : float32, (N, n_hidden)
        Last hidden layer for the training samples.
    found_ : falcon_sc.core.state.found.Found
        The training samples by the outputs of the network, and the tree of which these are leaves. Not kept by :meth:`save`.
    start_labels_ : int64, (N,), or None
        Fine classes of the start, with the codes of `labels_`; none for a random start. Not kept either.
    classes_ : falcon_sc.core.state.decisions.FineClasses
        The fine classes, and which outputs of the network count for each.
    fine_names_ : str, (K_F,)
        Names of the fine classes, the rows of `relation_`: ``"<coarse>:<i>"``, or what they were renamed to.
    decisions_ : tuple
        What was merged, renamed and cut, in order.
    relation_ : uint8, (K_F, K_C)
        M: which fine class hangs under which coarse class; several data sets stand side by side.
    relations_ : dict
        M of each data set.
    coarse_names_ : (K_C,)
        Coarse classes, the columns of `relation_`.
    coarse_dataset_ : (K_C,)
        Data set of each column of `relation_`.
    history_ : dict of 1-d arrays
        One entry an epoch: iterations done by its end, losses, fine classes used, relation updates in it, rows of M that
        these changed, learning rate.
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
    >>> model.save("model")
    >>> fsc.Falcon.load("model").predict_proba(adata.X.log1p()).shape
    (600, 6)
    """

    def __init__(
        self,
        n_fine: int | Mapping[Any, int],
        config: FalconConfig | None = None,
        *,
        fixed: Mapping[Any, int] | None = None,
        network: nn.Module | None = None,
        views: Views | None = None,
        device: str | torch.device | None = None,
        rng: int | np.random.Generator | None = 0,
        progress_bar: bool = False,
    ) -> None:
        self.n_fine, self.fixed, self.config = n_fine, fixed, config
        self.network, self.views = network, views
        self.device, self.rng, self.progress_bar = device, rng, progress_bar
        self.metadata: dict[str, Any] = {}

    def fit(
        self,
        X: Any,
        coarse: ArrayLike,
        dataset: ArrayLike | None = None,
        *,
        start_input: StartInput | None = None,
        feature_names: ArrayLike | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Find the fine classes of `X`.

        Parameters
        ----------
        X
            Samples, (N, features), finite: numpy array, scipy sparse matrix or torch tensor. For cells:
            log-normalized expression of the variable genes. Or an object that reads samples in batches, see
            :class:`falcon_sc.core.data.batches.Samples`, with a `network` that takes them.
        coarse
            Coarse label of each sample, (N,), none missing.
        dataset
            Data set of each sample, (N,), when several with their own coarse classes are given (section 3.4).
        start_input
            What the start clusters, if not `X`: for cells the counts of all genes. Same samples as `X`. If `X` is no
            matrix: features, of kind `"embedding"`, in which neighbors are searched as well.
        feature_names
            Names of the features, kept in `feature_names_in_`; of a table of pandas those of its columns, by default.
        checkpoint
            Folder that keeps the state of the run. If it holds an unfinished run on the same data with the same
            settings, that run goes on.

        Returns
        -------
        The fitted model.

        Raises
        ------
        TypeError, ValueError
            For inputs that are of a wrong kind or do not fit together; before anything is computed.
        FloatingPointError
            If the training diverges.
        """
        device = resolve_device(self.device)
        problem = Problem.of(X, coarse, self.n_fine, fixed=self.fixed, dataset=dataset, start_input=start_input)
        names = checked_names(feature_names, problem.X, X)
        views, config = self.views or SameViews(), self.config or FalconConfig()
        folder = None if checkpoint is None else as_path(checkpoint)
        run = Run(config, device, self.rng, self.network, views, folder, self.progress_bar)
        distributed.join(device)
        outcome = fit(problem, run)
        self.embedding_ = outcome.embedding
        self.found_ = Found(outcome.proba, outcome.labels, outcome.agreement, outcome.tree)
        self._started_in = outcome.start_labels
        outcome.fitted.feature_names = names
        self._adopt(outcome.fitted)
        self._see()
        n_fine, used = self.proba_.shape[1], len(np.unique(self.labels_))
        epochs, updates = len(self.history_["epoch"]), int(self.history_["relation_updates"].sum())
        steps = f"{int(self.history_['iteration'][-1])} iterations, {updates} relation updates"
        logger.info("training: %d epochs on %s, %s, %d of %d fine classes used", epochs, device, steps, used, n_fine)
        if used < n_fine:
            empty = listed(np.delete(self.fine_names_, np.unique(self.labels_)))
            logger.warning("%d of %d fine classes have no sample: %s", n_fine - used, n_fine, empty)
        return self

    def decide(self, decisions: Sequence[Decision], *, keep: int | None = None) -> None:
        """Merge, rename or cut, as :func:`falcon_sc.tl.merge`, :func:`falcon_sc.tl.rename`, :func:`falcon_sc.tl.cut` do.

        A class has the sum of the probabilities of its outputs of the network. A sample is in the class that holds its most
        probable one. What a model that was fitted, not loaded, says of its samples follows. The names in `decisions` are
        those that the classes have by then. `keep`: how many of the earlier decisions hold, all by default; none is undone
        that came before a refinement.
        """
        super().decide(decisions, keep=keep)
        if hasattr(self, "found_"):  # fitted, not loaded
            self._see()

    def _see(self) -> None:
        """The training samples in the classes as they are."""
        self.labels_, self.proba_, self.confidence_ = self.found_.through(self.classes_)
        self.start_labels_ = None if self._started_in is None else self.classes_.members[self._started_in]

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

        Returns
        -------
        The fitted model; `labels_` and all else about the samples that it was fitted on are not kept.

        Raises
        ------
        FileNotFoundError
            If there is no model at `path`.
        ValueError
            If the model was saved by a version whose models this one cannot read, or `network` or `views` is missing.
        """
        fitted, metadata = persistence.read(path, resolve_device(device), network, views)
        model = cls(len(fitted.classes.names), fitted.config, network=network, views=views, device=device)
        model.metadata = metadata
        model._adopt(fitted)
        return model
