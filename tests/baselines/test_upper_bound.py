from __future__ import annotations

import numpy as np
import pytest

from falcon_sc import FalconConfig
from falcon_sc.baselines import UpperBound

from .digits import digits

SHORT = FalconConfig(max_epochs=5)


def test_labels_are_positions_of_the_fine_names():
    X, coarse, fine = digits()
    names = np.array([f"digit {d}" for d in range(10)])[fine]
    model = UpperBound(10, SHORT).fit(X, coarse, fine=names)
    assert (model.fine_names_[model.labels_] == names).mean() > 0.97
    assert (model.fine_names_[model.predict(X[:50])] == names[:50]).mean() > 0.9


@pytest.mark.parametrize(
    ("n_fine", "change", "message"),
    [
        (9, lambda fine: fine, "n_fine=9, but fine has 10 classes"),
        (10, lambda fine: fine[:-1], "fine has 1796 labels, X has 1797 samples"),
        (10, lambda fine: np.where(np.arange(len(fine)) == 3, np.nan, fine), "fine is missing for 1 samples"),
    ],
)
def test_fine_labels_that_do_not_fit_are_refused(n_fine, change, message):
    X, coarse, fine = digits()
    with pytest.raises(ValueError, match=message):
        UpperBound(n_fine, SHORT).fit(X, coarse, fine=change(fine))
