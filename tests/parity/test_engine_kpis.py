"""Evaluating on the fast engine against stepping CityLearn: the same KPIs, trajectories and arrays, and the same acting."""

from __future__ import annotations

import array
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rllib_citylearn.baselines import make_baseline
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.config import ENGINES
from rllib_citylearn.errors import ConfigError, EngineError
from rllib_citylearn.evaluation import BaselineSpec, Trajectory, evaluate, rollout
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.injection import QUANTITIES, Recording, inject

TEMPERATURE_TOLERANCE = 1e-4
"""degC: the engine sums an LSTM in another order than torch."""


@dataclass(frozen=True)
class Community:
    """A part of an official data set; all of its buildings if none are named."""

    data: str
    window: tuple[int, int]
    buildings: tuple[int, ...] = ()
    prepare: Callable[[Any], None] = lambda env: None

    def make(self, folders: Callable[[str], Path]) -> Any:
        names = tuple(f"Building_{n}" for n in self.buildings) or None
        env = make_citylearn_env(folders(self.data), buildings=names, window=self.window, random_seed=2022)
        self.prepare(env)
        return env


def with_outages(env: Any) -> None:
    """Outages of a few hours in every building, the first one from the first hour on."""
    rng = np.random.default_rng(4)
    for building in env.buildings:
        building.stochastic_power_outage = False
        signal = building.energy_simulation.power_outage
        signal[:] = np.repeat(rng.random(len(signal) // 6 + 1) < 0.3, 6)[: len(signal)]
        signal[:3] = 1


COMMUNITIES = {
    "batteries": Community("citylearn_challenge_2022_phase_all", (1200, 1440), (1, 2, 7, 17)),
    "vehicles": Community("evs", (2000, 2170), (1, 2, 4, 15)),
    "tanks 2020": Community("citylearn_challenge_2020_climate_zone_1", (0, 120)),
    "tanks 2021": Community("citylearn_challenge_2021", (3000, 3120)),
    "dynamics": Community("citylearn_challenge_2023_phase_1", (0, 150)),
    "outages": Community("citylearn_challenge_2023_phase_3_1", (0, 191), (1, 2, 3), with_outages),
}


@pytest.fixture(scope="module")
def folders(shared_datasets: Path, ev_data: Path) -> Callable[[str], Path]:
    """Folder of a data set by its name."""
    return lambda name: ev_data if name == "evs" else shared_datasets / name


class RandomController:
    """Takes any action within the limits, and keeps what it sees and what the environment shows meanwhile."""

    name = "random"

    def reset(self, env: Any) -> None:
        self._env = env
        self._rng = np.random.default_rng(0)
        self.observed: list[list[list[float]]] = []
        self.shown: list[list[list[float]]] = []
        self.charge: list[list[float]] = []

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        env = self._env
        self.observed.append(observations)
        self.shown.append([[float(value) for value in row] for row in env.observations])
        storage = [getattr(b, f"{kind}_storage") for b in env.buildings for kind in ("electrical", "dhw", "cooling")]
        storage += [vehicle.battery for vehicle in env.electric_vehicles]
        self.charge.append([float(each.soc[each.time_step]) for each in storage])
        return [self._rng.uniform(space.low, space.high).tolist() for space in env.action_space]


@dataclass(frozen=True)
class Episode:
    """An episode of random actions."""

    env: Any
    trajectory: Trajectory
    controller: RandomController
    kpis: pd.DataFrame


def episode_of(env: Any, engine: str) -> Episode:
    controller = RandomController()
    trajectory = rollout(controller, env, engine=engine)
    return Episode(env, trajectory, controller, kpis_of(env))


def kpis_of(env: Any) -> pd.DataFrame:
    """All that CityLearn can say of a finished episode: its classic KPIs, then those of vehicles, batteries and money."""
    return pd.concat([env.evaluate(), env.evaluate_v2(include_business_as_usual=False)], ignore_index=True)


@pytest.fixture(scope="module", params=COMMUNITIES)
def both(request: pytest.FixtureRequest, folders: Callable[[str], Path]) -> tuple[Episode, Episode]:
    """The same random episode on the fast engine and in CityLearn."""
    community = COMMUNITIES[request.param]
    fast, stepped = (episode_of(community.make(folders), engine) for engine in ("fast", "citylearn"))
    return fast, stepped


def assert_same_kpis(fast: pd.DataFrame, stepped: pd.DataFrame) -> None:
    """Every row of two evaluations: equal, but for indoor temperatures where an LSTM predicts them."""
    columns = ["cost_function", "name", "level"]
    assert fast[columns].astype(str).to_numpy().tolist() == stepped[columns].astype(str).to_numpy().tolist()
    mine, theirs = (pd.to_numeric(frame["value"]).to_numpy(float) for frame in (fast, stepped))
    assert np.isfinite(theirs).sum() > 300
    thermal = stepped["cost_function"].str.contains("discomfort|thermal_resilience").to_numpy()
    np.testing.assert_array_equal(mine[~thermal], theirs[~thermal])
    np.testing.assert_allclose(mine[thermal], theirs[thermal], rtol=0, atol=TEMPERATURE_TOLERANCE)


def assert_same_trajectory(fast: Trajectory, stepped: Trajectory) -> None:
    for field in fields(Trajectory):
        mine, theirs = getattr(fast, field.name), getattr(stepped, field.name)
        if field.name == "actions":
            assert mine.keys() == theirs.keys()
            for name in theirs:
                np.testing.assert_array_equal(mine[name], theirs[name])
        else:
            np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


def test_windows_hold_what_they_are_chosen_for(both: tuple[Episode, Episode], request: pytest.FixtureRequest) -> None:
    _, stepped = both
    case = request.node.callspec.params["both"]
    buildings = stepped.env.buildings
    if case == "outages":
        assert all(b.power_outage_signal[0] and 20 < b.power_outage_signal.sum() < 150 for b in buildings)
        assert any(np.any(b.energy_to_non_shiftable_load < b.non_shiftable_load - 0.1) for b in buildings)
    elif case == "vehicles":
        chargers = [charger for building in buildings for charger in building.electric_vehicle_chargers]
        plugged = np.array([[vehicle is not None for vehicle in charger.past_connected_evs] for charger in chargers])
        assert np.all(np.abs(np.diff(plugged.astype(int))).sum(1) > 4)
        assert all(np.any(c.electricity_consumption > 0) and np.any(c.electricity_consumption < 0) for c in chargers)
    elif case.startswith("tanks"):
        assert all(np.any(b.cooling_storage.energy_balance > 0) for b in buildings)
        assert all(np.any(b.cooling_storage.energy_balance < 0) for b in buildings)
    elif case == "dynamics":
        assert all(
            np.ptp(
                b.indoor_dry_bulb_temperature
                - b.energy_simulation.indoor_dry_bulb_temperature_without_control[: b.time_step + 1]
            )
            > 1
            for b in buildings
        )


def test_all_kpis_equal_citylearns(both: tuple[Episode, Episode]) -> None:
    assert_same_kpis(both[0].kpis, both[1].kpis)


def test_trajectories_are_equal(both: tuple[Episode, Episode]) -> None:
    assert_same_trajectory(both[0].trajectory, both[1].trajectory)


def test_the_controller_sees_the_same(both: tuple[Episode, Episode]) -> None:
    fast, stepped = both
    assert len(fast.controller.observed) == fast.trajectory.steps
    assert fast.controller.observed == [
        [[float(value) for value in row] for row in rows] for rows in stepped.controller.observed
    ]


def test_the_environment_shows_the_present_while_the_engine_runs(both: tuple[Episode, Episode]) -> None:
    fast, stepped = both
    assert fast.controller.shown == fast.controller.observed
    np.testing.assert_array_equal(fast.controller.charge, stepped.controller.charge)


def series_of(thing: Any) -> dict[str, np.ndarray]:
    """Everything in an object of CityLearn's that its public properties show as numbers in a row."""
    found = {}
    for name in dir(type(thing)):
        if name.startswith("_") or not isinstance(getattr(type(thing), name), property):
            continue
        value = getattr(thing, name)
        if isinstance(value, np.ndarray | array.array) or (
            isinstance(value, list) and value and all(isinstance(x, float | np.floating) for x in value)
        ):
            found[name] = np.asarray(value)
    return found


UNWRITTEN = {"efficiency_history"}
UNWRITTEN_OF_VEHICLES = {"efficiency_history", "capacity_history", "energy_balance", "electricity_consumption"}
UNSEEDED = {"heating_device_cop", "cooling_device_cop", "dhw_device_cop"}
"""CityLearn draws what a device is that the schema leaves out without a seed; nothing depends on it."""


def test_whatever_the_environment_remembers_is_equal(both: tuple[Episode, Episode]) -> None:
    fast, stepped = both[0].env, both[1].env

    def compare(mine: Any, theirs: Any, without: set[str], where: str) -> None:
        found, expected = series_of(mine), series_of(theirs)
        assert found.keys() == expected.keys()
        for name in expected.keys() - without:
            thermal = "indoor" in name
            tolerance = TEMPERATURE_TOLERANCE if thermal else 0.0
            np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=tolerance, err_msg=f"{where} {name}")
        assert mine.time_step == theirs.time_step

    compare(fast, stepped, UNSEEDED, "district")
    for mine, theirs in zip(fast.buildings, stepped.buildings, strict=True):
        compare(mine, theirs, UNSEEDED, mine.name)
        for part in ("electrical", "cooling", "heating", "dhw"):
            compare(getattr(mine, f"{part}_storage"), getattr(theirs, f"{part}_storage"), UNWRITTEN, f"{mine.name} {part}")
        for part in ("cooling_device", "heating_device", "dhw_device", "non_shiftable_load_device", "pv"):
            compare(getattr(mine, part), getattr(theirs, part), UNWRITTEN, f"{mine.name} {part}")
        for own, other in zip(mine.electric_vehicle_chargers, theirs.electric_vehicle_chargers, strict=True):
            compare(own, other, set(), own.charger_id)
            for see in (
                lambda charger: [getattr(vehicle, "name", None) for vehicle in charger.past_connected_evs],
                lambda charger: getattr(charger.connected_electric_vehicle, "name", None),
                lambda charger: getattr(charger.incoming_electric_vehicle, "name", None),
            ):
                assert see(own) == see(other)
    for mine, theirs in zip(fast.electric_vehicles, stepped.electric_vehicles, strict=True):
        compare(mine.battery, theirs.battery, UNWRITTEN_OF_VEHICLES, mine.name)


@pytest.mark.parametrize(
    ("community", "baseline"),
    [
        *(
            ("batteries", name)
            for name in ("no-control", "net-zero", "level", "bau", "basic-rbc", "optimized-rbc", "battery-rbc")
        ),
        *(("vehicles", name) for name in ("no-control", "net-zero", "bau")),
        *(("tanks 2021", name) for name in ("no-control", "bau", "basic-rbc", "optimized-rbc")),
        *(("dynamics", name) for name in ("no-control", "net-zero", "bau")),
        ("outages", "bau"),
    ],
)
def test_baselines_do_the_same_on_both_engines(folders: Callable[[str], Path], community: str, baseline: str) -> None:
    given = COMMUNITIES[community]
    first = given.window[0]
    part = Community(given.data, (first, first + 71), given.buildings, given.prepare)
    fast, stepped = (rollout(make_baseline(baseline), part.make(folders), engine=engine) for engine in ENGINES)
    assert_same_trajectory(fast, stepped)
    assert baseline == "no-control" or any(np.any(np.nan_to_num(a) != 0) for a in stepped.actions.values())


def test_one_of_many_copies_can_be_judged(folders: Callable[[str], Path]) -> None:
    # A recording may begin anywhere in the data and be of any copy, as when a policy is tried on many stretches at once.
    whole, hours, start = Community("evs", (2000, 2170), (4, 15)), 60, 70
    env = whole.make(folders)
    features = community_features(env)
    description = CommunityDescription.read(env, features)
    community = FastCommunity(description, 3)
    stretch = Community("evs", (2000 + start, 2000 + start + hours), (4, 15))
    stepped = stretch.make(folders)
    stepped.reset()
    community.reset(rows=[0, 5, start], seeds=2022 + stepped.episode_tracker.episode)
    recording = Recording.empty(community, hours, first_row=start)
    rng = np.random.default_rng(8)
    for hour in range(hours):
        actions = rng.uniform(-1, 1, (3, len(env.buildings), len(features.actions)))
        community.step_physical(actions)
        recording.note(hour, community, actions, e=2)
        columns = [[features.actions.index(name) for name in agent.actions] for agent in features.agents]
        stepped.step([actions[2, n, row].tolist() for n, row in enumerate(columns)])
    judged = stretch.make(folders)
    judged.reset()
    inject(judged, recording)
    assert_same_kpis(kpis_of(judged), kpis_of(stepped))
    assert set(recording.series) == set(QUANTITIES)


@pytest.mark.parametrize("other", [(1200, 1430), (1201, 1441)], ids=["shorter", "later"])
def test_an_episode_is_not_written_where_it_did_not_happen(folders: Callable[[str], Path], other: tuple[int, int]) -> None:
    env = COMMUNITIES["batteries"].make(folders)
    community = FastCommunity(CommunityDescription.read(env, community_features(env)))
    recording = Recording.empty(community, 240)
    with pytest.raises(EngineError, match="same buildings and window"):
        inject(Community("citylearn_challenge_2022_phase_all", other, (1, 2, 7, 17)).make(folders), recording)
    with pytest.raises(EngineError, match="same buildings and window"):
        inject(Community("citylearn_challenge_2022_phase_all", (1200, 1440), (1, 2, 7)).make(folders), recording)


def test_an_evaluation_says_what_simulated(challenge_2022: Path) -> None:
    for engine in ENGINES:
        (result,) = evaluate(
            [BaselineSpec("net-zero")], challenge_2022, engine=engine, buildings=["Building_3"], window=(0, 24)
        )
        assert result.engine == result.to_dict()["engine"] == engine


def test_an_unknown_engine_is_refused_with_a_suggestion(challenge_2022: Path) -> None:
    with pytest.raises(ConfigError, match=r"'citylern'.*fast and citylearn.*Did you mean 'citylearn'"):
        evaluate([BaselineSpec("bau")], challenge_2022, engine="citylern", window=(0, 24))
    with pytest.raises(ConfigError, match="turbo"):
        rollout(make_baseline("bau"), make_citylearn_env(challenge_2022, window=(0, 24)), engine="turbo")


@pytest.mark.slow
def test_a_year_of_vehicles(ev_data: Path) -> None:
    fast, stepped = (episode_of(make_citylearn_env(ev_data), engine) for engine in ENGINES)
    assert len(stepped.env.evaluate()) == 293
    assert fast.trajectory.steps == 8759
    assert_same_kpis(fast.kpis, stepped.kpis)
    assert_same_trajectory(fast.trajectory, stepped.trajectory)


@pytest.mark.slow
def test_a_year_of_batteries(challenge_2022: Path) -> None:
    fast, stepped = (
        evaluate([BaselineSpec("net-zero")], challenge_2022, engine=engine, seed=2022, processes=1)[0] for engine in ENGINES
    )
    assert fast.trajectory.steps == 8759
    assert_same_trajectory(fast.trajectory, stepped.trajectory)
    assert fast.kpis == stepped.kpis
    assert fast.building_kpis == stepped.building_kpis
