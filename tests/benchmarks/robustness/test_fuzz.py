"""Odd objects: the suite tries what hypothesis draws, `falcon-sc bench fuzz` tries them by the thousand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from falcon_sc.benchmarks.robustness import _contract, fuzz
from falcon_sc.benchmarks.robustness._odd_cells import OddCall, odd_call


@settings(max_examples=60)
@given(st.integers(0, 2**31))
def test_labels_that_keep_their_promises_or_an_error_that_names_the_argument(seed: int) -> None:
    row = fuzz.try_one(seed)
    assert row["outcome"] in {"labels", "refused"}, row


def test_table(tmp_path, capsys) -> None:
    table = fuzz.run(out=tmp_path, objects=6)
    assert len(table) == 6
    assert "outcome" in capsys.readouterr().out
    assert (tmp_path / "fuzz.csv").exists()


@pytest.mark.filterwarnings("ignore:Observation names are not unique", "ignore:Variable names are not unique")
def test_the_same_seed_makes_the_same_object() -> None:
    first, second = odd_call(5), odd_call(5)
    assert first.oddities == second.oddities
    assert first.adata.obs.equals(second.adata.obs)


@pytest.fixture
def call() -> OddCall:
    with warnings.catch_warnings(action="ignore"):  # of anndata, about the odd ones
        return next(call for call in map(odd_call, range(1000)) if not call.oddities)


def _outcome(call: OddCall, monkeypatch, discover) -> tuple[str, str]:
    import falcon_sc.tl

    monkeypatch.setattr(falcon_sc.tl, "discover", discover)  # what is tested is the judge, not the judged
    return _contract.outcome(call, {})


def test_an_ordinary_call_gives_labels(call: OddCall) -> None:
    assert _contract.outcome(call, {"max_epochs": 1, "progress_bar": False}) == ("labels", "")


@pytest.mark.parametrize(
    ("error", "complaint"),
    [
        (ValueError("something is odd"), "names no argument"),
        (np.linalg.LinAlgError("n_fine"), "names no argument"),
        (RuntimeError("n_fine"), "RuntimeError"),
        (IndexError("n_fine"), "IndexError"),
    ],
)
def test_errors_that_explain_nothing_are_seen(call: OddCall, monkeypatch, error, complaint) -> None:
    def discover(*args, **keywords):
        raise error

    what, message = _outcome(call, monkeypatch, discover)
    assert what == "broken"
    assert complaint in message


def test_a_changed_object_is_seen(call: OddCall, monkeypatch) -> None:
    def refuse(adata, *args, **keywords):
        adata.obs["donor"] = "one"
        msg = "n_fine is wrong"
        raise ValueError(msg)

    assert _outcome(call, monkeypatch, refuse)[0] == "broken"


@pytest.mark.parametrize("spoil", ["labels", "proba", "confidence", "M", "donor"])
def test_broken_promises_are_seen(call: OddCall, monkeypatch, spoil: str) -> None:
    from falcon_sc.tl import discover

    def spoiled(adata, coarse_key, n_fine, **keywords):
        discover(adata, coarse_key, n_fine, max_epochs=1, progress_bar=False)
        if spoil == "labels":
            fine = adata.obs["falcon_fine"]
            adata.obs["falcon_fine"] = np.random.default_rng(0).permutation(fine.astype(str))
        elif spoil == "proba":
            adata.obsm["falcon_proba"] *= 2
        elif spoil == "confidence":
            adata.obs["falcon_confidence"] += 1
        elif spoil == "M":
            adata.uns["falcon"]["M"] = np.zeros_like(adata.uns["falcon"]["M"])
        else:
            adata.obs["donor"] = "one"

    assert _outcome(call, monkeypatch, spoiled)[0] == "broken"
