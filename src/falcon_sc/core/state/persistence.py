"""A fitted model as two files, tensors and JSON, that hold no code."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews
from falcon_sc.core.data.labels import listed
from falcon_sc.core.data.projection import Projection
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.runtime.files import as_path, write_tensors, write_whole
from falcon_sc.core.runtime.surroundings import undisturbed
from falcon_sc.core.state.decisions import Decision
from falcon_sc.core.state.fitted import Fitted
from falcon_sc.core.state.refinement import Refinement
from falcon_sc.core.training.networks import build_classifier, build_mlp_classifier

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from torch import nn

    from falcon_sc.core.data.batches import Views

WEIGHTS, DESCRIPTION = "weights.pt", "model.json"
_FORMAT = 4  # raised when an older reader would misread the files
_READABLE = (2, 3, 4)  # 2: no tree, an output for each fine class; 3: no refinements
_CLASSIFIER = "classifier."


def write(path: str | Path, fitted: Fitted, metadata: dict[str, Any]) -> None:
    """Write `weights.pt` and `model.json` to the folder `path`, unless these are there and of another program."""
    check_replaceable(path)
    if as_path(path).is_file():
        msg = f"path={str(path)!r} is a file, and a model is saved as a folder: give another path."
        raise NotADirectoryError(msg)
    tensors = {_CLASSIFIER + name: value.cpu() for name, value in fitted.classifier.state_dict().items()}
    tensors["relation"] = torch.from_numpy(fitted.relation)
    if fitted.projection is not None:
        tensors["projection.mean"] = torch.from_numpy(fitted.projection.mean)
        tensors["projection.components"] = torch.from_numpy(np.ascontiguousarray(fitted.projection.components))
    for column, refinement in fitted.refinements.items():
        tensors |= _tensors_of(column, refinement)
    description = {
        "format": _FORMAT,
        "falcon_sc": version("falcon-sc"),
        "n_features": fitted.n_features,
        "feature_names": None if fitted.feature_names is None else fitted.feature_names.tolist(),
        "config": fitted.config.to_dict(),
        "coarse_names": list(fitted.taxonomy.names),
        "datasets": list(fitted.taxonomy.datasets),
        "dataset_of_column": fitted.taxonomy.dataset_of_column.tolist(),
        "projection_scale": None if fitted.projection is None else fitted.projection.scale,
        "history": {name: values.tolist() for name, values in fitted.history.items()},
        "solver": fitted.solver,
        "network": type(fitted.classifier.backbone).__name__ if fitted.own_network else None,
        "views": None if isinstance(fitted.views, SameViews) else type(fitted.views).__name__,
        "class_of_output": None if fitted.class_of_output is None else fitted.class_of_output.tolist(),
        "refined": {str(column): own.class_of_output.tolist() for column, own in fitted.refinements.items()},
        "decisions": _plain_decisions(fitted.decisions),
        "metadata": metadata,
    }
    text = json.dumps(description, default=_plain, indent=1)
    folder = as_path(path)
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / WEIGHTS, tensors)
    _write_description(folder, text)


def check_replaceable(path: str | Path, argument: str = "path") -> None:
    """A saved model may be written over, files of other programs may not.

    Raises
    ------
    ValueError
        If the folder holds such a file under the name of one of ours.
    """
    folder = as_path(path)
    there = [name for name in (WEIGHTS, DESCRIPTION) if (folder / name).exists()]
    if there and not _is_ours(path, there):
        msg = (
            f"{argument}={str(path)!r} holds {listed(there)}, which falcon_sc did not write: give another folder, or "
            "delete that first."
        )
        raise ValueError(msg)


def _is_ours(path: str | Path, there: list[str]) -> bool:
    """Whether the files are of a saved model; a save that was killed leaves the tensors alone."""
    try:
        if DESCRIPTION in there:
            return "falcon_sc" in dict(json.loads((as_path(path) / DESCRIPTION).read_text(encoding="utf-8")))
        return "relation" in _read_tensors(path)
    except (ValueError, TypeError):
        return False


def write_decisions(path: str | Path, decisions: Iterable[Decision]) -> None:
    """Put these decisions, which include the earlier ones, in the place of those of a saved model."""
    description = describe(path) | {"decisions": _plain_decisions(decisions)}
    _write_description(as_path(path), json.dumps(description, indent=1))


def write_refined(path: str | Path, column: int, refinement: Refinement, decisions: Iterable[Decision]) -> None:
    """Give a coarse class of a saved model other outputs, and the model these decisions, which include the earlier ones."""
    description = describe(path)
    refined = description.get("refined", {}) | {str(column): refinement.class_of_output.tolist()}
    description |= {"format": _FORMAT, "refined": refined, "decisions": _plain_decisions(decisions)}
    write_tensors(as_path(path) / WEIGHTS, _read_tensors(path) | _tensors_of(column, refinement))
    _write_description(as_path(path), json.dumps(description, indent=1))


def read_decisions(description: dict[str, Any]) -> tuple[Decision, ...]:
    """The decisions in what :func:`describe` gives."""
    return tuple(Decision(kind, names) for kind, names in description["decisions"])


def _plain_decisions(decisions: Iterable[Decision]) -> list[Any]:
    return [[decision.kind, dict(decision.names)] for decision in decisions]


def _write_description(folder: Path, text: str) -> None:
    write_whole(folder / DESCRIPTION, lambda beside: beside.write_text(text, encoding="utf-8"))


def describe(path: str | Path, what: str | None = None) -> dict[str, Any]:
    """What :func:`write` wrote of the model beside its tensors; `what`: the folder, as errors call it.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no model, or one that this version cannot read.
    """
    folder = as_path(path)
    what = f"path={str(path)!r}" if what is None else what
    if not (folder / DESCRIPTION).is_file():
        msg = f"{what} holds no saved Falcon: there is no model.json in it."
        raise FileNotFoundError(msg)
    try:
        description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except ValueError as error:
        raise _broken(what, DESCRIPTION, error) from error
    if description.get("format") not in _READABLE:
        msg = (
            f"{what} was saved by falcon_sc {description.get('falcon_sc')} in format "
            f"{description.get('format')}; this version reads formats {', '.join(map(str, _READABLE))}. Fit and save the model again."
        )
        raise ValueError(msg)
    return description


@undisturbed()
def read(
    path: str | Path, device: torch.device, network: nn.Module | None, views: Views | None
) -> tuple[Fitted, dict[str, Any]]:
    """Read what :func:`write` wrote: the model, on `device`, and the metadata."""
    description = describe(path)
    for argument, given in (("network", network), ("views", views)):
        _check_given(path, argument, given, description.get(argument))
    tensors = _read_tensors(path)
    config = FalconConfig.from_dict(description["config"])
    projection, n_inputs = None, description["n_features"]
    if description["projection_scale"] is not None:
        components = tensors["projection.components"].numpy()
        projection = Projection(tensors["projection.mean"].numpy(), components, description["projection_scale"])
        n_inputs = components.shape[1]
    n_fine, undrawn = len(tensors["relation"]), torch.Generator()
    if network is None:
        classifier = build_mlp_classifier(n_inputs, n_fine, config, undrawn)
    else:
        classifier = build_classifier(network, n_fine, undrawn)
    weights = {k.removeprefix(_CLASSIFIER): v for k, v in tensors.items() if k.startswith(_CLASSIFIER)}
    classifier.load_state_dict(weights)
    names, leaves = description["feature_names"], description.get("class_of_output")
    fitted = Fitted(
        config=config,
        device=device,
        n_features=description["n_features"],
        feature_names=None if names is None else np.asarray(names),
        projection=projection,
        classifier=classifier.to(device).eval(),
        views=views or SameViews(),
        taxonomy=Taxonomy(
            tuple(description["coarse_names"]),
            tuple(description["datasets"]),
            np.asarray(description["dataset_of_column"], dtype=np.int64),
        ),
        relation=tensors["relation"].numpy(),
        history={name: np.asarray(values) for name, values in description["history"].items()},
        solver=description["solver"],
        own_network=network is not None,
        class_of_output=None if leaves is None else np.asarray(leaves, dtype=np.int64),
        decisions=read_decisions(description),
        refinements={
            int(column): _refinement_of(tensors, int(column), classes)
            for column, classes in description.get("refined", {}).items()
        },
    )
    return fitted, description["metadata"]


def _tensors_of(column: int, refinement: Refinement) -> dict[str, torch.Tensor]:
    own = {"weight": refinement.weight, "bias": refinement.bias}
    return {f"refined.{column}.{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in own.items()}


def _refinement_of(tensors: dict[str, torch.Tensor], column: int, classes: list[int]) -> Refinement:
    weight, bias = (tensors[f"refined.{column}.{name}"].numpy() for name in ("weight", "bias"))
    return Refinement(weight, bias, np.asarray(classes, dtype=np.int64))


def _read_tensors(path: str | Path) -> dict[str, torch.Tensor]:
    try:
        tensors: dict[str, torch.Tensor] = torch.load(as_path(path) / WEIGHTS, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # of a damaged file torch says many things, IndexError for one
        what = f"path={str(path)!r}"
        raise _broken(what, WEIGHTS, error) from error
    return tensors


def _broken(what: str, name: str, error: Exception) -> ValueError:
    return ValueError(
        f"{what}: {name!r} in it cannot be read ({type(error).__name__}: it may be cut short, or of "
        "another program). Copy the folder again, or fit and save the model again."
    )


def _check_given(path: str | Path, argument: str, given: object, saved: str | None) -> None:
    """Modules and views are code, which is not saved: whoever loads the model brings what it was fitted with."""
    if saved is not None and given is None:
        msg = f"path={str(path)!r} was fitted with {argument} of its own ({saved}): load it with {argument}=... of that kind."
        raise ValueError(msg)
    if saved is None and given is not None:
        msg = f"path={str(path)!r} was fitted without {argument} of its own: leave {argument} out."
        raise ValueError(msg)


def _plain(value: Any) -> Any:
    """Numpy scalars as plain numbers."""
    return value.item()
