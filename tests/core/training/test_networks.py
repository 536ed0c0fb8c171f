from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import as_samples
from falcon_sc.core.training.networks import InputLinear, build_mlp_classifier


def _classifier(config: FalconConfig, seed: int = 0):
    return build_mlp_classifier(20, 5, config, torch.Generator().manual_seed(seed))


def test_paper_network_is_four_relu_layers_and_a_linear_head():
    classifier = _classifier(FalconConfig.paper())
    names = [type(layer).__name__ for layer in classifier.backbone]
    assert names == ["InputLinear", "ReLU"] + ["UndrawnLinear", "ReLU"] * 3
    assert classifier.head.weight.shape == (5, 64)
    assert classifier(torch.zeros(3, 20)).shape == (3, 5)


def test_weights_come_from_the_generator_alone():
    before = torch.random.get_rng_state()
    one, same, other = (_classifier(FalconConfig(), seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator is the user's"


def test_sparse_rows_give_the_values_and_gradients_of_dense_rows(device):
    X = sp.random(30, 20, density=0.2, format="csr", dtype=np.float32, random_state=0)
    index = torch.tensor([3, 3, 29, 0, 11], device=device)
    results = []
    for matrix in (X.toarray(), X, X.tocsc()):
        layer = InputLinear(20, 4)
        with torch.no_grad():
            layer.weight.copy_(torch.linspace(-1, 1, 80).view(20, 4))
            layer.bias.fill_(0.5)
        layer.to(device)
        out = layer(as_samples(matrix, device).rows(index))
        (out**2).sum().backward()
        results.append((out, layer.weight.grad, layer.bias.grad))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_an_empty_row_is_a_row_of_zeros(batch_norm):
    X = sp.csr_array((3, 20), dtype=np.float32)
    classifier = _classifier(FalconConfig(batch_norm=batch_norm)).eval()
    rows = as_samples(X, torch.device("cpu")).rows(torch.tensor([0, 2]))
    torch.testing.assert_close(classifier(rows), classifier(torch.zeros(2, 20)))
