"""Does FALCON's training pay where the features may move? An encoder small enough for a CPU, trained end to end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import methods_of
from falcon_sc.benchmarks._machine import cpu_seconds
from falcon_sc.benchmarks.images._fine_tuned import BATCH, FINE_TUNED
from falcon_sc.benchmarks.images._fine_tuning_scores import by_method, of_training
from falcon_sc.benchmarks.images._scores import scores
from falcon_sc.benchmarks.images._setting import Setting, check_asked, network
from falcon_sc.benchmarks.paper._runs import complete

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd
    import torch

    from falcon_sc.benchmarks.images._problem import Problem
    from falcon_sc.vision.datasets import ImageData

# The smallest two groups of coarse classes that taxonomy T2 divides among themselves in another way.
COARSE = ("large_man-made_outdoor_things", "large_natural_outdoor_scenes", "vehicles_1", "vehicles_2")


@dataclass(frozen=True)
class FineTuning:
    """`backbone`: "lite0", or "narrow", for tests; `size`: side of the views; `coarse`: the coarse classes taken."""

    backbone: str = "lite0"
    size: int = 64
    epochs: int = 8
    coarse: tuple[str, ...] = COARSE


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 1,
    methods: Sequence[str] = tuple(FINE_TUNED),
    setting: FineTuning | None = None,
    epochs: int | None = None,
    device: str | None = None,
) -> pd.DataFrame:
    """Train a pretrained encoder end to end, from our start and from a random one, and score it before and after.

    EfficientNet-lite0 (ImageNet weights, trained with labels) on a fifth of the images of four coarse classes of
    CIFAR-100 (20 fine classes; 2,500 training and 500 test images), enlarged to 64 pixels. All trained rows have the
    same images, views, optimizer and steps: 8 epochs in batches of 64, with the optimizer of the paper for CIFAR-100
    (SGD, its rate in proportion to the batch, a tenth of it after 60 and 80 per cent), and 2 of the 20 neighbors at
    each step. The size of the problem was chosen by time alone.

    Rows: K-Means inside the coarse classes and our start, on the features before any training; FALCON from our start,
    with the backbone trained, the same with the labels of our start kept in the loss to the end, and with the backbone
    frozen; from a random start as in the text of the paper and as in the published code; the labels of our start learned
    by cross-entropy alone, without any loss of FALCON; and the fine labels themselves, the bound. In the rows *two
    taxonomies* every other training image is labeled by T2 of the paper.

    Parameters
    ----------
    data
        Folder with `cifar100_part0.npz`, see :func:`falcon_sc.vision.datasets.from_npz`.
    out
        Folder for `fine_tuning_runs.csv`, a row a run, from which an interrupted run goes on, and for the table,
        `fine_tuning.csv` and `fine_tuning.md`. What is in the middle of a run goes on from the state in its folder `state`,
        which is removed at the end. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1.
    methods
        Names of the methods to run, of those in `FINE_TUNED`.
    setting
        Another setting.
    epochs
        In place of those of the setting: the 8 are what a CPU can do, the paper has 100.
    device
        None: a GPU if there is one.

    Returns
    -------
    A row for each method and seed: the setting and the scores of :func:`falcon_sc.benchmarks.images.images.run`; for FALCON
    ``features_accuracy`` and ``features_test_accuracy``, of K-Means inside the coarse classes on the features after training;
    ``iterations``, ``relation_updates``, ``relation_changes`` (rows of M) and ``n_used``; ``seconds``, of all parts of an
    interrupted run, and ``cpu_seconds``, of its last part. A run that diverged has no scores, and says so in ``failed``.

    Raises
    ------
    ValueError
        If `data` is not given, ``seeds`` or ``epochs`` is less than 1, or a method is unknown.
    FileNotFoundError
        If the file is missing in `data`.
    ImportError
        If the packages of the encoder are not installed.

    Examples
    --------
    >>> from falcon_sc.benchmarks.images import fine_tuning
    >>> table = fine_tuning.run(data="data", methods=["start alone", "our start (features move)"])  # doctest: +SKIP
    """
    from pathlib import Path

    from falcon_sc.core.runtime.checkpoint import fingerprint
    from falcon_sc.core.runtime.device import resolve_device

    check_asked(data, seeds)
    methods = methods_of(methods, FINE_TUNED)
    where, setting = resolve_device(device), setting or FineTuning()
    if epochs is not None:
        setting = replace(setting, epochs=check_int(epochs, "epochs"))
    train, test = _read(Path(data), setting)  # type: ignore[arg-type]
    out = None if out is None else Path(out)
    state = None if out is None else out / "state"
    problem_of = lru_cache(maxsize=1)(partial(_prepare, train, test, setting, device=where, state=state))

    def measure(method: str, seed: int) -> dict[str, Any]:
        problem = problem_of(seed)
        began = cpu_seconds()
        outcome, seconds = FINE_TUNED[method](problem)
        spent = {"seconds": seconds, "cpu_seconds": cpu_seconds() - began}
        return {
            "kind": FINE_TUNED[method].kind,
            **scores(outcome, train, test),
            **of_training(problem, outcome),
        } | spent

    about = {"backbone": setting.backbone, "size": setting.size, "epochs": setting.epochs, "device": str(where)}
    about["data"] = fingerprint(train.images, train.fine, train.coarse, test.images)
    table = complete(None if out is None else out / "fine_tuning_runs.csv", about, methods, seeds, measure)
    shown = by_method(table)
    print(_tables.to_markdown(shown))
    if out is not None and state is not None:
        _tables.save(shown, out, "fine_tuning", about=_about(setting, where, train, test, seeds))
        shutil.rmtree(state, ignore_errors=True)
    return table


def _read(data: Path, setting: FineTuning) -> tuple[ImageData, ImageData]:
    """Training and test images of the coarse classes."""
    from falcon_sc.benchmarks.images._problem import read

    parts = []
    for part in read(data, Setting(1, setting.backbone, 0, setting.epochs)):
        wanted = np.isin(part.coarse_names, setting.coarse)
        left_out = np.asarray(part.fine_names)[part.relation[:, ~wanted].any(axis=1)]
        parts.append(part.without(left_out.tolist()))
    return parts[0], parts[1]


def _prepare(
    train: ImageData, test: ImageData, setting: FineTuning, seed: int, *, device: torch.device, state: Path | None
) -> Problem:
    """The encoder, and its features before any training."""
    from falcon_sc.benchmarks.images._encoder import MEAN, STD
    from falcon_sc.benchmarks.images._lite0 import Lite0
    from falcon_sc.benchmarks.images._problem import Problem
    from falcon_sc.vision import ImageViews, extract_features, image_samples

    rng = np.random.default_rng(seed)
    backbone = Lite0() if setting.backbone == "lite0" else network(setting.backbone, rng)
    views = ImageViews(setting.size, mean=(MEAN,) * 3, std=(STD,) * 3)
    features, test_features = (
        extract_features(backbone, image_samples(part.images, device=device), views) for part in (train, test)
    )
    about = Setting(1, setting.backbone, 0, setting.epochs)
    return Problem(train, test, about, seed, backbone, views, features, test_features, device, 0.0, state)


def _about(setting: FineTuning, where: torch.device, train: ImageData, test: ImageData, seeds: int) -> str:
    return (
        f"Accuracy / ARI, and adjusted mutual information / ARI inside a coarse class, in per cent, {seeds} seed(s), on {where}: "
        f"{len(train):,} training and {len(test):,} test images in {len(train.coarse_names)} coarse and "
        f"{len(train.fine_names)} fine classes, views of {setting.size} pixels, backbone {setting.backbone}, "
        f"{setting.epochs} epochs in batches of {BATCH}. K-Means on its features: accuracy of training and of test images, "
        "told the numbers of fine classes, with the features that the training left."
    )
