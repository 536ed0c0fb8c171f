from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from falcon_sc import Falcon, FalconConfig

if TYPE_CHECKING:
    from pathlib import Path


def _fitted(seed: int) -> Falcon:
    X = np.random.default_rng(seed).normal(size=(40, 5)).astype(np.float32)
    config = FalconConfig(start="random", max_epochs=1)
    return Falcon(4, config, device="cpu", rng=seed).fit(X, np.repeat(["a", "b"], 20))


def test_a_model_that_cannot_be_written_leaves_the_one_before(tmp_path: Path, full_disk) -> None:
    first, second = _fitted(0), _fitted(1)
    first.save(tmp_path)
    with full_disk(), pytest.raises(OSError, match="File too large"):
        second.save(tmp_path)
    X = np.ones((3, 5), dtype=np.float32)
    loaded = Falcon.load(tmp_path, device="cpu")
    np.testing.assert_array_equal(loaded.predict_proba(X), first.predict_proba(X))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "weights.pt"]


def test_home_folder(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    model = _fitted(0)
    model.save("~/model")
    X = np.ones((3, 5), dtype=np.float32)
    np.testing.assert_array_equal(Falcon.load("~/model").predict_proba(X), model.predict_proba(X))
    config = FalconConfig(start="random", max_epochs=1)
    Falcon(4, config, device="cpu").fit(
        np.random.default_rng(0).normal(size=(40, 5)), np.repeat(["a", "b"], 20), checkpoint="~/state"
    )
    assert (tmp_path / "state" / "run.json").is_file()


@pytest.mark.parametrize("name", ["model.json", "weights.pt"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_a_file_that_is_cut_short_is_named(tmp_path: Path, name: str, share: float) -> None:
    _fitted(0).save(tmp_path)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=rf"path='{tmp_path}': '{name}' in it cannot be read \("):
        Falcon.load(tmp_path)


def test_a_file_of_another_program_is_named(tmp_path: Path) -> None:
    _fitted(0).save(tmp_path)
    (tmp_path / "weights.pt").write_text("epoch,loss\n")
    with pytest.raises(ValueError, match=r"'weights.pt' in it cannot be read"):
        Falcon.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.json", "{}"), ("model.json", "[1]"), ("model.json", "layers:"), ("weights.pt", "of a net")],
)
def test_what_another_program_wrote_is_not_overwritten(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=f"path=.* holds '{name}', which falcon_sc did not write: give another folder"):
        _fitted(0).save(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: content}


def test_a_save_that_was_killed_between_its_files_is_repeated(tmp_path: Path) -> None:
    _fitted(0).save(tmp_path)
    (tmp_path / "model.json").unlink()
    _fitted(1).save(tmp_path)
    assert Falcon.load(tmp_path, device="cpu").relation_.shape == (4, 2)
