"""The methods of the benchmark on cells: each takes a data set and a seed, and gives a label to every cell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.benchmarks._machine import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from falcon_sc.benchmarks.cells._data import Cells
    from falcon_sc.core.config import FalconConfig

METHOD, ORACLE, BOUND = "method", "oracle", "bound"


@dataclass(frozen=True)
class Method:
    """A method; an oracle is told the true number of fine classes of each coarse class, a bound the fine labels.

    `find`: cells, number of fine classes, seed -> labels. `begins_with`: what it takes of `Cells`; the time to that
    counts as its own. `needs`: a library of an extra, whose import is nobody's time; such a method
    runs only where it is asked for.
    """

    find: Callable[[Cells, Any, int], NDArray[Any]]
    kind: str = METHOD
    begins_with: str = "counts"
    needs: str | None = None

    def __call__(self, cells: Cells, seed: int) -> tuple[NDArray[Any], float]:
        """Labels (n_obs,), and the CPU seconds they took from the counts on."""
        if self.needs is not None:
            import_module(self.needs)
        began = cpu_seconds()
        labels = self.find(cells, cells.n_per_class if self.kind == ORACLE else cells.n_fine, seed)
        return labels, cells.cpu_seconds[self.begins_with] + cpu_seconds() - began


def _coarse_alone(cells: Cells, _n_fine: int, _seed: int) -> NDArray[Any]:
    return cells.coarse


def _baseline(name: str, kind: str = METHOD, begins_with: str = "scores") -> Method:
    """A method of `falcon_sc.baselines`, on principal components."""

    def find(cells: Cells, n_fine: Any, seed: int) -> NDArray[Any]:
        from falcon_sc import baselines

        scores = getattr(cells, begins_with)
        labels: NDArray[np.int64] = getattr(baselines, name)(n_fine, rng=seed).fit(scores, cells.coarse).labels_
        return labels

    return Method(find, kind, begins_with)


def _scvi_leiden(cells: Cells, n_fine: int, seed: int) -> NDArray[Any]:
    """On the counts of the genes whose principal components the other clusterings get."""
    from falcon_sc.baselines import SCVILeiden

    counts: Any = cells.adata.X
    labels: NDArray[np.int64] = SCVILeiden(n_fine, rng=seed).fit(counts[:, cells.inputs.genes], cells.coarse).labels_
    return labels


def _start(cells: Cells, n_fine: int, seed: int) -> NDArray[Any]:
    from falcon_sc.core.start.consensus_start import consensus_start

    codes = np.unique(cells.coarse, return_inverse=True)[1]
    labels = consensus_start(cells.inputs.start, codes, n_fine, rng=seed).labels
    assert labels is not None  # a consensus always has some
    return labels


def _falcon(cells: Cells, n_fine: Any, seed: int, config: FalconConfig | None = None) -> NDArray[Any]:
    from falcon_sc.tl import discover

    result = discover(
        cells.adata, "coarse", n_fine, values=cells.values, config=config, rng=seed, progress_bar=False, copy=True
    )
    if result is None:  # never: copy=True
        raise TypeError
    return result.obs["falcon_fine"].to_numpy(dtype=np.str_)


def _published_falcon(cells: Cells, n_fine: int, seed: int) -> NDArray[Any]:
    """In as many steps as ours: its ten epochs are twenty steps where there are 2,000 cells, which is no test of it."""
    from falcon_sc.core.config import FalconConfig

    return _falcon(cells, n_fine, seed, replace(FalconConfig.published(), max_epochs=None))


def _supervised(cells: Cells, _n_fine: int, seed: int) -> NDArray[Any]:
    """Logistic regression inside each coarse class, for a fifth of the cells at a time from the other four fifths."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = cells.fine.copy()
    for name in np.unique(cells.coarse):
        rows = np.flatnonzero(cells.coarse == name)
        if len(np.unique(cells.fine[rows])) == 1 or len(rows) < 5:
            continue
        for train, test in KFold(5, shuffle=True, random_state=seed).split(rows):
            known = cells.fine[rows[train]]
            if len(np.unique(known)) == 1:
                labels[rows[test]] = known[0]
                continue
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
            model.fit(cells.scores[rows[train]], known)
            labels[rows[test]] = model.predict(cells.scores[rows[test]])
    return labels


METHODS = {
    "coarse labels alone": Method(_coarse_alone),
    "Leiden": _baseline("FairLeiden"),
    "Leiden, scaled genes": _baseline("FairLeiden", begins_with="scaled_scores"),
    "K-Means": _baseline("FairKMeans"),
    "K-Means, scaled genes": _baseline("FairKMeans", begins_with="scaled_scores"),
    "Gaussian mixture": _baseline("FairMixture"),
    "scVI + Leiden": Method(_scvi_leiden, begins_with="inputs", needs="scvi"),
    "FALCON, as published": Method(_published_falcon),
    "start alone": Method(_start, begins_with="inputs"),
    "falcon_sc": Method(_falcon),
    "K-Means (oracle)": _baseline("FairKMeans", ORACLE),
    "K-Means, scaled genes (oracle)": _baseline("FairKMeans", ORACLE, "scaled_scores"),
    "Gaussian mixture (oracle)": _baseline("FairMixture", ORACLE),
    "falcon_sc (oracle)": Method(_falcon, ORACLE),
    "supervised (bound)": Method(_supervised, BOUND, begins_with="scores"),
}
DEFAULTS = tuple(name for name, method in METHODS.items() if method.needs is None)
