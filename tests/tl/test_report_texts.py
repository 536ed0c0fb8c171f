"""What the report says of the rule is the rule."""

from __future__ import annotations

import numpy as np
import pytest

from falcon_sc.core.start.tree.support import support_of
from falcon_sc.tl._report_texts import HOW_TO_READ


@pytest.mark.parametrize(("has_counts", "least"), [(True, "0.62"), (False, "0.72")])
def test_the_report_says_what_is_asked_of_a_split(has_counts: bool, least: str) -> None:
    number = float(least)
    below, above = support_of(np.array([number - 0.01, number + 0.01]), np.full(2, number), has_counts=has_counts)
    assert below < 1 < above
    assert least in HOW_TO_READ["supported"]
    assert "no part" in HOW_TO_READ["supported"]  # of markers and technical shares
