"""The encoder of scVI: trained on counts, it gives the latent space. What scvi-tools sets for all is put back."""

from __future__ import annotations

import logging
import os
import random
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from numpy.typing import NDArray

_LOGGERS = ("scvi", "lightning.pytorch", "lightning.fabric")


@dataclass(frozen=True)
class Encoder:
    """A trained model of scvi-tools."""

    model: Any
    n_genes: int

    @classmethod
    def train(
        cls,
        counts: Any,
        batch: NDArray[np.int64],
        *,
        n_latent: int,
        n_epochs: int | None,
        device: torch.device,
        seed: int,
        progress_bar: bool,
    ) -> Self:
        """On counts, (N, genes), dense or CSR, with the batch of each sample, (N,).

        Raises
        ------
        FloatingPointError
            If the training diverges, here or in :meth:`latent`.
        """
        with _nothing_left_behind(seed):
            from scvi.model import SCVI

            adata = _annotated(counts, batch)
            SCVI.setup_anndata(adata, batch_key="batch")
            model = SCVI(adata, n_latent=n_latent)
            # without a logger: that of scvi-tools 1.4 writes into the working directory
            model.train(n_epochs, **_place(device), enable_progress_bar=progress_bar, logger=False)
        return cls(model, counts.shape[1])

    def latent(self, counts: Any) -> NDArray[np.float32]:
        """Means of the latent variables, (N, n_latent); scVI's encoder does not read the batch."""
        first = np.zeros(counts.shape[0], dtype=np.int64)
        with _nothing_left_behind(0):
            return np.asarray(self.model.get_latent_representation(_annotated(counts, first)), dtype=np.float32)


def check_installed(what: str) -> None:
    """Without importing it, which takes seconds."""
    if find_spec("scvi") is None:
        msg = f"{what} needs scvi-tools: pip install 'falcon-sc[scvi]'."
        raise ImportError(msg)


def _annotated(counts: Any, batch: NDArray[np.int64]) -> Any:
    import pandas as pd
    from anndata import AnnData

    names = pd.RangeIndex(len(batch)).astype(str)
    return AnnData(counts, obs=pd.DataFrame({"batch": pd.Categorical(batch)}, index=names))


def _place(device: torch.device) -> dict[str, Any]:
    """A device in the words of lightning."""
    if device.type == "cuda":
        return {"accelerator": "gpu", "devices": [device.index or 0]}
    return {"accelerator": device.type, "devices": 1}


@contextmanager
def _nothing_left_behind(seed: int) -> Iterator[None]:
    """A seed for scvi-tools and a quiet log; afterwards generators, settings, log levels and environment are as before."""
    import scvi

    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels, environment = [logger.level for logger in loggers], dict(os.environ)  # a seed is left there, and flags
    of_numpy, of_python, of_scvi = np.random.get_state(), random.getstate(), scvi.settings.seed  # noqa: NPY002
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    # they warn of data loaders and of each other: what a user can mend was refused before
    with warnings.catch_warnings(action="ignore"), torch.random.fork_rng():
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            scvi.settings.seed = seed
            yield
        except ValueError as error:
            if "satisfy the constraint" not in str(error):  # a distribution of torch with NaN for its parameters
                raise
            msg = "the training of scVI diverged: look for cells or genes with extreme counts, or take another seed."
            raise FloatingPointError(msg) from error
        finally:
            scvi.settings.seed = of_scvi  # seeds all generators, if it is a number: they come after it
            np.random.set_state(of_numpy)  # noqa: NPY002
            random.setstate(of_python)
            cudnn.deterministic, cudnn.benchmark = flags
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
            for name in set(os.environ) - set(environment):
                del os.environ[name]
            os.environ.update(environment)
