from __future__ import annotations

from typing import Any

import pytest

from falcon_sc.vision.recipes import Recipe, pretraining_recipes


def test_recipes_of_the_pretraining() -> None:
    for size in (32, 224):
        first, second = pretraining_recipes(size)
        assert (first.solarize, second.solarize) == (0, 0.2)
        assert (first.blur > 0) == (size > 64)
        assert first.jitter == second.jitter == (0.4, 0.4, 0.2, 0.1)


@pytest.mark.parametrize(
    "change",
    [{"crop_min": 8}, {"flip": 50}, {"blur": -0.1}, {"grayscale": float("nan")}, {"flip": "half"}, {"blur": None}],
    ids=str,
)
def test_per_cent_are_no_shares(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(change))}=.* must be from 0 to 1"):
        Recipe(**{"crop_min": 0.2} | change)


@pytest.mark.parametrize("jitter", [(40, 40, 20, 10), (0.4, 0.4), 0.4, (0.4, 0.4, 0.2, -0.1), "0.4"], ids=repr)
def test_changes_of_color_are_four_shares(jitter: Any) -> None:
    with pytest.raises(
        ValueError, match=r"jitter=.* must be four numbers from 0 to 1: brightness, contrast, saturation, hue"
    ):
        Recipe(crop_min=0.2, jitter=jitter)
