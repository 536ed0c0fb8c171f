from __future__ import annotations

import numpy as np
import pytest

from falcon_sc import Falcon, FalconConfig
from falcon_sc.core.state.decisions import Decision, FineClasses, as_table, from_table, merging, renaming

RELATION = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.uint8)
CLASSES = FineClasses.of(["a:0", "a:1", "a:2", "b:0", "b:1"], RELATION)


def test_decisions_follow_each_other() -> None:
    merged = CLASSES.after([Decision("merge", {"a:2": "x", "a:0": "x"})])
    assert merged.names == ("x", "a:1", "b:0", "b:1")
    assert merged.members.tolist() == [0, 1, 0, 2, 3]
    np.testing.assert_array_equal(merged.relation, RELATION[[0, 1, 3, 4]])
    exchanged = merged.after([renaming(merged, {"x": "a:1", "a:1": "x"})])
    assert exchanged.names == ("a:1", "x", "b:0", "b:1")
    assert exchanged.members.tolist() == [0, 1, 0, 2, 3]  # of the outputs, through all decisions
    again = exchanged.after([merging(exchanged, ["x", "a:1"])])
    assert (again.names, again.members.tolist()) == (("x", "b:0", "b:1"), [0, 0, 0, 1, 2])


def test_probabilities_are_sums(rng) -> None:
    proba = rng.dirichlet(np.ones(5), 30).astype(np.float32)
    merged = CLASSES.after([merging(CLASSES, ["a:0", "a:2"])])
    pooled = merged.pooled(proba)
    np.testing.assert_allclose(pooled[:, 0], proba[:, 0] + proba[:, 2], rtol=1e-6)
    np.testing.assert_array_equal(pooled[:, 1:], proba[:, [1, 3, 4]])
    assert pooled.dtype == np.float32
    assert CLASSES.pooled(proba) is proba


def test_confidence(rng) -> None:
    proba = rng.dirichlet(np.ones(5), 300).astype(np.float32)
    labels = proba.argmax(axis=1)
    labels[:10] = -1
    merged = CLASSES.after([merging(CLASSES, ["a:0", "a:2"])])
    probability = np.where(labels < 0, np.nan, proba[np.arange(300), labels]).astype(np.float32)
    result = merged.confidence(probability, proba, labels)
    wanted = merged.pooled(proba)[np.arange(300), merged.members[labels]]  # a probability becomes the sum
    np.testing.assert_allclose(result[10:], wanted[10:], atol=1e-6)
    assert np.isnan(result[:10]).all()
    agreement = np.where(labels < 0, np.nan, rng.uniform(size=300)).astype(np.float32)
    result = merged.confidence(agreement, proba, labels)
    touched = np.isin(labels, [0, 2])
    assert (result[touched] > agreement[touched]).all()
    assert np.nanmax(result) <= 1
    np.testing.assert_array_equal(result[~touched], agreement[~touched])
    certain = np.eye(5, dtype=np.float32)[labels]
    np.testing.assert_array_equal(merged.confidence(agreement, certain, labels), agreement)


def test_as_plain_arrays_and_back() -> None:
    decisions = (Decision("merge", {"a:0": "µ/x", "a:2": "µ/x"}), Decision("rename", {"b:0": "b:1", "b:1": "b:0"}))
    table = as_table(decisions)
    assert {name: column.tolist() for name, column in table.items()} == {
        "step": [0, 0, 1, 1],
        "kind": ["merge", "merge", "rename", "rename"],
        "old": ["a:0", "a:2", "b:0", "b:1"],
        "new": ["µ/x", "µ/x", "b:1", "b:0"],
    }
    assert from_table(table) == decisions
    assert from_table(as_table(())) == ()


