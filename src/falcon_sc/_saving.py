"""The folder that a model is saved in: tried out before the run, and nothing is lost where it fails after it."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from falcon_sc._checks import check_writable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc.core.model import Falcon


_OF_ZARR = ("zarr.json", ".zgroup", ".zarray")


class ModelNotSavedError(OSError):
    """The folder of the model could be written before the run and cannot after it.

    Nothing is lost: `model` is fitted, and `adata`, if there is one, holds the labels.
    """

    def __init__(self, message: str, model: Falcon, adata: AnnData | None) -> None:
        super().__init__(message)
        self.model = model
        self.adata = adata

    def __reduce__(self) -> tuple[type[ModelNotSavedError], tuple[str, Falcon, AnnData | None]]:
        return type(self), (str(self), self.model, self.adata)  # so that it comes back from another process


def check_folders(save_model: str | Path | None, checkpoint: str | Path | None) -> tuple[Path | None, Path | None]:
    """The folders of the model and of the state of the run.

    Refused where it can be known that they cannot be written, or hold what is not ours.
    """
    from falcon_sc.core.runtime.checkpoint import RUN, START, TRAINING, check_is_of_a_run
    from falcon_sc.core.state.persistence import DESCRIPTION, WEIGHTS, check_replaceable

    def checked(path: str | Path | None, argument: str, *files: str) -> Path | None:
        if path is None:
            return None
        folder = check_writable(path, argument, folder=True, files=files)
        for place in (folder.resolve(), *folder.resolve().parents):
            if any((place / mark).exists() for mark in _OF_ZARR):
                msg = f"{argument}={str(path)!r} is in a zarr store, {str(place)!r}, which is no place for it: give another folder."
                raise ValueError(msg)
        return folder

    model_folder = checked(save_model, "save_model", WEIGHTS, DESCRIPTION)
    if model_folder is not None:
        check_replaceable(model_folder, "save_model")
    state_folder = checked(checkpoint, "checkpoint", RUN, START, TRAINING)
    if state_folder is not None:
        check_is_of_a_run(state_folder)
    return model_folder, state_folder


def check_outside(folders: Mapping[str, Path | None], outputs: Mapping[str, Path | None]) -> None:
    """Refuse a folder in what is written after it: a file or a store, which replaces all that is there by then.

    Both by the names of their arguments; None where there is none.
    """
    for (argument, folder), (other, output) in product(folders.items(), outputs.items()):
        if folder is None or output is None:
            continue
        place = folder.resolve()
        if output.resolve() in (place, *place.parents):
            msg = (
                f"{argument}={str(folder)!r} is or lies in {other}={str(output)!r}, which is written as a whole and would "
                "replace it: give another folder."
            )
            raise ValueError(msg)


def save_fitted(model: Falcon, folder: Path, *, labels: str, adata: AnnData | None = None) -> None:
    """Save the model, the last thing of a run; `labels` says where those are by then.

    Raises
    ------
    ModelNotSavedError
        Whatever the reason; it has the model and `adata`.
    """
    try:
        model.save(folder)
    except Exception as error:
        msg = (
            f"save_model={str(folder)!r} could not be written after the run ({error}). Nothing is lost: the labels are "
            f"in {labels}, and error.model.save('another folder') saves the model of this error, which in a notebook "
            "is sys.last_value."
        )
        raise ModelNotSavedError(msg, model, adata) from error
