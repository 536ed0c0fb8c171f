"""CIFAR-100 and the two unbalanced versions of the paper: CIFAR68 and CIFAR-SI (section 4.1, appendix F)."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc.vision.datasets._archive import check_file, fetch, unpickle
from falcon_sc.vision.datasets._image_data import ImageData
from falcon_sc.vision.datasets._splits import Split, check_split, first_of_each_class, parts_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
ARCHIVE, FOLDER = "cifar-100-python.tar.gz", "cifar-100-python"
SHA256 = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"
# of the files in the archive
MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}

# Appendix F. The archive says maple_tree where the paper says maple.
REMOVED_FROM_CIFAR68 = (
    *("apple", "baby", "beetle", "bottle", "boy", "camel", "can", "chimpanzee", "clock", "couch", "crocodile", "crab"),
    *("dolphin", "lamp", "leopard", "lobster", "maple_tree", "mountain", "mouse", "mushroom", "pear", "plate", "rose"),
    *("seal", "streetcar", "tank", "tiger", "tractor", "train", "turtle", "wardrobe", "whale"),
)

# Figure F1: how many of the 500 training images of each fine class, in alphabetical order, CIFAR-SI keeps; the
# exact numbers are those of the published data loader. Of the test images it keeps a fifth as many.
KEPT_IN_CIFAR_SI = np.array(
    [
        *(286, 309, 249, 306, 353, 423, 343, 475, 442, 428, 368, 289, 173, 238, 210, 305, 328, 282, 399, 345),
        *(429, 420, 282, 264, 436, 223, 194, 318, 422, 226, 295, 187, 485, 200, 250, 411, 380, 327, 262, 236),
        *(480, 458, 247, 424, 459, 353, 418, 166, 163, 377, 196, 362, 374, 200, 387, 449, 158, 316, 263, 207),
        *(487, 168, 440, 168, 467, 349, 346, 166, 419, 242, 249, 195, 342, 216, 214, 317, 298, 403, 213, 346),
        *(227, 494, 492, 272, 489, 434, 359, 350, 327, 410, 445, 364, 323, 161, 382, 403, 250, 325, 295, 180),
    ]
)


def cifar100(
    root: str | Path, *, split: Split = "train", download: bool = False, progress_bar: bool = True
) -> ImageData:
    """CIFAR-100: 60,000 images of 32 x 32, 20 coarse classes (taxonomy T1) with 5 fine classes each.

    The Python version of the archive is read, packed or unpacked; nothing is written unless it is downloaded. Files
    are read only if they are the official ones, by checksum, and unpickled by a reader that knows arrays alone.

    Parameters
    ----------
    root
        A folder that holds ``cifar-100-python.tar.gz`` or the unpacked ``cifar-100-python``, or one of these two.
    split
        ``"train"``: the official 50,000 images. ``"train90"`` and ``"val"``: the first 450 and the last 50 of each
        fine class of these, the paper's training and validation images (Table F1). ``"test"``: the official 10,000.
        ``"all"``: training images, then test images.
    download
        Fetch the archive (161 MiB) into `root` if it is not there.
    progress_bar
        Whether the download shows its progress.

    Returns
    -------
    Images uint8, N x 32 x 32 x 3, in the order of the archive, with fine and coarse labels and their official names.

    Raises
    ------
    FileNotFoundError
        If there is nothing to read in `root` and `download` is off.
    ValueError
        If `split` is none of these, or a file has another checksum than the official one.
    OSError
        If the download fails, or what came has another checksum.

    Examples
    --------
    >>> from falcon_sc.vision.datasets import cifar100
    >>> train = cifar100("data", split="train90", download=True)  # doctest: +SKIP
    """
    check_split(split)
    source = _source(Path(root).expanduser(), download=download, progress_bar=progress_bar)
    tables, meta = _read(source, parts_of(split))
    return _chosen_images(tables, meta, split)


def cifar68(
    root: str | Path, *, split: Split = "train", download: bool = False, progress_bar: bool = True
) -> ImageData:
    """CIFAR68: CIFAR-100 without the 32 fine classes of appendix F, so that coarse classes have 2 to 5 fine classes.

    Parameters
    ----------
    root, split, download, progress_bar
        As for :func:`cifar100`. The paper's training, validation and test images are 30,600, 3,400 and 6,800.

    Returns
    -------
    Images uint8, N x 32 x 32 x 3, of 20 coarse and 68 fine classes.

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        As :func:`cifar100`.

    Examples
    --------
    >>> from falcon_sc.vision.datasets import cifar68
    >>> train = cifar68("data", split="train90", download=True)  # doctest: +SKIP
    """
    return cifar100(root, split=split, download=download, progress_bar=progress_bar).without(REMOVED_FROM_CIFAR68)


def cifar_si(
    root: str | Path, *, split: Split = "train", download: bool = False, progress_bar: bool = True
) -> ImageData:
    """CIFAR-SI: CIFAR-100 with up to 70 % of the images of each fine class removed (section 4.1, figure F1).

    The first images of each class stay, in the order of the archive: 158 to 494 of 500 for training, and the same
    share of 100 for testing. Which share was drawn at random by the authors, once; these are their numbers.

    Parameters
    ----------
    root, split, download, progress_bar
        As for :func:`cifar100`; the split into 90 % and 10 % follows the removal. The paper's training, validation
        and test images are 29,014, 3,268 and 6,415 (29K, 3.2K and 6.4K in Table F1).

    Returns
    -------
    Images uint8, N x 32 x 32 x 3, of 20 coarse and 100 fine classes.

    Raises
    ------
    FileNotFoundError, ValueError, OSError
        As :func:`cifar100`.

    Examples
    --------
    >>> from falcon_sc.vision.datasets import cifar_si
    >>> train = cifar_si("data", split="train90", download=True)  # doctest: +SKIP
    """
    check_split(split)
    source = _source(Path(root).expanduser(), download=download, progress_bar=progress_bar)
    kept = {"train": KEPT_IN_CIFAR_SI, "test": KEPT_IN_CIFAR_SI // 5}
    tables, meta = _read(source, parts_of(split))
    for part, table in tables.items():
        rows = first_of_each_class(table["fine_labels"], kept[part])
        tables[part] = {key: column[rows] for key, column in table.items()}
    return _chosen_images(tables, meta, split)


def _source(root: Path, *, download: bool, progress_bar: bool) -> Path:
    """The unpacked folder or else the archive; it is fetched if it may be."""
    for folder in (root, root / FOLDER):
        if all((folder / part).is_file() for part in MD5):
            return folder
    archive = root if root.is_file() else root / ARCHIVE
    if not archive.is_file():
        if not download:
            msg = (
                f"root={str(root)!r} holds neither {ARCHIVE} nor the folder {FOLDER} with "
                f"{', '.join(MD5)}: give their folder, or pass download=True."
            )
            raise FileNotFoundError(msg)
        fetch(URL, archive, sha256=SHA256, progress_bar=progress_bar)
    return archive


def _read(source: Path, parts: Iterable[str]) -> tuple[dict[str, dict[str, NDArray[Any]]], Any]:
    """The tables of these parts, and what the archive says about the classes."""
    contents = _unpacked(source, [*parts, "meta"]) if source.is_dir() else _packed(source, [*parts, "meta"])
    meta = contents.pop("meta")
    columns = ("data", "fine_labels", "coarse_labels")
    return {part: {key: np.asarray(contents[part][key]) for key in columns} for part in parts}, meta


def _unpacked(folder: Path, names: list[str]) -> dict[str, Any]:
    for name in names:
        check_file(folder / name, "md5", MD5[name])
    return {name: unpickle((folder / name).read_bytes()) for name in names}


def _packed(path: Path, names: list[str]) -> dict[str, Any]:
    check_file(path, "sha256", SHA256)
    contents = {}
    with tarfile.open(path) as archive:
        for member in archive:  # in their order: going back in a gzip file means to start anew
            name = member.name.removeprefix(f"{FOLDER}/")
            if name in names and (file := archive.extractfile(member)) is not None:
                contents[name] = unpickle(file.read())
    return contents


def _chosen_images(tables: dict[str, dict[str, NDArray[Any]]], meta: Any, split: Split) -> ImageData:
    """The images of a split, out of the parts that were read."""
    in_test = np.concatenate([np.full(len(table["data"]), part == "test") for part, table in tables.items()])
    pixels, fine, coarse = (
        np.concatenate([table[key] for table in tables.values()]) for key in ("data", "fine_labels", "coarse_labels")
    )
    rows = rows_of(split, fine, in_test)
    # a row of the archive: 1024 red values, then green, then blue
    images = np.ascontiguousarray(pixels[rows].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return ImageData(
        images, fine[rows], coarse[rows], tuple(meta["fine_label_names"]), tuple(meta["coarse_label_names"])
    )