@pytest.mark.parametrize(
    ("names", "new", "error", "message"),
    [
        ("a:0", None, TypeError, r"names must list the fine classes to merge, found the text 'a:0'"),
        (["a:0"], None, ValueError, r"at least two fine classes to merge, found 'a:0'"),
        (["a:0", "a:0"], None, ValueError, r"at least two"),
        (["a:0", "c"], None, ValueError, r"names holds 'c', which is no fine class; there are 'a:0', 'a:1'"),
        (["a:0", "b:0"], None, ValueError, r"'a:0' and 'b:0', which are in different coarse classes"),
        (["a:0", "a:1"], "a:2", ValueError, r"new_name='a:2' is another fine class: add it to names"),
        (["a:0", "a:1"], 7, TypeError, r"new_name must be text, found 7 \(int\)"),
        (["a:0", "a:1"], "nan", ValueError, r"new_name='nan' would be read as a missing label"),
        (["a:0", "a:1"], " ", ValueError, r"would be read as a missing label"),
        (["a:0", "a:1"], "x\0y", ValueError, r"cut off"),
    ],
)
def test_what_cannot_be_merged(names, new, error, message) -> None:
    with pytest.raises(error, match=message):
        merging(CLASSES, names, new)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a:0", "x"], TypeError, r"names must map fine classes to their new names, found list"),
        ({}, ValueError, r"names is empty"),
        ({"c": "x"}, ValueError, r"names holds 'c', which is no fine class"),
        ({"a:0": "a:1"}, ValueError, r"more than one fine class called 'a:1': to make them one, merge them"),
        ({"a:0": "x", "b:0": "x"}, ValueError, r"more than one fine class called 'x'"),
        ({"a:0": None}, TypeError, r"names\['a:0'\] must be text, found None"),
        ({"a:0": "x\ud800"}, ValueError, r"names\['a:0'\]='x\\ud800' .* no file takes"),
        ({"a:0": "NA"}, ValueError, r"names\['a:0'\]='NA' would be read as a missing label"),
    ],
)
def test_what_cannot_be_renamed(names, error, message) -> None:
    with pytest.raises(error, match=message):
        renaming(CLASSES, names)


def test_blanks_around_a_new_name_are_no_part_of_it() -> None:
    """Two classes that look alike in every plot would be told apart by them."""
    assert renaming(CLASSES, {"a:0": " naive\t"}).names == {"a:0": "naive"}
    assert set(merging(CLASSES, ["a:0", "a:1"], "memory ").names.values()) == {"memory"}
    with pytest.raises(ValueError, match="more than one fine class called 'a:1'"):
        renaming(CLASSES, {"a:0": "a:1 "})


def test_a_fitted_and_a_loaded_model_agree(rng, tmp_path) -> None:
    X = rng.normal(size=(60, 5)).astype(np.float32)
    coarse = np.repeat(["a", "b"], 30)
    fitted = Falcon(6, FalconConfig(start="random", max_epochs=1), device="cpu").fit(X, coarse)
    before, labels = fitted.predict_proba(X, coarse), fitted.predict(X, coarse)
    names = [name for name in fitted.fine_names_ if name.startswith("a:")]
    fitted.save(tmp_path)
    loaded = Falcon.load(tmp_path, device="cpu")
    for model in (fitted, loaded):
        model.decide([Decision("merge", dict.fromkeys(names[1:], "rest")), Decision("rename", {names[0]: "first"})])
    fitted.save(tmp_path)
    again = Falcon.load(tmp_path, device="cpu")
    assert again.decisions_ == fitted.decisions_
    for model in (fitted, loaded, again):
        assert model.fine_names_[:2].tolist() == ["first", "rest"]
        assert model.relation_.shape == (len(model.fine_names_), 2)
        np.testing.assert_array_equal(model.relations_[0], model.relation_)
        proba, found = model.predict_proba(X, coarse), model.predict(X, coarse)
        np.testing.assert_allclose(proba[:, 1], before[:, 1 : len(names)].sum(axis=1), atol=1e-6)
        np.testing.assert_array_equal(
            found, np.where(labels == 0, 0, np.where(labels < len(names), 1, labels - len(names) + 2))
        )
    np.testing.assert_allclose(fitted.proba_, fitted.predict_proba(X, coarse), atol=1e-6)
    np.testing.assert_array_equal(fitted.labels_, fitted.predict(X, coarse))
    np.testing.assert_allclose(fitted.confidence_, fitted.proba_[np.arange(60), fitted.labels_], atol=1e-6)


def test_a_refinement_is_about_its_own_leaves_whatever_was_decided_before() -> None:
    """A model replays all decisions on the leaves that it has now, of which earlier ones knew nothing."""
    leaves = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.uint8)
    now = FineClasses.of_leaves(["a:0", "a:1", "b:0", "b:1"], leaves, np.array([0, 0, 1, 2, 3]))
    before = [Decision("rename", {"a:0": "A", "b:0": "a:1"}), Decision("cut", {"a:0.0": "x", "b:0.0": "a:1"})]
    refined = Decision("refine", {"a:0.0": "a:0", "a:0.1": "a:0", "a:1.0": "a:1'"})
    after = now.after([*before, refined])
    assert after.class_of_leaf == ["a:0", "a:0", "a:1'", "a:1", "b:1"]
    assert after.names == ("a:0", "a:1'", "a:1", "b:1")
    np.testing.assert_array_equal(after.relation, [[1, 0], [1, 0], [0, 1], [0, 1]])
    assert from_table(as_table([refined])) == (refined,)
