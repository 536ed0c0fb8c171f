from __future__ import annotations

import json

import numpy as np
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


DEPARTURES = ("anneal_to_one_hot", "drop_lambda_M", "relation_predictions", "n_neighbors_per_step")


@pytest.mark.parametrize(
    ("text", "code", "epochs_to_one_hot", "interval"),
    [
        (FalconConfig.paper(), FalconConfig.published(), 3, 30),
        (FalconConfig.cifar100(), FalconConfig.published("cifar100"), 30, 20),
        (FalconConfig.cifar68(), FalconConfig.published("cifar68"), 30, 20),
        (FalconConfig.cifar_si(), FalconConfig.published("cifar_si"), 30, 20),
        (FalconConfig.breeds("living17"), FalconConfig.published("living17"), 30, 20),
        (FalconConfig.breeds("entity13"), FalconConfig.published("entity13"), 30, 20),
        (FalconConfig.tiered_imagenet(), FalconConfig.published("tiered_imagenet"), 30, 20),
    ],
)
def test_the_published_code_departs_from_the_text_by_named_switches(text, code, epochs_to_one_hot, interval):
    assert [getattr(text, name) for name in DEPARTURES] == [False, False, "student", None]
    assert [getattr(code, name) for name in DEPARTURES] == [True, True, "teacher", 5]
    assert (text.relation_interval, code.relation_interval) == (20, interval)
    assert text.relation_batches == 20
    assert code.anneal_share * code.max_epochs == pytest.approx(epochs_to_one_hot)
    same = {"anneal_share", "relation_interval", *DEPARTURES}
    assert {k: v for k, v in text.to_dict().items() if k not in same} == {
        k: v for k, v in code.to_dict().items() if k not in same
    }


def test_an_unknown_published_setting_is_named():
    with pytest.raises(ValueError, match=r"data='pbmc' is not one of \['cells', 'cifar100'"):
        FalconConfig.published("pbmc")


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
        ("n_jobs", 0),
        ("batch_size", 1),
        ("n_jobs", -2),
        ("start_max_cells", 0),
        ("lambda_conf", -0.1),
        ("relation_predictions", "ema"),
        ("relation_batches", 0),
        ("start_n_repeats", 1.5),
    ],
)
def test_a_bad_value_is_named(name, value):
    with pytest.raises(ValueError, match=rf"^{name}="):
        FalconConfig(**{name: value})


def test_no_more_neighbors_are_drawn_than_searched():
    with pytest.raises(ValueError, match="n_neighbors_per_step=5 is larger than n_neighbors=3"):
        FalconConfig(n_neighbors=3, n_neighbors_per_step=5)


def test_round_trip_through_json():
    config = FalconConfig(lambda_3=4.0, milestones=(0.5, 0.7))
    assert FalconConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("n", "batch"), [(60, 60), (700, 128), (3000, 256), (10_000, 512), (16_384, 1024), (10**6, 1024)]
)
def test_batch_size_follows_the_data(n, batch):
    assert FalconConfig().samples_per_batch(n) == batch


def test_small_data_still_get_their_iterations():
    config = FalconConfig(min_iterations=900)
    assert config.n_epochs(700) * config.iterations_per_epoch(700) >= 900
    assert config.n_epochs(10**6) == 2
    assert FalconConfig(max_epochs=3).n_epochs(700) == 3


# Table G1 and appendix G: lambda_3, lambda_M, epochs, batch, schedule, seconds of the solver
IMAGES = {
    "cifar100": (FalconConfig.cifar100(), 2, 0.1, 100, 256, "step", 30),
    "cifar68": (FalconConfig.cifar68(), 2, 0.05, 100, 256, "step", 30),
    "cifar_si": (FalconConfig.cifar_si(), 2, 0.1, 100, 256, "step", 30),
    "living17": (FalconConfig.breeds("living17"), 2, 0.1, 60, 1024, "cosine", 30),
    "nonliving26": (FalconConfig.breeds("nonliving26"), 2, 0.1, 60, 1024, "cosine", 30),
    "entity13": (FalconConfig.breeds("entity13"), 3, 0.1, 60, 1024, "cosine", 30),
    "entity30": (FalconConfig.breeds("entity30"), 3, 0.1, 60, 1024, "cosine", 30),
    "tiered_imagenet": (FalconConfig.tiered_imagenet(), 5, 5e-5, 90, 2048, "cosine", 120),
}


@pytest.mark.parametrize("name", IMAGES)
def test_image_settings_are_those_of_the_paper(name):
    config, *expected = IMAGES[name]
    found = [getattr(config, field) for field in ("lambda_3", "lambda_M", "max_epochs", "batch_size", "schedule")]
    assert [*found, config.relation_time_limit] == expected
    assert (config.lambda_1, config.lambda_2, config.temperature, config.gamma) == (0.5, 0.5, 0.9, 0.99)
    assert (config.relation_interval, config.n_neighbors, config.n_neighbors_per_step) == (20, 20, None)
    assert (config.optimizer, config.lr, config.momentum, config.weight_decay) == ("sgd", 0.1, 0.9, 0.0)
    assert (config.start, config.prior, config.restrict_to_coarse) == ("random", "uniform", False)
    assert (config.n_pcs, config.max_grad_norm, config.metric) == (None, None, "cosine")
    if config.schedule == "step":
        assert [share * config.max_epochs for share in config.milestones] == [60, 80]


def test_large_images_begin_a_new_cosine_every_thirty_epochs():
    for config in (FalconConfig.breeds("living17"), FalconConfig.tiered_imagenet()):
        assert config.max_epochs / config.n_cycles == 30
        assert config.final_lr == 0.001


def test_an_unknown_data_set_is_named():
    with pytest.raises(ValueError, match=r"name='living18' is not one of \['living17'"):
        FalconConfig.breeds("living18")


def test_numbers_of_numpy_are_numbers():
    config = FalconConfig(n_neighbors=np.int64(5), n_neighbors_per_step=np.int32(2), lr=np.float32(0.5))
    assert config == FalconConfig(n_neighbors=5, n_neighbors_per_step=2, lr=0.5)
    assert {type(value) for value in config.to_dict().values()} <= {int, float, str, bool, type(None), list, tuple}
    with pytest.raises(ValueError, match="n_neighbors=0 must be"):
        FalconConfig(n_neighbors=np.int64(0))
