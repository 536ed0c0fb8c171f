"""What the program around a run has set for its own sums: the run neither fails by it nor gives anything else."""

from __future__ import annotations

import copy
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from falcon_sc.baselines import SCANC, TURTLE
from falcon_sc.core.config import FalconConfig
from falcon_sc.core.model import Falcon
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.vision import pretrain
from falcon_sc.vision.moco.network import MoCo
from tests.core.planted import planted
from tests.vision.networks import Tiny


@contextmanager
def _set(set_it, value, before):
    set_it(value)
    try:
        yield
    finally:
        set_it(before)


STATES = {
    "no gradients": torch.no_grad,  # as for predictions of another model; often for a whole notebook
    "inference": torch.inference_mode,
    "half precision": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "double precision": lambda: _set(torch.set_default_dtype, torch.float64, torch.float32),
    "another device": lambda: _set(torch.set_default_device, "meta", None),
    "errors of numpy": lambda: np.errstate(all="raise"),
}


@pytest.mark.parametrize("state", STATES)
def test_a_run_is_as_without_it(tmp_path, state: str) -> None:
    data = planted()
    config = FalconConfig(start_n_repeats=1, min_iterations=20, warmup_iterations=10, max_epochs=1, n_neighbors=5)
    known = Falcon(6, config, device="cpu").fit(data.X, data.coarse)
    with STATES[state]():
        model = Falcon(6, config, device="cpu").fit(data.X, data.coarse)
        model.save(tmp_path)
        loaded = Falcon.load(tmp_path, device="cpu")
        seen = loaded.predict_proba(data.X, data.coarse), loaded.transform(data.X)
    np.testing.assert_array_equal(model.labels_, known.labels_)
    np.testing.assert_array_equal(model.proba_, known.proba_)
    np.testing.assert_array_equal(seen[0], known.predict_proba(data.X, data.coarse))
    np.testing.assert_array_equal(seen[1], known.transform(data.X))


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("method", [SCANC, TURTLE], ids=["a network", "heads"])
def test_so_is_a_baseline(state: str, method) -> None:
    data = planted()
    model = TURTLE(6, n_steps=5) if method is TURTLE else SCANC(6, FalconConfig(max_epochs=1, n_neighbors=5))
    known = copy.deepcopy(model).fit(data.X, data.coarse)
    with STATES[state]():
        model.fit(data.X, data.coarse)
        predicted = model.predict(data.X, data.coarse)
    np.testing.assert_array_equal(model.labels_, known.labels_)
    np.testing.assert_array_equal(predicted, known.predict(data.X, data.coarse))


@pytest.mark.parametrize("state", STATES)
def test_so_is_the_pretraining_of_a_backbone(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MoCo.__init__, "__kwdefaults__", {"n_hidden": 32, "n_out": 16})  # 4,096 units take their time
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
    network, quick = Tiny(), {"batch_size": 16, "n_epochs": 1, "device": "cpu", "progress_bar": False}
    known = pretrain(images, network, **quick)
    with STATES[state]():
        trained = pretrain(images, network, **quick)
    for one, other in zip(known.state_dict().values(), trained.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_what_was_set_is_set_again() -> None:
    with _set(torch.set_default_dtype, torch.float64, torch.float32), torch.no_grad(), np.errstate(all="raise"):
        with undisturbed():
            assert torch.get_default_dtype() == torch.float32
            assert torch.is_grad_enabled()
            assert np.geterr()["under"] == "ignore"
        assert torch.get_default_dtype() == torch.float64
        assert not torch.is_grad_enabled()
        assert np.geterr()["under"] == "raise"
