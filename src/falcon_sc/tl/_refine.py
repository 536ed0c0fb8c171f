"""One coarse class of a result found again, deeper, and put into the object and its models; the others stay."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from falcon_sc._checks import listed, of_pandas
from falcon_sc._embeddings import COLUMNS, embedding_columns
from falcon_sc._expression import read_expression
from falcon_sc._kinds import advised
from falcon_sc._labels import read_batch
from falcon_sc.core.data.rows import in_memory
from falcon_sc.core.state.decisions import from_table
from falcon_sc.pl._classes import coarse_names_now
from falcon_sc.pl._style import chosen_colors
from falcon_sc.tl._decide import codes_of
from falcon_sc.tl._inputs import read_features, read_start
from falcon_sc.tl._models import followers
from falcon_sc.tl._new_values import read_new_values
from falcon_sc.tl._params import with_keywords
from falcon_sc.tl._refined_slots import cells_of, refined_slots
from falcon_sc.tl._training_values import TrainingValues
from falcon_sc.tl._tree import read_found, read_leaves
from falcon_sc.tl._write import put_all

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData
    from scipy import sparse

    from falcon_sc.core.config import FalconConfig
    from falcon_sc.core.model import Falcon
    from falcon_sc.tl._coarse_names import CoarseNames
    from falcon_sc.tl._models import Follower

_HYPERPARAMETERS = ("start_n_genes", "start_max_cells", "start_n_repeats", "leaves_per_class")


def coarse_class(name: object, about: Mapping[str, Any], names: CoarseNames) -> int:
    """The column of M that is called so."""
    place = names.columns([str(name)], "name")[0]
    if place < 0:
        msg = f"name={name!r} is no coarse class here; there are {listed(names.now)}."
        fine = [str(own) for own in about["fine_names"]]
        if str(name) in fine:
            parent = names.now[int(np.asarray(about["M"])[fine.index(str(name))].argmax())]
            msg += f" It is a fine class of {parent!r}, which can be refined as a whole."
        raise ValueError(msg)
    return int(place)


def refined(
    adata: AnnData,
    key: str,
    column: int,
    n_fine: int,
    *,
    model: Falcon | str | Path | None,
    rng: int | np.random.Generator | None,
    progress_bar: bool,
) -> None:
    """See :func:`falcon_sc.tl.refine`; all is written at the end."""
    about = adata.uns[key]
    params = dict(about["params"])
    found, classes = read_found(adata, about, key), read_leaves(about, key)
    codes = codes_of(adata, key, classes)
    tree = found.tree
    assert tree is not None
    cells = cells_of(found, column)
    _check_number(n_fine, int(cells.sum()), coarse_names_now(adata, key)[column])
    genes = _genes(adata, key, params)
    earlier = from_table(about["decisions"]) if "decisions" in about else ()
    following = followers(params, earlier, model, key=key, needed=True)
    for own in following:
        _check_features(own.feature_names(), adata, genes, key)
    batch = _check_there(adata, params)
    for own in following:
        _check_columns(own.metadata.get(COLUMNS), adata, params)

    from falcon_sc.core.data.taxonomy import Taxonomy
    from falcon_sc.core.fitting.refine import refine

    known = found.labels >= 0
    with advised(_how_to_put_back(params)):
        start_input, _ = read_start(
            adata,
            known=known,
            layer=params.get("layer"),
            use_rep=params.get("use_rep"),
            batch=batch,
            values=params.get("values"),
            genes=genes,
        )
        features = _features(adata, genes, params, following)
    names = tuple(str(own) for own in about["coarse_names"])
    result = refine(
        start_input,
        tree.leaf_coarse[found.labels[known]],
        column,
        n_fine,
        features=features[cells],
        taxonomy=Taxonomy(names, (0,), np.zeros(len(names), dtype=np.int64)),
        config=_config(params),
        rng=rng,
        progress_bar=progress_bar,
    )
    decision, slots = refined_slots(
        adata, key, column, result, features=features, found=found, classes=classes, codes=codes
    )
    change = ((*earlier, decision), (column, result.refinement))
    then = [partial(own.follow, *change) for own in following]
    put_all(adata, key, slots, then=then, chosen=chosen_colors(adata, key))


def _features(
    adata: AnnData, genes: np.ndarray | None, params: Mapping[str, Any], following: list[Follower]
) -> np.ndarray | sparse.csr_matrix:
    """What the network reads of all cells: also where the matrix was normalized since, the values it was trained on."""
    layer, use_rep, values = (params.get(name) for name in ("layer", "use_rep", "values"))
    trained = TrainingValues.of_model(following[0]) if following else None
    if genes is None or trained is None or trained.kind == "continuous":
        return read_features(adata, genes, layer, use_rep, values)
    expression = read_expression(adata, layer, values, announce=False)
    if "lognorm" not in (trained.kind, expression.kind):  # counts, as they were
        return in_memory(expression.log_normalized(genes))
    return in_memory(read_new_values(adata, layer, values, np.flatnonzero(genes), following[0])[0])


def _check_number(n_fine: int, n_cells: int, name: str) -> None:
    from falcon_sc.core.start.input import most_classes

    most = int(most_classes(np.array([n_cells]))[0])
    if n_fine > most:
        msg = f"n_fine={n_fine}: {name!r} has {n_cells} cells here, and can have at most {most} fine classes."
        raise ValueError(msg)


def _genes(adata: AnnData, key: str, params: Mapping[str, Any]) -> np.ndarray | None:
    """The genes that the network reads (bool, n_vars); None for an embedding."""
    if params.get("use_rep") is not None:
        return None
    mark = f"{key}_highly_variable"
    if mark not in adata.var:
        msg = (
            f"adata.var[{mark!r}], which says what genes the network reads, is missing: put it back (anndata.concat keeps "
            "it with merge='same'), or run falcon_sc.tl.discover again."
        )
        raise KeyError(msg)
    return of_pandas(adata.var[mark]).to_numpy(dtype=bool)


def _check_features(known: list[str] | None, adata: AnnData, genes: np.ndarray | None, key: str) -> None:
    """The model reads what will be read here."""
    here = None if genes is None else [str(name) for name in adata.var_names[genes]]
    if known != here:
        msg = (
            f"the genes that are marked in adata.var['{key}_highly_variable'] are not those that the model reads, in its order: "
            "give adata the genes back that falcon_sc.tl.discover had."
        )
        raise ValueError(msg)


def _check_columns(known: list[str] | None, adata: AnnData, params: Mapping[str, Any]) -> None:
    """The same of an embedding that is a table."""
    use_rep = params.get("use_rep")
    here = None if known is None else embedding_columns(adata, str(use_rep))
    if here is not None and here != known:
        msg = (
            f"the columns of adata.obsm[{use_rep!r}] are not those that the model reads, in its order: give it the columns "
            "back that falcon_sc.tl.discover had."
        )
        raise ValueError(msg)


def _check_there(adata: AnnData, params: Mapping[str, Any]) -> np.ndarray | None:
    """What `discover` read is there; returns the batches."""
    use_rep, layer, batch_key = (params.get(name) for name in ("use_rep", "layer", "batch_key"))
    missing = None
    if use_rep is not None:
        missing = None if use_rep in adata.obsm else f"adata.obsm[{use_rep!r}]"
    elif layer is not None:
        missing = None if layer in adata.layers else f"adata.layers[{layer!r}]"
    elif adata.X is None:
        missing = "adata.X"
    if batch_key is not None and batch_key not in adata.obs:
        missing = f"adata.obs[{batch_key!r}]"
    if missing is not None:
        msg = f"{missing}, which falcon_sc.tl.discover read, is missing: refine reads it again. Put it back first."
        raise KeyError(msg)
    return None if batch_key is None else read_batch(adata, batch_key)


def _how_to_put_back(params: Mapping[str, Any]) -> str:
    layer = params.get("layer")
    place = "adata.X" if layer is None else f"adata.layers[{layer!r}]"
    return (
        "refine reads again what falcon_sc.tl.discover read. Put that back first, for instance from adata.raw, "
        f"{place} = adata.raw[:, adata.var_names].X, or from a layer."
    )


def _config(params: Mapping[str, Any]) -> FalconConfig:
    """The hyperparameters of the start."""
    known = {name: int(params[name]) for name in _HYPERPARAMETERS if name in params}
    return with_keywords(None, **known)
