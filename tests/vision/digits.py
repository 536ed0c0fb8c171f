"""Real digits, 1,797 images of 8 x 8, with a coarse grouping; a small network and views that shift by a pixel."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import nn

COARSE = np.array([0, 1, 2, 1, 2, 0, 0, 1, 0, 2])  # three coarse classes of 4, 3 and 3 digits
OTHER_COARSE = (np.arange(10) > 4).astype(int)


@cache
def digits():
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images * (255 / 16)).astype(np.uint8), data.target


class Shifts:
    size = 8

    def plain(self, rows):
        return rows.float() / 255

    def weak(self, rows, generator):
        return self.plain(rows)

    def strong(self, rows, generator):
        images = self.plain(rows)
        n = len(images)
        shift = torch.randint(0, 3, (2, n), generator=generator, device=images.device)
        windows = nn.functional.pad(images, (1, 1, 1, 1)).unfold(2, 8, 1).unfold(3, 8, 1)
        return windows[torch.arange(n, device=images.device), :, shift[0], shift[1]]


class SmallNetwork(nn.Sequential):
    n_features_out = 64

    def __init__(self, width=16, norm=nn.BatchNorm2d):
        layers = [nn.Conv2d(3, width, 3, padding=1), norm(width), nn.ReLU()]
        for n_in in (width, 2 * width):
            layers += [nn.Conv2d(n_in, 2 * n_in, 3, stride=2, padding=1), norm(2 * n_in), nn.ReLU()]
        super().__init__(*layers, nn.Flatten(), nn.Linear(16 * width, 64), nn.ReLU())


def small_network(seed=0, norm=nn.BatchNorm2d):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return SmallNetwork(norm=norm)


class Still(Shifts):
    """No view is random, so that it does not matter which process draws it."""

    def strong(self, rows, generator):
        return self.plain(rows)


def discover_without_chance(device):
    """What a few epochs find, in plain arrays; the kinds of normalization they trained with."""
    from falcon_sc import FalconConfig
    from falcon_sc.vision import discover

    images, fine = (part[:400] for part in digits())
    config = FalconConfig(start="random", max_epochs=4, batch_size=64, relation_interval=3, lr=2e-3)
    network = small_network(norm=nn.Identity if device == "cpu" else nn.BatchNorm2d)
    model = discover(
        images,
        COARSE[fine],
        10,
        backbone=network,
        views=Still(),
        config=config,
        device=device,
        progress_bar=False,
    )
    return _found(model)


def discover_in_adata():
    """The same for pixels in an AnnData."""
    import pandas as pd
    from anndata import AnnData

    from falcon_sc import FalconConfig
    from falcon_sc.vision import discover

    images, fine = (part[:200] for part in digits())
    obs = pd.DataFrame({"coarse": pd.Categorical(COARSE[fine].astype(str))}, index=[f"i{i}" for i in range(200)])
    adata = AnnData(np.zeros((200, 1), dtype=np.float32), obs=obs)
    adata.obsm["X_pixels"] = images.reshape(200, -1).astype(np.float32)
    config = FalconConfig(start="random", max_epochs=2, batch_size=64, relation_interval=3, batch_norm=False)
    return _found(discover(adata, "coarse", 10, features="X_pixels", config=config, device="cpu", progress_bar=False))


def _found(model):
    kinds = [type(layer).__name__ for layer in model._fitted.classifier.modules()]
    return {
        "relation": model.relation_,
        "history": model.history_,
        "labels": model.labels_,
        "norms": [kind for kind in kinds if "Norm" in kind],
    }
