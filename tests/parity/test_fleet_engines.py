"""Laid fleets and made-up communities on both engines, and CityLearn's own word on whether drivers can be served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.baselines import make_baseline
from rllib_citylearn.datasets.fleets import FleetSpec, lay_fleet, make_fleet, read_calendar
from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.env.config import CITYLEARN, FAST
from rllib_citylearn.evaluation.departures import departures_served
from rllib_citylearn.evaluation.evaluate import evaluate
from rllib_citylearn.evaluation.kpis import evaluate_env
from rllib_citylearn.evaluation.rollout import rollout
from rllib_citylearn.evaluation.specs import spec_for
from rllib_citylearn.evaluation.table import kpi_table

BUILDINGS = ("Building_1", "Building_2", "Building_3")
ROWS = 700
SPEC = FleetSpec(seed=6, building_share=1.0, chargers_per_building=2)


@pytest.fixture(scope="module")
def laid(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six vehicles over the first three buildings of 2022, over its first weeks."""
    source = tmp_path_factory.mktemp("fleets") / "source"
    source.mkdir()
    schema = json.loads((challenge_2022 / "schema.json").read_text())
    schema["buildings"] = {name: schema["buildings"][name] for name in BUILDINGS}
    schema["simulation_end_time_step"] = ROWS - 1
    (source / "schema.json").write_text(json.dumps(schema))
    for name in ("weather", "carbon_intensity", "pricing", *BUILDINGS):
        lines = (challenge_2022 / f"{name}.csv").read_text().splitlines()
        (source / f"{name}.csv").write_text("\n".join([*lines[: ROWS + 1], ""]))
    lay_fleet(source, source.parent / "laid", SPEC)
    return source.parent / "laid"


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Homes with every kind of device."""
    spec = SyntheticSpec(buildings=4, days=9, seed=2, heat_pump_share=0.5, tank_share=0.75, vehicle_share=0.5)
    return make_community(spec, tmp_path_factory.mktemp("made_up") / "community")


class Restless:
    """Random actions within their limits."""

    name = "restless"

    def reset(self, env: Any) -> None:
        self._random, self._spaces = np.random.default_rng(3), env.action_space

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        return [self._random.uniform(space.low, space.high).tolist() for space in self._spaces]


def run(folder: Path, controller: str, engine: str, window: tuple[int, int]) -> tuple[Any, Any]:
    env = make_citylearn_env(folder, window=window)
    return env, rollout(Restless() if controller == "restless" else make_baseline(controller), env, engine=engine)


@pytest.mark.parametrize("controller", ["bau", "restless"])
@pytest.mark.parametrize(("data", "window"), [("laid", (203, 300)), ("made_up", (100, 200))])
def test_both_engines_give_the_same(
    request: pytest.FixtureRequest, data: str, window: tuple[int, int], controller: str
) -> None:
    folder = request.getfixturevalue(data)
    (fast, one), (slow, other) = (run(folder, controller, engine, window) for engine in (FAST, CITYLEARN))
    np.testing.assert_array_equal(one.net_electricity_consumption_kwh, other.net_electricity_consumption_kwh)
    served, slowly = departures_served(fast), departures_served(slow)
    assert served is not None
    assert slowly is not None
    assert served.judge() == slowly.judge()
    assert evaluate_env(fast) == evaluate_env(slow)


def test_an_evaluation_says_how_drivers_were_served(laid: Path) -> None:
    bau, nothing = evaluate([spec_for("bau"), spec_for("no-control")], laid, window=(0, 120))
    assert bau.ev is not None
    assert nothing.ev is not None
    assert bau.ev["departures"] == nothing.ev["departures"] > 5
    assert bau.ev["departures_met"] > 0.9 > 0.1 > nothing.ev["departures_met"]
    assert bau.to_dict()["ev"] == bau.ev
    assert f"no-control: 0.0% of {nothing.ev['departures']} departures" in kpi_table([bau, nothing])


def citylearns_word(env: Any) -> dict[str, float]:
    kpis = env.evaluate_v2(include_business_as_usual=False)
    district = kpis[kpis.level == "district"].set_index("cost_function")["value"]
    return {name: float(value) for name, value in district.items() if "ev_" in name and value is not None}


@pytest.mark.parametrize("controller", ["bau", "no-control", "restless"])
def test_departures_served_are_citylearns(laid: Path, controller: str) -> None:
    env, _ = run(laid, controller, FAST, (100, 330))
    table, word = departures_served(env), citylearns_word(env)
    assert table is not None
    served = table.judge()
    assert served.departures == word["district_ev_events_departure_count"] > 20
    assert served.departures_met == pytest.approx(word["district_ev_performance_departure_success_ratio"], abs=1e-12)
    assert served.mean_missing_soc == pytest.approx(word["district_ev_performance_departure_soc_deficit_mean_ratio"])


def test_citylearn_finds_no_session_out_of_reach_wherever_an_episode_begins(laid: Path) -> None:
    """Also where it begins two hours before a vehicle leaves that came with the least charge of all."""
    schema = json.loads((laid / "schema.json").read_text())
    sessions = make_fleet(SPEC, read_calendar(laid, schema), BUILDINGS).sessions
    inside = np.flatnonzero((sessions.departure > 100) & (sessions.departure < ROWS - 100))
    needs = (sessions.required_soc - sessions.arrival_soc)[inside]
    for first in (300, *(sessions.departure[inside[np.argsort(needs)[-2:]]] - 2).tolist()):
        env, _ = run(laid, "no-control", FAST, (first, first + 90))
        word = citylearns_word(env)
        assert word["district_ev_events_departure_target_infeasible_count"] == 0
        assert word["district_ev_events_departure_count"] > 5


def test_business_as_usual_serves_the_drivers(laid: Path) -> None:
    table = departures_served(run(laid, "bau", FAST, (0, 400))[0])
    assert table is not None
    served = table.judge()
    assert served.departures > 50
    assert served.departures_met >= 0.97


def test_plain_citylearn_reads_the_fleet(laid: Path) -> None:
    from citylearn.citylearn import CityLearnEnv

    env = CityLearnEnv(str(laid / "schema.json"), episode_time_steps=20)
    env.reset()
    assert [name for names in env.action_names for name in names if "electric_vehicle" in name] == [
        f"electric_vehicle_storage_charger_{n}_{k}" for n in (1, 2, 3) for k in (1, 2)
    ]
    assert all(sum("charger_" in name for name in names) == 16 for names in env.observation_names)
    while not env.terminated:
        env.step([space.high.tolist() for space in env.action_space])
    assert any(building.chargers_electricity_consumption.sum() > 0 for building in env.buildings)


def test_an_episode_without_departures_has_none(laid: Path, tmp_path: Path) -> None:
    without = make_community(SyntheticSpec(buildings=1, days=2), tmp_path / "without")
    assert departures_served(run(without, "no-control", FAST, (0, 5))[0]) is None
    assert departures_served(run(laid, "no-control", FAST, (24 * 8, 24 * 8 + 2))[0]) is None


@pytest.mark.slow
def test_business_as_usual_serves_a_year_of_the_whole_neighbourhood(challenge_2022: Path, tmp_path: Path) -> None:
    lay_fleet(challenge_2022, tmp_path / "laid", FleetSpec(seed=0))
    env, _ = run(tmp_path / "laid", "bau", FAST, (0, 8759))
    table = departures_served(env)
    assert table is not None
    served = table.judge()
    assert served.departures > 1500
    assert served.departures_met >= 0.97
    assert citylearns_word(env)["district_ev_events_departure_target_infeasible_count"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("controller", "share"), [("bau", 0.989), ("no-control", 0.036)])
def test_departures_served_of_the_official_set_are_those_known(ev_data: Path, controller: str, share: float) -> None:
    table = departures_served(run(ev_data, controller, FAST, (0, 8759))[0])
    assert table is not None
    assert table.judge().departures_met == pytest.approx(share, abs=5e-4)
