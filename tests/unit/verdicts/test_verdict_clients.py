"""A/A and A/B rows with all metrics on, and with clients that are not independent requests.

Every row is printed (``pytest -s``, or ``slipway rollout simulate``): wrong promotions and false
aborts are what a reader of a rollout has to know. Bounds are asserted only where the design gives
one: α needs at-risk events that are independent, which a client that always fails breaks.
"""

from __future__ import annotations

import numpy as np
import pytest

from slipway_verdicts.errors import PlanError
from slipway_verdicts.plan import AnalysisPlan, Mode
from slipway_verdicts.simulate import Rates, Rule, SimulationSettings, simulate, table
from slipway_verdicts.traffic import ClientModel

USUAL = {
    "error": 0.005,
    "refused": 0.005,
    "empty": 0.003,
    "schema_invalid": 0.005,
    "truncated": 0.03,
    "slow_start": 0.05,
    "slow_tokens": 0.05,
    "thumbs_down": 0.01,
}
BAD_ANYWAY = {
    "error": 0.03,
    "refused": 0.03,
    "empty": 0.03,
    "schema_invalid": 0.03,
    "truncated": 0.10,
    "slow_start": 0.15,
    "slow_tokens": 0.15,
    "thumbs_down": 0.05,
}


def row(name, metrics, *, rate=20.0, rollouts=200, clients=ClientModel.INDEPENDENT):
    settings = SimulationSettings(requests_per_second=rate, metrics=metrics, clients=clients)
    result = simulate(settings, seed=21, rollouts=rollouts, rules=(Rule.SEQUENTIAL,))
    line = table(result)[0]
    print(
        f"{name}: promoted {line.promoted:.1%}, aborted {line.aborted:.2%}, undecided "
        f"{line.undecided:.1%}, {line.minutes:.1f} min, {line.bad_above_stable:.0f} bad"
    )
    return line


def same(rates):
    return {metric: Rates(stable=p, candidate=p) for metric, p in rates.items()}


@pytest.mark.parametrize("rates", [USUAL, BAD_ANYWAY], ids=["usual", "bad on both arms"])
def test_false_aborts_stay_below_alpha_with_all_metrics_on(rates):
    line = row("A/A, 8 metrics", same(rates), rollouts=2000)
    assert line.aborted <= 0.01
    assert line.promoted >= 0.95


def test_one_bad_metric_of_eight_is_found():
    metrics = same(USUAL) | {"refused": Rates(stable=0.005, candidate=0.10)}
    line = row("one of 8 metrics worse", metrics)
    assert (line.promoted, line.aborted) == (0.0, 1.0)
    assert line.bad_above_stable < 15


@pytest.mark.parametrize("rate", [2.0, 20.0])
@pytest.mark.parametrize("p", [0.005, 0.03])
@pytest.mark.parametrize("clients", list(ClientModel))
def test_false_aborts_with_clients(clients, rate, p):
    line = row(
        f"A/A {p:.1%} at {rate:g}/s, {clients}", same({"error": p}), rate=rate, clients=clients
    )
    match clients:
        case ClientModel.INDEPENDENT | ClientModel.ZIPF | ClientModel.FEW_CONVERSATIONS:
            assert line.aborted <= 0.02
        case ClientModel.ALWAYS_FAILING:
            assert line.aborted <= 0.05
        case ClientModel.RETRY_STORMS:
            # the guard's doing: one client, twenty bad answers, few others yet
            assert line.aborted <= 0.40
            assert line.undecided <= 0.05


@pytest.mark.parametrize("rate", [2.0, 20.0])
@pytest.mark.parametrize(("stable", "candidate"), [(0.01, 0.02), (0.005, 0.03), (0.005, 0.10)])
@pytest.mark.parametrize("clients", list(ClientModel))
def test_wrong_promotions_with_clients(clients, rate, stable, candidate):
    line = row(
        f"{stable:.1%} → {candidate:.1%} at {rate:g}/s, {clients}",
        {"error": Rates(stable=stable, candidate=candidate)},
        rate=rate,
        clients=clients,
    )
    match clients:
        case ClientModel.INDEPENDENT | ClientModel.ZIPF | ClientModel.FEW_CONVERSATIONS:
            assert line.promoted <= 0.05
        case ClientModel.ALWAYS_FAILING | ClientModel.RETRY_STORMS:
            # on stable's side such a client hides a candidate that is little worse
            assert line.promoted <= (0.6 if candidate < 0.1 else 0.05)


def test_the_same_seed_gives_the_same_table():
    settings = SimulationSettings(requests_per_second=5, metrics=same({"error": 0.01}))
    first, second, other = (table(simulate(settings, seed=s, rollouts=20)) for s in (1, 1, 2))
    assert first == second != other


def test_rules_beside_and_threshold_only_in_its_mode():
    plain = SimulationSettings(requests_per_second=20, metrics=same({"error": 0.005}))
    assert list(simulate(plain, rollouts=5).outcomes) == [
        Rule.SEQUENTIAL,
        Rule.INTERVAL,
        Rule.STEPS,
    ]
    bounds = SimulationSettings(
        requests_per_second=20,
        metrics=same({"error": 0.05}),
        plan=AnalysisPlan(mode=Mode.THRESHOLD),
    )
    outcome = simulate(bounds, rollouts=50, rules=(Rule.THRESHOLD,)).outcomes[Rule.THRESHOLD]
    assert outcome.aborted.all()


def test_alpha_and_bounds_are_the_plans():
    settings = SimulationSettings(
        requests_per_second=4, metrics=same({"truncated": 0.01, "mine": 0.01})
    )
    plan = settings.resolved_plan()
    assert [(r.metric, r.floor) for r in plan.rules] == [("truncated", 0.05), ("mine", 0.01)]
    assert plan.metric_alpha == pytest.approx(0.01 / 8)
    assert plan.weights == (20, 50)


def test_nothing_decided_in_time_is_undecided():
    settings = SimulationSettings(
        requests_per_second=0.5, metrics=same({"error": 0.005}), max_seconds=120
    )
    outcome = simulate(settings, rollouts=20, rules=(Rule.SEQUENTIAL,)).outcomes[Rule.SEQUENTIAL]
    assert outcome.undecided.all()
    assert (outcome.end == 120).all()


def test_large_numbers_run_in_batches():
    settings = SimulationSettings(requests_per_second=200, metrics=same({"error": 0.001}))
    outcome = simulate(settings, rollouts=501, rules=(Rule.SEQUENTIAL,)).outcomes[Rule.SEQUENTIAL]
    assert outcome.promoted.shape == (501,)
    assert np.isfinite(outcome.excess).all()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"metrics": {}}, "metrics is empty"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"metrics": {"error": Rates(stable=0.1, candidate=1.5)}}, "error.candidate"),
    ],
)
def test_settings_without_sense_are_refused(more, says):
    given = {"requests_per_second": 1.0, "metrics": same({"error": 0.01})} | more
    with pytest.raises(PlanError, match=says):
        SimulationSettings(**given)
