"""Tables 2, 3 and H1 to H4 of the paper for images: every system on one of its eight data sets."""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from falcon_sc._checks import check_int, listed
from falcon_sc.benchmarks import _tables
from falcon_sc.benchmarks._asked import methods_of
from falcon_sc.benchmarks._runs import kept
from falcon_sc.benchmarks.paper._image_sets import PRESETS, SETS
from falcon_sc.benchmarks.paper._layout import all_data_sets, beside_the_paper
from falcon_sc.benchmarks.paper._on_images import AT_RANDOM, SYSTEMS, Images, Keeping
from falcon_sc.benchmarks.paper._runs import complete, scores
from falcon_sc.core.runtime.files import as_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from torch import nn

    from falcon_sc.benchmarks.paper._image_sets import ImageSet

_NOT_PRETRAINED = (
    "The backbone begins at random weights, as no pretrained ones were given. The paper's begins at those of MoCo-v3: "
    "these figures are not to be compared with its figures."
)
_STATE, _MODELS = "state", "models"  # folders
_ROWS = {name: name for name in SYSTEMS}  # the paper calls them the same


def run(
    *,
    dataset: str | None = None,
    root: Path | None = None,
    pretrained: Path | None = None,
    preset: str = "paper",
    methods: Sequence[str] = tuple(SYSTEMS),
    seeds: int = 3,
    epochs: int | None = None,
    backbone: str | nn.Module | None = None,
    size: int | None = None,
    out: Path | None = None,
    device: str | None = None,
) -> pd.DataFrame:
    """Run every system with every seed on the training images, score it on the test images, the paper beside it.

    As in the paper: its split, a ResNet-18 for CIFAR and a ResNet-50 for the others, from the same weights for all
    systems, whose features before any training give the neighbors; one network, optimizer and number of epochs for
    all that trains. Every system is told the number of fine classes and predicts without the coarse ones. Below its
    systems: clusterings inside each coarse class, of 50 principal components of the features; test images get the
    class of most of the nearest training images.

    Parameters
    ----------
    dataset
        Name in `SETS`.
    root
        Folder of the official files. CIFAR: ``cifar-100-python.tar.gz`` or what is in it. The others: ``imagenet`` with
        ``train/<wnid>`` and ``val/<wnid>``, or these two themselves; beside it ``imagenet_class_hierarchy/modified``
        of BREEDS-Benchmarks, or ``tiered_imagenet_split`` of few-shot-ssl-public.
    pretrained
        Weights to begin with, as :func:`falcon_sc.vision.load_pretrained` reads them. None: random ones, which says
        nothing about the paper.
    preset
        Settings of all that trains: "paper", its text; "published", its code; "ours", the defaults of
        :func:`falcon_sc.vision.discover`.
    methods
        Names in `SYSTEMS`.
    seeds
        Number of seeds, 0 to `seeds` - 1.
    epochs
        In place of those of the preset, to try things out.
    backbone, size
        In place of the paper's: as for :func:`falcon_sc.vision.discover`, and the side of the views in pixels.
    out
        Folder for ``paper.csv`` (a row a run, of all data sets), ``paper_<dataset>.csv`` and ``.md`` (systems as rows,
        each score beside the paper's) and ``paper_tables.csv`` and ``.md`` (the layout of tables 2 and 3: all data sets
        in the folder that were run with this preset). Runs that are in ``paper.csv`` are not run again, and an
        interrupted one of FALCON goes on from its state; its models are kept in ``models``, one for each setting and
        seed, for `bench figures`. None: nothing is written.
    device
        None: a GPU if there is one.

    Returns
    -------
    A row for each run: what was run (``dataset``, ``preset``, ``backbone``, ``weights``, ``size``, ``epochs``,
    ``iterations``, ``n_train``, ``n_test``, ``method``, ``seed``); ``accuracy``, ``ari``, ``macro_accuracy`` (per
    cent); ``ged`` (as published) and ``ged_matched`` of those that learn relations; ``classes_used``; ``seconds``
    from the features on; ``device``; and ``failed``, which is missing unless the run diverged.

    Raises
    ------
    ValueError
        If a name is unknown, a number is less than 1, or the files or weights are not what they should be.
    FileNotFoundError
        If files or weights are missing.
    ImportError
        If Leiden is asked for and not installed.

    Examples
    --------
    >>> from falcon_sc.benchmarks.paper import paper
    >>> table = paper.run(dataset="cifar68", root="data", pretrained="resnet18.pt", out="results")  # doctest: +SKIP
    """
    for name, value in {"seeds": seeds, "epochs": epochs, "size": size}.items():
        if value is not None:
            check_int(value, name)
    methods = methods_of(methods, SYSTEMS)
    chosen, folder = _checked(dataset, root, pretrained, preset)
    config = chosen.config(preset, size or chosen.size)
    images = Images.of(
        chosen.read(folder, chosen.train),
        chosen.read(folder, "test"),
        config if epochs is None else replace(config, max_epochs=epochs),
        size=size or chosen.size,
        backbone=backbone or chosen.backbone,
        pretrained=None if pretrained is None else as_path(pretrained),
        device=device,
    )
    setting = _setting(str(dataset), preset, images)
    print(_in_words(setting), flush=True)
    out = None if out is None else as_path(out)
    table = complete(_runs_file(out), setting, methods, seeds, _measurement(images, setting, out))
    beside = beside_the_paper(table, str(dataset), _ROWS)
    print(_tables.to_markdown(beside))
    if out is not None:
        _tables.save(beside, out, f"paper_{dataset}", about=_in_words(setting))
        _save_together(table, setting, out)
        with suppress(OSError):  # not made, or others have left something there
            (out / _STATE).rmdir()
    return table


