from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from falcon_sc import metrics

# --- accuracies and ARI ---------------------------------------------------------------------------------------


@st.composite
def label_pairs(draw, max_classes=5, max_samples=30):
    n = draw(st.integers(1, max_samples))
    labels = st.lists(st.integers(0, draw(st.integers(0, max_classes - 1))), min_size=n, max_size=n)
    return np.array(draw(labels)), np.array(draw(labels))


def all_matchings(true, predicted):
    """Right samples and macro recall of every one-to-one matching, by trying all of them."""
    true_classes, predicted_classes = np.unique(true), np.unique(predicted)
    padded = [*true_classes, *[-1] * len(predicted_classes)]
    for images in set(permutations(padded, len(predicted_classes))):
        translated = np.array([dict(zip(predicted_classes, images, strict=True))[label] for label in predicted])
        right = translated == true
        yield right.sum(), np.mean([right[true == c].mean() for c in true_classes])


@settings(max_examples=60)
@given(label_pairs(max_classes=4, max_samples=12))
def test_accuracies_equal_brute_force(pair):
    true, predicted = pair
    # Tuples compare by right samples first: the best macro recall among the count-maximizing matchings.
    right, macro = max(all_matchings(true, predicted))
    assert metrics.clustering_accuracy(true, predicted) == pytest.approx(right / len(true))
    assert metrics.macro_accuracy(true, predicted) == pytest.approx(macro)


@given(label_pairs(), st.randoms(use_true_random=False))
def test_values_do_not_depend_on_names_or_order(pair, random):
    true, predicted = pair
    names = list("pqrst")
    random.shuffle(names)
    order = random.sample(range(len(true)), len(true))
    renamed = np.array(names)[predicted][order]
    for metric in (metrics.clustering_accuracy, metrics.macro_accuracy, metrics.adjusted_rand_index):
        assert metric(true[order], renamed) == pytest.approx(metric(true, predicted), abs=1e-12)


@given(label_pairs())
def test_bounds_and_perfect_agreement(pair):
    true, predicted = pair
    largest = np.bincount(true).max() / len(true)
    assert metrics.clustering_accuracy(true, np.zeros_like(true)) == pytest.approx(largest)
    assert 0 < metrics.clustering_accuracy(true, predicted) <= 1
    assert 0 < metrics.macro_accuracy(true, predicted) <= 1
    assert -0.5 <= metrics.adjusted_rand_index(true, predicted) <= 1
    for metric in (metrics.clustering_accuracy, metrics.macro_accuracy, metrics.adjusted_rand_index):
        assert metric(true, 7 - true) == 1


@given(label_pairs())
def test_ari_equals_scikit_learn(pair):
    assert metrics.adjusted_rand_index(*pair) == pytest.approx(adjusted_rand_score(*pair))


def test_numbers_of_classes_may_differ():
    true = ["a"] * 4 + ["b"] * 4
    split = [0, 0, 0, 1, 2, 2, 3, 3]
    assert metrics.clustering_accuracy(true, split) == 5 / 8
    assert metrics.macro_accuracy(true, split) == (3 / 4 + 2 / 4) / 2
    merged = ["x"] * 8
    assert metrics.clustering_accuracy(true, merged) == 1 / 2
    assert metrics.macro_accuracy(true, merged) == 1 / 2


def test_macro_accuracy_keeps_the_matching_of_the_accuracy():
    true = ["a"] * 10 + ["b"] * 2 + ["c"] * 1
    predicted = ["x"] * 6 + ["y"] * 4 + ["x"] * 2 + ["y"]
    # x = a and y = c get 7 right; x = b and y = c would get only 3 right, but have the higher average recall, 2 / 3.
    assert metrics.clustering_accuracy(true, predicted) == 7 / 13
    assert metrics.macro_accuracy(true, predicted) == pytest.approx((6 / 10 + 0 + 1) / 3)


