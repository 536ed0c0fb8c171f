from __future__ import annotations

import numpy as np
import pytest

from falcon_sc import FalconConfig
from falcon_sc.baselines import SCANPerCoarse
from falcon_sc.metrics import clustering_accuracy

from .blobs import TRUE_COUNTS, blobs
from .digits import digits

SHORT = FalconConfig(max_epochs=3)


def test_a_fine_class_lies_in_one_coarse_class():
    X, coarse, _ = digits()
    model = SCANPerCoarse(10, SHORT).fit(X, coarse)
    assert model.relation_.sum(axis=0).tolist() == [3, 4, 3]
    parents = model.coarse_names_[model.relation_.argmax(axis=1)]
    assert (parents[model.labels_] == coarse).all()


def test_numbers_of_a_mapping_are_kept_and_a_lone_class_needs_no_model():
    X, coarse, _ = blobs()
    model = SCANPerCoarse(TRUE_COUNTS, SHORT).fit(X, coarse)
    assert model.relation_.sum(axis=0).tolist() == [3, 1, 2, 1]
    assert set(model.labels_[coarse == "b"]) == {3}
    assert set(model.labels_[coarse == "d"]) == {6}


def test_samples_without_a_coarse_label_are_routed():
    X, coarse, fine = digits()
    model = SCANPerCoarse(10, SHORT).fit(X, coarse)
    known, routed = model.predict(X, coarse), model.predict(X)
    assert np.array_equal(known, model.labels_)
    assert not np.array_equal(known, routed)
    assert (known == routed).mean() > 0.9
    half = np.where(np.arange(len(X)) < 900, coarse, None)
    assert np.array_equal(model.predict(X, half), np.where(np.arange(len(X)) < 900, known, routed))
    assert clustering_accuracy(fine, routed) > 0.5


def test_refuses_several_data_sets():
    X, coarse, _ = blobs()
    with pytest.raises(ValueError, match="dataset names several data sets"):
        SCANPerCoarse(7, SHORT).fit(X, coarse, np.arange(len(X)) % 2)
