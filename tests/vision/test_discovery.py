from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from falcon_sc import Falcon, FalconConfig
from falcon_sc.baselines import FairKMeans
from falcon_sc.metrics import clustering_accuracy
from falcon_sc.vision import (
    build_backbone,
    discover,
    discovery,
    extract_features,
    image_samples,
    load,
    pretrain,
    save_encoder,
)

from .digits import COARSE, OTHER_COARSE, Shifts, digits, small_network

CONFIG = FalconConfig(prior="uniform", lr=2e-3, max_epochs=20, batch_size=128, warmup_iterations=100)
QUICK = FalconConfig(start="random", max_epochs=2, batch_size=64, relation_interval=3)


def _discover(images, coarse, n_fine=10, *, config=QUICK, rng=0, **options):
    options = {"backbone": small_network(), "views": Shifts(), "device": "cpu", "progress_bar": False} | options
    return discover(images, coarse, n_fine, config=config, rng=rng, **options)


@pytest.mark.parametrize(("grouping", "floor", "seeds"), [(COARSE, 0.98, [0, 1]), (OTHER_COARSE, 0.94, [2])])
def test_digits_better_than_kmeans_inside_their_coarse_classes(grouping, floor, seeds):
    """Both know the coarse labels, the total number of fine classes and the same features: the pixels."""
    images, fine = digits()
    pixels = images.reshape(len(images), -1).astype(np.float32)
    coarse = grouping[fine]
    kmeans = clustering_accuracy(fine, FairKMeans(10).fit(pixels, coarse).labels_)
    for seed in seeds:
        model = _discover(images, coarse, features=pixels, config=CONFIG, rng=seed)
        found = clustering_accuracy(fine, model.labels_)
        assert found > max(floor, kmeans)
        assert model.relation_.sum(axis=0).tolist() == np.bincount(grouping).tolist()
        assert len(model.history_["loss"]) == 20
        assert clustering_accuracy(fine, model.predict(image_samples(images, device="cpu"), coarse)) == found


@pytest.mark.parametrize(("size", "paper"), [(32, "cifar100"), (224, "living17")])
def test_the_default_lets_the_labels_of_the_start_go_and_has_the_rest_from_the_published_code(size, paper):
    default, published, cells = discovery.default_config(size), FalconConfig.published(paper), FalconConfig()
    changed = {name: value for name, value in default.to_dict().items() if value != published.to_dict()[name]}
    assert changed == {
        "lambda_start": 0,
        "lambda_M": cells.lambda_M,
        "start": "consensus",
        "max_grad_norm": cells.max_grad_norm,
        "restrict_to_coarse": True,
    }
    assert default.prior == "uniform"  # without it small classes would need the labels


def test_two_taxonomies_of_the_same_digits():
    """Section 3.4: half the images have one set of coarse labels, half another; each has its own M."""
    images, fine = digits()
    half = np.where(np.arange(len(fine)) % 2 == 0, "T1", "T2")
    coarse = np.where(half == "T1", COARSE[fine], 10 + OTHER_COARSE[fine])
    model = _discover(images, coarse, dataset=half, features=images.reshape(len(images), -1), config=CONFIG)
    assert model.relations_["T1"].shape == (10, 3)
    assert model.relations_["T2"].shape == (10, 2)
    for M in model.relations_.values():
        assert (M.sum(axis=1) == 1).all()
        assert (M.sum(axis=0) >= 1).all()
    assert clustering_accuracy(fine, model.labels_) > 0.8


def test_same_seed_same_labels_and_the_backbone_is_left_alone():
    images, fine = (part[:400] for part in digits())
    backbone = small_network()
    before = [p.clone() for p in backbone.state_dict().values()]
    one, same = (_discover(images, COARSE[fine], backbone=backbone) for _ in range(2))
    np.testing.assert_array_equal(one.proba_, same.proba_)
    assert all(torch.equal(a, b) for a, b in zip(before, backbone.state_dict().values(), strict=True))
    other = _discover(images, COARSE[fine], backbone=backbone, rng=1)
    assert not np.array_equal(one.proba_, other.proba_)


