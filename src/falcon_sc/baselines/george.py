"""GEORGE: coarse classification that no cluster inside a class may be left behind by."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F

from falcon_sc.baselines._assignment import by_kmeans
from falcon_sc.baselines._classification import train_classifier
from falcon_sc.baselines._loop import Loop
from falcon_sc.baselines._trained import Learned, TrainedBaseline
from falcon_sc.core.runtime import forks
from falcon_sc.core.runtime.threads import torch_threads
from falcon_sc.core.settings.ranges import checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from falcon_sc.baselines._task import Task
    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.data.batches import Views
    from falcon_sc.core.training.sampling import Batch

Reduction = Literal["umap", "none"]

_ETA = 0.01  # step of the group weights; this and the next four: published
_UMAP = {"n_components": 2, "n_neighbors": 10, "min_dist": 0.0}
_K_MAX = 10  # groups of a coarse class, where its number is not given
_N_STARTS = 3  # of a mixture
_RIDGE = 1e-4  # on the diagonal of covariances: features may lie in fewer dimensions than they have
_FITTED_MAX = 50_000  # samples of a class that UMAP is fitted on; the others follow (ours, for its memory)
_SILHOUETTE_MAX = 5_000  # samples that a silhouette is taken over (ours, for its time)


class GEORGE(TrainedBaseline):
    """GEORGE :cite:p:`Sohoni2020`, then K-Means on the features, as the paper adapts it.

    A coarse classifier is trained; its features of each coarse class are clustered into groups; and another coarse
    classifier is trained with the group weights of distributionally robust optimization, by which the groups with the
    largest losses count most.

    Parameters
    ----------
    n_fine
        Number of fine classes. A mapping also gives the number of groups of each coarse class, which is otherwise the
        one from 2 to 10 with the best mean silhouette.
    config
        Network, optimizer, schedule and batches of both classifiers. `None`: the network of the paper from random weights,
        `FalconConfig(min_iterations=1400, lr=5e-3, n_hidden=64, n_layers=4)`.
    reduction
        `"umap"`: groups are found in two dimensions (published for MNIST); `"none"`: in the features, at unit length.
    size_adjustment
        Further weight of small groups, at least 0, divided by the root of their size. Default: published; 2 or 3 for some
        sets.
    network, views, device, rng
        As for :class:`falcon_sc.Falcon`.

    Attributes
    ----------
    labels_ : int64, (N,)
        Fine class of each sample, 0 to `n_fine` - 1.
    relation_ : uint8, (K_F, K_C)
        Coarse class of most of the samples of each fine class.
    coarse_names_ : (K_C,)
        Coarse classes.
    history_ : dict
        ``loss``, one value an epoch of both trainings.
    groups_ : int64, (N,)
        Group of each sample.
    group_weights_ : float64, (groups,)
        Their weights at the end; they sum to 1.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc import FalconConfig
    >>> from falcon_sc.baselines import GEORGE
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> GEORGE(4, FalconConfig(max_epochs=1), reduction="none").fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def __init__(
        self,
        n_fine: int | Mapping[Any, int],
        config: FalconConfig | None = None,
        *,
        reduction: Reduction = "umap",
        size_adjustment: float = 0.0,
        network: nn.Module | None = None,
        views: Views | None = None,
        device: str | torch.device | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        if reduction not in get_args(Reduction):
            msg = f"reduction={reduction!r} must be one of {list(get_args(Reduction))}."
            raise ValueError(msg)
        super().__init__(n_fine, config, network=network, views=views, device=device, rng=rng)
        self.reduction = reduction
        self.size_adjustment = checked("size_adjustment", size_adjustment, float)

    def _learn(self, task: Task) -> Learned:
        if self.reduction == "umap":
            forks.check_numba_threads("UMAP, by which GEORGE finds groups,")
        first, losses = train_classifier(task, task.codes, task.n_coarse)
        self.groups_ = self._groups(task, task.embed(first.backbone))
        network = task.classifier(task.n_coarse)  # anew, as published
        loop, codes, groups = Loop(task, network), task.on_device(task.codes), task.on_device(self.groups_)
        weights = GroupWeights(torch.bincount(groups), self.size_adjustment)

        def loss(batch: Batch, rows: Any) -> Tensor:
            logits = loop.output(loop.learner.forward, loop.view(rows))
            each = F.cross_entropy(logits.float(), codes[batch.index], reduction="none")
            return weights.robust_loss(each, groups[batch.index])

        losses += loop.run(loss)
        self.group_weights_ = weights.q.double().cpu().numpy()
        return Learned(by_kmeans(task, network.backbone), losses)

    def _groups(self, task: Task, hidden: NDArray[np.float32]) -> NDArray[np.int64]:
        """Groups inside each coarse class, numbered through, (N,)."""
        from sklearn.preprocessing import normalize

        groups = np.empty(len(hidden), dtype=np.int64)
        n_groups = 0
        for c in range(task.n_coarse):
            rows = np.flatnonzero(task.codes == c)
            if self.reduction == "umap":
                points = reduced(normalize(hidden[rows]), task.seed())
            else:
                points = normalize(hidden[rows])
            n_own = None if isinstance(task.budget, int) else int(task.budget[c])
            own = grouped(points.astype(np.float64), n_own, task.seed())
            groups[rows] = n_groups + own
            n_groups += int(own.max()) + 1
        return groups


class GroupWeights:
    """Weights q of the groups, a softmax, that grow with their losses.

    Parameters
    ----------
    sizes
        Samples of each group.
    size_adjustment
        Added to the loss of a group, divided by the root of its size.
    """

    def __init__(self, sizes: Tensor, size_adjustment: float) -> None:
        self._logits = torch.zeros(len(sizes), device=sizes.device)
        self._extra = size_adjustment / sizes.clamp_min(1).sqrt()

    @property
    def q(self) -> Tensor:
        """(groups,); they sum to 1."""
        return self._logits.softmax(dim=0)

    def robust_loss(self, each: Tensor, groups: Tensor) -> Tensor:
        """Weighted sum of the mean losses of the groups, from the loss (B,) and group (B,) of each sample: a scalar.

        The weights are moved first; a group without a sample in the batch has no loss.
        """
        counts = torch.bincount(groups, minlength=len(self._logits)).clamp_min(1)
        means = torch.zeros_like(self._logits).index_add(0, groups, each) / counts
        self._logits = self._logits + _ETA * (means.detach() + self._extra)
        return (self.q * means).sum()


def reduced(points: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Two dimensions of UMAP, (n, 2); too few points for its graph stay as they are."""
    if len(points) <= _UMAP["n_neighbors"] + 1:
        return points
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportWarning)  # of a part that needs tensorflow
        from umap import UMAP

    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.permutation(len(points))[:_FITTED_MAX])
    with torch_threads(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on spectral starts of small classes
        model = UMAP(**_UMAP, random_state=seed, n_jobs=1).fit(points[chosen])
        found = np.empty((len(points), 2), dtype=np.float32)
        found[chosen] = model.embedding_
        others = np.setdiff1d(np.arange(len(points)), chosen)
        if len(others):
            found[others] = model.transform(points[others])
    return found


def grouped(points: NDArray[np.float64], n_groups: int | None, seed: int) -> NDArray[np.int64]:
    """Components of a Gaussian mixture, (n,), numbered without gaps.

    `n_groups` of them; if that is none, the number from 2 to 10 with the largest mean of the mean silhouettes of the
    components, and of equal ones the larger number.
    """
    from sklearn.mixture import GaussianMixture

    distinct = len(np.unique(points, axis=0))
    if n_groups is None:
        numbers = range(2, min(_K_MAX, distinct - 1) + 1)
    else:
        numbers = range(min(n_groups, distinct), min(n_groups, distinct) + 1)
    best, best_score = np.zeros(len(points), dtype=np.int64), -np.inf
    if len(points) < 2:  # which scikit-learn refuses
        return best
    for k in numbers:
        model = GaussianMixture(k, n_init=_N_STARTS, reg_covar=_RIDGE, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged, or that there are fewer clusters
            labels = np.unique(model.fit_predict(points), return_inverse=True)[1]
        score = _mean_silhouette(points, labels, seed) if len(numbers) > 1 else 0.0
        if score >= best_score:
            best, best_score = labels, score
    return best.astype(np.int64)


def _mean_silhouette(points: NDArray[np.float64], labels: NDArray[np.int64], seed: int) -> float:
    """Mean over the clusters of the mean silhouette of their points."""
    from sklearn.metrics import silhouette_samples

    chosen = np.random.default_rng(seed).permutation(len(points))[:_SILHOUETTE_MAX]
    own = np.unique(labels[chosen], return_inverse=True)[1]
    if not 1 < own.max() + 1 < len(own):
        return -np.inf
    values = silhouette_samples(points[chosen], own)
    return float(np.mean(np.bincount(own, values) / np.bincount(own)))
