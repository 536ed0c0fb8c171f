"""Random views of a batch of images, drawn and computed on the device where the batch is.

Every image of a batch has parameters of its own, all from one generator, and nothing waits for the device:
crop and flip are one sampling, and brightness, contrast, saturation, hue and grayscale are one 3 x 3 matrix an image.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from falcon_sc._checks import check_int
from falcon_sc.vision.recipes import LARGE_STRONG, SMALL_SIZE_MAX, SMALL_STRONG, SMALL_WEAK, check_recipe

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from falcon_sc.vision.recipes import Recipe

LARGE_VIEW = 224
"""Side of the views of larger images (paper, table 1)."""

_CIFAR_STATISTICS = (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)  # published code
_IMAGENET_STATISTICS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # MoCo-v3's code

# Luminance and two axes of color (YIQ). Turning the color plane is a shift of hue; luminance stays.
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
_CROP_TRIES = 10
_BLUR_SIGMA = 0.1, 2.0  # pixels (MoCo-v3)


class ImageViews:
    """The views of a batch of images: weak for the teacher, strong for the student, plain to predict.

    Parameters
    ----------
    size
        Side of the views in pixels. Images should not be much larger than it (256 pixels for 224): crops are
        sampled bilinearly, without a filter against aliasing.
    mean, std
        Of each channel, on the scale 0 to 1; default: CIFAR's for views up to 64 pixels (published code),
        else ImageNet's (MoCo-v3).
    weak
        How the weak view is made; default: up to 64 pixels a crop of at least 8 % and a flip, else the plain view
        (published code).
    strong
        How the strong view is made; default: up to 64 pixels the colors of MoCo-v3 on top of the weak view
        (paper, appendix G), else the published code's for BREEDS: crop of at least 20 %, colors, grayscale, blur.

    Raises
    ------
    TypeError
        If `size` is no int, or `weak` or `strong` no :class:`Recipe`.
    ValueError
        If `size` is below 1.

    Examples
    --------
    >>> import torch
    >>> from falcon_sc.vision import ImageViews
    >>> images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    >>> ImageViews(32).strong(images, torch.Generator().manual_seed(0)).shape
    torch.Size([4, 3, 32, 32])
    """

    def __init__(
        self,
        size: int,
        *,
        mean: tuple[float, float, float] | None = None,
        std: tuple[float, float, float] | None = None,
        weak: Recipe | None = None,
        strong: Recipe | None = None,
    ) -> None:
        size = check_int(size, "size")
        check_recipe(weak, "weak")
        check_recipe(strong, "strong")
        small = size <= SMALL_SIZE_MAX
        default_mean, default_std = _CIFAR_STATISTICS if small else _IMAGENET_STATISTICS
        self.size = size
        self.mean, self.std = mean or default_mean, std or default_std
        self._weak = weak or (SMALL_WEAK if small else None)
        self._strong = strong or (SMALL_STRONG if small else LARGE_STRONG)

    def weak(self, rows: Tensor, generator: Generator) -> Tensor:
        """The teacher's view of uint8 images (B, 3, H, W): float32, (B, 3, size, size), normalized."""
        return self.plain(rows) if self._weak is None else self.draw(rows, self._weak, generator)

    def strong(self, rows: Tensor, generator: Generator) -> Tensor:
        """The student's view of uint8 images (B, 3, H, W): float32, (B, 3, size, size), normalized."""
        return self.draw(rows, self._strong, generator)

    def plain(self, rows: Tensor) -> Tensor:
        """No randomness: the image itself, or the middle of it at the right size.

        Larger images are resized so that the views cover 7/8 of the shorter side (256 to 224 pixels, MoCo-v3).
        """
        images = rows.float() / 255
        height, width = images.shape[2:]
        if (height, width) != (self.size, self.size):
            shorter = min(height, width)
            scale = (self.size * 8 / 7 if shorter > self.size else self.size) / shorter
            resized = max(self.size, round(height * scale)), max(self.size, round(width * scale))
            images = F.interpolate(images, resized, mode="bilinear", antialias=True, align_corners=False)
            top, left = (resized[0] - self.size) // 2, (resized[1] - self.size) // 2
            images = images[:, :, top : top + self.size, left : left + self.size]
        return self._normalized(images)

    def draw(self, rows: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
        """A random view of uint8 images (B, 3, H, W): float32, (B, 3, size, size), normalized.

        `generator` lives on the device of `rows`, and is the only source of chance.
        """
        images = _crop(rows.float() / 255, self.size, recipe, generator)
        if any(recipe.jitter) or recipe.grayscale:
            images = _recolor(images, recipe, generator)
        if recipe.blur:
            images = _blur(images, recipe.blur, generator)
        if recipe.solarize:
            chosen = _chance(recipe.solarize, images, generator)[:, None, None, None]
            images = torch.where(chosen & (images >= 0.5), 1 - images, images)
        return self._normalized(images)

    def _normalized(self, images: Tensor) -> Tensor:
        mean, std = _constant(self.mean, images.device), _constant(self.std, images.device)
        return (images - mean[:, None, None]) / std[:, None, None]


def _crop(images: Tensor, size: int, recipe: Recipe, generator: Generator) -> Tensor:
    """A random box of each image, flipped or not, sampled at size x size."""
    n, _, height, width = images.shape
    area = _uniform((n, _CROP_TRIES), recipe.crop_min, 1, images, generator)
    log_ratio = _uniform((n, _CROP_TRIES), math.log(3 / 4), math.log(4 / 3), images, generator)
    ratio = log_ratio.exp() * (height / width)
    widths, heights = (area * ratio).sqrt(), (area / ratio).sqrt()  # as shares of the image
    # the first of the boxes that fits; where none does, the last resort is the whole side
    fits = ((widths <= 1) & (heights <= 1)).int().argmax(1, keepdim=True)
    w, h = (sides.gather(1, fits)[:, 0].clamp(max=1) for sides in (widths, heights))
    place = _uniform((2, n), -1, 1, images, generator)
    mirror = 1 - 2 * _chance(recipe.flip, images, generator).float()
    none = torch.zeros_like(w)
    rows = [mirror * w, none, (1 - w) * place[0], none, h, (1 - h) * place[1]]
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, 3, size, size], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _recolor(images: Tensor, recipe: Recipe, generator: Generator) -> Tensor:
    """Brightness, contrast, saturation, hue and grayscale as one matrix and one offset an image.

    In YIQ the four changes commute as long as nothing is clipped, so their order, which others draw, does not matter.
    """
    on = _chance(recipe.jitter_probability, images, generator)
    reach = torch.stack([_uniform((len(images),), -a, a, images, generator) for a in recipe.jitter]) * on
    brightness, contrast, saturation = 1 + reach[:3]
    turn = 2 * math.pi * reach[3]
    saturation = saturation * ~_chance(recipe.grayscale, images, generator)
    luminance = brightness * contrast
    cosine, sine = luminance * saturation * turn.cos(), luminance * saturation * turn.sin()
    none = torch.zeros_like(cosine)
    entries = [luminance, none, none, none, cosine, -sine, none, sine, cosine]
    yiq, back = _color_axes(images.device)
    matrix = back @ torch.stack(entries, 1).view(-1, 3, 3) @ yiq
    offset = brightness * (1 - contrast) * (images.mean((2, 3)) @ yiq[0])
    return torch.baddbmm(offset[:, None, None], matrix, images.flatten(2)).view_as(images).clamp_(0, 1)


