from __future__ import annotations

import numpy as np
import pytest
import torch

from falcon_sc.core.data.batches import as_samples
from falcon_sc.core.data.inputs import as_input


def test_read_only_arrays_make_no_noise():
    """What np.load(..., mmap_mode="r") and joblib hand out; a warning would be an error here."""
    X = np.ones((4, 3), dtype=np.float32)
    X.setflags(write=False)
    torch.set_warn_always(True)  # else once a process
    try:
        samples = as_samples(as_input(X), torch.device("cpu"))
    finally:
        torch.set_warn_always(False)
    assert samples.rows(torch.tensor([1])).tolist() == [[1.0, 1.0, 1.0]]
    assert not X.flags.writeable


def test_what_lies_under_a_mask_is_no_value():
    masked = np.ma.masked_array(np.ones((4, 3)), mask=np.eye(4, 3))
    with pytest.raises(ValueError, match="X is a masked array, and 3 of its values are masked: fill them first"):
        as_input(masked)
    assert type(as_input(np.ma.masked_array(np.ones((4, 3))))) is np.ndarray


def test_a_writable_matrix_is_not_copied():
    X = np.ones((4, 3), dtype=np.float32)
    assert as_input(X) is X
