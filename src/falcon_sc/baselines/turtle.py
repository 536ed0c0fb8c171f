"""TURTLE: the labels that linear classifiers on fixed features learn best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from falcon_sc._checks import check_int
from falcon_sc.core.data.inputs import as_input
from falcon_sc.core.data.labels import as_array
from falcon_sc.core.fitting.problem import check_classes
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.runtime.threads import threads_for_batches
from falcon_sc.core.settings.ranges import generator_of
from falcon_sc.core.training.networks import UndrawnLinear, draw_weights

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from numpy.typing import ArrayLike, NDArray
    from torch import Tensor

_ENTROPY_WEIGHT = 10.0  # this and the next three: published
_LR = 1e-3
_N_INNER = 10  # steps of the classifiers for one step of the labels
_BATCH_SIZE = 10_000


class TURTLE:
    """TURTLE :cite:p:`Gadetsky2024`: clusters that linear classifiers on given features separate with a wide margin.

    Not in the paper; by the same laboratory. Coarse labels play no part. Labels are a softmax of linear functions of
    the features; new classifiers take ten steps towards them, and the labels one step towards what those learned,
    while all classes are kept in use. The published defaults.

    Parameters
    ----------
    n_fine
        Number of fine classes; of a mapping only the sum is used.
    n_steps
        Steps of the labels. Default: published.
    device
        `None`: CUDA if there, else the CPU.
    rng
        Seed or generator; the same seed gives the same labels.

    Attributes
    ----------
    labels_ : int64, (N,)
        Fine class of each sample, 0 to `n_fine` - 1.
    coarse_names_ : (K_C,)
        Coarse classes.
    history_ : dict
        ``loss``, one value a step.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.baselines import TURTLE
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> TURTLE(4, n_steps=10).fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def __init__(
        self,
        n_fine: int | Mapping[Any, int],
        *,
        n_steps: int = 6000,
        device: str | torch.device | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.n_fine = n_fine
        self.n_steps = n_steps
        self.device = device
        self.rng = rng

    @undisturbed()
    def fit(self, X: Any, coarse: ArrayLike) -> Self:
        """Find clusters.

        Parameters
        ----------
        X
            Features, dense, (N, d); or a list of several such matrices, of different encoders.
        coarse
            Coarse label of each sample, (N,), none missing; only checked against `n_fine`.

        Returns
        -------
        The fitted model.

        Raises
        ------
        TypeError, ValueError
            For inputs that do not fit together; before anything is computed.
        """
        device, n_steps = resolve_device(self.device), check_int(self.n_steps, "n_steps")
        spaces = [torch.from_numpy(space).to(device) for space in _spaces(X)]
        taxonomy, _, budget = check_classes(coarse, self.n_fine, len(spaces[0]), dataset=None)
        seed = int(generator_of(self.rng).integers(2**31))
        generator = torch.Generator().manual_seed(seed)
        self._encoders = _linears(spaces, int(np.sum(budget)), generator, device)
        for encoder in self._encoders:
            nn.utils.parametrizations.weight_norm(encoder)
        optimizer = torch.optim.Adam(self._encoders.parameters(), lr=_LR)
        losses = []
        with threads_for_batches(sum(space[:_BATCH_SIZE].numel() for space in spaces)):
            for _ in range(n_steps):
                loss = self._step(spaces, generator)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                losses.append(loss.detach())
        self.history_ = {"loss": torch.stack(losses).cpu().numpy()}
        self.coarse_names_ = as_array(taxonomy.names)
        self._device, self._widths = device, [space.shape[1] for space in spaces]
        self.labels_ = self.predict(X)
        return self

    def _step(self, spaces: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        index = torch.randperm(len(spaces[0]), generator=generator)[:_BATCH_SIZE].to(spaces[0].device)
        features = [space[index] for space in spaces]
        each = [encoder(z).softmax(dim=1) for encoder, z in zip(self._encoders, features, strict=True)]
        labels = torch.stack(each).mean(dim=0)  # (B, K_F)
        classifiers = _linears(features, labels.shape[1], generator, labels.device)
        optimizer = torch.optim.Adam(classifiers.parameters(), lr=_LR)
        fixed = labels.detach()
        for _ in range(_N_INNER):
            each_loss = [F.cross_entropy(w(z), fixed) for w, z in zip(classifiers, features, strict=True)]
            loss = torch.stack(each_loss).sum()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            logits = [w(z) for w, z in zip(classifiers, features, strict=True)]
        return turtle_loss(logits, each)

    @undisturbed()
    def predict(self, X: Any, coarse: ArrayLike | None = None) -> NDArray[np.int64]:  # noqa: ARG002 - the interface
        """Cluster of each sample, int64 (N,).

        Parameters
        ----------
        X
            Features as for :meth:`fit`.
        coarse
            Not read.

        Returns
        -------
        The clusters.

        Raises
        ------
        ValueError
            If the model is not fitted, or `X` has other features than it was fitted on.
        """
        if not hasattr(self, "_widths"):
            msg = "this TURTLE is not fitted: call fit."
            raise ValueError(msg)
        spaces = _spaces(X)
        if (widths := [space.shape[1] for space in spaces]) != self._widths:
            msg = f"X has {widths} features, the model was fitted on {self._widths}."
            raise ValueError(msg)
        with torch.no_grad():
            each = [
                encoder(torch.from_numpy(space).to(self._device)).softmax(dim=1)
                for encoder, space in zip(self._encoders, spaces, strict=True)
            ]
            return torch.stack(each).mean(dim=0).argmax(dim=1).cpu().numpy()


def turtle_loss(logits: Sequence[Tensor], each: Sequence[Tensor]) -> Tensor:
    """Loss of the labels: a scalar.

    Parameters
    ----------
    logits
        (B, K) of the classifier of each space, which learned the labels.
    each
        (B, K) labels of each space; their mean are the labels.
    """
    labels = torch.stack(list(each)).mean(dim=0)
    margin = torch.stack([F.cross_entropy(own, labels) for own in logits]).sum()
    means = torch.stack([own.mean(dim=0) for own in each])
    negative_entropy: Tensor = torch.special.xlogy(means, means).sum()
    return margin + _ENTROPY_WEIGHT * negative_entropy


def _spaces(X: Any) -> list[NDArray[np.float32]]:
    given = X if isinstance(X, list | tuple) else [X]
    spaces = [as_input(space) for space in given]
    for space in spaces:
        if not isinstance(space, np.ndarray):
            msg = f"X must be a dense matrix, or a list of them, found {type(space).__name__}."
            raise TypeError(msg)
    if len({len(space) for space in spaces}) != 1:
        msg = f"the matrices of X have {[len(space) for space in spaces]} rows: a row of each for every sample."
        raise ValueError(msg)
    return spaces


def _linears(spaces: Sequence[Tensor], n_out: int, generator: torch.Generator, device: torch.device) -> nn.ModuleList:
    """A linear layer for each space, its weights drawn from `generator`."""
    layers = nn.ModuleList(UndrawnLinear(space.shape[1], n_out) for space in spaces)
    draw_weights(layers, generator)
    return layers.to(device)
