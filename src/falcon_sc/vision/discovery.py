"""Fine classes of images inside given coarse classes."""

from __future__ import annotations

import copy
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._log import show_log
from falcon_sc._saving import check_folders, save_fitted
from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.budget import check_fixed, check_shared_out
from falcon_sc.core.fitting.problem import check_classes
from falcon_sc.core.model import Falcon
from falcon_sc.core.runtime import distributed
from falcon_sc.core.runtime.device import resolve_device
from falcon_sc.core.start.input import StartInput
from falcon_sc.vision._checks import check_features, check_matrix, check_settings, refuse_ignored
from falcon_sc.vision.augmentation import LARGE_VIEW, ImageViews
from falcon_sc.vision.backbones import draw_backbone, for_convolutions
from falcon_sc.vision.features import extract_features
from falcon_sc.vision.recipes import SMALL_SIZE_MAX
from falcon_sc.vision.samples import ImageFileSamples, ImageTensorSamples, image_samples

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import torch
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from falcon_sc.core.data.batches import Views

logger = logging.getLogger(__name__)

# Of features without images; the short training of cells has not been measured on them.
FEATURES_CONFIG = FalconConfig(prior="uniform", min_iterations=1400, warmup_iterations=600, lr=5e-3)


def discover(
    images: Any,
    coarse: ArrayLike | str,
    n_fine: int | Mapping[Any, int],
    *,
    fixed: Mapping[Any, int] | None = None,
    backbone: str | nn.Module | None = None,
    pretrained: str | Path | None = None,
    config: FalconConfig | None = None,
    dataset: ArrayLike | str | None = None,
    features: NDArray[np.floating[Any]] | str | None = None,
    size: int | None = None,
    views: Views | None = None,
    device: str | torch.device | None = None,
    rng: int | np.random.Generator | None = 0,
    progress_bar: bool = True,
    checkpoint: str | Path | None = None,
    save_model: str | Path | None = None,
) -> Falcon:
    """Discover fine classes of images inside their coarse classes (FALCON, :cite:p:`Grcic2024`).

    Self-supervised features of the images give the start and the neighbors; then backbone and classifier are
    trained together, the teacher on weak and the student on strong views.

    Parameters
    ----------
    images
        uint8 array, N x H x W x 3 (N x H x W without color), paths of files (N,), a torch data set of images, or what
        :func:`falcon_sc.vision.image_samples` gives. Or features that were computed before: a floating-point array,
        N x d, for which an MLP is trained; or an AnnData that holds them in `obsm`, to which
        :func:`falcon_sc.tl.discover` writes its results as well.
    coarse
        Coarse label of each image, (N,), none missing. For an AnnData: a column of `obs`.
    n_fine
        Total number of fine classes, or a mapping from each coarse class to its number.
    fixed
        Numbers of fine classes that you know, with a total: a mapping from some coarse classes to theirs; the others
        share out what is left. The number of each coarse class, also of those, is then kept (one data set only).
    backbone
        "resnet18" (paper, small images; the default), "resnet50" (paper, large images), or a module from float32 (B, 3, S, S) to
        (B, `n_features_out`), an attribute that it must have. It is copied, and its weights are where training begins.
    pretrained
        File of self-supervised weights, see :func:`falcon_sc.vision.load_pretrained`; `"mocov3"`: pretrain on these
        images first, with the defaults of :func:`falcon_sc.vision.pretrain`, which takes long. `None`: the weights as
        they are, at random for a backbone by name; then give `features`.
    config
        Every hyperparameter; the paper's are :meth:`falcon_sc.FalconConfig.cifar100` and its like. Default, ours: those
        of ``published("cifar100")``, for views above 64 pixels ``published("living17")``, with the start of
        :class:`falcon_sc.FalconConfig`, whose labels leave the loss after the warm-up (``lambda_start=0``); for features
        without images, those of :class:`falcon_sc.FalconConfig`, with 1,400 iterations at least and the learning rate
        0.005. In all of them ``prior="uniform"``, as in the paper: fine classes are expected to be of about one size, and
        a total `n_fine` is shared out by the sizes of the coarse classes. Where that is wrong, give a configuration with
        ``prior="within_coarse"``.
    dataset
        Data set of each image, (N,), if several have coarse classes of their own (section 3.4). For an AnnData: a
        column of `obs`.
    features
        Features for the start and the neighbors, (N, d), instead of those of the backbone. For an AnnData, the name in
        `obsm`, which it must be told.
    size
        Side of the views in pixels. Default: the shorter side of the images, at most 224.
    views
        What teacher, student and prediction see, see :class:`falcon_sc.core.data.batches.Views`. Default:
        ``falcon_sc.vision.ImageViews(size)``.
    device
        `None`: a GPU if there is one.
    rng
        Seed or generator. On the CPU the same seed gives the same labels.
    progress_bar
        Show progress.
    checkpoint
        Folder for the state of the run, from which an interrupted one goes on.
    save_model
        Folder to save the model in, for :func:`falcon_sc.vision.load`.

    Returns
    -------
    The fitted model, with `labels_`, `proba_`, `embedding_`, `relation_` (M) and `history_`.

    Raises
    ------
    TypeError
        If `images` is none of the above, or `config`, `views` or `rng` is of another type.
    ValueError
        If inputs do not fit together, or a setting is out of its range; before anything is computed.
    ImportError
        If the extra `falcon-sc[image]` is needed and not installed.
    FileNotFoundError
        If `pretrained`, or one of the images, is no file.
    FloatingPointError
        If the training diverges.
    PermissionError
        If `save_model` or `checkpoint` cannot be written.
    OSError
        If `save_model` could be written before the run and not after it; the error has the fitted model, `error.model`.

    Examples
    --------
    A ResNet would be ``pretrained="resnet18.pt"``; here a tiny network of one's own, for a moment, on noise:

    >>> import numpy as np
    >>> import torch
    >>> from falcon_sc import FalconConfig, vision
    >>> images, coarse = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8), np.arange(60) % 2
    >>> network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 16))
    >>> network.n_features_out = 16
    >>> config = FalconConfig(prior="uniform", max_epochs=1)
    >>> model = vision.discover(images, coarse, 4, backbone=network, config=config, device="cpu", progress_bar=False)
    >>> model.predict(vision.image_samples(images, device="cpu"), coarse).shape
    (60,)
    """
    show_log()
    check_settings(config, views, rng)
    save_model, checkpoint = check_folders(save_model, checkpoint)
    of_network = {"backbone": backbone, "pretrained": pretrained, "size": size, "views": views}
    if hasattr(images, "obsm"):
        from falcon_sc.vision._anndata import discover_adata

        refuse_ignored("images is an AnnData of features", of_network)
        return discover_adata(
            images, coarse, n_fine, features, fixed=fixed, config=config or FEATURES_CONFIG, dataset_key=dataset,
            device=device, rng=rng, progress_bar=progress_bar, checkpoint=checkpoint, save_model=save_model,
        )  # fmt: skip
    where = resolve_device(device)
    if isinstance(images, np.ndarray) and images.dtype.kind == "f":
        check_matrix(images)
        refuse_ignored("images is a matrix of features", of_network | {"features": features})
        config = config or FEATURES_CONFIG
        model = Falcon(n_fine, config, fixed=fixed, device=where, rng=rng, progress_bar=progress_bar)
        model.fit(images, coarse, dataset, checkpoint=checkpoint)
    else:
        samples = (
            images if isinstance(images, ImageTensorSamples | ImageFileSamples) else image_samples(images, device=where)
        )
        taxonomy, codes, budget = check_classes(coarse, n_fine, len(samples), dataset=dataset)
        check_fixed(fixed, budget, taxonomy, codes)
        check_features(features, len(samples))
        # squares of 256 pixels leave room for crops of 224 (MoCo-v3)
        size = size or min(*samples.shape[1:], LARGE_VIEW)
        config = config or default_config(size)
        check_shared_out(fixed, config.start)
        seen = views or ImageViews(size)
        backbone = "resnet18" if backbone is None else backbone
        distributed.join(where)
        seed_rng, fit_rng = np.random.default_rng(rng).spawn(2) if rng is not None else (np.random.default_rng(), None)
        network = _backbone(
            backbone, pretrained, samples, size, rng=seed_rng, checkpoint=checkpoint, progress_bar=progress_bar
        )
        network = for_convolutions(network, where)
        if features is None:
            features = distributed.share(lambda: extract_features(network, samples, seen, precision=config.precision))
            logger.info("features: %d of each of %d images", features.shape[1], len(features))
        model = Falcon(
            n_fine, config, fixed=fixed, network=network, views=seen, device=where, rng=fit_rng,
            progress_bar=progress_bar,
        )  # fmt: skip
        start = StartInput(np.asarray(features, dtype=np.float32), "embedding")
        model.fit(samples, coarse, dataset, start_input=start, checkpoint=checkpoint)
        model.metadata |= {"backbone": backbone if isinstance(backbone, str) else None, "size": size}
        model.metadata |= {"own_views": views is not None}
    if save_model is not None:
        save_fitted(model, save_model, labels="error.model.labels_")
    return model


