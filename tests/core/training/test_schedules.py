from __future__ import annotations

import pytest

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.training import schedules


def test_paper_divides_the_learning_rate_after_epochs_six_and_eight():
    config = FalconConfig.paper()
    rates = [schedules.learning_rate(epoch / 10, config) for epoch in range(10)]
    assert rates == pytest.approx([0.1] * 6 + [0.01] * 2 + [0.001] * 2)


def test_cosine_goes_from_the_learning_rate_to_zero():
    config = FalconConfig(lr=0.2)
    assert schedules.learning_rate(0.0, config) == pytest.approx(0.2)
    assert schedules.learning_rate(0.5, config) == pytest.approx(0.1)
    assert schedules.learning_rate(1.0, config) == pytest.approx(0.0)


def test_pseudo_labels_harden_over_three_epochs_of_ten_in_the_published_code():
    config = FalconConfig.published()
    softness = [schedules.target_softness(epoch / 10, config) for epoch in range(5)]
    assert softness == pytest.approx([1.0, 0.75, 0.25, 0.0, 0.0])


def test_labels_can_be_hard_from_the_start():
    assert schedules.target_softness(0.0, FalconConfig(anneal_share=0.0)) == 0.0


def test_the_text_keeps_soft_labels_and_the_balance_penalty():
    config = FalconConfig.paper()
    for progress in (0.0, 0.29, 0.3, 1.0):
        assert schedules.target_softness(progress, config) == 1.0
        assert schedules.balance_weight(progress, config) == 5e-3


def test_balance_penalty_ends_with_the_soft_labels_in_the_published_code():
    config = FalconConfig.published()
    assert [schedules.balance_weight(p, config) for p in (0.0, 0.29, 0.3, 1.0)] == [5e-3, 5e-3, 0.0, 0.0]


def test_cosines_begin_anew_and_end_at_the_final_rate():
    config = FalconConfig(lr=0.1, final_lr=0.001, n_cycles=2)
    assert schedules.learning_rate(0.0, config) == pytest.approx(0.1)
    assert schedules.learning_rate(0.25, config) == pytest.approx(0.0505)
    assert schedules.learning_rate(0.4999999, config) == pytest.approx(0.001, abs=1e-6)
    assert schedules.learning_rate(0.5, config) == pytest.approx(0.1)
    assert schedules.learning_rate(1.0, config) == pytest.approx(0.001)
