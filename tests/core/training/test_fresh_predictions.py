from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from falcon_sc.core import relations
from falcon_sc.core.data.batches import SameViews
from tests.core.planted import planted

from .test_trainer import CONFIG, make_trainer

FRESH = dataclasses.replace(CONFIG, relation_predictions="student", relation_batches=3, batch_size=20)


class PlainOnly(SameViews):
    """Prediction has a view of its own: ten times the sample."""

    def plain(self, rows):
        return 10 * rows


def test_c_is_that_of_the_student_as_it_is(monkeypatch):
    """C = Y_oh^T P of algorithm A1, sample by sample: plain views, no noise of training, every sample once."""
    costs = []
    solve = relations.solve
    monkeypatch.setattr(
        relations, "solve", lambda cost, lam, **options: costs.append(cost) or solve(cost, lam, **options)
    )
    config = dataclasses.replace(FRESH, relation_batches=1000)  # all samples
    trainer = make_trainer(config, views=PlainOnly())
    student = trainer.learner.student
    student.train()
    trainer._update_relation()
    assert student.training
    data = planted()
    student.eval()
    cost = np.zeros((6, 3))
    for x, name in zip(data.X, data.coarse, strict=True):
        with torch.no_grad():
            p = student(torch.from_numpy(10 * x)[None])[0].double().softmax(dim=0).numpy()
        cost[:, ["class a", "class b", "class c"].index(name)] += p
    assert len(costs) == 1
    np.testing.assert_allclose(costs[0], cost / len(data.X), atol=1e-6)


def test_the_teacher_and_earlier_batches_play_no_part(monkeypatch):
    costs = []
    solve = relations.solve
    monkeypatch.setattr(
        relations, "solve", lambda cost, lam, **options: costs.append(cost) or solve(cost, lam, **options)
    )
    for gamma in (0.0, 0.999):
        config = dataclasses.replace(FRESH, gamma=gamma, lambda_2=0.0, max_epochs=1, relation_interval=4)
        make_trainer(config).run()  # with lambda_2 = 0 nothing else of the run depends on the teacher
    half = len(costs) // 2
    assert half > 2
    for one, other in zip(costs[:half], costs[half:], strict=True):
        np.testing.assert_array_equal(one, other)


def test_draws_distinct_samples_of_each_data_set():
    dataset = np.where(np.arange(len(planted().X)) < 30, "few", "many")
    trainer = make_trainer(FRESH, dataset=dataset)
    batches = trainer._fresh.draw((0, 7))
    sizes = [len(batch) for batch in batches]
    assert sizes == [20, 10, 20, 20, 20]  # all 30 of the first, and 3 batches of the other
    few, many = torch.cat(batches[:2]).tolist(), torch.cat(batches[2:]).tolist()
    assert sorted(few) == list(range(30))
    assert len(set(many)) == 60
    assert min(many) >= 30
    assert not torch.equal(trainer._fresh.draw((0, 8))[2], batches[2])
    assert torch.equal(trainer._fresh.draw((0, 7))[2], batches[2])


def test_an_interrupted_run_goes_on_bit_for_bit():
    def weights(trained):
        return torch.cat([p.detach().flatten() for p in trained.classifier.parameters()])

    whole = make_trainer(FRESH, view_seed=3).run()
    first = make_trainer(FRESH, view_seed=3)
    first._train_epoch(lambda: None)
    first._epoch += 1
    second = make_trainer(FRESH, seed=5, view_seed=9)
    second.load_state_dict(first.state_dict())
    resumed = second.run()
    assert torch.equal(weights(whole), weights(resumed))
    np.testing.assert_array_equal(whole.relation, resumed.relation)


@pytest.mark.parametrize("predictions", ["student", "teacher"])
def test_a_run_says_how_many_iterations_and_updates_it_had(predictions):
    config = dataclasses.replace(FRESH, relation_predictions=predictions, max_epochs=3, relation_interval=4)
    trainer = make_trainer(config)
    history = trainer.run().history
    per_epoch = trainer.batches.per_epoch
    assert history["iteration"].tolist() == [per_epoch, 2 * per_epoch, 3 * per_epoch]
    assert history["relation_updates"].sum() == 3 * per_epoch // 4
