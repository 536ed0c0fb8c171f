"""No benchmark runs nothing and calls it a mean."""

from __future__ import annotations

import pytest

from falcon_sc.benchmarks.cells import cells, donors, n_fine, training
from falcon_sc.benchmarks.images import images
from falcon_sc.benchmarks.performance import relations


@pytest.mark.parametrize(
    ("run", "options", "name"),
    [
        (cells.run, {}, "seeds"),
        (donors.run, {}, "seeds"),
        (n_fine.run, {}, "seeds"),
        (training.run, {}, "seeds"),
        (images.run, {"data": "a folder"}, "seeds"),
        (relations.run, {}, "repeats"),
    ],
    ids=lambda value: getattr(value, "__module__", ""),
)
def test_no_repeats_are_refused(run, options, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, found 0"):
        run(**options, **{name: 0})
