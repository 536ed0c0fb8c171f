"""What is said about an argument on the command line is said about an option, in its spelling."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from falcon_sc._cli import cut, discover, predict, refine
from falcon_sc._cli.spelling import Spelling

if TYPE_CHECKING:
    from types import ModuleType

COMMANDS = ("discover", "cut", "refine", "predict")


@pytest.mark.parametrize(
    ("command", "message", "spelled"),
    [
        (discover, "coarse_key='n_fine=3' is not a column", "--coarse-key='n_fine=3' is not a column"),
        (discover, "n_fine=2 leaves 1: change n_fine or fixed.", "--n-fine=2 leaves 1: change --n-fine or --fixed."),
        (discover, "fixed['T cell']=99 must be from 1 to 3", "--fixed='T cell=99' must be from 1 to 3"),
        (discover, "key_added='x' and rng=3 and lr=0", "--key-added='x' and --seed=3 and --lr=0"),
        (discover, "the values of layer and lr", "the values of layer and lr"),
        (discover, "layer must be text; layer is", "--layer must be text; layer is"),
        (discover, "adata.obs['n_fine'] of estimate_n_fine", "adata.obs['n_fine'] of estimate_n_fine"),
        (
            cut,
            "run falcon_sc.tl.discover again with fixed={'T cell': 6}.",
            "run falcon-sc discover again with --fixed='T cell=6'.",
        ),
        (
            cut,
            "run falcon_sc.tl.discover(adata, ..., key_added='a') first",
            "run falcon-sc discover --key-added='a' first",
        ),
        (cut, "give model='a', or falcon_sc.tl.rename", "give --model='a', or falcon_sc.tl.rename"),
        (refine, "name='NK' is no coarse class, and the name", "--class='NK' is no coarse class, and the name"),
        (predict, "path='nowhere' holds no saved Falcon", "--model='nowhere' holds no saved Falcon"),
        (
            predict,
            "missing_genes='fill' stops; scanpy's values='counts'",
            "--missing-genes='fill' stops; scanpy's --values='counts'",
        ),
        (
            predict,
            "or delete that first: adata.uns['falcon'].pop('tree').",
            "or delete that first: in Python adata.uns['falcon'].pop('tree').",
        ),
        (discover, "call adata.obs_names_make_unique() first", "call in Python adata.obs_names_make_unique() first"),
        (
            discover,
            "first: adata.obs.loc[adata.obs['a'].isin(['']), 'a'] = None. adata.obs['a'] = adata.obs['a'].astype(str)",
            "first: in Python adata.obs.loc[adata.obs['a'].isin(['']), 'a'] = None. "
            "in Python adata.obs['a'] = adata.obs['a'].astype(str)",
        ),
        (
            discover,
            "(adata.X = adata.X.tocsr() in memory), or call adata = adata.to_memory().",
            "(in Python adata.X = adata.X.tocsr() in memory), or call in Python adata = adata.to_memory().",
        ),
        (refine, "del adata.uns['a']['params']['b'].", "in Python del adata.uns['a']['params']['b']."),
        (discover, "adata.X holds adata.obs['a'], adata.raw", "adata.X holds adata.obs['a'], adata.raw"),
    ],
    ids=str,
)
def test_arguments_are_options(command: ModuleType, message: str, spelled: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_options(parser)
    assert Spelling(parser, COMMANDS, getattr(command, "CALLED_OTHERWISE", {}))(message) == spelled
