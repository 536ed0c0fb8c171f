"""SCAN-C: SCAN with neighbors of the same coarse class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc.baselines.scan import SCAN

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from falcon_sc.baselines._task import Task


class SCANC(SCAN):
    """SCAN-C, the paper's adaptation of SCAN: neighbors are searched inside the coarse class of a sample.

    Nothing else changes, so that a fine class may still hold samples of several coarse classes. Parameters and
    attributes are those of :class:`SCAN`.

    Examples
    --------
    >>> import numpy as np
    >>> from falcon_sc import FalconConfig
    >>> from falcon_sc.baselines import SCANC
    >>> X = np.random.default_rng(0).normal(size=(60, 5))
    >>> SCANC(4, FalconConfig(max_epochs=1)).fit(X, np.repeat(["a", "b"], 30)).labels_.shape
    (60,)
    """

    def _searched(self, task: Task) -> NDArray[np.int64]:
        return task.codes