def test_match_classes_names_the_partner():
    true = ["T", "T", "T", "B", "B", "NK"]
    predicted = [0, 0, 1, 1, 1, 2]
    assert metrics.match_classes(true, predicted) == {0: "T", 1: "B", 2: "NK"}
    # Two predicted classes for one true class: the smaller one is left over.
    assert metrics.match_classes(["T"] * 3, ["p", "q", "q"]) == {"q": "T"}
    # Left over on both sides, but without a common sample: no pair.
    assert metrics.match_classes(["a", "a", "a", "a", "b"], ["x", "x", "x", "y", "x"]) == {"x": "a"}


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        pd.Index,
        lambda x: pd.Categorical(x, categories=["unused", "b", "a", "c"]),
        lambda x: pd.Series(x, index=range(10, 10 + len(x)), dtype="category"),
    ],
    ids=["list", "tuple", "array", "series", "index", "categorical", "categorical series"],
)
def test_containers(container):
    true, predicted = ["a", "a", "b", "b", "c"], ["b", "b", "a", "c", "c"]
    assert metrics.clustering_accuracy(container(true), container(predicted)) == 4 / 5
    assert metrics.adjusted_rand_index(container(true), predicted) == pytest.approx(
        adjusted_rand_score(true, predicted)
    )
    assert metrics.match_classes(container(true), predicted) == {"b": "a", "a": "b", "c": "c"}


@pytest.mark.parametrize(
    "metric",
    [metrics.clustering_accuracy, metrics.macro_accuracy, metrics.adjusted_rand_index, metrics.match_classes],
)
def test_columns_with_their_samples_in_another_order_are_told(metric):
    true = pd.Series(["a", "a", "b"], index=["x", "y", "z"])
    with pytest.warns(UserWarning, match=r"the index of true in another order.*predicted\.loc\[true\.index\]") as told:
        metric(true, true.iloc[::-1])
    assert told[0].filename == __file__
    metric(true, true.copy())
    metric(true, true.set_axis(["p", "q", "r"]))  # other names: nothing is known
    metric(true, true.set_axis(["x", "x", "y"]))


@pytest.mark.parametrize(
    "missing",
    [
        ["a", None, "b"],
        ["a", np.nan, "b"],
        np.array([0.0, np.nan, 1.0]),
        pd.Categorical(["a", None, "b"]),
        pd.Series(["a", None, "b"]),
        pd.array([1, None, 2], dtype="Int64"),
        np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]),
    ],
)
@pytest.mark.parametrize(
    "metric",
    [metrics.clustering_accuracy, metrics.macro_accuracy, metrics.adjusted_rand_index, metrics.match_classes],
)
def test_missing_values_are_refused(metric, missing):
    with pytest.raises(ValueError, match="true holds 1 missing values: drop these samples"):
        metric(missing, [0, 1, 1])
    with pytest.raises(ValueError, match="predicted holds 1 missing"):
        metric([0, 1, 1], missing)


@pytest.mark.parametrize("labels", [np.array([3, 5, 5], dtype=">i4"), pd.Series([3, 5, 5], dtype=">i8")])
def test_integers_of_another_byte_order(labels):
    assert metrics.clustering_accuracy(labels, [0, 1, 1]) == 1


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([0, 1], [0, 1, 1], "true has 2 labels and predicted 3"),
        ([], [], "true must be a non-empty one-dimensional"),
        (np.zeros((2, 2)), [0, 1], r"true .* it has shape \(2, 2\)"),
        ([0, 1], np.zeros((2, 2)), "predicted must be"),
        (3, [0], "one-dimensional"),
    ],
)
@pytest.mark.parametrize(
    "metric",
    [metrics.clustering_accuracy, metrics.macro_accuracy, metrics.adjusted_rand_index, metrics.match_classes],
)
def test_wrong_shapes_are_refused(metric, true, predicted, message):
    with pytest.raises(ValueError, match=message):
        metric(true, predicted)


# --- graph edit distances -------------------------------------------------------------------------------------


def relation(parents, n_coarse):
    return np.eye(n_coarse, dtype=np.uint8)[parents]


@st.composite
def relation_pairs(draw, same_rows=True):
    n_coarse = draw(st.integers(1, 5))
    n_fine = draw(st.integers(1, 14))
    n_true = n_fine if same_rows else draw(st.integers(1, 14))
    parent = st.integers(0, n_coarse - 1)
    learned = draw(st.lists(parent, min_size=n_fine, max_size=n_fine))
    known = draw(st.lists(parent, min_size=n_true, max_size=n_true))
    return relation(learned, n_coarse), relation(known, n_coarse)


