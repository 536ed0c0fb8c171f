"""The number of classes as the paper estimates it: an auto-encoder, t-SNE, and peaks of the density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from torch import nn

from falcon_sc._checks import check_int
from falcon_sc.core.data.inputs import as_input
from falcon_sc.core.data.labels import as_array
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.runtime.threads import threads_for_batches
from falcon_sc.core.settings.ranges import generator_of
from falcon_sc.core.training.networks import UndrawnLinear, draw_weights

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# All ours: Wang et al. describe the three steps in words, and the formulas were not to be had.
_WIDTH = 256  # of the hidden layers of the auto-encoder
_N_STEPS, _BATCH, _LR = 1000, 256, 1e-3
_PERPLEXITY = 30
_SMALLEST = 10  # samples; of fewer, t-SNE shows nothing
_SHARE = 0.02  # of all pairs lies closer than the cutoff of the density
_PAIRS_OF = 2000  # samples that the cutoff is found from
_BLOCK = 1024  # rows
_SPREADS = 1.5  # standard deviations above the mean: 1 found three peaks in one blob, 2 missed some of thirty


@dataclass(frozen=True)
class PeakCounts:
    """What :func:`count_density_peaks` finds.

    Parameters
    ----------
    n_fine
        Sum of `n_per_class`.
    n_per_class
        int64, (K_C,): mean of `counts` over the embeddings, rounded, at least 1.
    counts
        int64, (K_C, `n_embeddings`): peaks of each embedding.
    coarse_names
        (K_C,), the coarse classes; None if all samples were taken together, which is one row of `counts`.
    """

    n_fine: int
    n_per_class: NDArray[np.int64]
    counts: NDArray[np.int64]
    coarse_names: NDArray[Any] | None


@undisturbed()
def count_density_peaks(
    X: Any,
    coarse: ArrayLike | None = None,
    *,
    n_latent: int | None = 32,
    n_embeddings: int = 5,
    max_samples: int = 20_000,
    device: str | torch.device | None = None,
    rng: int | np.random.Generator | None = 0,
) -> PeakCounts:
    r"""Estimate the number of fine classes as section 5.3 of the paper does, after :cite:t:`Wang2018`.

    An auto-encoder gives a few features, t-SNE puts them in the plane, and in the plane the peaks of the density are
    counted :cite:p:`Rodriguez2014`. The density of a sample is :math:`\rho_i = \sum_j e^{-(d_{ij} / d_c)^2}`, where 2 %
    of all pairs are closer than :math:`d_c`; :math:`\delta_i` is the distance to the nearest sample of a higher density. A
    peak has a density above the mean and, among samples of such a density, a :math:`\delta` more than 1.5 standard
    deviations above the mean.

    The steps are published, the numbers in them were not to be had and are ours, chosen on planted blobs: this is no
    check of the 89 and 76 classes that the paper finds on CIFAR-100 and CIFAR68. t-SNE draws islands where there are none, so expect too many classes in a
    continuum, and at least a few in any cloud; classes of a few samples make no peak. For cells see
    :func:`falcon_sc.tl.estimate_n_fine`, which was measured against annotations.

    Parameters
    ----------
    X
        Samples, (N, features), finite: numpy array, scipy sparse matrix or torch tensor.
    coarse
        Coarse label of each sample, (N,), none missing: peaks are counted inside each coarse class. None: among all
        samples together, as in the paper; that may be fewer than there are coarse classes.
    n_latent
        Features that the auto-encoder gives. None: `X` goes to t-SNE as it is, for features of a pretrained network.
    n_embeddings
        How many times t-SNE is run, from different seeds; the counts are averaged.
    max_samples
        Of more samples than this, so many are drawn.
    device
        Of the auto-encoder; None: CUDA if there, else the CPU. t-SNE runs on the CPU.
    rng
        Seed or generator. On the CPU the same seed gives the same numbers.

    Returns
    -------
    The number of fine classes, with what it comes from.

    Raises
    ------
    TypeError
        If `X` is read in batches, or a number is no int.
    ValueError
        If `X` is no finite matrix; `coarse` has another length or misses labels; `n_latent`, `n_embeddings` or
        `max_samples` is below 1.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc.baselines import count_density_peaks
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat([[0.0, 0.0], [50.0, 0.0], [0.0, 50.0]], 60, axis=0) + rng.normal(size=(180, 2))
    >>> count_density_peaks(X, n_latent=None, n_embeddings=1).n_fine
    3
    """
    for name, value in (("n_latent", n_latent), ("n_embeddings", n_embeddings), ("max_samples", max_samples)):
        if value is not None:
            check_int(value, name)
    X = as_input(X)
    if not (isinstance(X, np.ndarray) or sp.issparse(X)):
        msg = f"X ({type(X).__name__}) is read in batches: give a matrix, such as features of a pretrained network."
        raise TypeError(msg)
    codes, names = np.zeros(X.shape[0], dtype=np.int64), None
    if coarse is not None:
        codes, names = _codes(coarse, X.shape[0])
    rng = generator_of(rng)
    if X.shape[0] > max_samples:
        rows = np.sort(rng.choice(X.shape[0], max_samples, replace=False))
        X, codes = X[rows], codes[rows]
    X = X.toarray() if sp.issparse(X) else X
    features = X if n_latent is None else encoded(X, n_latent, resolve_device(device), int(rng.integers(2**31)))
    n_classes = 1 if names is None else len(names)
    parts = [features[codes == c] for c in range(n_classes)]
    counts = np.array([[n_peaks(in_the_plane(part, rng)) for _ in range(n_embeddings)] for part in parts])
    n_per_class = np.maximum(np.rint(counts.mean(axis=1)).astype(np.int64), 1)
    return PeakCounts(int(n_per_class.sum()), n_per_class, counts.astype(np.int64), names)


def encoded(X: NDArray[np.float32], n_latent: int, device: torch.device, seed: int) -> NDArray[np.float32]:
    """Codes, (N, `n_latent`), of an auto-encoder that is trained on the samples."""
    generator = torch.Generator().manual_seed(seed)
    d = X.shape[1]
    encoder = nn.Sequential(UndrawnLinear(d, _WIDTH), nn.ReLU(), UndrawnLinear(_WIDTH, n_latent))
    decoder = nn.Sequential(UndrawnLinear(n_latent, _WIDTH), nn.ReLU(), UndrawnLinear(_WIDTH, d))
    both = nn.Sequential(encoder, decoder)
    draw_weights(both, generator)
    both.to(device)
    centered = X - X.mean(axis=0)
    rows = torch.from_numpy(centered / max(float(centered.std()), 1e-12)).to(device)
    optimizer = torch.optim.Adam(both.parameters(), lr=_LR)
    with threads_for_batches(_BATCH * d):
        for _ in range(_N_STEPS):
            batch = rows[torch.randint(len(rows), (min(_BATCH, len(rows)),), generator=generator).to(device)]
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(both(batch), batch).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            codes: NDArray[np.float32] = encoder(rows).cpu().numpy()
    return codes


def in_the_plane(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """t-SNE, (n, 2); of a handful of samples one place for all of them."""
    from sklearn.manifold import TSNE

    n = len(features)
    seed = int(rng.integers(2**31))
    if n < _SMALLEST:
        return np.zeros((n, 2), dtype=np.float32)
    # begun at random: principal components would begin all embeddings alike
    tsne = TSNE(perplexity=min(_PERPLEXITY, (n - 1) / 3), init="random", random_state=seed)
    places: NDArray[np.float32] = tsne.fit_transform(features)
    return places


def n_peaks(places: NDArray[np.floating[Any]]) -> int:
    """Peaks of the density of places, (n, 2); at least one."""
    density, distance = density_and_distance(places)
    dense = density > density.mean()
    if not dense.any():  # all places are one
        return 1
    of_dense = distance[dense]
    return max(1, int((of_dense > of_dense.mean() + _SPREADS * of_dense.std()).sum()))


def density_and_distance(
    places: NDArray[np.floating[Any]], n_rows: int = _BLOCK
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rho and delta of each place, (n,) both; equally dense places come one after the other.

    `n_rows` of the matrix of distances are held at a time.
    """
    from scipy.spatial.distance import cdist, pdist

    n = len(places)
    step = max(1, n // _PAIRS_OF)
    cutoff = float(np.quantile(pdist(places[::step]), _SHARE)) if n > 1 else 0.0
    blocks = [slice(start, start + n_rows) for start in range(0, n, n_rows)]
    density = np.empty(n)
    for block in blocks:  # a sample itself adds 1 to all alike
        density[block] = np.exp(-((cdist(places[block], places) / max(cutoff, 1e-12)) ** 2)).sum(axis=1)
    rank = np.empty(n, dtype=np.int64)
    rank[np.lexsort((np.arange(n), -density))] = np.arange(n)  # 0: the densest
    distance = np.empty(n)
    for block in blocks:
        apart = cdist(places[block], places)
        denser = rank[None, :] < rank[block, None]
        distance[block] = np.where(denser, apart, np.inf).min(axis=1)
        top = rank[block] == 0
        distance[block][top] = apart[top].max(initial=0.0)
    return density, distance


def _codes(coarse: ArrayLike, n: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    taxonomy = Taxonomy.of(coarse)
    codes = taxonomy.encode(coarse)
    if len(codes) != n:
        msg = f"coarse has {len(codes)} labels, X has {n} samples."
        raise ValueError(msg)
    if (codes < 0).any():
        msg = f"coarse is missing for {int((codes < 0).sum())} samples: leave those out."
        raise ValueError(msg)
    return codes, as_array(taxonomy.names)
