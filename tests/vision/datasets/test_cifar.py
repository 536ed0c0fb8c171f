"""CIFAR-100 and its unbalanced versions, from files in the official format."""

from __future__ import annotations

import os
import pickle
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc.vision.datasets import cifar, cifar68, cifar100, cifar_si

from .official_files import COARSE_NAMES, COARSE_OF_FINE, FINE_NAMES, cifar_files, md5_of, write_archive, write_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLE_F1 = {
    "cifar100": (cifar100, 100, (45_000, 5_000, 10_000)),
    "cifar68": (cifar68, 68, (30_600, 3_400, 6_800)),
    "cifar_si": (cifar_si, 100, (29_014, 3_268, 6_415)),  # 29K, 3.2K, 6.4K
}


@pytest.fixture(scope="module")
def full_size(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """The unpacked files with all 60,000 images, and their checksums."""
    root = tmp_path_factory.mktemp("cifar")
    files = cifar_files(500, 100)
    write_folder(root / "cifar-100-python", files)
    yield root, md5_of(files)
    shutil.rmtree(root)


@pytest.mark.parametrize("name", TABLE_F1)
def test_counts_of_table_f1(name: str, full_size: tuple[Path, dict[str, str]], monkeypatch) -> None:
    root, md5 = full_size
    monkeypatch.setattr(cifar, "MD5", md5)
    load, n_fine, expected = TABLE_F1[name]
    for split, n in zip(("train90", "val", "test"), expected, strict=True):
        data = load(root, split=split)
        assert data.images.shape == (n, 32, 32, 3)
        assert len(np.unique(data.fine)) == len(data.fine_names) == n_fine
        assert len(np.unique(data.coarse)) == len(data.coarse_names) == 20
        children = [2, 5, 4, 2, 2, 3, 3, 4, 3, 5, 4, 3, 5, 3, 3, 3, 4, 4, 4, 2] if n_fine == 68 else [5] * 20
        assert data.relation.sum(axis=0).tolist() == children
        sizes = np.bincount(data.fine)
        assert (sizes.min() == sizes.max()) == (name != "cifar_si")


def test_cifar_si_keeps_at_least_thirty_percent() -> None:
    kept = cifar.KEPT_IN_CIFAR_SI
    assert len(kept) == 100
    assert 150 <= kept.min() < 160
    assert 490 < kept.max() <= 500
    assert kept.sum() == 29_014 + 3_268
    assert (kept // 5).sum() == 6_415


@pytest.mark.image
def test_official_checksums_are_those_of_torchvision() -> None:
    from torchvision.datasets import CIFAR100

    assert [*CIFAR100.train_list, *CIFAR100.test_list] == [[part, cifar.MD5[part]] for part in ("train", "test")]
    assert CIFAR100.meta["md5"] == cifar.MD5["meta"]
    assert CIFAR100.url == cifar.URL


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("inside", [True, False])
def test_packed_and_unpacked(packed: bool, inside: bool, archive: Path, small_cifar, tmp_path, monkeypatch) -> None:
    if not packed:
        write_folder(tmp_path / "cifar-100-python", small_cifar)
        monkeypatch.setattr(cifar, "MD5", md5_of(small_cifar))
        archive.unlink()
    source = archive if packed else tmp_path / "cifar-100-python"
    data = cifar100(source if inside else tmp_path, split="all")
    assert repr(data) == "ImageData: 1400 images of 32 x 32, 20 coarse classes, 100 fine classes"
    assert data.fine_names == tuple(FINE_NAMES)
    assert data.coarse_names == tuple(COARSE_NAMES)
    assert data.fine.tolist() == np.tile(np.arange(100), 14).tolist()
    assert data.relation.argmax(axis=1).tolist() == COARSE_OF_FINE


def test_pixels(archive: Path) -> None:
    image = cifar100(archive).images[742]
    expected = np.zeros((32, 32, 3), np.uint8)
    expected[0, 0] = 42, 7, 0  # class and rank in the red and the green plane
    expected[1, 0, 2] = 7
    assert np.array_equal(image, expected)
    assert image.flags.c_contiguous


def test_splits_share_nothing(archive: Path) -> None:
    parts = {split: cifar100(archive, split=split) for split in ("train", "train90", "val", "test", "all")}
    ranks = {split: np.unique(data.images[:, 0, 0, 1]).tolist() for split, data in parts.items()}
    assert ranks["train90"] == list(range(9))
    assert ranks["val"] == [9]
    assert ranks["test"] == [0, 1, 2, 3]
    assert len(parts["train"]) == len(parts["train90"]) + len(parts["val"]) == 1000
    assert len(parts["all"]) == len(parts["train"]) + len(parts["test"])


def test_cifar_si_keeps_the_first_images(archive: Path, monkeypatch) -> None:
    kept = np.full(100, 10)
    kept[5] = 6
    monkeypatch.setattr(cifar, "KEPT_IN_CIFAR_SI", kept)
    train, early = cifar_si(archive), cifar_si(archive, split="train90")
    assert train.images[train.fine == 5][:, 0, 0, 1].tolist() == list(range(6))
    assert early.images[early.fine == 5][:, 0, 0, 1].tolist() == list(range(5))  # 90 % of 6, rounded down
    assert np.bincount(cifar_si(archive, split="test").fine).tolist() == [2] * 5 + [1] + [2] * 94


def test_cifar68_leaves_the_names_of_the_paper(archive: Path) -> None:
    data = cifar68(archive)
    assert "maple_tree" not in data.fine_names
    assert data.coarse_names == tuple(COARSE_NAMES)
    people = data.relation[:, data.coarse_names.index("people")] > 0
    assert [name for name, inside in zip(data.fine_names, people, strict=True) if inside] == ["girl", "man", "woman"]
    assert [data.fine_names[i] for i in data.fine[:3]] == ["aquarium_fish", "bear", "beaver"]
    assert data.images[:3, 0, 0, 0].tolist() == [1, 3, 4]


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"neither cifar-100-python.tar.gz nor .* download=True"):
        cifar100(tmp_path)
    with pytest.raises(ValueError, match=r"split must be one of 'train', .* found 'valid'"):
        cifar100(tmp_path, split="valid")


@pytest.mark.parametrize("packed", [True, False])
def test_another_checksum_is_refused(packed: bool, small_cifar, tmp_path: Path) -> None:
    if packed:
        write_archive(tmp_path / "cifar-100-python.tar.gz", small_cifar)
    else:
        write_folder(tmp_path / "cifar-100-python", small_cifar)
    with pytest.raises(ValueError, match=f"has the {'sha256' if packed else 'md5'} checksum .* the official file has"):
        cifar100(tmp_path)


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_pickle_that_runs_code_is_refused_even_with_the_right_checksum(small_cifar, tmp_path, monkeypatch) -> None:
    hostile = small_cifar | {"meta": pickle.dumps(_Touch(tmp_path / "owned"))}
    write_folder(tmp_path / "cifar-100-python", hostile)
    monkeypatch.setattr(cifar, "MD5", md5_of(hostile))
    with pytest.raises(pickle.UnpicklingError, match=r"asks for posix.mkdir"):
        cifar100(tmp_path)
    assert not (tmp_path / "owned").exists()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server(archive: Path, monkeypatch) -> Iterator[str]:
    """Serves the small archive from this machine in place of the official address."""
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=archive.parent)) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{http.server_address[1]}/{archive.name}"
        monkeypatch.setattr(cifar, "URL", url)
        yield url
        http.shutdown()
        thread.join()