def _checked(dataset: str | None, root: Path | None, pretrained: Path | None, preset: str) -> tuple[ImageSet, Path]:
    """The data set and its folder, once all names and paths are known to be right."""
    if dataset not in SETS:
        msg = f"dataset must be one of {listed(SETS)}, found {dataset!r}."
        raise ValueError(msg)
    if preset not in PRESETS:
        msg = f"preset must be one of {listed(PRESETS)}, found {preset!r}."
        raise ValueError(msg)
    if root is None:
        msg = "root is not given: name the folder of the official files."
        raise ValueError(msg)
    for name, path in {"root": root, "pretrained": pretrained}.items():
        if path is not None and not as_path(path).exists():
            msg = f"{name}={str(path)!r} is not there."
            raise FileNotFoundError(msg)
    return SETS[dataset], as_path(root)


def _measurement(images: Images, setting: Mapping[str, Any], out: Path | None) -> Callable[[str, int], dict[str, Any]]:
    """What measures a system with a seed. Weights that do not fit the backbone are refused at once."""
    begin = lru_cache(maxsize=1)(images.begin)
    begin(0)
    digest = hashlib.sha256(str(setting).encode()).hexdigest()[:8]

    def measure(method: str, seed: int) -> dict[str, Any]:
        beginning = begin(seed if images.at_random else 0)
        _ = beginning.features  # not in the time of the system that comes first
        began = time.perf_counter()
        keeping = None if out is None else _keeping(out, method, f"{digest}-{seed}", setting)
        result = SYSTEMS[method](beginning, seed, keeping)
        seconds = time.perf_counter() - began
        found = scores(result, images.test.fine, images.train.relation)
        return found | {"seconds": seconds, "device": str(images.device)}

    return measure


def _keeping(out: Path, method: str, run: str, setting: Mapping[str, Any]) -> Keeping:
    model = out / _MODELS / "{dataset}-{preset}-{run}".format(run=run, **setting)
    return Keeping(out / _STATE / f"{method}-{run}", model)


def _runs_file(out: Path | None) -> Path | None:
    return None if out is None else out / "paper.csv"


def _setting(dataset: str, preset: str, images: Images) -> dict[str, Any]:
    """What was run, but for system and seed."""
    epochs, n_train = images.config.n_epochs(len(images.train)), len(images.train)
    return {
        "dataset": dataset,
        "preset": preset,
        "backbone": images.backbone if isinstance(images.backbone, str) else type(images.backbone).__name__,
        "weights": images.weights,
        "size": images.views.size,
        "epochs": epochs,
        "iterations": epochs * images.config.iterations_per_epoch(n_train),
        "n_train": n_train,
        "n_test": len(images.test),
    }


def _in_words(setting: Mapping[str, Any]) -> str:
    text = (
        "{dataset}, test images. Preset {preset}: {epochs} epochs of {n_train:,} training images, {iterations:,} iterations; "
        "{n_test:,} test images; views of {size} pixels; backbone {backbone}, weights: {weights}."
    ).format(**setting)
    return f"{text} {_NOT_PRETRAINED}" if setting["weights"] == AT_RANDOM else text


def _save_together(table: pd.DataFrame, setting: Mapping[str, Any], out: Path) -> None:
    """The runs at hand, and what the folder has of other data sets: of each what was run last with this preset."""
    import pandas as pd

    columns = list(setting)
    rows = pd.DataFrame(kept(_runs_file(out)))
    others = rows[(rows["dataset"] != setting["dataset"]) & (rows["preset"] == setting["preset"])]
    others = others.merge(others.drop_duplicates("dataset", keep="last")[columns])
    together = table if others.empty else pd.concat([others, table])
    about = [
        _in_words({str(k): v for k, v in row.items()}) for row in together[columns].drop_duplicates().to_dict("records")
    ]
    _tables.save(all_data_sets(together, _ROWS), out, "paper_tables", about="\n\n".join(about))
