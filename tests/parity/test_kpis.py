"""Rollouts, KPIs and scores against CityLearn's arrays, the data, and an independent computation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.baselines import Controller, make_baseline
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.errors import ConfigError, FeatureError
from rllib_citylearn.evaluation import (
    ENGINES,
    BaselineSpec,
    Evaluation,
    district_kpis,
    evaluate,
    rollout,
    score_trajectory,
)

BUILDINGS = ("Building_2", "Building_5", "Building_17")
WINDOW = (1200, 1970)


class Scripted:
    """Takes the actions that a function of the step and the number of buildings gives."""

    def __init__(self, name: str, actions: Any) -> None:
        self.name = name
        self._actions = actions

    def reset(self, env: Any) -> None:
        self._buildings = len(env.buildings)
        self._step = 0

    def act(self, observations: list[list[float]]) -> Any:
        assert len(observations) == self._buildings
        self._step += 1
        return self._actions(self._step - 1, self._buildings)


def random_actions(step: int, buildings: int) -> list[list[float]]:
    return np.random.default_rng(step).uniform(-1, 1, (buildings, 1)).tolist()


@dataclass(frozen=True)
class RandomSpec:
    """Random battery requests, the same ones every time."""

    name: str = "random"

    def make(self) -> Controller:
        return Scripted(self.name, random_actions)


@pytest.fixture(scope="module")
def evaluations(challenge_2022: Path) -> dict[str, Evaluation]:
    """Some controllers on three buildings over a month and a bit, by name."""
    specs = [*map(BaselineSpec, ("no-control", "net-zero", "bau", "battery-rbc")), RandomSpec()]
    results = evaluate(specs, challenge_2022, buildings=BUILDINGS, window=WINDOW, seed=2022, processes=1)
    return {evaluation.policy: evaluation for evaluation in results}


@pytest.mark.parametrize("policy", ["no-control", "net-zero", "bau", "battery-rbc", "random"])
def test_the_score_equals_one_computed_from_loads_alone(evaluations: dict[str, Evaluation], policy: str) -> None:
    # The reference is a run of its own, not the series that CityLearn derives from the controlled one.
    reference = evaluations["no-control"].trajectory.net_electricity_consumption_kwh
    score = evaluations[policy].score
    assert score.score == pytest.approx(score_trajectory(evaluations[policy].trajectory, reference), abs=1e-6)


def test_no_control_scores_one(evaluations: dict[str, Evaluation]) -> None:
    # Up to the order in which CityLearn adds the buildings' 32-bit loads.
    assert evaluations["no-control"].score.score == pytest.approx(1.0, abs=1e-7)
    assert evaluations["no-control"].score.index5 == pytest.approx(1.0, abs=1e-7)
    assert not np.any(evaluations["no-control"].trajectory.soc)


def test_all_controllers_met_the_same_community(evaluations: dict[str, Evaluation]) -> None:
    reference = evaluations["no-control"].trajectory
    for evaluation in evaluations.values():
        path = evaluation.trajectory
        assert path.buildings == BUILDINGS
        assert path.window == WINDOW
        assert path.steps == WINDOW[1] - WINDOW[0]
        np.testing.assert_allclose(path.no_control_net_kwh, reference.net_electricity_consumption_kwh, atol=2e-6)
        np.testing.assert_array_equal(path.price, reference.price)
        np.testing.assert_array_equal(path.hour, reference.hour)
    assert len({evaluation.score.score for evaluation in evaluations.values()}) == len(evaluations)


def test_net_zero_cancels_the_net_load_within_the_power_of_the_battery(
    challenge_2022: Path, evaluations: dict[str, Evaluation]
) -> None:
    env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=WINDOW, random_seed=2022)
    power = np.array([building.electrical_storage.nominal_power for building in env.buildings])
    path = evaluations["net-zero"].trajectory
    net = evaluations["no-control"].trajectory.net_electricity_consumption_kwh
    np.testing.assert_allclose(path.actions["electrical_storage"], np.clip(-net / power, -1, 1), atol=1e-6)
    # Idle batteries apart, a load that the battery can carry vanishes.
    carried = (np.abs(net) < power) & (path.soc > 0.2) & (path.soc < 0.8)
    assert carried.mean() > 0.1
    left = np.abs(path.net_electricity_consumption_kwh[carried])
    assert np.median(left) < 0.1 * np.median(np.abs(net[carried]))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_rollout_reports_citylearns_own_arrays_and_the_datas_balance(challenge_2022: Path, engine: str) -> None:
    env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=(0, 200), random_seed=2022)
    seen: list[tuple[int, int]] = []
    controller = Scripted("random", random_actions)
    path = rollout(controller, env, engine=engine, report=lambda step, total: seen.append((step, total)))
    assert seen == [(step, 200) for step in range(1, 201)]
    for n, building in enumerate(env.buildings):
        np.testing.assert_array_equal(path.net_electricity_consumption_kwh[:, n], building.net_electricity_consumption[:200])
        np.testing.assert_array_equal(path.soc[:, n], building.electrical_storage.soc[:200])
        data = building.energy_simulation
        generation = building.pv.get_generation(data.solar_generation[:200])
        battery = building.electrical_storage_electricity_consumption[:200]
        balance = data.non_shiftable_load[:200] - generation + battery
        np.testing.assert_allclose(path.net_electricity_consumption_kwh[:, n], balance, atol=1e-5)
        # A battery that takes energy gets fuller, one that gives energy gets emptier.
        change = np.diff(path.soc[:, n])
        assert np.all(change[battery[1:] > 1e-3] > 0)
        assert np.all(change[battery[1:] < -1e-3] < 0)
    expected = np.stack([np.asarray(random_actions(step, 3))[:, 0] for step in range(200)])
    np.testing.assert_array_equal(path.actions["electrical_storage"], expected)


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (lambda step, n: [[0.0]] * (n - 1) + [[float("nan") if step == 2 else 0.0]], "Building_17.*electrical_storage"),
        (lambda _, n: [[0.0]] * (n - 1) + [[float("inf")]], "Building_17.*electrical_storage"),
        (lambda _, n: [[0.0, 0.0]] + [[0.0]] * (n - 1), "Building_2.*electrical_storage"),
        (lambda _, n: [0.0] * n, "Building_2.*electrical_storage"),
        (lambda _, n: np.zeros((n, 1, 1)), "Building_2.*electrical_storage"),
        (lambda _, n: [[0.0]] * (n - 1), "2 buildings.*has 3"),
    ],
    ids=["nan later", "infinite", "too many", "flat", "nested", "too few rows"],
)
def test_actions_that_cannot_be_taken_are_named(challenge_2022: Path, actions: Any, message: str) -> None:
    env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=(0, 10))
    with pytest.raises(FeatureError, match=message):
        rollout(Scripted("broken", actions), env)


def test_processes_change_nothing_but_the_time(challenge_2022: Path) -> None:
    specs = [BaselineSpec("bau"), BaselineSpec("net-zero")]
    here, apart = (
        evaluate(specs, challenge_2022, buildings=BUILDINGS[:2], window=(0, 100), seed=7, processes=processes)
        for processes in (1, 2)
    )
    assert [evaluation.to_dict() for evaluation in here] == [evaluation.to_dict() for evaluation in apart]
    assert here[0].seed == 7
    assert here[0].data == challenge_2022.name


def test_an_error_in_a_worker_arrives_as_its_sentence(challenge_2022: Path) -> None:
    specs = [BaselineSpec("bau"), BaselineSpec("no-control")]
    with pytest.raises(ConfigError, match="does not fit the data"):
        evaluate(specs, challenge_2022, buildings=BUILDINGS[:1], window=(0, 99999), processes=2)
    with pytest.raises(ConfigError, match="each once"):
        evaluate([*specs, *specs], challenge_2022)


@pytest.mark.parametrize("engine", ENGINES)
def test_doing_nothing_leaves_the_air_conditioning_to_its_thermostat(shared_datasets: Path, engine: str) -> None:
    env = make_citylearn_env(shared_datasets / "citylearn_challenge_2023_phase_1", window=(0, 72))
    path = rollout(make_baseline("no-control"), env, engine=engine)
    assert set(path.actions) == {"dhw_storage", "electrical_storage"}
    kpis = district_kpis(env)
    for name in ("cost_total", "carbon_emissions_total", "ramping_average", "electricity_consumption_total"):
        assert kpis[name] == pytest.approx(1.0, abs=1e-6)


YEAR = {
    "no-control": (1.0, 1e-7),
    "net-zero": (0.782, 0.005),
    "level": (0.819, 0.005),
    "bau": (0.798, 0.005),
    "basic-rbc": (1.119, 0.005),
    "optimized-rbc": (1.034, 0.005),
    "battery-rbc": (1.000, 0.005),
}
"""Scores of a year with 17 buildings and seed 2022, and how far from them a run may be."""


@pytest.mark.slow
def test_a_year_of_the_whole_community(challenge_2022: Path) -> None:
    results = evaluate(list(map(BaselineSpec, YEAR)), challenge_2022, seed=2022, processes=2)
    for evaluation in results:
        expected, tolerance = YEAR[evaluation.policy]
        assert evaluation.score.score == pytest.approx(expected, abs=tolerance), evaluation.policy


YEAR_WITH_VEHICLES = {
    "no-control": (1.0, 1.0, 17_506, 0.036),
    "ev-rbc": (3.68, 3.21, 47_728, 0.749),
    "bau": (2.18, 2.00, 29_755, 0.989),
}
"""Of a year of the official set with vehicles: cost and carbon over no control, currency, and share of departures met."""


@pytest.mark.slow
@pytest.mark.parametrize("name", YEAR_WITH_VEHICLES)
def test_a_year_with_vehicles(ev_data: Path, name: str) -> None:
    (result,) = evaluate([BaselineSpec(name)], ev_data)
    cost, carbon, currency, met = YEAR_WITH_VEHICLES[name]
    assert result.kpis["cost_total"] == pytest.approx(cost, abs=0.005)
    assert result.kpis["carbon_emissions_total"] == pytest.approx(carbon, abs=0.005)
    assert result.totals.district.cost == pytest.approx(currency, rel=1e-4)
    assert result.ev is not None
    assert result.ev["departures_met"] == pytest.approx(met, abs=0.0006)
