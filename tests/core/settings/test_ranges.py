from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from falcon_sc.core.settings.ranges import checked


@pytest.mark.parametrize(
    ("name", "value", "hint", "expected"),
    [
        ("anything", np.float32(0.5), float, 0.5),
        ("anything", 3, int, 3),
        ("anything", None, int | None, None),
        ("gamma", 1.0, float, 1.0),
        ("n_jobs", -1, int | None, -1),
        ("anything", "b", Literal["a", "b"], "b"),
        ("milestones", (0.1, 0.7), tuple[float, ...], (0.1, 0.7)),
        ("milestones", [0.1, np.float64(0.7)], tuple[float, ...], (0.1, 0.7)),
        ("milestones", (), tuple[float, ...], ()),
        ("anything", np.True_, bool, True),
    ],
)
def test_a_good_value_is_a_plain_one(name, value, hint, expected):
    found = checked(name, value, hint)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("name", "value", "hint", "wanted"),
    [
        ("anything", -1.0, float, "a number of at least 0"),
        ("anything", 0, int, "a whole number of at least 1"),
        ("anything", None, int, "a whole number of at least 1"),
        ("lr", 0.0, float, "a number above 0"),
        ("gamma", 1.1, float, "a number from 0 to 1"),
        ("anything", "c", Literal["a", "b"], r"one of \['a', 'b'\]"),
        ("anything", True, int, "a whole number"),
        ("anything", "no", bool, "True or False"),
        ("anything", 1, bool, "True or False"),
        ("anything", None, bool, "True or False"),
        ("milestones", (60, 80), tuple[float, ...], "shares of the run, numbers from 0 to 1"),
        ("milestones", 0.6, tuple[float, ...], "shares of the run, numbers from 0 to 1"),
        ("milestones", np.array([60, 80]), tuple[float, ...], "shares of the run, numbers from 0 to 1"),
        ("milestones", ("0.6",), tuple[float, ...], "shares of the run, numbers from 0 to 1"),
    ],
)
def test_a_bad_value_is_named_with_what_is_wanted(name, value, hint, wanted):
    with pytest.raises(ValueError, match=f"^{name}=.* must be {wanted}"):
        checked(name, value, hint)