def edges_of(M):
    n_fine = len(M)
    neighbors = {node: set() for node in range(sum(M.shape))}
    for f, c in np.argwhere(M):
        neighbors[f].add(n_fine + c)
        neighbors[n_fine + c].add(f)
    return {node: {frozenset((node, other)) for other in others} for node, others in neighbors.items()}


def assignment_distance(M, M_true):
    """The bipartite approximation behind the published numbers: unit costs, nodes identified by their number."""
    big = 1e6
    first, second = edges_of(M), edges_of(M_true)
    n, m = len(first), len(second)
    cost = np.full((n + m, m + n), big)
    for u in first:
        for v in second:
            if u == v:
                cost[u, v] = 0 if len(first[u]) == len(second[v]) else len(first[u] ^ second[v])
            elif frozenset((u, v)) in first[u]:
                cost[u, v] = 2
            elif v not in first:
                cost[u, v] = 2 + 1 + len(second[v])
    for v in second:
        cost[n + v, v] = 1 + len(second[v])
    for u in first:
        cost[u, m + u] = 1 + len(first[u])
    cost[n:, m:] = 0
    return cost[linear_sum_assignment(cost)].sum()


@settings(max_examples=200)
@given(relation_pairs())
def test_falcon_distance_equals_the_assignment_problem(pair):
    assert metrics.graph_edit_distance(*pair) == assignment_distance(*pair)


@pytest.mark.parametrize(
    ("learned", "known", "expected"),
    [
        ([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2], 2),
        ([0, 0, 0, 0, 1, 2], [1, 2, 2, 1, 0, 0], 10),
        ([1, 2, 2, 1, 0, 0], [0, 0, 0, 0, 1, 2], 10),
        ([0, 1], [1, 0], 0),
        ([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], 2),
        ([0, 0, 0, 0, 1], [0, 0, 1, 1, 1], 4),
    ],
)
def test_falcon_distance_by_hand(learned, known, expected):
    n_coarse = max(learned) + 1
    assert metrics.graph_edit_distance(relation(learned, n_coarse), relation(known, n_coarse)) == expected


def test_falcon_distance_of_cifar100_like_hierarchy():
    parents = np.arange(100) // 5
    truth = relation(parents, 20)
    shuffled = np.random.default_rng(0).permutation(parents)
    assert metrics.graph_edit_distance(relation(shuffled, 20), truth) == 0
    moved = np.where(np.arange(100) == 0, 1, parents)
    assert metrics.graph_edit_distance(relation(moved, 20), truth) == 2


def test_empty_learned_coarse_class_is_not_capped():
    known = relation([0] * 6 + [1], 2)
    # class 0 lost all 6 of its fine classes: no cap; class 1 has 7 instead of 1: capped at 4
    assert metrics.graph_edit_distance(relation([1] * 7, 2), known) == 6 + 4
    # the other way round a cap applies wherever the learned class has children
    assert metrics.graph_edit_distance(known, relation([1] * 7, 2)) == 4 + 4


@given(relation_pairs(same_rows=False), st.randoms(use_true_random=False))
def test_iso_distance_ignores_fine_names(pair, random):
    M, M_true = pair
    sizes, sizes_true = M.sum(axis=0, dtype=int), M_true.sum(axis=0, dtype=int)
    expected = sum(abs(a - b) for a, b in zip(sizes, sizes_true, strict=True)) + abs(len(M) - len(M_true))
    order = random.sample(range(len(M)), len(M))
    assert metrics.graph_edit_distance(M[order], M_true, kind="iso") == expected
    assert (expected == 0) == (sorted(M.tolist()) == sorted(M_true.tolist()))


def best_matched_distance(M, M_true, labels, labels_true):
    """Every pairing of rows: most common samples first, then fewest edits."""
    n = max(len(M), len(M_true))
    candidates = []
    for partner in permutations(range(n), len(M)):
        pairs = [(f, t) for f, t in enumerate(partner) if t < len(M_true)]
        common = sum(((labels == f) & (labels_true == t)).sum() for f, t in pairs)
        wrong = sum((M[f] != M_true[t]).any() for f, t in pairs)
        if len(pairs) == min(len(M), len(M_true)):
            candidates.append((-common, 2 * wrong + 2 * (len(M) - len(pairs)) + 2 * (len(M_true) - len(pairs))))
    return min(candidates)[1]


