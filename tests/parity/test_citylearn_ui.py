"""The CSV files for CityLearn UI: both engines' against those that CityLearn writes when it is stepped itself."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rllib_citylearn.baselines import Controller, make_baseline
from rllib_citylearn.env.citylearn_env import make_citylearn_env, read_schema
from rllib_citylearn.evaluation import ENGINES, CommunityKpis, evaluate_env, rollout
from rllib_citylearn.evaluation.business_as_usual import BusinessAsUsual
from rllib_citylearn.evaluation.citylearn_ui import write_citylearn_csv

TEMPERATURE_TOLERANCE = 1e-4
"""degC: the engine sums an LSTM in another order than torch. Only KPIs of comfort show it."""

Table = list[list[str]]


@dataclass(frozen=True)
class Part:
    """A stretch of an official data set."""

    data: str
    window: tuple[int, int]
    buildings: tuple[str, ...]


PARTS = {
    "batteries": Part("citylearn_challenge_2022_phase_all", (1200, 1240), ("Building_2", "Building_7")),
    "vehicles": Part("evs", (2010, 2060), ("Building_1", "Building_4")),
    "dynamics": Part("citylearn_challenge_2023_phase_1", (100, 130), ("Building_1",)),
}
CASES = (
    *(("batteries", "random"), ("batteries", "no-control")),
    *(("vehicles", "random"), ("vehicles", "bau")),
    *(("dynamics", "random"), ("dynamics", "no-control")),
)
"""The slow test has all controllers everywhere."""
LONG_PARTS = {
    "batteries": Part("citylearn_challenge_2022_phase_all", (700, 1420), ("Building_1", "Building_2", "Building_17")),
    "vehicles": Part("evs", (2000, 2500), ("Building_1", "Building_2", "Building_4", "Building_15")),
    "appliances": Part("appliances", (0, 400), ("Building_1", "Building_2", "Building_3")),
    "dynamics": Part("citylearn_challenge_2023_phase_1", (0, 300), ("Building_1", "Building_2", "Building_3")),
    "outages": Part("citylearn_challenge_2023_phase_3_1", (0, 191), ("Building_1", "Building_2", "Building_3")),
    "tanks": Part("citylearn_challenge_2021", (3000, 3200), ("Building_1", "Building_2", "Building_3")),
}
CONTROLLERS = ("random", "no-control", "bau")


class RandomActions:
    """Takes any action within the limits, every fifth hour a weak one, which chargers don't follow."""

    name = "random"

    def reset(self, env: Any) -> None:
        self._spaces = env.action_space
        self._rng = np.random.default_rng(3)
        self._hour = 0

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        self._hour += 1
        share = 1.0 if self._hour % 5 else 0.1
        return [(share * self._rng.uniform(space.low, space.high)).tolist() for space in self._spaces]


class Recorded:
    """A controller whose actions are kept."""

    def __init__(self, controller: Controller) -> None:
        self.name = controller.name
        self._controller = controller
        self.taken: list[list[list[float]]] = []

    def reset(self, env: Any) -> None:
        self.taken.clear()
        self._controller.reset(env)

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        self.taken.append([[float(value) for value in row] for row in self._controller.act(observations)])
        return self.taken[-1]


@dataclass(frozen=True)
class Exports:
    """One episode's files: of both engines, and CityLearn's own."""

    engines: dict[str, Path]
    citylearn: Path
    kpis: CommunityKpis


def controller_of(name: str) -> Controller:
    return RandomActions() if name == "random" else make_baseline(name)


def exports_of(folder: Path, part: Part, name: str, root: Path) -> Exports:
    ours = {}
    controller = Recorded(controller_of(name))
    for engine in ENGINES:
        env = make_citylearn_env(folder, buildings=part.buildings, window=part.window, random_seed=2022)
        rollout(controller, env, engine=engine)
        ours[engine] = write_citylearn_csv(env, root / engine, business_as_usual=BusinessAsUsual(engine))
    kpis = evaluate_env(env)
    own = stepped_by_citylearn(folder, part, name, controller.taken, root)
    return Exports(ours, own, kpis)