def test_an_interrupted_run_ends_with_the_same_model(tmp_path, interrupted, caplog):
    images, fine = (part[:400] for part in digits())
    whole = _discover(images, COARSE[fine])
    with interrupted():
        _discover(images, COARSE[fine], checkpoint=tmp_path)
    with caplog.at_level("INFO", "falcon_sc"):
        resumed = _discover(images, COARSE[fine], checkpoint=tmp_path)
    assert "resuming after epoch 1 of 2" in caplog.text
    np.testing.assert_array_equal(whole.proba_, resumed.proba_)
    np.testing.assert_array_equal(whole.history_["loss"], resumed.history_["loss"])


def test_a_run_of_another_seed_is_not_gone_on_with(tmp_path, interrupted):
    images, fine = (part[:400] for part in digits())
    with interrupted():
        _discover(images, COARSE[fine], checkpoint=tmp_path)
    for rng in (1, np.random.default_rng(1)):
        with pytest.raises(ValueError, match=r"holds a run .* another seed"):
            _discover(images, COARSE[fine], checkpoint=tmp_path, rng=rng)


def test_a_generator_goes_on_with_the_run_that_it_began(tmp_path, interrupted, caplog):
    images, fine = (part[:400] for part in digits())
    rng = np.random.default_rng(3)
    with interrupted():
        _discover(images, COARSE[fine], checkpoint=tmp_path, rng=rng)
    with caplog.at_level("INFO", "falcon_sc"):
        _discover(images, COARSE[fine], checkpoint=tmp_path, rng=rng)
    assert "resuming after epoch 1 of 2" in caplog.text


def test_save_and_load(tmp_path):
    images, fine = (part[:300] for part in digits())
    model = _discover(images, COARSE[fine], save_model=tmp_path / "model")
    loaded = load(tmp_path / "model", backbone=small_network(seed=3), views=Shifts(), device="cpu")
    samples = image_samples(images, device="cpu")
    np.testing.assert_array_equal(loaded.predict_proba(samples), model.predict_proba(samples))
    with pytest.raises(ValueError, match=r"fitted with network of its own \(SmallNetwork\)"):
        load(tmp_path / "model", views=Shifts(), device="cpu")
    with pytest.raises(ValueError, match=r"fitted with views of its own \(Shifts\)"):
        load(tmp_path / "model", backbone=small_network(), device="cpu")
    _discover(images, COARSE[fine], views=None, save_model=tmp_path / "usual")
    with pytest.raises(ValueError, match=r"path=.*usual.* was fitted without views of its own: leave views out"):
        load(tmp_path / "usual", backbone=small_network(), views=Shifts(), device="cpu")


def test_features_are_of_samples():
    images, _ = (part[:3] for part in digits())
    with pytest.raises(TypeError, match=r"samples must be what falcon_sc.vision.image_samples gives, found ndarray"):
        extract_features(small_network(), images, Shifts())


def test_features_take_the_way_of_cells():
    images, fine = (part[:300] for part in digits())
    features = extract_features(small_network(), image_samples(images, device="cpu"), Shifts())
    assert features.shape == (300, 64)
    model = discover(features, COARSE[fine], 10, config=QUICK, device="cpu", progress_bar=False)
    assert model.labels_.shape == (300,)
    np.testing.assert_array_equal(model.predict(features, COARSE[fine]), model.labels_)


