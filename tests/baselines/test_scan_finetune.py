from __future__ import annotations

from falcon_sc import FalconConfig
from falcon_sc.baselines import SCANFinetune, SCANPerCoarse

from .digits import digits


def test_one_classifier_learns_the_labels_of_scan_per_coarse():
    X, coarse, _ = digits()
    config = FalconConfig(max_epochs=10)
    pseudo, model = SCANPerCoarse(10, config).fit(X, coarse), SCANFinetune(10, config).fit(X, coarse)
    assert (model.labels_ == pseudo.labels_).mean() > 0.95  # the same seed: the same models before it
    assert (model.predict(X) == model.labels_).all()  # no coarse label is needed
    assert len(model.history_["loss"]) == 10 + len(pseudo.history_["loss"])
