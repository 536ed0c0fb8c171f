"""How random views of images are made: crops, flips and changes of color, with their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

SMALL_SIZE_MAX = 64
"""Images up to this side are small: 3 x 3 stem, no blur."""


@dataclass(frozen=True)
class Recipe:
    """How one random view is made; every probability is for one image.

    Parameters
    ----------
    crop_min
        The crop covers a share of the image between this and 1, at an aspect ratio between 3/4 and 4/3.
    flip
        Probability of a horizontal flip.
    jitter
        Largest change of brightness, contrast, saturation (factors 1 - a to 1 + a) and hue (share of a turn).
    jitter_probability
        Probability that the colors change.
    grayscale
        Probability that the colors go.
    blur
        Probability of a Gaussian blur, sigma 0.1 to 2 pixels.
    solarize
        Probability that pixels of at least half the brightness are inverted.

    Raises
    ------
    ValueError
        If a share or probability is not from 0 to 1, or `jitter` not four of them.

    Examples
    --------
    >>> from falcon_sc.vision import ImageViews, Recipe
    >>> gentle = Recipe(crop_min=0.5, flip=0, jitter=(0.2, 0.2, 0, 0))
    >>> views = ImageViews(32, weak=gentle, strong=gentle)
    """

    crop_min: float
    flip: float = 0.5
    jitter: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    jitter_probability: float = 0.8
    grayscale: float = 0.0
    blur: float = 0.0
    solarize: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop_min", "flip", "jitter_probability", "grayscale", "blur", "solarize"):
            if not _is_share(getattr(self, name)):
                msg = f"{name}={getattr(self, name)!r} must be from 0 to 1."
                raise ValueError(msg)
        if not (isinstance(self.jitter, tuple | list) and len(self.jitter) == 4 and all(map(_is_share, self.jitter))):
            msg = f"jitter={self.jitter!r} must be four numbers from 0 to 1: brightness, contrast, saturation, hue."
            raise ValueError(msg)


def check_recipe(recipe: object, argument: str) -> None:
    """Refuse what is neither a recipe nor None.

    Raises
    ------
    TypeError
        If it is none.
    """
    if recipe is not None and not isinstance(recipe, Recipe):
        msg = f"{argument} must be a falcon_sc.vision.Recipe, found {recipe!r}."
        raise TypeError(msg)


def _is_share(value: object) -> bool:
    return isinstance(value, Real) and 0 <= float(value) <= 1


_JITTER = (0.4, 0.4, 0.2, 0.1)
# Published code: both views of CIFAR are crops of 8 to 100 %.
SMALL_WEAK = Recipe(crop_min=0.08)
# The recipe of the CIFAR pretraining without solarization; paper, appendix G: "strong [...] as in Chen et al. (2021)".
SMALL_STRONG = Recipe(crop_min=0.08, jitter=_JITTER, grayscale=0.2)
# Published code for BREEDS.
LARGE_STRONG = Recipe(crop_min=0.2, jitter=(0.4, 0.4, 0.4, 0.1), grayscale=0.2, blur=0.5)


def pretraining_recipes(size: int) -> tuple[Recipe, Recipe]:
    """The two asymmetrical views of MoCo-v3: solarization on the second; blur for large images only.

    Small images follow solo-learn's settings for CIFAR, large ones MoCo-v3's for ImageNet.
    """
    if size <= SMALL_SIZE_MAX:
        return SMALL_STRONG, Recipe(crop_min=0.08, jitter=_JITTER, grayscale=0.2, solarize=0.2)
    return (
        Recipe(crop_min=0.2, jitter=_JITTER, grayscale=0.2, blur=1.0),
        Recipe(crop_min=0.2, jitter=_JITTER, grayscale=0.2, blur=0.1, solarize=0.2),
    )
