from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset

from falcon_sc.core.data.batches import Samples
from falcon_sc.vision import image_samples


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (7, 12, 10, 3), dtype=np.uint8)


def test_an_array_lives_on_the_device_channels_first(images, device):
    samples = image_samples(images, device=device)
    assert isinstance(samples, Samples)
    assert (len(samples), samples.shape, samples.n_features) == (7, (3, 12, 10), 360)
    rows = samples.rows(torch.tensor([6, 2], device=device))
    assert rows.dtype == torch.uint8
    assert rows.device.type == device.type
    np.testing.assert_array_equal(rows.cpu(), images[[6, 2]].transpose(0, 3, 1, 2))


def test_images_without_color_get_three_channels(images):
    rows = image_samples(images[..., 0], device="cpu").rows(torch.tensor([3]))
    np.testing.assert_array_equal(rows[0], np.repeat(images[3, ..., 0][None], 3, axis=0))


@pytest.mark.parametrize(
    "wrong", [np.zeros((3, 8, 8, 3)), np.zeros((3, 8, 8, 4), np.uint8), np.zeros((3, 8), np.uint8)]
)
def test_another_shape_or_type_is_refused(wrong):
    with pytest.raises(ValueError, match="images must be uint8, N x H x W x 3 or N x H x W, found"):
        image_samples(wrong, device="cpu")


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="images must be a uint8 array, paths of files or a torch Dataset, found int"):
        image_samples(7)


class _Photographs(Dataset):
    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        return Image.fromarray(self.images[i]), 5  # with a label, which is left out


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # torch, on a machine with one core
@pytest.mark.parametrize("n_workers", [0, 2])
def test_files_are_resized_and_their_middle_kept(tmp_path, n_workers):
    """Left half black, right half white: the middle square keeps both, at any size."""
    paths = []
    for i, (height, width) in enumerate([(20, 40), (40, 20), (64, 64)]):
        image = np.zeros((height, width, 3), dtype=np.uint8)
        image[:, width // 2 :] = 255
        Image.fromarray(image).save(tmp_path / f"{i}.png")
        paths.append(str(tmp_path / f"{i}.png"))
    samples = image_samples(np.asarray(paths), size=16, device="cpu", n_workers=n_workers)
    before = torch.get_rng_state()
    batches = list(samples.stream([torch.tensor([2, 0]), torch.tensor([1])]))
    assert torch.equal(torch.get_rng_state(), before)
    again = list(samples.stream([torch.tensor([1])]))  # the workers are still there
    assert [len(batch) for batch in batches] == [2, 1]
    assert torch.equal(batches[1], again[0])
    assert torch.equal(batches[1], samples.rows(torch.tensor([1])))
    for row in torch.cat(batches):
        assert row.shape == (3, 16, 16)
        assert row[:, :, :6].max() == 0
        assert row[:, :, 10:].min() == 255


def test_a_torch_data_set_is_read(images):
    samples = image_samples(_Photographs(images), size=10, device="cpu", n_workers=0)
    (rows,) = samples.stream([torch.tensor([4])])
    np.testing.assert_array_equal(rows[0], images[4, 1:11].transpose(2, 0, 1))  # 12 x 10: the middle rows


def test_read_only_images_make_no_noise() -> None:
    images = np.full((2, 4, 4, 3), 7, dtype=np.uint8)
    images.setflags(write=False)
    torch.set_warn_always(True)  # else once a process
    try:
        samples = image_samples(images, device=torch.device("cpu"))
    finally:
        torch.set_warn_always(False)
    assert samples.rows(torch.tensor([0])).unique().tolist() == [7]


def test_a_file_that_is_not_there_is_known_before_any_work(tmp_path) -> None:
    there = tmp_path / "a.png"
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(there)
    with pytest.raises(FileNotFoundError, match=r"images: there is no file '.*b\.png'"):
        image_samples([there, tmp_path / "b.png", there], device="cpu")
