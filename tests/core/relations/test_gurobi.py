from __future__ import annotations

from pathlib import Path

import gurobipy as gp
import numpy as np
import pytest

from falcon_sc.core import relations
from falcon_sc.core.relations import gurobi

ENOUGH = 600  # seconds, for problems of less than one: whatever else the machine is doing, they are solved to the end


@pytest.fixture(autouse=True)
def wheel_license(monkeypatch):
    """The size-limited license of the gurobipy wheel, whatever license this machine has."""
    (license,) = Path(gp.__file__).parent.rglob("gurobi.lic")
    monkeypatch.setenv("GRB_LICENSE_FILE", str(license))
    for variable in gurobi.WLS_PARAMETERS.values():
        monkeypatch.delenv(variable, raising=False)


def simulate(n_fine: int, n_coarse: int, seed: int) -> np.ndarray:
    """Masses and rows are uneven: entries span many orders of magnitude."""
    rng = np.random.default_rng(seed)
    mass = rng.dirichlet(np.full(n_fine, 0.3)) + 1e-9
    cost = mass[:, None] * rng.dirichlet(np.full(n_coarse, 0.3), n_fine)
    return cost / cost.sum()


@pytest.mark.parametrize("lam", [0.0, 5e-5, 5e-3, 0.1, 0.5])
@pytest.mark.parametrize(
    ("form", "shape"),
    [
        (gurobi.quadratic, (6, 6)),
        (gurobi.quadratic, (12, 4)),
        (gurobi.quadratic, (9, 1)),
        (gurobi.piecewise_linear, (6, 6)),
        (gurobi.piecewise_linear, (24, 8)),
        (gurobi.piecewise_linear, (83, 23)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_each_form_agrees_with_the_flow(form, shape, lam):
    cost = simulate(*shape, seed=0)
    M = gurobi.solve(cost, lam, time_limit=ENOUGH, forms=(form,))
    assert M.dtype == np.uint8
    assert (M.sum(axis=1) == 1).all()
    assert (M.sum(axis=0) >= 1).all()
    best = relations.objective(relations.solve(cost, lam, solver="flow"), cost, lam)
    assert relations.objective(M, cost, lam) == pytest.approx(best, abs=1e-9)


def test_falls_back_to_the_form_that_the_license_allows():
    cost = simulate(40, 10, seed=1)
    with pytest.raises(RuntimeError, match="410 variables"):
        gurobi.solve(cost, 0.1, time_limit=ENOUGH, forms=(gurobi.quadratic,))
    M = relations.solve(cost, 0.1, solver="gurobi", time_limit=ENOUGH)
    flow = relations.solve(cost, 0.1)
    assert relations.objective(M, cost, 0.1) == pytest.approx(relations.objective(flow, cost, 0.1), abs=1e-9)


def test_too_large_for_the_license():
    with pytest.raises(RuntimeError) as caught:
        relations.solve(simulate(100, 30, seed=0), 0.1, solver="gurobi")
    message = str(caught.value)
    for part in ("100 fine x 30 coarse", "3030 variables", "GRB_LICENSE_FILE", "valid until", 'solver="flow"', "WLS"):
        assert part in message


def test_the_license_in_use_is_named(monkeypatch):
    with gp.Env(params={"OutputFlag": 0}) as env, gp.Model(env=env) as model:
        assert Path(gp.__file__).parent.name in gurobi._license(model)
        monkeypatch.delenv("GRB_LICENSE_FILE")
        assert "comes with gurobipy" in gurobi._license(model)
        monkeypatch.setenv("GRB_WLSACCESSID", "some-access-id")
        assert "web license" in gurobi._license(model)
        assert "some-access-id" not in gurobi._license(model)


def test_prints_nothing(capfd):
    relations.solve(simulate(12, 4, seed=0), 0.1, solver="gurobi")
    with pytest.raises(RuntimeError, match="too large"):
        relations.solve(simulate(100, 30, seed=0), 0.1, solver="gurobi")
    assert capfd.readouterr() == ("", "")


def test_no_relation_in_time():
    with pytest.raises(TimeoutError, match="no relation within time_limit=1e-09 s"):
        relations.solve(simulate(24, 8, seed=0), 0.1, solver="gurobi", time_limit=1e-9)


def test_relation_that_is_not_proven_optimal_is_returned_with_a_warning(caplog):
    cost = simulate(24, 8, seed=0)
    with gp.Env(params={"OutputFlag": 0}) as env, gp.Model(env=env) as model:
        M = gurobi.piecewise_linear(model, cost, 0.1)
        model.Params.SolutionLimit = 1  # stops as a time limit does, but always at the same point
        model.optimize()
        found = gurobi.relation_found(model, M, scale=1.0)
    assert (found.sum(axis=1) == 1).all()
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "not proven optimal" in record.message


def test_interrupt_is_passed_on():
    with gp.Env(params={"OutputFlag": 0}) as env, gp.Model(env=env) as model:
        M = gurobi.quadratic(model, simulate(20, 6, seed=0), 0.1)
        model.optimize(lambda model, where: model.terminate())
        with pytest.raises(KeyboardInterrupt):
            gurobi.relation_found(model, M, scale=1.0)


def test_missing_license_file(monkeypatch, tmp_path):
    monkeypatch.setenv("GRB_LICENSE_FILE", str(tmp_path / "none.lic"))
    with pytest.raises(RuntimeError, match=r"error 10009: Unable to open .*none\.lic.*solver=\"flow\""):
        relations.solve(np.eye(2), 0.1, solver="gurobi")


def test_expired_license(monkeypatch, tmp_path):
    license = tmp_path / "gurobi.lic"
    license.write_text("TYPE=ACADEMIC\nVERSION=13\nHOSTID=12345678\nEXPIRATION=2020-01-01\nKEY=ABC\nCKEY=ABC\n")
    monkeypatch.setenv("GRB_LICENSE_FILE", str(license))
    with pytest.raises(RuntimeError, match=r"error 10009: License expired 2020-01-01.*solver=\"flow\""):
        relations.solve(np.eye(2), 0.1, solver="gurobi")


def test_web_license_of_the_environment_is_handed_to_gurobi(monkeypatch):
    """Behind a proxy that is not there Gurobi cannot ask for the license, but it must have tried."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("GRB_WLSACCESSID", "an-access-id")
    monkeypatch.setenv("GRB_WLSSECRET", "a-secret")
    monkeypatch.setenv("GRB_LICENSEID", "12345")
    with pytest.raises(RuntimeError, match="does not start") as caught:
        relations.solve(np.eye(2), 0.1, solver="gurobi")
    assert "a-secret" not in str(caught.value)


def test_incomplete_web_license(monkeypatch):
    monkeypatch.setenv("GRB_WLSACCESSID", "an-access-id")
    with pytest.raises(RuntimeError, match="incomplete: GRB_WLSSECRET, GRB_LICENSEID not set"):
        relations.solve(np.eye(2), 0.1, solver="gurobi")
    monkeypatch.setenv("GRB_WLSSECRET", "a-secret")
    monkeypatch.setenv("GRB_LICENSEID", "abc")
    with pytest.raises(RuntimeError, match="GRB_LICENSEID='abc' must be the number"):
        relations.solve(np.eye(2), 0.1, solver="gurobi")
