"""State of a run on disk, so that a killed one goes on where it was and ends with the same labels."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch

from falcon_sc.core.runtime.files import write_tensors, write_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger(__name__)

RUN, START, TRAINING = "run.json", "start.npz", "training.pt"
PARTS = "start"  # folder
FORMAT = 6  # of what is kept, and of how it is computed: a run that began otherwise would end as no version would
_SECONDS_BETWEEN_WRITES = 20.0
_DESCRIBING = Lock()  # threads of the start come at the same time; not in `Checkpoint`, which is sent between processes


class Checkpoint:
    """A folder with `run.json` (what run it is), `start.npz` (the start) and `training.pt` (the last epoch).

    Until the start is done, the folder `start` holds the parts of it that are.

    `run.json` also holds the seconds that led to what is kept; what an interruption lost is lost with its time.

    Parameters
    ----------
    folder
        Made if it is not there.
    fingerprint
        Identifies data and settings; see :func:`fingerprint`.
    seconds_between_writes
        A finished epoch is written when this long has passed since the last one was.

    Raises
    ------
    ValueError
        If the folder holds a run of other data, settings or another version, or does not say of which run it is.
    """

    def __init__(self, folder: Path, fingerprint: str, seconds_between_writes: float = _SECONDS_BETWEEN_WRITES) -> None:
        check_is_of_a_run(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._interval = seconds_between_writes
        self._last_write = self._opened = time.monotonic()
        self._fingerprint = fingerprint
        self._keeps_parts = True
        self._seconds_before = seconds_spent(folder)
        kept = _about_run(folder)
        if kept is not None:
            if kept.get("format") != FORMAT:
                msg = (
                    f"checkpoint={str(folder)!r} was written by another version of falcon_sc, which computes otherwise. "
                    "Give another folder, or delete this one to start afresh."
                )
                raise ValueError(msg)
            if kept["fingerprint"] != fingerprint:
                msg = (
                    f"checkpoint={str(folder)!r} holds a run on other data, with other settings or another seed. "
                    "Give another folder, or delete this one to start afresh."
                )
                raise ValueError(msg)
        else:
            self._describe(0.0)

    def load_start(self) -> dict[str, np.ndarray[Any, Any]] | None:
        """Arrays of the start, if it was finished."""
        return _read(self._folder, START, _read_arrays)

    def save_start(self, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        """Keep the arrays of the start; its parts are not needed any more."""
        if self._keep(lambda: _write_arrays(self._folder / START, arrays)):
            shutil.rmtree(self._folder / PARTS, ignore_errors=True)

    def load_part(self, name: str) -> dict[str, np.ndarray[Any, Any]] | None:
        """Arrays of a part of the start, if it was finished."""
        return _read(self._folder, f"{PARTS}/{name}.npz", _read_arrays)

    def save_part(self, name: str, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
        """Keep the arrays of a part of the start; where that failed once, it is not tried again."""

        def write() -> None:
            (self._folder / PARTS).mkdir(exist_ok=True)
            _write_arrays(self._folder / PARTS / f"{name}.npz", arrays)

        if self._keeps_parts:
            self._keeps_parts = self._keep(write)

    def load_training(self, device: torch.device) -> dict[str, Any] | None:
        """State of the last epoch that was written."""

        def read(path: Path) -> dict[str, Any]:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
            return state

        return _read(self._folder, TRAINING, read)

    def is_due(self) -> bool:
        """Whether the next finished epoch should be written."""
        return time.monotonic() - self._last_write >= self._interval

    def save_training(self, state: dict[str, Any]) -> None:
        """Keep the state of a finished epoch."""
        self._keep(lambda: write_tensors(self._folder / TRAINING, state))
        self._last_write = time.monotonic()

    def _keep(self, write: Callable[[], None]) -> bool:
        """The run is worth more than its state: where that cannot be written any more, the run goes on."""
        try:
            write()
            with _DESCRIBING:
                self._describe(self._seconds_before + time.monotonic() - self._opened)
        except OSError as error:
            logger.warning(
                "checkpoint=%r cannot be written any more (%s): the run goes on without", str(self._folder), error
            )
            return False
        return True

    def _describe(self, seconds: float) -> None:
        about = {"format": FORMAT, "fingerprint": self._fingerprint, "seconds": seconds}
        write_whole(self._folder / RUN, lambda path: path.write_text(json.dumps(about)))


def check_is_of_a_run(folder: Path) -> None:
    """Without `run.json` a state may be that of any run, and the folder `start`, which is cleared away, anybody's.

    Raises
    ------
    ValueError
        Names what is there.
    """
    there = [name for name in (START, TRAINING, PARTS) if (folder / name).exists()]
    if there and not (folder / RUN).exists():
        msg = (
            f"checkpoint={str(folder)!r} holds {', '.join(map(repr, there))} but no {RUN!r}, which would say of which run: give another "
            "folder, or delete that first."
        )
        raise ValueError(msg)


def _write_arrays(target: Path, arrays: dict[str, np.ndarray[Any, Any]]) -> None:
    def write(path: Path) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    write_whole(target, write)


def _read_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with path.open("rb") as file:
        return dict(np.load(file, allow_pickle=False))


def seconds_spent(folder: Path) -> float:
    """Seconds that led to what is kept in the folder of a checkpoint, in all processes that worked on it in turn."""
    kept = _about_run(folder)
    return 0.0 if kept is None else float(kept.get("seconds", 0.0))


def _about_run(folder: Path) -> dict[str, Any] | None:
    def read(path: Path) -> dict[str, Any]:
        about = dict(json.loads(path.read_text()))
        about["fingerprint"]  # in every file of ours
        return about

    return _read(folder, RUN, read)


def _read[T](folder: Path, name: str, read: Callable[[Path], T]) -> T | None:
    """What a file of the folder holds; None where there is no such file."""
    if not (folder / name).exists():
        return None
    try:
        return read(folder / name)
    except Exception as error:  # of a damaged file torch and numpy say many things
        msg = (
            f"checkpoint={str(folder)!r}: {name!r} in it cannot be read ({type(error).__name__}: it may be cut short). "
            "Give another folder, or delete this one to start afresh."
        )
        raise ValueError(msg) from error


def fingerprint(*parts: Any) -> str:
    """Digest of arrays, sparse matrices and plain values."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        if sp.issparse(part):
            csr = part.tocsr()
            arrays = [csr.indptr, csr.indices, csr.data]
        elif isinstance(part, np.ndarray) and part.dtype != object:
            arrays = [part]
        else:
            digest.update(repr(part).encode())
            continue
        for array in arrays:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
