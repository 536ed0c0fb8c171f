"""Appendix G: hyperparameters by a tree-structured Parzen estimator, judged on a validation part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.core.config import FalconConfig
from falcon_sc.core.model import Falcon
from falcon_sc.search._objectives import score
from falcon_sc.search._ranges import suggested
from falcon_sc.search._split import divided

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import torch
    from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Tuned:
    """What :func:`tune` finds.

    Parameters
    ----------
    config
        The configuration that was given, with the values of the best trial in it.
    value
        Its score on the validation part: clustering accuracy, 0 to 1, or nats without fine labels.
    used_fine_labels
        Whether fine labels of the validation part chose it. If so, results with `config` are not those of a method
        without supervision: say so beside them.
    trials
        A row for each trial: ``number``, ``value``, the fields of table G1, ``state`` (``FAIL`` where the training diverged).
    """

    config: FalconConfig
    value: float
    used_fine_labels: bool
    trials: pd.DataFrame


def tune(
    X: Any,
    coarse: ArrayLike,
    n_fine: int | Mapping[Any, int],
    *,
    fine: ArrayLike | None = None,
    split: ArrayLike | None = None,
    config: FalconConfig | None = None,
    n_trials: int = 200,
    max_epochs: int = 30,
    device: str | torch.device | None = None,
    rng: int = 0,
    progress_bar: bool = False,
) -> Tuned:
    """Search for hyperparameters as appendix G of the paper does: TPE over the ranges of table G1.

    **With `fine`, the fine labels of the validation part choose the hyperparameters**, as in the paper. That is
    supervision, and what is chosen by it is not found without fine labels, even if none was trained on. Without `fine` no fine
    label is read: a trial is judged by how much of the discovered classes a logistic regression of the features foretells
    on the validation part, inside the coarse classes, in nats. That score is ours; it is blind to whether the
    classes are those a person would name.

    Rows for testing are never read: they are cut away before anything is computed, and their values and labels may as well be
    missing.

    Parameters
    ----------
    X
        Samples, (N, features): numpy array or scipy sparse matrix, finite in the training and validation parts.
    coarse
        Coarse label of each sample, (N,).
    n_fine
        Number of fine classes, as for :class:`falcon_sc.Falcon`.
    fine
        Fine label of each sample, (N,), of which only those of the validation part are read; the others may be
        missing. None: the search without labels.
    split
        ``"train"``, ``"validation"`` or ``"test"`` for each sample, (N,). None: a tenth of the samples, drawn at random, is for
        validation (the share of the paper), and none for testing.
    config
        What the trials change: `lambda_1`, `lambda_2`, `lambda_3`, `relation_interval`, `lambda_M` and `temperature`.
        None: :meth:`falcon_sc.FalconConfig.cifar100`, on which the paper searched.
    n_trials
        Number of trials. Default: paper.
    max_epochs
        Epochs of each trial. Default: paper.
    device
        As for :class:`falcon_sc.Falcon`.
    rng
        Seed of the split, of the search and of every trial; on the CPU the same seed chooses the same values.
    progress_bar
        Show a bar over the trials.

    Returns
    -------
    The configuration found, with the trials behind it. Fit :class:`falcon_sc.Falcon` with it to have labels.

    Raises
    ------
    ImportError
        If Optuna is not installed.
    TypeError
        If `n_trials`, `max_epochs` or `rng` is no int.
    ValueError
        If the arguments do not fit together; or afterwards, if every trial diverged.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> from falcon_sc.search import tune
    >>> adata = fsc.datasets.simulate(600, 200, n_coarse=3, n_fine=6)
    >>> tuned = tune(adata.X.log1p(), adata.obs["coarse"], 6, n_trials=2, max_epochs=2)
    >>> len(tuned.trials), tuned.used_fine_labels
    (2, False)
    >>> model = fsc.Falcon(6, tuned.config).fit(adata.X.log1p(), adata.obs["coarse"])
    """
    if find_spec("optuna") is None:
        msg = "tune needs Optuna: pip install 'falcon-sc[search]'."
        raise ImportError(msg)
    n_trials, max_epochs = check_int(n_trials, "n_trials"), check_int(max_epochs, "max_epochs")
    rng = check_int(rng, "rng", minimum=0)
    config = config or FalconConfig.cifar100()
    parts = divided(X, coarse, fine, split, np.random.default_rng(rng))

    def objective(trial: Any) -> float:
        changed = replace(config, **suggested(trial), max_epochs=max_epochs)  # type: ignore[arg-type]
        model = Falcon(n_fine, changed, device=device, rng=rng).fit(parts.X, parts.coarse)
        return score(model, parts)

    import optuna

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=rng))
    study.optimize(objective, n_trials=n_trials, catch=(FloatingPointError,), show_progress_bar=progress_bar)
    trials = study.trials_dataframe(attrs=("number", "value", "params", "state"))
    trials.columns = trials.columns.str.removeprefix("params_")
    if trials["value"].isna().all():
        msg = f"all {n_trials} trials diverged: lower lr of config."
        raise ValueError(msg)
    best = replace(config, **study.best_params)
    return Tuned(best, float(study.best_value), fine is not None, trials)