def _blur(images: Tensor, probability: float, generator: Generator) -> Tensor:
    """Gaussian blur as two products with a band matrix; at the border the weights that are left sum to 1."""
    on = _chance(probability, images, generator)
    sigma = _uniform((len(images),), *_BLUR_SIGMA, images, generator)
    place = torch.arange(images.shape[-1], device=images.device)
    distance = (place[:, None] - place).float() / sigma[:, None, None]
    weights = torch.where(on[:, None, None], torch.exp(-0.5 * distance**2), (distance == 0).float())
    weights = (weights / weights.sum(2, keepdim=True))[:, None]
    return weights @ images @ weights.mT


def _uniform(shape: tuple[int, ...], low: float, high: float, like: Tensor, generator: Generator) -> Tensor:
    return torch.rand(shape, device=like.device, generator=generator) * (high - low) + low


def _chance(probability: float, images: Tensor, generator: Generator) -> Tensor:
    """Which of the images, (B,)."""
    return torch.rand(len(images), device=images.device, generator=generator) < probability


@cache
def _color_axes(device: torch.device) -> tuple[Tensor, Tensor]:
    """RGB to YIQ and back; inverting on the device would wait for it."""
    yiq = torch.tensor(_YIQ)
    return yiq.to(device), torch.linalg.inv(yiq).to(device)


@cache
def _constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """A tensor on the device, sent there once: each copy from the CPU would wait for the device."""
    return torch.tensor(values, device=device)
