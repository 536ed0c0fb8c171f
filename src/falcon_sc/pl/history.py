"""How the training went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from falcon_sc.pl._classes import check_holds, read_about
from falcon_sc.pl._style import GRID, QUIET, ink, quiet, scaled

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.figure import Figure

# name in the history -> label with the equation of the paper; the regularizer is eq. 9 only with a uniform prior
_LOSSES = {
    "loss": "total (eq. 10)",
    "loss_coarse": "coarse (eq. 3)",
    "loss_nn": "neighbors (eq. 4)",
    "loss_conf": "confidence (eq. 6)",
    "loss_reg": "regularizer",
}


def history(adata: AnnData, *, key: str = "falcon") -> Figure:
    """Draw the losses, the number of fine classes in use and the changes of the relation, by epoch.

    .. image:: /_static/pl/history.png
        :alt: Three curves over the epochs: losses, fine classes in use, and changes of the relation

    A run is in order when the total loss levels off, all fine classes stay in use and the relation
    has stopped changing.

    Parameters
    ----------
    adata
        Annotated data, after :func:`falcon_sc.tl.discover`.
    key
        Its `key_added`.

    Returns
    -------
    The figure, with three panels. Nothing is written to `adata`.

    Raises
    ------
    KeyError
        Nothing was discovered under `key`, or its history is gone.
    TypeError
        `adata` is no AnnData, or `key` no name.

    Examples
    --------
    >>> import falcon_sc as fsc
    >>> adata = fsc.datasets.pbmc68k_reduced()
    >>> fsc.tl.discover(adata, coarse_key="coarse", n_fine=10, max_epochs=5, progress_bar=False)
    >>> figure = fsc.pl.history(adata)
    """
    import matplotlib.pyplot as plt

    about = read_about(adata, key)
    if "history" not in about:
        msg = (
            f"adata.uns[{key!r}] holds no history: it was removed, or left out by anndata.concat because the runs of "
            "the parts differ. Draw the history of each part before they are joined."
        )
        raise KeyError(msg)
    needed = ("epoch", "n_used", "relation_changes", *_LOSSES)
    again = "anndata.concat drops what differs between the parts. Draw the history of each part before they are joined"
    check_holds(about["history"], needed, f"adata.uns[{key!r}]['history']", again)
    values = {name: np.asarray(series) for name, series in about["history"].items()}
    epoch = values["epoch"]
    figure, (losses, used, changes) = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
    for name, label in _LOSSES.items():
        losses.plot(epoch, values[name], label=label, linewidth=2.5 if name == "loss" else 1.2)
    losses.legend(frameon=False, fontsize=scaled(7), labelcolor=ink(losses, inside=True))
    losses.set_title("loss", loc="left", color=ink(losses))
    n_fine = about.get("params", {}).get(
        "n_fine", len(about["fine_names"])
    )  # of the run: classes may have been merged since
    used.axhline(n_fine, color=QUIET, linestyle="--", linewidth=1)
    used.plot(epoch, values["n_used"], color="C2", linewidth=2)
    used.set(ylim=(0, n_fine * 1.08))
    used.set_title(f"fine classes in use (of {n_fine})", loc="left", color=ink(used))
    changes.plot(epoch, values["relation_changes"], color="C4", linewidth=2)
    changes.set_title("fine classes that changed parent", loc="left", color=ink(changes))
    changes.yaxis.get_major_locator().set_params(integer=True)
    for ax in (losses, used, changes):
        ax.set_xlabel("epoch")
        ax.grid(**GRID)
        quiet(ax)
    return figure
