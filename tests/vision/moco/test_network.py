from __future__ import annotations

import numpy as np
import pytest
import torch

from falcon_sc.vision.moco.network import MoCo, contrastive_loss, key_momentum
from tests.vision.networks import Tiny


def _slow_loss(queries: np.ndarray, keys: np.ndarray, temperature: float) -> float:
    """2 tau CE, a query at a time, in float64."""
    total = 0.0
    for i, query in enumerate(queries):
        similarities = [query @ key / np.sqrt((query @ query) * (key @ key)) for key in keys]
        exponentials = [np.exp(similarity / temperature) for similarity in similarities]
        total -= np.log(exponentials[i] / sum(exponentials))
    return 2 * temperature * total / len(queries)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_loss(rng: np.random.Generator, device: torch.device, temperature: float) -> None:
    queries, keys = rng.normal(size=(2, 7, 5))
    found = contrastive_loss(*(torch.tensor(part, device=device) for part in (queries, keys)), temperature)
    assert float(found) == pytest.approx(_slow_loss(queries, keys, temperature), rel=1e-5)


def _moco() -> MoCo:
    generator = torch.Generator().manual_seed(0)
    return MoCo(Tiny(), temperature=0.2, generator=generator, n_hidden=12, n_out=6)


def _views() -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.rand(2, 8, 3, 8, 8, generator=torch.Generator().manual_seed(1)).unbind())


def test_symmetric_loss_of_two_views() -> None:
    moco, (first, second) = _moco(), _views()
    with torch.no_grad():
        queries = [moco.predictor(moco.projector(moco.encoder(view))).double().numpy() for view in (first, second)]
        moco.key_encoder.convolution.weight *= -1  # keys that are not the queries' own network
        keys = [moco.key_projector(moco.key_encoder(view)).double().numpy() for view in (first, second)]
    expected = _slow_loss(queries[0], keys[1], 0.2) + _slow_loss(queries[1], keys[0], 0.2)
    assert float(moco(first, second, 1.0).detach()) == pytest.approx(expected, rel=1e-5)


def test_keys_follow_and_take_no_gradient() -> None:
    moco = _moco()
    before = moco.key_encoder.convolution.weight.clone()
    with torch.no_grad():
        moco.encoder.convolution.weight += 1
    moco(*_views(), 0.75).backward()
    torch.testing.assert_close(moco.key_encoder.convolution.weight, before + 0.25)
    trained = {name.split(".")[0] for name, parameter in moco.named_parameters() if parameter.grad is not None}
    assert trained == {"encoder", "projector", "predictor"}
    assert moco.encoder.convolution.weight.grad.abs().max() > 0


def test_heads_are_those_of_the_paper() -> None:
    moco = MoCo(Tiny(), temperature=0.2, generator=torch.Generator().manual_seed(0))
    shapes = {name: tuple(tensor.shape) for name, tensor in moco.named_parameters() if "key" not in name}
    assert shapes["projector.0.weight"] == (4096, 16)
    assert shapes["projector.3.weight"] == (256, 4096)
    assert shapes["predictor.0.weight"] == (4096, 256)
    assert shapes["predictor.3.weight"] == (256, 4096)
    assert not any(name.endswith("0.bias") or name.endswith("3.bias") or ".4." in name for name in shapes)
    with torch.no_grad():  # the projector ends with a normalization that has no weights
        out = moco.projector(torch.randn(64, 16, generator=torch.Generator().manual_seed(1)))
    torch.testing.assert_close(out.mean(0), torch.zeros(256), atol=1e-5, rtol=0)


def test_weights_come_from_the_generator() -> None:
    before = torch.get_rng_state()
    one, other = _moco().state_dict(), _moco().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), before)


def test_momentum_of_the_keys() -> None:
    assert key_momentum(0, 0.99) == pytest.approx(0.99)
    assert key_momentum(0.5, 0.99) == pytest.approx(0.995)
    assert key_momentum(1, 0.99) == pytest.approx(1)
