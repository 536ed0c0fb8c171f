from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from falcon_sc.baselines._task import FROM_RANDOM_WEIGHTS
from falcon_sc.benchmarks.images import _frozen_methods, images
from falcon_sc.benchmarks.images._features import FeatureData, read_features
from falcon_sc.benchmarks.images._frozen_methods import METHODS, FrozenProblem


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two parts of 8 fine classes in 4 coarse ones, planted far apart in 60 features: 256 training, 64 test samples."""
    rng = np.random.default_rng(0)
    fine = rng.permutation(np.repeat(np.arange(8), 40))
    features = 3 * rng.normal(size=(8, 60))[fine] + rng.normal(size=(320, 60))
    split = np.full(320, "train", dtype="<U5")
    for k in range(8):
        split[np.flatnonzero(fine == k)[-8:]] = "test"
    names = np.array([f"fine {k}" for k in range(8)])
    folder = tmp_path_factory.mktemp("features")
    paths = [folder / "a.npz", folder / "b.npz"]
    for path, rows in zip(paths, (slice(200), slice(200, None)), strict=True):
        np.savez(
            path,
            features=features[rows].astype(np.float32),
            fine=names[fine[rows]],
            coarse=fine[rows] // 2,
            split=split[rows],
        )
    return paths


def test_every_method_has_its_row(files, tmp_path, two_epochs):
    table = images.run(features=files, out=tmp_path, epochs=2, device="cpu")
    assert table["method"].tolist() == list(METHODS)
    rows = table.set_index("method")
    found = rows.loc[["K-Means", "Gaussian mixture", "start alone", "K-Means (oracle)"]]
    assert (found[["accuracy", "known_accuracy", "inside_ari", "ged_iso"]] == [100, 100, 100, 0]).all(axis=None)
    alone = rows.loc["coarse labels alone"]
    assert alone[["accuracy", "inside_ari", "classes_used"]].tolist() == [50, 0, 4]
    assert np.isnan(alone["test_accuracy"])
    # what trains says how long: two epochs are two batches of 256, or four of our defaults
    steps = rows["steps"].dropna().to_dict()
    from_the_paper = [name for name in METHODS if name.startswith("FALCON")]
    assert steps == dict.fromkeys(["TURTLE", "SCAN-C", *from_the_paper], 2) | {"falcon_sc": 4}
    assert {path.name for path in tmp_path.iterdir()} == {"frozen.csv", "frozen.md", "frozen_runs.csv"}
    text = (tmp_path / "frozen.md").read_text()
    assert text.startswith("Discovery on good features: a, b, 60 features")
    assert "256 training and 64 test samples, 4 coarse and 8 fine classes" in text
    assert "cpu" in text


def test_seeds_are_averaged_and_what_is_done_is_not_done_again(files, tmp_path, monkeypatch):
    options = {"features": files, "out": tmp_path, "methods": ["K-Means"], "device": "cpu"}
    images.run(**options)
    monkeypatch.setitem(METHODS, "coarse labels alone", lambda problem: pytest.fail("not asked for"))
    ran = []
    kmeans = METHODS["K-Means"]
    monkeypatch.setitem(METHODS, "K-Means", lambda problem: ran.append(problem.seed) or kmeans(problem))
    table = images.run(**options, seeds=2)
    assert ran == [1]
    assert table["seed"].tolist() == [0, 1]
    assert "100.0 ± 0.0" in (tmp_path / "frozen.md").read_text()
    images.run(**options | {"features": files[:1]})  # other data: another run, and the first ones are kept
    assert ran == [1, 0]
    assert len(pd.read_csv(tmp_path / "frozen_runs.csv")) == 3


def test_features_without_a_split(files, tmp_path):
    with np.load(files[0]) as file:
        arrays = {name: file[name] for name in ("features", "coarse", "fine")}
    np.savez(tmp_path / "all.npz", **arrays)
    methods = ["K-Means", "FALCON (published code), random start"]
    table = images.run(features=[tmp_path / "all.npz"], methods=methods, epochs=25, device="cpu")
    assert table["n_train"].tolist() == [200, 200]
    assert table["steps"].tolist()[1:] == [25]
    assert table["relation_updates"].tolist()[1:] == [1]
    assert not any(column.startswith(("test_", "known_")) for column in table)


@pytest.mark.parametrize("method", [name for name in METHODS if "oracle" not in name])
def test_only_the_oracle_knows_where_fine_classes_are(files, method, two_epochs):
    """Other fine labels with the same classes: the same labels are found."""
    train, test = read_features(files)
    mixed = 2 * train.coarse + np.random.default_rng(0).integers(0, 2, len(train))
    other = FeatureData(train.features, mixed, train.coarse, 8, 4)
    find = METHODS[method]
    one, two = (find(FrozenProblem(data, test, 0, 2, device="cpu")) for data in (train, other))
    np.testing.assert_array_equal(one.outcome.train, two.outcome.train)


def test_the_text_and_the_code_from_our_start_differ_from_random_in_the_start_alone():
    text, code = _frozen_methods._text(), _frozen_methods._published()
    for config in (text, code):
        started = _frozen_methods._from_our_start(lambda config=config: config)
        changed = {name for name, value in started.to_dict().items() if value != config.to_dict()[name]}
        assert changed == {"start", "lambda_M", "max_grad_norm", "restrict_to_coarse"}
    assert text.anneal_to_one_hot is False
    assert code.anneal_to_one_hot is True


def test_random_starts_train_as_long_as_the_baselines():
    for n_samples in (300, 12_500, 50_000):
        steps = _frozen_methods.epochs_of(n_samples) * _frozen_methods._text().iterations_per_epoch(n_samples)
        assert FROM_RANDOM_WEIGHTS.min_iterations <= steps < FROM_RANDOM_WEIGHTS.min_iterations * 1.2


def test_refusals(files, tmp_path):
    with pytest.raises(ValueError, match="features and encoder are both given"):
        images.run(features=files, encoder="efficientnet-lite1")
    with pytest.raises(ValueError, match="encoder needs data, the folder with the images, and out"):
        images.run(encoder="efficientnet-lite1", data=tmp_path)
    with pytest.raises(ValueError, match=r"methods: \['falcon'\] are not among \['coarse labels alone'"):
        images.run(features=files, methods=["falcon"])
    with pytest.raises(ValueError, match="seeds must be at least 1, found 0"):
        images.run(features=files, seeds=0)
    with pytest.raises(ValueError, match="epochs must be at least 1, found 0"):
        images.run(features=files, epochs=0)
    with pytest.raises(ValueError, match="features is empty"):
        images.run(features=[])
