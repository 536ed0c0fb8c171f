from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tqdm.auto import tqdm

from falcon_sc.core import relations
from falcon_sc.core.config import FalconConfig
from falcon_sc.core.data.batches import SameViews, as_samples, head
from falcon_sc.core.data.neighbors import neighbors_within_classes
from falcon_sc.core.data.taxonomy import Taxonomy
from falcon_sc.core.runtime.threads import threads_for_batches
from falcon_sc.core.training.data import TrainingData
from falcon_sc.core.training.networks import build_mlp_classifier
from falcon_sc.core.training.trainer import Trainer
from tests.core.planted import planted

CONFIG = FalconConfig(
    start="random", n_pcs=None, n_neighbors=8, max_epochs=4, batch_size=64, n_hidden=16, relation_interval=3
)


def make_trainer(config=CONFIG, *, seed=0, labels=False, dataset=None, device="cpu", views=None, view_seed=0):
    data = planted()
    device = torch.device(device)
    taxonomy = Taxonomy.of(data.coarse, dataset)
    codes = taxonomy.encode(data.coarse, dataset)
    n_fine = len(data.parent)
    training = TrainingData(
        as_samples(data.X, device),
        codes,
        neighbors_within_classes(data.X, codes, config.n_neighbors).indices,
        taxonomy,
        data.fine if labels else None,
        views or SameViews(),
    )
    rng = np.random.default_rng(seed)
    blocks = [relations.random_relation(n_fine, b.stop - b.start, 0.1, rng) for b in taxonomy.blocks]
    relation = np.hstack(blocks)
    if labels:
        relation = np.eye(taxonomy.n_coarse, dtype=np.uint8)[data.parent]
    classifier = build_mlp_classifier(data.X.shape[1], n_fine, config, torch.Generator().manual_seed(seed))
    generator = torch.Generator(device).manual_seed(seed)
    return Trainer(training, classifier.to(device), relation, config, generator, view_seed=view_seed)


def _weights(trained):
    return torch.cat([p.detach().flatten().cpu() for p in trained.classifier.parameters()])


def test_same_seed_same_weights(device):
    one, same, other = (make_trainer(seed=seed, device=device).run() for seed in (0, 0, 1))
    if device.type == "cpu":
        assert torch.equal(_weights(one), _weights(same))
    else:
        torch.testing.assert_close(_weights(one), _weights(same), rtol=1e-3, atol=1e-4)
    assert not torch.equal(_weights(one), _weights(other))
    np.testing.assert_array_equal(one.relation, same.relation)


def test_losses_fall_and_the_relation_stays_feasible():
    config = dataclasses.replace(CONFIG, max_epochs=60, lambda_3=2.0)
    trained = make_trainer(config).run()
    history = trained.history
    assert history["loss_coarse"][-1] < 0.3 * history["loss_coarse"][0]
    assert history["loss_nn"][-1] < history["loss_nn"][0]
    assert trained.relation.sum(axis=1).tolist() == [1] * 6  # eq. 15
    assert (trained.relation.sum(axis=0) >= 1).all()
    assert len(history["loss"]) == 60
    assert (history["n_used"] <= 6).all()


def test_the_teacher_is_the_moving_average_of_the_student():
    """Eq. 5, against a loop over the weights that were recorded after each step."""
    config = dataclasses.replace(CONFIG, max_epochs=1, gamma=0.8)
    trainer = make_trainer(config)
    learner = trainer.learner
    average = {k: v.clone().double() for k, v in learner.student.named_parameters()}
    descend = learner.descend

    def record(loss, progress):
        descend(loss, progress)
        for name, value in learner.student.named_parameters():
            average[name] = 0.8 * average[name] + 0.2 * value.detach().double()

    learner.descend = record
    trainer.run()
    for name, value in learner.teacher.named_parameters():
        torch.testing.assert_close(value.double(), average[name], rtol=1e-4, atol=1e-6)


def test_the_relation_is_solved_from_the_last_batches_of_the_teacher(monkeypatch):
    """C = Y^T P over the last P batches (eq. 12), as mean joint mass."""
    costs = []
    solve = relations.solve

    def record(cost, lam, **options):
        costs.append((cost, lam))
        return solve(cost, lam, **options)

    config = dataclasses.replace(CONFIG, max_epochs=1, relation_interval=2)
    trainer = make_trainer(config)
    monkeypatch.setattr(relations, "solve", record)
    masses = []
    iterate = trainer.iterate

    def watch(batch, rows, used):
        with torch.no_grad():
            p = trainer.learner.teacher(head(rows, 64)).softmax(dim=1).double().numpy()
        masses.append(p.T @ np.eye(3)[trainer._codes[batch.index].numpy()])
        return iterate(batch, rows, used)

    trainer.iterate = watch
    trainer.run()
    assert len(costs) == len(masses) // 2
    np.testing.assert_allclose(costs[0][0], (masses[0] + masses[1]) / (2 * 64), atol=1e-6)


