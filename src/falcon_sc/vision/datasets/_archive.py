"""Files of other people: fetched, checked against a known checksum, and unpickled without running what they hold."""

from __future__ import annotations

import hashlib
import io
import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# All that pickled arrays need. numpy.core is the name of numpy._core when the archives were written.
_ALLOWED = {
    ("numpy", "dtype"),
    ("numpy", "ndarray"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


def fetch(url: str, path: Path, *, sha256: str, progress_bar: bool) -> None:
    """Download a file of known SHA-256; the path comes into being only when the whole file is there and right."""
    from torch.hub import download_url_to_file

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        download_url_to_file(url, str(path), hash_prefix=sha256, progress=progress_bar)
    except (RuntimeError, OSError) as error:  # another checksum; no connection
        msg = f"{url} could not be downloaded ({error}): try again, or put the file there yourself: {path}."
        raise OSError(msg) from error


def check_file(path: Path, algorithm: str, expected: str) -> None:
    """Refuse a file whose checksum is not the one of the official file."""
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
    if checksum != expected:
        msg = (
            f"{str(path)!r} has the {algorithm} checksum {checksum}, the official file has {expected}: "
            "it is damaged or another file. Delete it and fetch it again."
        )
        raise ValueError(msg)


def unpickle(content: bytes) -> Any:
    """Plain Python objects and numpy arrays; a pickle that asks for anything else is refused."""
    return _Unpickler(io.BytesIO(content), encoding="latin1").load()  # latin1: arrays written by Python 2


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            msg = f"the pickle asks for {module}.{name}, which no table of images needs: the file is not to be trusted."
            raise pickle.UnpicklingError(msg)
        # the present name, as numpy warns about the former one
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)
