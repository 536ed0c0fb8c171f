"""The image data sets of the paper, read from their official archives and folders.

Reading needs numpy alone: neither torch nor torchvision is imported.
"""

from falcon_sc.vision.datasets._image_data import ImageData
from falcon_sc.vision.datasets.breeds import breeds
from falcon_sc.vision.datasets.cifar import cifar68, cifar100, cifar_si
from falcon_sc.vision.datasets.from_npz import from_npz
from falcon_sc.vision.datasets.tiered_imagenet import tiered_imagenet
from falcon_sc.vision.datasets.with_taxonomy import T2, with_taxonomy

__all__ = [
    "T2",
    "ImageData",
    "breeds",
    "cifar68",
    "cifar100",
    "cifar_si",
    "from_npz",
    "tiered_imagenet",
    "with_taxonomy",
]
