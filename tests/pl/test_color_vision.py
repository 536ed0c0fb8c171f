from __future__ import annotations

import numpy as np

from falcon_sc.pl._color_vision import on_screen, seen


def test_oklab_of_known_colors() -> None:
    """White, and red as published by Ottosson."""
    white, red = seen([(1, 1, 1), (1, 0, 0)])[0].T
    np.testing.assert_allclose(white, (1, 0, 0), atol=1e-6)
    np.testing.assert_allclose(red, (0.62796, 0.22486, 0.12585), atol=1e-4)


def test_colors_of_oklab_on_a_screen() -> None:
    colors = np.array([[0.2, 0.4, 0.6], [1, 1, 1], [0.9, 0.1, 0.02]])
    rgb, shown = on_screen(seen(colors)[0].T)
    np.testing.assert_allclose(rgb, colors, atol=1e-6)
    assert shown[[0, 2]].all()
    assert not on_screen([(0.5, 0.3, 0.3), (0.9, -0.3, 0.0)])[1].any()


def test_what_four_eyes_see() -> None:
    """Whoever lacks the cones for red or green sees these two as one color; all others do not."""
    looks = seen([(0.84, 0.15, 0.16), (0.42, 0.37, 0.12)])
    assert looks.shape == (4, 3, 2)
    apart = np.linalg.norm(looks[..., 0] - looks[..., 1], axis=1)
    assert apart[1] < 0.05
    assert apart[[0, 3]].min() > 0.15
    gray = seen([(0.5, 0.5, 0.5)])  # is gray to everybody
    np.testing.assert_allclose(gray[1:], np.broadcast_to(gray[0], (3, 3, 1)), atol=1e-5)
