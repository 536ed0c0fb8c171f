from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from falcon_sc.vision.augmentation import ImageViews, _blur, _crop, _recolor
from falcon_sc.vision.recipes import Recipe

EXACT = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def _source(device: torch.device | str = "cpu", seed: int = 0) -> torch.Generator:
    return torch.Generator(device).manual_seed(seed)


@pytest.fixture
def rows(device: torch.device) -> torch.Tensor:
    return torch.randint(0, 256, (16, 3, 24, 24), dtype=torch.uint8, generator=_source()).to(device)


@pytest.mark.parametrize("look", ["weak", "strong"])
def test_same_generator_same_views(rows: torch.Tensor, look: str) -> None:
    before = torch.get_rng_state()
    one, again, other = (getattr(ImageViews(24), look)(rows, _source(rows.device, seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)  # the global source is left alone
    assert one.shape == (16, 3, 24, 24)
    assert one.dtype == torch.float32
    assert one.device.type == rows.device.type


def test_every_image_has_its_own_parameters() -> None:
    same = torch.randint(0, 256, (1, 3, 24, 24), dtype=torch.uint8, generator=_source()).expand(64, -1, -1, -1)
    views = ImageViews(24).strong(same, _source())
    assert len(torch.unique(views.flatten(1), dim=0)) == 64


def test_weak_view_keeps_the_colors_and_strong_does_not() -> None:
    colors = torch.randint(0, 256, (64, 3, 1, 1), dtype=torch.uint8, generator=_source()).expand(-1, -1, 16, 16)
    views = ImageViews(16, **EXACT)
    torch.testing.assert_close(views.weak(colors, _source()), colors / 255)
    assert (views.strong(colors, _source()) - colors / 255).abs().amax((1, 2, 3)).gt(0.02).sum() > 40


def test_plain_view_of_the_right_size_is_the_image() -> None:
    rows = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=_source())
    mean, std = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.247, 0.243, 0.261])
    torch.testing.assert_close(
        ImageViews(32).plain(rows), (rows / 255 - mean[:, None, None]) / std[:, None, None], atol=1e-5, rtol=0
    )


@pytest.mark.image
def test_plain_view_of_a_large_image_is_its_middle() -> None:
    from torchvision.transforms.v2 import functional as reference

    rows = torch.randint(0, 256, (2, 3, 120, 150), dtype=torch.uint8, generator=_source())
    expected = reference.center_crop(reference.resize(rows.float() / 255, [80], antialias=True), [70, 70])
    torch.testing.assert_close(ImageViews(70, **EXACT).plain(rows), expected)
    assert ImageViews(200, **EXACT).plain(rows).shape == (2, 3, 200, 200)


def test_large_views_default_to_a_plain_teacher() -> None:
    rows = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8, generator=_source())
    views = ImageViews(70)
    torch.testing.assert_close(views.weak(rows, _source()), views.plain(rows))


def _boxes(recipe: Recipe, height: int, width: int, n: int = 4000) -> np.ndarray:
    """Left, top, width, height (shares of the image) and mirror of n crops, read off two ramps."""
    x = ((torch.arange(width) + 0.5) / width).expand(height, -1)
    y = ((torch.arange(height) + 0.5) / height)[:, None].expand(-1, width)
    ramps = torch.stack([x, y, torch.zeros_like(x)]).expand(n, -1, -1, -1)
    crops = _crop(ramps, 8, recipe, _source()).double()
    # two inner pixels of each direction give the slope: the outermost are clamped at the border
    slope_x = (crops[:, 0, 4, 5] - crops[:, 0, 4, 2]) / 3
    slope_y = (crops[:, 1, 5, 4] - crops[:, 1, 2, 4]) / 3
    middle_x, middle_y = crops[:, 0].mean((1, 2)), crops[:, 1].mean((1, 2))
    w, h = slope_x.abs() * 8, slope_y * 8
    return torch.stack([middle_x - w / 2, middle_y - h / 2, w, h, (slope_x < 0).double()], 1).numpy()


@pytest.mark.image
@pytest.mark.parametrize(("height", "width"), [(32, 32), (32, 48)])
def test_boxes_are_distributed_as_torchvision_draws_them(height: int, width: int) -> None:
    from torchvision.transforms import RandomResizedCrop

    left, top, w, h, mirrored = _boxes(Recipe(crop_min=0.2), height, width).T
    assert min(left.min(), top.min()) > -0.02
    assert max((left + w).max(), (top + h).max()) < 1.02
    image = torch.zeros(3, height * 40, width * 40)  # torchvision rounds to pixels
    torch.manual_seed(0)
    drawn = np.array([RandomResizedCrop.get_params(image, [0.2, 1.0], [3 / 4, 4 / 3]) for _ in range(4000)])
    expected = {
        "area": drawn[:, 2] * drawn[:, 3] / image[0].numel(),
        "ratio": np.log(drawn[:, 3] / drawn[:, 2]),
        "left": drawn[:, 1] / image.shape[2],
        "top": drawn[:, 0] / image.shape[1],
    }
    found = {"area": w * h, "ratio": np.log(w * width / (h * height)), "left": left, "top": top}
    for name in expected:
        np.testing.assert_allclose(
            np.quantile(found[name], [0.1, 0.5, 0.9]), np.quantile(expected[name], [0.1, 0.5, 0.9]), atol=0.04
        )
    assert 0.45 < mirrored.mean() < 0.55
    assert _boxes(Recipe(crop_min=0.2, flip=0), height, width, 50)[:, 4].sum() == 0


