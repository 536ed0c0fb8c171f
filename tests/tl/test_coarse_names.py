"""What is typed for a coarse class: the name of now, else that of the run, and never one that could be two."""

from __future__ import annotations

import pytest

from falcon_sc.tl._coarse_names import CoarseNames


def test_the_name_of_now_comes_before_that_of_the_run() -> None:
    names = CoarseNames(("b", "a", "new"), ("a", "b", "c"))  # two changed their names, one got another
    assert names.columns(["a", "b", "new", "c", "d"], "fixed") == [1, 0, 2, 2, -1]
    assert CoarseNames(("3", "12"), ("3", "4")).columns([3.0, 12, "4"], "fixed") == [0, 1, 1]


def test_a_name_of_two_is_refused_and_they_can_be_named_as_in_the_run() -> None:
    names = CoarseNames(("T", "T", "B"), ("CD4", "CD8", "B"))
    assert names.columns(["CD8", "CD4", "B"], "fixed") == [1, 0, 2]
    with pytest.raises(
        ValueError, match="fixed: 'T' is what several coarse classes are called now, in the run 'CD4', 'CD8'"
    ):
        names.columns(["B", "T"], "fixed")