def test_an_adata_with_features(monkeypatch):
    import pandas as pd
    from anndata import AnnData

    images, fine = (part[:300] for part in digits())
    obs = pd.DataFrame({"coarse": pd.Categorical([f"c{c}" for c in COARSE[fine]])}, index=[f"i{i}" for i in range(300)])
    adata = AnnData(np.zeros((300, 1), dtype=np.float32), obs=obs)
    adata.obsm["X_pixels"] = images.reshape(300, -1).astype(np.float32)
    options = {"features": "X_pixels", "config": QUICK, "device": "cpu", "progress_bar": False}
    monkeypatch.setattr(Falcon, "save", None)  # nothing may be written to disk
    model = discover(adata, "coarse", 10, **options)
    np.testing.assert_array_equal(adata.obsm["falcon_proba"], model.proba_)
    np.testing.assert_array_equal(adata.obs["falcon_confidence"], model.confidence_)
    names = adata.uns["falcon"]["fine_names"][model.labels_]
    assert (adata.obs["falcon_fine"].astype(str) == names).all()
    assert model.relation_.shape == (10, 3)
    with pytest.raises(ValueError, match=r"features must name the features in adata.obsm"):
        discover(adata, "coarse", 10)
    with pytest.raises(ValueError, match=r"images is an AnnData of features.*'size' would be ignored"):
        discover(adata, "coarse", 10, size=32, **options)


@pytest.mark.parametrize(
    "ignored",
    [
        {"backbone": "resnet18"},
        {"pretrained": "resnet18.pt"},
        {"size": 32},
        {"features": np.zeros((60, 3))},
        {"views": Shifts(), "size": 32},
    ],
    ids=lambda ignored: "-".join(ignored),
)
def test_arguments_that_mean_nothing_beside_features_are_refused(ignored):
    features, coarse = np.random.default_rng(0).normal(size=(60, 5)), np.repeat(["a", "b"], 30)
    with pytest.raises(
        ValueError, match=f"images is a matrix of features.*{'.*'.join(sorted(ignored))}.* would be ignored"
    ):
        discover(features, coarse, 4, config=QUICK, device="cpu", **ignored)


def test_the_network_passes_once_over_the_images_after_the_training():
    class Counted(Shifts):
        n_predicted = 0

        def plain(self, rows):
            self.n_predicted += len(rows)
            return super().plain(rows)

        def weak(self, rows, generator):
            return rows.float() / 255

        def strong(self, rows, generator):
            return rows.float() / 255

    images, fine = (part[:120] for part in digits())
    views = Counted()
    _discover(images, COARSE[fine], views=views, features=images.reshape(120, -1).astype(np.float32))
    assert views.n_predicted == 120


def test_wrong_inputs_are_refused_before_any_work(tmp_path):
    images, fine = (part[:60] for part in digits())
    coarse = COARSE[fine]
    with pytest.raises(ValueError, match="coarse has 59 labels, X has 60 samples"):
        _discover(images, coarse[:59])
    with pytest.raises(ValueError, match="n_fine=2 is smaller than the number of coarse classes, 3"):
        _discover(images, coarse, 2)
    with pytest.raises(ValueError, match="features must be a matrix with a row for each of the 60 images"):
        _discover(images, coarse, features=np.zeros((59, 3)))
    with pytest.raises(ValueError, match="no attribute n_features_out"):
        _discover(images, coarse, backbone=torch.nn.Flatten())
    with pytest.raises(
        ValueError, match=r"floating-point numbers of shape \(60, 8, 8\): give pixels as uint8, 0 to 255"
    ):
        discover(images.astype(float), coarse, 10)
    for wrong, message in [
        ({"rng": "x"}, "rng must be an int"),
        ({"views": 3}, "views must have the methods weak, strong and plain"),
        ({"config": "cifar100"}, "config must be a falcon_sc.FalconConfig, found 'cifar100'"),
    ]:
        with pytest.raises(TypeError, match=message):
            discover("not looked at", coarse, 10, **wrong)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"save_model=.* is a file"):
        _discover(images, coarse, save_model=tmp_path / "file")


FIXED = replace(QUICK, start="consensus", warmup_iterations=5)


