from __future__ import annotations

import subprocess
import sys

import pytest

from tests.torchrun import FOR_EVER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks, and the OpenMP of GNU, are the way of Linux")

# OpenMP keeps its threads after a parallel sum, and those of the parent are not there in a forked child. One script:
# loading the libraries is what takes its time.
SCRIPT = """
import multiprocessing, os, warnings
os.environ |= {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}  # two threads, also where the cores are busy
warnings.simplefilter("ignore")  # of Python, about forks
import numpy as np
import torch
import falcon_sc as fsc
from falcon_sc import Falcon, FalconConfig
from falcon_sc.baselines import FairKMeans

torch.set_num_threads(2)
X = np.random.default_rng(0).normal(size=(600, 8)).astype(np.float32)
coarse = np.repeat(["a", "b"], 300)
adata = fsc.datasets.simulate(160, 60, n_coarse=2, n_fine=4, rng=3, gini=0.2)
config = FalconConfig(start="random", max_epochs=1, batch_size=512, n_jobs=2)

def fit():
    return Falcon(4, config, device="cpu", progress_bar=False).fit(X, coarse).labels_

def predict():
    return model.predict(X)

def cluster():
    return FairKMeans({"a": 2, "b": 1}).fit(X, coarse).labels_

def genes():
    fsc.pp.select_genes(adata, n_top_genes=20)
    return adata.var["falcon_highly_variable"].to_numpy()

def graph():
    fsc.pp.neighbors_within(adata, "coarse", n_neighbors=5)

def forked(function):
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(function)

torch.ones(10**6).sum()
cluster()
model = Falcon(4, config, device="cpu", progress_bar=False).fit(X, coarse)
for function in (fit, predict, cluster, genes):
    np.testing.assert_array_equal(forked(function), function())
    print(function.__name__, flush=True)
for function in (genes, graph):  # now the parent has had threads of numba
    try:
        forked(function)
    except RuntimeError as error:
        print(error, flush=True)
"""


def test_a_forked_process_computes_or_says_why_it_cannot() -> None:
    """Torch and scikit-learn on one thread, to the same labels (pytorch#17199); without numba (umap#707).

    A process that waits for threads that it lost waits for ever, and so does the pool for one that numba ended.
    """
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=FOR_EVER, check=True)
    *same, genes, graph = done.stdout.splitlines()
    assert same == ["fit", "predict", "cluster", "genes"]
    assert genes.startswith("Choosing genes (scanpy) needs the threads of numba, which this process lost")
    assert graph.startswith("The graph of UMAP needs the threads of numba, which this process lost")
    assert "multiprocessing.get_context('spawn')" in genes
