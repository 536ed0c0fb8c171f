from __future__ import annotations

import numpy as np
import pytest
from tests.core.planted import planted

from falcon_sc.benchmarks.cells._spoil import parsed, spoiled
from falcon_sc.core.start.consensus_start import consensus_start
from falcon_sc.core.start.input import StartInput


@pytest.fixture(scope="module")
def start_and_codes():
    data = planted()
    codes = np.unique(data.coarse, return_inverse=True)[1]
    start = consensus_start(StartInput(data.X, "embedding"), codes, 6, rng=0, n_jobs=1, n_repeats=1, leaves_per_class=2)
    return start, codes


@pytest.mark.parametrize("way", ["cells", "patches"])
def test_the_share_asked_for_is_moved_inside_the_coarse_class(start_and_codes, way):
    start, codes = start_and_codes
    wrong = spoiled(start, codes, way, 0.2, np.random.default_rng(0))
    parent = start.relation.argmax(axis=1)
    np.testing.assert_array_equal(parent[wrong.labels], codes)
    np.testing.assert_array_equal(start.tree.class_of_leaf[wrong.leaves], wrong.labels)
    assert len(np.unique(wrong.leaves)) == len(start.tree.class_of_leaf)
    for c in range(3):
        members = codes == c
        moved = (wrong.labels != start.labels)[members].mean()
        assert (moved == 0) if start.relation[:, c].sum() == 1 else (0.1 < moved <= 0.2)
    assert (wrong.labels != start.labels).any()


def test_patches_are_neighbors(start_and_codes):
    """Of cells that are moved, the nearest other cell is moved too, far more often than where single cells are."""
    start, codes = start_and_codes
    both = []
    for way in ("cells", "patches"):
        moved = spoiled(start, codes, way, 0.1, np.random.default_rng(0)).labels != start.labels
        distances = np.linalg.norm(start.latents[:, None] - start.latents[None], axis=2)
        distances[codes[:, None] != codes[None]] = np.inf
        np.fill_diagonal(distances, np.inf)
        both.append(moved[distances.argmin(axis=1)[moved]].mean())
    assert both[1] > both[0] + 0.2


@pytest.mark.parametrize("spoil", ["cells", "cells:0", "cells:60", "cells:x", "leaves:10", "10"])
def test_what_is_no_way_is_refused(spoil):
    with pytest.raises(ValueError, match=r"spoil=.* must be one of \['cells', 'patches'\]"):
        parsed(spoil)


def test_ways_and_shares_are_read():
    assert parsed("patches:5") == ("patches", 0.05)