@settings(max_examples=60)
@given(st.data())
def test_matched_distance_equals_brute_force(data):
    n_fine, n_true, n_coarse = (data.draw(st.integers(1, high)) for high in (4, 4, 3))
    parent = st.integers(0, n_coarse - 1)
    M = relation(data.draw(st.lists(parent, min_size=n_fine, max_size=n_fine)), n_coarse)
    M_true = relation(data.draw(st.lists(parent, min_size=n_true, max_size=n_true)), n_coarse)
    n = data.draw(st.integers(1, 12))
    labels = np.array(data.draw(st.lists(st.integers(0, n_fine - 1), min_size=n, max_size=n)))
    labels_true = np.array(data.draw(st.lists(st.integers(0, n_true - 1), min_size=n, max_size=n)))
    found = metrics.graph_edit_distance(M, M_true, kind="matched", labels=labels, labels_true=labels_true)
    assert found == best_matched_distance(M, M_true, labels, labels_true)


def test_matched_distance_sees_what_the_others_miss():
    M = relation([0, 0, 1, 1], 2)
    labels_true = np.repeat(np.arange(4), 5)
    labels = np.array([0, 2, 1, 3])[labels_true]  # true classes 1 and 2 sit under each other's parent
    assert metrics.graph_edit_distance(M, M) == 0
    assert metrics.graph_edit_distance(M, M, kind="iso") == 0
    assert metrics.graph_edit_distance(M, M, kind="matched", labels=labels, labels_true=labels_true) == 4
    renumbered = np.array([1, 0, 3, 2])[labels_true]
    assert metrics.graph_edit_distance(M, M, kind="matched", labels=renumbered, labels_true=labels_true) == 0
    categorical = pd.Series(pd.Categorical.from_codes(labels, list("wzyx")))
    assert metrics.graph_edit_distance(M, M, kind="matched", labels=categorical, labels_true=labels_true) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"M_true": relation([0, 1, 1], 2)},
            "M has 4 and M_true 3: it compares classes by their row number.*kind='iso'",
        ),
        ({"M_true": relation([0, 1, 2, 2], 3)}, "M has 2 columns and M_true 3"),
        ({"M": np.ones((4, 2))}, "M must hold 0 and 1 only, and exactly one 1 in each row"),
        ({"M_true": np.full((4, 2), 0.5)}, "M_true must hold 0 and 1"),
        ({"M": np.zeros(4)}, r"M must be a fine x coarse matrix, it has shape \(4,\)"),
        ({"M": [[1], [0, 1]]}, "M must be a fine x coarse matrix, found no matrix"),
        ({"M": None}, "M must be a fine x coarse matrix"),
        ({"kind": "hed"}, "kind='hed' is unknown: choose 'falcon', 'iso' or 'matched'"),
        ({"kind": "matched"}, "give labels and labels_true"),
        ({"kind": "matched", "labels": [0, 1], "labels_true": [0]}, "labels_true has 1 labels and labels 2"),
        (
            {"kind": "matched", "labels": [0, 4], "labels_true": [0, 1]},
            r"labels must be row numbers of M \(.* 0 ... 3\)",
        ),
        ({"kind": "matched", "labels": [0, 1], "labels_true": ["a", "b"]}, "labels_true must be row numbers of M_true"),
        (
            {"kind": "matched", "labels": pd.Categorical(["a", "b"]), "labels_true": [0, 1]},
            "labels has 2 categories and M 4 rows",
        ),
        (
            {"kind": "matched", "labels": pd.Categorical(["a", None], categories=list("abcd")), "labels_true": [0, 1]},
            "labels holds 1 missing",
        ),
    ],
)
def test_graph_edit_distance_errors(change, message):
    arguments = {"M": relation([0, 0, 1, 1], 2), "M_true": relation([0, 0, 1, 1], 2), **change}
    with pytest.raises(ValueError, match=message):
        metrics.graph_edit_distance(**arguments)


def test_relations_may_be_sparse_or_tables():
    M = relation([0, 0, 1, 1], 2)
    for kind in (sparse.csr_matrix, sparse.coo_array, pd.DataFrame):
        assert metrics.graph_edit_distance(kind(M), kind(relation([0, 1, 1, 1], 2)), kind="iso") == 2
