from __future__ import annotations

from falcon_sc.benchmarks.robustness import kills


def test_a_killed_run_goes_on(tmp_path) -> None:
    table = kills.run(out=tmp_path, kills=1, n_obs=150, max_epochs=5)
    assert table["same_labels"].all()
    assert (tmp_path / "kills.md").exists()
