"""The folder that a model is saved in: tried out before the run, and nothing is lost where it fails after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from falcon_sc._checks import check_writable

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from falcon_sc.core.model import Falcon


class ModelNotSavedError(OSError):
    """The folder of the model could be written before the run and cannot after it.

    Nothing is lost: `model` is fitted, and `adata`, if there is one, holds the labels.
    """

    def __init__(self, message: str, model: Falcon, adata: AnnData | None) -> None:
        super().__init__(message)
        self.model = model
        self.adata = adata


def check_folders(save_model: str | Path | None, checkpoint: str | Path | None) -> tuple[Path | None, Path | None]:
    """The folders of the model and of the state of the run; refused where it can be known that they cannot be written."""
    from falcon_sc.core.runtime.checkpoint import RUN, START, TRAINING
    from falcon_sc.core.state.persistence import DESCRIPTION, WEIGHTS

    def checked(path: str | Path | None, argument: str, *files: str) -> Path | None:
        return None if path is None else check_writable(path, argument, folder=True, files=files)

    model_folder = checked(save_model, "save_model", WEIGHTS, DESCRIPTION)
    return model_folder, checked(checkpoint, "checkpoint", RUN, START, TRAINING)


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