def test_fixed_numbers_are_those_of_the_result():
    """Of images, of features of them and of an AnnData: the others share out what is left."""
    import pandas as pd
    from anndata import AnnData

    images, fine = (part[:300] for part in digits())
    coarse = COARSE[fine]
    pixels = images.reshape(300, -1).astype(np.float32)
    obs = pd.DataFrame({"coarse": pd.Categorical(coarse)}, index=[f"i{i}" for i in range(300)])
    adata = AnnData(np.zeros((300, 1), dtype=np.float32), obs=obs, obsm={"X_pixels": pixels})
    options = {"config": FIXED, "device": "cpu", "progress_bar": False, "fixed": {1: 6}}
    models = [
        _discover(images, coarse, features=pixels, **options),
        discover(pixels, coarse, 10, **options),
        discover(adata, "coarse", 10, features="X_pixels", **options),
    ]
    for model in models:
        counts = model.relation_.sum(axis=0)
        assert counts[1] == 6
        assert counts.sum() == 10


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fixed": {7: 2}}, "fixed names '7', which is no coarse class here. Coarse classes: '0', '1', '2'"),
        ({"fixed": {1: 9}}, "n_fine=10 leaves 1 for the coarse classes that fixed does not name"),
        ({"fixed": {1: 4}, "n_fine": {0: 4, 1: 3, 2: 3}}, "fixed is given with an n_fine for every coarse class"),
        ({"fixed": {1: 4}, "config": QUICK}, "fixed needs a start that shares the rest out"),
        ({"fixed": {1: 4}, "dataset": np.repeat(["T1", "T2"], 30)}, "fixed cannot be used with several data sets"),
        ({"size": -3, "views": None}, "size must be at least 1, found -3"),
    ],
)
def test_numbers_that_cannot_be_had_are_refused_before_any_work(options, message, monkeypatch):
    monkeypatch.setattr(discovery, "extract_features", None)  # the first work there is
    images, fine = (part[:60] for part in digits())
    with pytest.raises(ValueError, match=message):
        _discover(images, COARSE[fine], **{"config": FIXED} | options)


def test_weights_from_a_file_leave_the_network_alone(tmp_path):
    images, fine = (part[:60] for part in digits())
    save_encoder(small_network(seed=1), tmp_path / "encoder.pt")
    backbone = small_network(seed=0)
    before = [p.clone() for p in backbone.state_dict().values()]
    options = {"config": replace(QUICK, max_epochs=1)}
    model = _discover(images, COARSE[fine], backbone=backbone, pretrained=tmp_path / "encoder.pt", **options)
    assert all(torch.equal(a, b) for a, b in zip(before, backbone.state_dict().values(), strict=True))
    same = _discover(images, COARSE[fine], backbone=small_network(seed=1), **options)
    np.testing.assert_array_equal(model.proba_, same.proba_)


@pytest.mark.image
def test_features_come_from_the_weights_of_a_file(tmp_path, caplog):
    """What the start clusters is what the weights of the file give, not those that the name alone would draw."""
    images, fine = (part[:40] for part in digits())
    coarse = COARSE[fine]
    weights = build_backbone("resnet18", small_images=True, generator=torch.Generator().manual_seed(7))
    save_encoder(weights, tmp_path / "resnet18.pt")
    config = replace(QUICK, batch_size=20, max_epochs=1, lr=1e-12)
    options = {"backbone": "resnet18", "pretrained": tmp_path / "resnet18.pt", "views": None, "config": config}
    model = _discover(images, coarse, **options, save_model=tmp_path / "model")
    first = model._fitted.classifier.backbone.conv1.weight
    torch.testing.assert_close(first.cpu(), weights.conv1.weight, atol=1e-6, rtol=0)
    assert "random weights" not in caplog.text
    _discover(images, coarse, **options | {"pretrained": None})
    assert "backbone='resnet18' begins at random weights" in caplog.text
    # backbone and views of the package are built again from what the model says about them
    loaded, samples = load(tmp_path / "model", device="cpu"), image_samples(images, device="cpu")
    np.testing.assert_array_equal(loaded.predict_proba(samples), model.predict_proba(samples))
    with pytest.raises(ValueError, match=r"path=.* was fitted without backbone of its own: leave backbone out"):
        load(tmp_path / "model", backbone=weights, device="cpu")


