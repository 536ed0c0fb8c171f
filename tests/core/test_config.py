from __future__ import annotations

import json

import pytest

from falcon_sc.core.config import FalconConfig


def test_paper_is_the_setting_of_the_paper():
    """Table G1 with the overrides that appendix G names for single cells."""
    config = FalconConfig.paper()
    assert (config.lambda_1, config.lambda_2, config.lambda_3, config.lambda_M) == (0.5, 0.5, 0.5, 5e-3)
    assert (config.temperature, config.gamma, config.relation_interval, config.n_neighbors) == (0.9, 0.99, 20, 20)
    assert (config.max_epochs, config.batch_size, config.lr, config.momentum) == (10, 1024, 0.1, 0.9)
    assert (config.n_hidden, config.n_layers, config.batch_norm, config.n_pcs) == (64, 4, False, None)
    assert (config.start, config.prior, config.optimizer, config.schedule) == ("random", "uniform", "sgd", "step")
    assert not config.restrict_to_coarse


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lambda_3", -1.0),
        ("lambda_M", float("nan")),
        ("temperature", 0.0),
        ("gamma", 1.5),
        ("relation_interval", 0),
        ("n_neighbors", 2.5),
        ("max_epochs", 0),
        ("batch_size", True),
        ("lr", float("inf")),
        ("start", "leiden"),
        ("relation_solver", "scip"),
    ],
)
def test_a_bad_value_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name}="):
        FalconConfig(**{name: value})


def test_no_more_neighbors_are_drawn_than_searched():
    with pytest.raises(ValueError, match="n_neighbors_per_step=5 is larger than n_neighbors=3"):
        FalconConfig(n_neighbors=3)


def test_round_trip_through_json():
    config = FalconConfig(lambda_3=4.0, milestones=(0.5, 0.7))
    assert FalconConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(("n", "batch"), [(60, 60), (700, 128), (3000, 256), (10_000, 1024), (10**6, 1024)])
def test_batch_size_follows_the_data(n, batch):
    assert FalconConfig().samples_per_batch(n) == batch


def test_small_data_still_get_their_iterations():
    config = FalconConfig(min_iterations=900)
    assert config.n_epochs(700) * config.iterations_per_epoch(700) >= 900
    assert config.n_epochs(10**6) == 10
    assert FalconConfig(max_epochs=3).n_epochs(700) == 3
