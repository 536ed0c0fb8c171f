from __future__ import annotations

import logging
import os
import random
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from falcon_sc.baselines._scvi import Encoder, _place

if find_spec("scvi") is None:
    pytest.skip("the extra `scvi` is not installed", allow_module_level=True)

LOGGERS = ("scvi", "lightning.pytorch", "lightning.fabric")


def train(counts, **changed):
    keywords = {"n_latent": 2, "n_epochs": 1, "device": torch.device("cpu"), "seed": 0, "progress_bar": False} | changed
    return Encoder.train(counts, np.zeros(counts.shape[0], dtype=np.int64), **keywords)


def everything() -> list[object]:
    """What scvi-tools and lightning set for the whole process."""
    import scvi

    return [
        random.getstate(),
        np.random.get_state(),  # noqa: NPY002
        torch.get_rng_state().tolist(),
        dict(os.environ),
        [logging.getLogger(name).level for name in LOGGERS],
        [torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark],
        [scvi.settings.seed, scvi.settings.verbosity, torch.get_num_threads(), torch.is_grad_enabled()],
    ]


@pytest.mark.parametrize("of_user", [None, 5])
def test_nothing_is_left_behind(planted, tmp_path, monkeypatch, capfd, of_user):
    import scvi
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scvi.settings, "_seed", of_user)
    monkeypatch.setenv("PL_GLOBAL_SEED", "11")
    monkeypatch.delenv("PL_SEED_WORKERS", raising=False)
    before = everything()
    train(planted.X).latent(planted.X)
    np.testing.assert_equal(everything(), before)
    with pytest.raises(MisconfigurationException, match="max_epochs"):  # nor where it fails
        train(planted.X, n_epochs=-7)
    np.testing.assert_equal(everything(), before)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_a_bar_is_shown_where_it_is_asked_for(planted, capfd):
    train(planted.X, progress_bar=True)
    assert "Epoch 1/1" in "".join(capfd.readouterr())


def test_the_counts_stay_as_they_are(planted):
    counts = planted.X.copy()
    train(counts)
    assert (counts != planted.X).nnz == 0


@pytest.mark.parametrize(
    ("device", "expected"), [("cpu", ("cpu", 1)), ("cuda", ("gpu", [0])), ("cuda:1", ("gpu", [1]))]
)
def test_devices_in_the_words_of_lightning(device, expected):
    assert tuple(_place(torch.device(device)).values()) == expected