def test_pretrained_here(tmp_path, monkeypatch, caplog):
    """`pretrained="mocov3"`: the weights that `pretrain` gives, and its state kept beside that of discovery."""
    images, fine = (part[:64] for part in digits())
    monkeypatch.setitem(pretrain.__wrapped__.__kwdefaults__, "n_epochs", 1)
    monkeypatch.setitem(pretrain.__wrapped__.__kwdefaults__, "batch_size", 32)
    given = []
    extract = discovery.extract_features
    monkeypatch.setattr(
        discovery,
        "extract_features",
        lambda network, *rest, **options: given.append(network) or extract(network, *rest, **options),
    )
    options = {"pretrained": "mocov3", "checkpoint": tmp_path, "config": replace(QUICK, batch_size=32)}
    with caplog.at_level("INFO", "falcon_sc"):
        model = _discover(images, COARSE[fine], **options)
        again = _discover(images, COARSE[fine], **options)
    assert caplog.text.count("pretraining: 64 images, 1 epochs") == 2
    assert caplog.text.count("resuming after epoch 1 of 1") == 1  # the second time nothing is left to pretrain
    start = small_network().state_dict()
    assert not any(torch.equal(given[0].state_dict()[name], start[name]) for name in start if name.endswith("0.weight"))
    assert all(torch.equal(a, b) for a, b in zip(given[0].parameters(), given[1].parameters(), strict=True))
    np.testing.assert_array_equal(model.labels_, again.labels_)
    assert (tmp_path / "pretraining" / "training.pt").is_file()


class _Photographs(torch.utils.data.Dataset):
    """Digits as larger pictures in color, with a label that is not asked for."""

    def __init__(self, images):
        self._images = images

    def __len__(self):
        return len(self._images)

    def __getitem__(self, i):
        pixels = np.repeat(self._images[i].repeat(30, axis=0).repeat(30, axis=1)[..., None], 3, axis=2)
        return pixels, i % 10


def test_a_torch_data_set_of_large_images():
    """A worker decodes squares of 256 pixels, and the views that the network sees have 224."""
    images, fine = (part[:48] for part in digits())

    class Watched(torch.nn.Module):
        n_features_out = 12

        def forward(self, views):
            sizes.add(tuple(views.shape[1:]))
            return torch.nn.functional.adaptive_avg_pool2d(views, 2).flatten(1)

    sizes = set()
    samples = image_samples(_Photographs(images), device="cpu", n_workers=1)
    config = replace(QUICK, batch_size=16, max_epochs=1, n_neighbors=3, n_neighbors_per_step=2)
    model = discover(samples, COARSE[fine], 10, backbone=Watched(), config=config, device="cpu", progress_bar=False)
    assert sizes == {(3, 224, 224)}
    assert model.labels_.shape == (48,)
    assert set(model.history_) >= {"loss", "lr"}


@pytest.mark.gpu
def test_half_precision_on_a_gpu():
    images, fine = digits()
    model = _discover(images, COARSE[fine], config=replace(QUICK, precision="bfloat16"), device="cuda")
    assert np.isfinite(model.history_["loss"]).all()
    np.testing.assert_allclose(model.proba_.sum(axis=1), 1, atol=1e-5)


def test_no_module_hides_a_function():
    """A module that is imported becomes an attribute of its package, so none may be named like a lazy function."""
    from importlib import import_module
    from pkgutil import iter_modules

    from falcon_sc import vision

    for module in iter_modules(vision.__path__):
        import_module(f"falcon_sc.vision.{module.name}")
    functions = set(vision.__all__) - {"datasets"}
    assert all(callable(getattr(vision, name)) for name in functions)