def stepped_by_citylearn(folder: Path, part: Part, name: str, actions: list[Any], root: Path) -> Path:
    """What CityLearn writes by itself under these actions, its reference of business as usual included."""
    from citylearn.citylearn import CityLearnEnv

    env = CityLearnEnv(
        read_schema(folder),
        central_agent=False,
        buildings=list(part.buildings),
        episode_time_steps=[part.window],
        random_seed=2022,
        render_mode="end",
        render_directory=root,
        render_session_name="own",
    )
    env.reset()
    controller_of(name).reset(env)  # may take actions out of the environment
    for joint in actions:
        env.step(joint)
    assert env.terminated
    return root / "own"


@pytest.fixture(scope="module")
def folders(shared_datasets: Path, ev_data: Path, appliance_data: Path) -> Callable[[str], Path]:
    """Folder of a data set by its name."""
    made = {"evs": ev_data, "appliances": appliance_data}
    return lambda name: made.get(name, shared_datasets / name)


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def exports(request: pytest.FixtureRequest, folders: Callable[[str], Path], tmp_path_factory: Any) -> Exports:
    """The files of one controller in one community."""
    part, name = request.param
    return exports_of(folders(PARTS[part].data), PARTS[part], name, tmp_path_factory.mktemp("csv"))


def table(path: Path) -> Table:
    with path.open(newline="") as file:
        return list(csv.reader(file))


def assert_same_files(ours: Path, theirs: Path) -> None:
    """The same names, titles, rows and cells; KPIs of comfort within a tolerance."""
    assert sorted(path.name for path in ours.iterdir()) == sorted(path.name for path in theirs.iterdir())
    for path in theirs.iterdir():
        mine, own = table(ours / path.name), table(path)
        if path.name == "exported_kpis.csv":
            thermal = [row for row in range(len(own)) if "discomfort" in own[row][0] or "one_minus_thermal" in own[row][0]]
            for row in thermal:
                assert [cell == "" for cell in mine[row]] == [cell == "" for cell in own[row]]
                numbers = [[float(cell or 0.0) for cell in each[1:]] for each in (mine[row], own[row])]
                np.testing.assert_allclose(*numbers, rtol=0, atol=TEMPERATURE_TOLERANCE, err_msg=own[row][0])
                mine[row] = own[row]
        assert mine == own, path.name


@pytest.mark.parametrize("engine", ENGINES)
def test_the_files_are_those_of_citylearn_itself(exports: Exports, engine: str) -> None:
    assert_same_files(exports.engines[engine], exports.citylearn)