@pytest.mark.usefixtures("server")
def test_download(tmp_path: Path, capsys) -> None:
    root = tmp_path / "new" / "data"
    data = cifar100(root, split="test", download=True, progress_bar=False)
    assert len(data) == 400
    assert [path.name for path in root.iterdir()] == ["cifar-100-python.tar.gz"]
    assert capsys.readouterr() == ("", "")
    (tmp_path / "cifar-100-python.tar.gz").unlink()  # gone from the server: not asked for again
    assert len(cifar100(root, split="test", download=True)) == 400


@pytest.mark.usefixtures("server")
def test_a_download_with_another_checksum_leaves_nothing_behind(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cifar, "SHA256", "0" * 64)
    with pytest.raises(OSError, match=r"could not be downloaded .*invalid hash.* put the file there yourself"):
        cifar100(tmp_path / "new", download=True, progress_bar=False)
    assert list((tmp_path / "new").iterdir()) == []


def test_a_download_that_fails_says_where_to_put_the_file(tmp_path: Path, monkeypatch, server: str) -> None:
    monkeypatch.setattr(cifar, "URL", f"{server}.missing")
    with pytest.raises(OSError, match=r"404.*put the file there yourself: .*new/cifar-100-python.tar.gz"):
        cifar100(tmp_path / "new", download=True, progress_bar=False)
