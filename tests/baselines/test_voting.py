from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.baselines import FairKMeans

from .blobs import CENTERS, PARENTS, blobs
from .test_methods import METHODS


@pytest.mark.parametrize("method", METHODS)
def test_new_samples_get_the_class_around_them(method):
    X, coarse, fine = blobs()
    model = method(len(PARENTS)).fit(X, coarse)
    of_center = np.array([model.labels_[fine == k][0] for k in range(7)])
    assert model.predict(CENTERS[:6]).tolist() == of_center[:6].tolist()  # the last has one sample, and is outvoted
    assert model.predict(CENTERS, PARENTS).tolist() == of_center.tolist()
    assert np.array_equal(model.predict(X, coarse), model.labels_)


def test_a_known_coarse_label_wins_over_what_lies_nearer():
    X, coarse, fine = blobs()
    model = FairKMeans(7).fit(X, coarse)
    beside = CENTERS[[3, 3]] + 1  # the blob of "b"
    assert model.coarse_names_.tolist() == ["a", "b", "c", "d"]
    assert model.predict(beside, ["d", None]).tolist() == [6, model.labels_[fine == 3][0]]


@pytest.mark.parametrize(
    ("X", "coarse", "message"),
    [
        (np.zeros((2, 3)), None, "X has 3 features, the model was fitted on 2"),
        (np.zeros((2, 2)), ["a"], "coarse has 1 labels, X has 2 samples"),
        (np.zeros((1, 2)), ["z"], "labels that the model does not know"),
    ],
)
def test_what_does_not_fit_is_refused(X, coarse, message):
    with pytest.raises(ValueError, match=message):
        FairKMeans(7).fit(*blobs()[:2]).predict(X, coarse)
    with pytest.raises(ValueError, match="this FairKMeans is not fitted: call fit"):
        FairKMeans(7).predict(X)