def test_hours_add_up_to_the_kpis(exports: Exports) -> None:
    folder = exports.engines["fast"]
    kpis = pd.read_csv(folder / "exported_kpis.csv", index_col="KPI")
    community = pd.read_csv(folder / "exported_data_community_ep0.csv")
    usual = pd.read_csv(folder / "exported_data_business_as_usual_ep0.csv")
    usual = usual[(usual["level"] == "district") & (usual["time_step"] < len(community))]

    def check(kpi: str, hours: pd.Series, scope: str = "District") -> None:
        assert hours.sum() == pytest.approx(kpis.loc[kpi, scope], rel=1e-5, abs=1e-5), kpi

    net = community["Net Electricity Consumption-kWh"]
    check("district_energy_grid_total_import_control_kwh", net.clip(lower=0))
    check("district_energy_grid_total_export_control_kwh", -net.clip(upper=0))
    check("district_cost_total_control_eur", community["Price-$"])
    check("district_emissions_total_control_kgco2", community["CO2-kg_co2"])
    check("district_solar_self_consumption_total_generation_kwh", -community["Total Solar Generation-kWh"])
    check("district_cost_total_business_as_usual_eur", usual["net_electricity_consumption_cost"])
    check("district_emissions_total_business_as_usual_kgco2", usual["net_electricity_consumption_emission_kgco2"])
    buildings = [name for name in kpis.columns if name != "District"]
    total = 0.0
    for name in buildings:
        file = folder / f"exported_data_{name.lower()}_ep0.csv"
        own = pd.read_csv(file)["Net Electricity Consumption-kWh"]
        check("building_energy_grid_total_import_control_kwh", own.clip(lower=0), name)
        battery = pd.read_csv(folder / f"exported_data_{name.lower()}_battery_ep0.csv")["Battery (Dis)Charge-kWh"]
        check("building_battery_total_charge_kwh", battery.clip(lower=0), name)
        check("building_battery_total_discharge_kwh", -battery.clip(upper=0), name)
        chargers = [pd.read_csv(path) for path in folder.glob(f"exported_data_{name.lower()}_charger_*.csv")]
        if chargers:
            check("building_ev_total_charge_kwh", sum(c["Charger Consumption-kWh"].clip(lower=0) for c in chargers), name)
            check("building_ev_total_v2g_export_kwh", sum(c["Charger Production-kWh"].clip(lower=0) for c in chargers), name)
        total = total + own
    np.testing.assert_allclose(total, net, rtol=1e-5, atol=1e-5)


def test_ratios_are_those_of_the_evaluation_but_for_cost(exports: Exports) -> None:
    ratios = pd.read_csv(exports.engines["fast"] / "exported_kpis.csv", index_col="KPI")["District"]
    kpis = exports.kpis.district
    assert ratios["district_emissions_ratio_to_baseline_total_ratio"] == kpis["carbon_emissions_total"]
    assert ratios["district_energy_grid_shape_quality_ramping_average_to_baseline_ratio"] == kpis["ramping_average"]
    # CityLearn's evaluate() takes the mean of the buildings' ratios for the district's, its export that of the sums.
    control, baseline = (ratios[f"district_cost_total_{name}_eur"] for name in ("control", "baseline"))
    assert ratios["district_cost_ratio_to_baseline_total_ratio"] == pytest.approx(control / baseline)
    assert kpis["cost_total"] == pytest.approx(
        np.mean([building["cost_total"] for building in exports.kpis.buildings.values()])
    )


def test_the_files_show_something(exports: Exports, request: pytest.FixtureRequest) -> None:
    part, name = request.node.callspec.params["exports"]
    folder = exports.engines["fast"]
    hours = PARTS[part].window[1] - PARTS[part].window[0]
    series = [path for path in folder.iterdir() if path.name != "exported_kpis.csv" and "business" not in path.name]
    for path in series:
        assert len(pd.read_csv(path)) == hours, path.name
    assert not any(
        cell.lower() in ("nan", "inf", "-inf") for path in folder.iterdir() for row in table(path) for cell in row
    )
    batteries = [pd.read_csv(path)["Battery (Dis)Charge-kWh"] for path in folder.glob("*_battery_ep0.csv")]
    assert any(battery.abs().sum() > 0.1 for battery in batteries) == (name != "no-control")
    if part == "vehicles":
        chargers = [pd.read_csv(path) for path in folder.glob("*_charger_*.csv")]
        assert len(chargers) == 2
        assert all({1.0, 2.0} <= set(charger["EV Charger State"]) for charger in chargers)
        assert any(np.any(charger["Charger Consumption-kWh"] > 0.1) for charger in chargers) == (name != "no-control")
        assert any(np.any(charger["Charger Production-kWh"] > 0.1) for charger in chargers) == (name == "random")


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTROLLERS)
@pytest.mark.parametrize("part", LONG_PARTS)
def test_longer_stretches_and_other_devices(folders: Callable[[str], Path], part: str, name: str, tmp_path: Path) -> None:
    exports = exports_of(folders(LONG_PARTS[part].data), LONG_PARTS[part], name, tmp_path)
    for ours in exports.engines.values():
        assert_same_files(ours, exports.citylearn)