def default_config(size: int) -> FalconConfig:
    """Our start and losses with the prior, optimizer, batches and epochs of the paper for images of this size.

    Once learned, the labels of the start leave the loss: on images many of them are wrong, and a backbone that is trained
    along finds better ones (docs/benchmarks.md). The prior of equal sizes keeps small classes, which else need them.
    """
    paper = FalconConfig.published("cifar100" if size <= SMALL_SIZE_MAX else "living17")
    ours = FalconConfig()
    names = ("lambda_M", "start", "max_grad_norm", "restrict_to_coarse")
    return replace(paper, lambda_start=0.0, **{name: getattr(ours, name) for name in names})


def _backbone(
    backbone: str | nn.Module,
    pretrained: str | Path | None,
    samples: ImageTensorSamples | ImageFileSamples,
    size: int,
    *,
    rng: np.random.Generator,
    checkpoint: Path | None,
    progress_bar: bool,
) -> nn.Module:
    """The backbone with the weights that training begins from."""
    network = draw_backbone(backbone, size, rng)
    if pretrained == "mocov3":
        from falcon_sc.vision.pretraining import pretrain

        folder = None if checkpoint is None else checkpoint / "pretraining"
        return pretrain(
            samples, network, size=size, device=samples.device, rng=rng, checkpoint=folder, progress_bar=progress_bar
        )
    if pretrained is not None:
        from falcon_sc.vision.weights import load_pretrained

        network = copy.deepcopy(network)  # it may be the caller's
        load_pretrained(network, pretrained)
    elif isinstance(backbone, str):
        logger.warning("backbone=%r begins at random weights: give pretrained=..., its features mean little", backbone)
    return network