def test_the_warm_up_learns_the_labels_of_the_start():
    config = dataclasses.replace(
        CONFIG, start="consensus", max_epochs=30, warmup_iterations=90, lambda_2=0.0, lambda_3=0.0
    )
    data = planted()
    trained = make_trainer(config, labels=True).run()
    with torch.no_grad():
        predicted = trained.classifier(torch.from_numpy(data.X)).argmax(dim=1).numpy()
    assert (predicted == data.fine).mean() > 0.97


def test_each_data_set_has_its_own_relation():
    """Algorithm E1: two data sets with their own coarse classes; each block of M is feasible by itself."""
    data = planted()
    rng = np.random.default_rng(0)
    dataset = rng.choice(["one", "two"], len(data.fine))
    trained = make_trainer(dataset=dataset).run()
    assert trained.relation.shape == (6, 6)
    for block in (slice(0, 3), slice(3, 6)):
        assert trained.relation[:, block].sum(axis=1).tolist() == [1] * 6
        assert (trained.relation[:, block].sum(axis=0) >= 1).all()


def test_divergence_stops_with_an_explanation():
    config = dataclasses.replace(CONFIG, optimizer="sgd", lr=1e12, batch_norm=False, max_grad_norm=None, max_epochs=20)
    with pytest.raises(FloatingPointError, match=r"training diverged in epoch \d+.*Lower lr"):
        make_trainer(config).run()


def test_state_restores_the_run_bit_for_bit():
    whole = make_trainer().run()
    first = make_trainer()
    with threads_for_batches(0):  # as run does: other tests may have left more threads, which add in another order
        first._train_epoch(lambda: None)
    first._epoch += 1
    state = first.state_dict()
    second = make_trainer(seed=5)  # other weights and another generator: all comes from the state
    second.load_state_dict(state)
    resumed = second.run()
    assert torch.equal(_weights(whole), _weights(resumed))
    np.testing.assert_array_equal(whole.history["loss"], resumed.history["loss"])


class NoisyViews(SameViews):
    """Records what each side has seen."""

    def __init__(self):
        self.seen = {"weak": [], "strong": []}

    def _noisy(self, rows, generator, side):
        self.seen[side].append(rows.clone())
        return rows + 0.1 * torch.randn(rows.shape, generator=generator)

    def weak(self, rows, generator):
        return self._noisy(rows, generator, "weak")

    def strong(self, rows, generator):
        return self._noisy(rows, generator, "strong")


def test_the_student_sees_the_first_rows_of_the_teacher():
    views = NoisyViews()
    make_trainer(dataclasses.replace(CONFIG, max_epochs=1), views=views).run()
    assert len(views.seen["weak"]) == len(views.seen["strong"]) > 1
    for weak, strong in zip(views.seen["weak"], views.seen["strong"], strict=True):
        assert weak.shape == (64 * (1 + 2), 12)  # the samples, and two neighbors of each
        assert torch.equal(weak[:64], strong)


def test_random_views_go_on_bit_for_bit():
    whole = make_trainer(views=NoisyViews()).run()
    assert not torch.equal(_weights(whole), _weights(make_trainer().run()))
    first = make_trainer(views=NoisyViews())
    with threads_for_batches(0):
        first._train_epoch(lambda: None)
    first._epoch += 1
    second = make_trainer(seed=5, views=NoisyViews(), view_seed=9)
    second.load_state_dict(first.state_dict())
    assert torch.equal(_weights(whole), _weights(second.run()))


@pytest.mark.gpu
def test_no_host_synchronization_inside_the_loop():
    trainer = make_trainer(dataclasses.replace(CONFIG, relation_interval=10_000), device="cuda")
    used = torch.zeros(6, device="cuda")
    batches = trainer.batches.epoch(0)
    trainer.iterate(*next(batches), used)
    trainer._iteration += 1
    torch.cuda.set_sync_debug_mode("error")
    try:
        trainer.iterate(*next(batches), used)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_the_bar_moves_with_every_batch(capsys):
    """An epoch of a million cells takes minutes."""
    trainer = make_trainer()
    seen = []
    draw = trainer.batches.epoch

    def noted(n_warmup):
        for batch in draw(n_warmup):
            seen.append(next(bar.n for bar in tqdm._instances if bar.desc.startswith("FALCON")))
            yield batch

    trainer.batches.epoch = noted  # the real batches, and where the bar is when they come
    trainer.run(progress_bar=True)
    n_batches = CONFIG.max_epochs * trainer.batches.per_epoch
    assert seen == list(range(n_batches))
    assert f"{n_batches}/{n_batches}" in capsys.readouterr().err
