"""Discovery on images: against K-Means on the same features, against oracles and against a supervised bound."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import methods_of
from falcon_sc.benchmarks.images._frozen import run_frozen
from falcon_sc.benchmarks.images._methods import METHODS
from falcon_sc.benchmarks.images._scores import INSIDE, SCORES, columns_of, means, scores
from falcon_sc.benchmarks.images._setting import FULL, REDUCED, Setting, check_asked
from falcon_sc.benchmarks.paper._runs import complete

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from falcon_sc.benchmarks.images._clusterings import Outcome
    from falcon_sc.benchmarks.images._problem import Problem
    from falcon_sc.vision.datasets import ImageData


def run(
    *,
    data: Path | None = None,
    out: Path | None = None,
    seeds: int = 1,
    methods: Sequence[str] | None = None,
    setting: Setting | None = None,
    features: Sequence[Path] | None = None,
    encoder: str | None = None,
    epochs: int | None = None,
    device: str | None = None,
) -> pd.DataFrame:
    """Pretrain a backbone on CIFAR-100 without labels, then run every method on its features or from its weights.

    All methods get the same training images, their coarse labels and the total number of fine classes. An oracle is
    also told the number of fine classes of each coarse class, the bound the fine labels. FALCON with its prior for
    images shares the total out by the sizes of the coarse classes, which gives the true numbers here, so the oracle is
    K-Means with the same numbers; *prior for cells* does without. Methods that only cluster give a test image the
    class whose mean is nearest in the features. In the row *two taxonomies* every other training image is labeled by
    taxonomy T2 of the paper instead of T1 (algorithm E1), and the scores are those under T1.

    On a CPU the setting is reduced to end within 20 minutes a seed (it took 16 of one core): one part of the data (12,500
    training and 2,500 test images), a backbone of four convolutions with stride 2 and 128 features, 15 epochs of
    MoCo-v3 and 20 of discovery. On a GPU: all four parts, a ResNet-18, 200 and 100 epochs.

    With `features` or `encoder`: discovery on good features instead. Nothing but a head is trained, on features that
    stay as they are, and others are compared with it (`falcon_sc.benchmarks.images._frozen_methods.METHODS`). The
    encoders saw the labels of ImageNet, among which are many classes of CIFAR-100: not the setting of the paper.

    Parameters
    ----------
    data
        Folder with `cifar100_part0.npz` (to `cifar100_part3.npz`), see :func:`falcon_sc.vision.datasets.from_npz`.
    out
        Folder for `images_runs.csv`, a row a run, from which an interrupted run goes on, for the table, `images.csv` and
        `images.md`, and, if "falcon_sc" is among the methods, `images_confident.png` and `images_embedding.png` (figures
        3 and 2 of the paper, training images of the first seed). What is in the middle of a run goes on from the state in
        its folder `state`, which is removed at the end; seconds are those of all its parts. None: nothing is written.
    seeds
        Number of seeds, 0 to `seeds` - 1.
    methods
        Names of the methods to run, of those in `METHODS`, or on frozen features of those there. None: all of them.
    setting
        How much of the data, which backbone and how many epochs. None: `REDUCED` on a CPU, `FULL` on a GPU.
    features
        npz files with frozen features, parts of one data set: `features` (N, d), `coarse` and `fine` (N,), and perhaps
        `split` (N times "train" or "test"). `data` is not read.
    encoder
        Name of an encoder that makes such files of all `cifar100_part*.npz` in `data`, in the folder `features` in
        `out`, once: "efficientnet-lite0", "efficientnet-lite1" or "efficientnet-lite2", from packages of their own.
    epochs
        Of discovery, in place of those of the setting; on frozen features, of what trains on the batches of the paper
        (None: as many as give the steps that the baselines have from random weights; the paper has 100).
    device
        None: a GPU if there is one.

    Returns
    -------
    A row for each method and seed: the setting, ``kind`` ("method", "oracle" or "bound"), ``accuracy``,
    ``macro_accuracy`` and ``ari`` of the training images (per cent), ``inside_information`` and ``inside_ari``, the
    adjusted mutual information and Rand index inside a coarse class, mean over coarse classes (per cent; 0 for the coarse
    labels alone); the same of test images as ``test_...``, and where their coarse classes are known as ``known_...``; the
    graph edit distances ``ged_falcon``, ``ged_iso`` and ``ged_matched`` of M; ``seconds`` from the features to all labels.
    ``images_per_second`` (epochs x training images / ``seconds``, so the start counts as well) and those of the
    pretraining, ``pretraining_images_per_second``; on frozen features ``steps`` and ``relation_updates`` of what trains.
    A run that diverged has no scores, and says so in ``failed``.

    Raises
    ------
    ValueError
        If `data` is not given, ``seeds`` is less than 1, a method is unknown, a file of features does not hold what it
        should, or both `features` and `encoder` are given, or `encoder` without `out`.
    FileNotFoundError
        If a file of the setting is missing in `data`, or one of `features`.
    ImportError
        If the packages of the encoder are not installed.

    Examples
    --------
    >>> from falcon_sc.benchmarks.images import images
    >>> table = images.run(data="data", methods=["K-Means", "falcon_sc"])  # doctest: +SKIP
    """
    from pathlib import Path

    from falcon_sc.benchmarks.images._problem import prepare, read
    from falcon_sc.core.runtime.checkpoint import fingerprint
    from falcon_sc.core.runtime.device import resolve_device

    if features is not None or encoder is not None:
        return run_frozen(data, out, seeds, methods, features=features, encoder=encoder, epochs=epochs, device=device)
    check_asked(data, seeds)
    methods = methods_of(tuple(METHODS) if methods is None else methods, METHODS)
    where = resolve_device(device)
    setting = setting or (FULL if where.type == "cuda" else REDUCED)
    if epochs is not None:
        setting = replace(setting, epochs=check_int(epochs, "epochs"))
    train, test = read(Path(data), setting)  # type: ignore[arg-type]
    out = None if out is None else Path(out)
    state = None if out is None else out / "state"

    @lru_cache(maxsize=1)
    def problem_of(seed: int) -> Problem:
        problem = prepare(train, test, setting, seed, device=where, state=state)
        print(f"seed {seed}, pretraining: {problem.pretraining_seconds:.0f} s", flush=True)
        return problem

    def measure(method: str, seed: int) -> dict[str, Any]:
        problem = problem_of(seed)
        outcome, seconds = METHODS[method](problem)
        if out is not None and (method, seed) == ("falcon_sc", 0):
            _draw(train, outcome, out)
        speed = setting.epochs * len(train) / seconds if METHODS[method].trains else None
        return {
            "kind": METHODS[method].kind,
            **scores(outcome, train, test),
            "seconds": seconds,
            "images_per_second": speed,
            "pretraining_images_per_second": problem.pretraining_speed,
        }

    about = {"n_train": len(train), "n_test": len(test), **asdict(setting), "device": str(where)}
    about["data"] = fingerprint(train.images, train.fine, train.coarse, test.images)
    table = complete(None if out is None else out / "images_runs.csv", about, methods, seeds, measure)
    shown = by_method(table)
    print(_tables.to_markdown(shown))
    if out is not None and state is not None:
        _tables.save(shown, out, "images", about=_in_words(about, table))
        shutil.rmtree(state, ignore_errors=True)
    return table


def by_method(table: pd.DataFrame) -> pd.DataFrame:
    """Methods as rows; ACC / macro ACC / ARI of each split, edits, seconds and speeds: means, and the scores' spread."""
    import pandas as pd

    lines = []
    for name, part in table.groupby("method", sort=False):
        line = {"method": name, **means(part, columns_of(SCORES) | {"training, inside": INSIDE})}
        for kind in ("falcon", "iso", "matched"):
            line[f"edits, {kind}"] = float(part[f"ged_{kind}"].mean()) if f"ged_{kind}" in part else float("nan")
        line["seconds"] = float(part["seconds"].mean())
        line["images/s"] = float(part["images_per_second"].astype(float).mean())
        lines.append(line)
    return pd.DataFrame(lines)


def _in_words(about: Mapping[str, Any], table: pd.DataFrame) -> str:
    """What was run."""
    speed = table["pretraining_images_per_second"].mean()
    return (
        "ACC / macro ACC / ARI in per cent, {seeds} seed(s), on {device}: {n_train:,} training and {n_test:,} test images, "
        "backbone {backbone}, {pretraining_epochs} epochs of MoCo-v3 ({speed:,.0f} images/s), {epochs} of discovery."
    ).format(**about, seeds=table["seed"].nunique(), speed=speed)


def _draw(train: ImageData, outcome: Outcome, out: Path) -> None:
    import matplotlib.pyplot as plt
    import numpy as np

    from falcon_sc import pl

    model = outcome.model
    if model is None:
        return
    pl.confident_images(train.images, model.proba_, model.relation_, coarse_names=train.coarse_names)
    plt.savefig(out / "images_confident.png", dpi=120)
    plt.close()
    pl.embedding(model.embedding_, model.labels_, np.asarray(train.coarse_names)[train.coarse])
    plt.savefig(out / "images_embedding.png", dpi=120)
    plt.close()