def _gentle(n: int) -> torch.Tensor:
    """Images that no jitter below drives out of 0 to 1."""
    return torch.rand(n, 3, 12, 12, generator=_source()) * 0.2 + 0.4


def _jitter(**changes: float) -> Recipe:
    names = ("brightness", "contrast", "saturation", "hue")
    return Recipe(0.5, jitter=tuple(changes.get(name, 0.0) for name in names), jitter_probability=1)


@pytest.mark.image
@pytest.mark.parametrize("change", ["brightness", "contrast", "saturation"])
def test_colors_change_as_in_torchvision(change: str) -> None:
    from torchvision.transforms.v2 import functional as reference

    images = _gentle(8)
    found = _recolor(images, _jitter(**{change: 0.3}), _source())
    adjust = getattr(reference, f"adjust_{change}")
    for image, view in zip(images, found, strict=True):
        # the factor that was drawn, from the pixel that it moves the most
        factors = np.linspace(0.7, 1.3, 1201)
        errors = [float((adjust(image, float(factor)) - view).abs().max()) for factor in factors[::20]]
        nearest = factors[::20][int(np.argmin(errors))]
        around = factors[np.abs(factors - nearest) <= 0.011]
        assert min(float((adjust(image, float(factor)) - view).abs().max()) for factor in around) < 1e-3
    assert (found - images).abs().amax((1, 2, 3)).min() > 1e-3


def test_hue_turns_the_colors_and_keeps_luminance() -> None:
    images = _gentle(8)
    luminance = torch.tensor([0.299, 0.587, 0.114])
    found = _recolor(images, _jitter(hue=0.1), _source())
    torch.testing.assert_close(
        torch.einsum("c,bchw->bhw", luminance, found), torch.einsum("c,bchw->bhw", luminance, images)
    )
    assert (found - images).abs().amax((1, 2, 3)).min() > 1e-3
    # a color goes up to a tenth of a turn either way, in the plane of color and so about as far on HSV's wheel
    red = torch.tensor([0.7, 0.5, 0.5])
    turned = _recolor(red[:, None, None].expand(400, -1, 4, 4), _jitter(hue=0.1), _source())[:, :, 0, 0]
    axes = torch.tensor([[0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    (i, q), (i_0, q_0) = (turned @ axes.T).T, axes @ red
    degrees = torch.rad2deg(torch.atan2(q, i) - torch.atan2(q_0, i_0))
    assert 34 < degrees.max() < 36.1
    assert -36.1 < degrees.min() < -34
    torch.testing.assert_close(i**2 + q**2, (i_0**2 + q_0**2).expand(400))
    hues = np.array([colorsys.rgb_to_hsv(*color)[0] for color in turned.tolist()])
    assert 30 < np.abs((hues + 0.5) % 1 - 0.5).max() * 360 < 55


@pytest.mark.image
def test_grayscale_and_probabilities() -> None:
    from torchvision.transforms.v2 import functional as reference

    images = torch.rand(2000, 3, 4, 4, generator=_source())
    gray = _recolor(images, Recipe(0.5, grayscale=0.2), _source())
    is_gray = (gray.amax(1) - gray.amin(1)).amax((1, 2)) < 1e-5
    assert 0.17 < is_gray.float().mean() < 0.23
    torch.testing.assert_close(gray[~is_gray], images[~is_gray], atol=1e-5, rtol=0)
    torch.testing.assert_close(gray[is_gray], reference.rgb_to_grayscale(images[is_gray], 3), atol=1e-3, rtol=0)
    moved = _recolor(images, Recipe(0.5, jitter=(0.4, 0.0, 0.0, 0.0), jitter_probability=0.8), _source())
    assert 0.76 < ((moved - images).abs().amax((1, 2, 3)) > 1e-4).float().mean() < 0.84


def test_solarize() -> None:
    rows = torch.full((500, 3, 8, 8), 204, dtype=torch.uint8)
    rows[:, 0] = 51
    views = ImageViews(8, **EXACT).draw(rows, Recipe(1.0, solarize=0.2), _source())
    torch.testing.assert_close(views[:, 0], torch.full((500, 8, 8), 0.2))
    inverted = torch.isclose(views[:, 1], torch.tensor(0.2)).all(2).all(1)
    assert 0.15 < inverted.float().mean() < 0.25
    torch.testing.assert_close(views[~inverted, 1:], torch.full((int((~inverted).sum()), 2, 8, 8), 0.8))


def test_blur_is_gaussian() -> None:
    images = torch.zeros(6, 3, 31, 31)
    images[:, :, 15, 15] = 1
    found = _blur(images, 1.0, _source()).numpy()
    for view in found:
        candidates = [gaussian_filter(images[0, 0].numpy(), sigma, truncate=9) for sigma in np.linspace(0.1, 2, 400)]
        assert min(np.abs(view[0] - candidate).max() for candidate in candidates) < 0.01
    assert len({float(view[0, 15, 15]) for view in found}) == 6
    flat = torch.full((3, 3, 9, 9), 0.3)
    torch.testing.assert_close(_blur(flat, 1.0, _source()), flat)  # no dark border
    torch.testing.assert_close(_blur(images, 0.0, _source()), images)


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-3, ValueError), (32.5, TypeError), ("32", TypeError), (None, TypeError)]
)
def test_a_size_is_a_number_of_pixels(size: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="size must be"):
        ImageViews(size)


@pytest.mark.parametrize("look", ["weak", "strong"])
def test_what_is_no_recipe_makes_no_view(look: str) -> None:
    with pytest.raises(TypeError, match=f"{look} must be a falcon_sc.vision.Recipe, found 0.5"):
        ImageViews(32, **{look: 0.5})
