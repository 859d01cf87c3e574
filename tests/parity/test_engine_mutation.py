"""The parity tests see everything: one millionth more or less in any single number of the engine shows as an error."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.simulator import CommunityDescription
from rllib_citylearn.simulator.parameters import ABSENT, ELECTRIC_HEATER, END_USES, Curves
from tests.parity.engine import Doubles, Replay, Run, differing, errors, record, scripted, seed_of
from tests.parity.engine_devices import cut_the_grid, with_heating

HOURS = 120

UNUSED = {
    "parameters.random_seed": "the default of a seed that is given here",
    "parameters.hours": "the length of a time step; any other than an hour is refused",
    "parameters.actions": "places and limits, which only decode joint actions: tested against the feature table",
    "parameters.tanks.single": "a flag",
    "parameters.devices.kind": "a choice, not a quantity",
    "parameters.chargers.building": "a place",
    "tables.first_step": "says what row 0 is, and is simulated nowhere",
    "tables.outage": "a flag",
    "tables.hvac_mode": "a choice, not a quantity",
    "tables.indoor": "read by communities with LSTM dynamics, which agree within a tolerance",
    "tables.presence.connected": "a place",
    "tables.presence.announced": "a flag, shown in observations",
    "tables.presence.drifts": "a flag",
    "tables.presence.required_soc": "read by the reward alone: test_service_terms.py holds it against CityLearn",
}
"""Fields that a millionth can't change or that nothing here reads, and why."""


def reveal(env: Any) -> None:
    """Give every device parameters that bind now and then, so that each of them makes a difference."""
    for i, battery in enumerate(
        [*(b.electrical_storage for b in env.buildings), *(v.battery for v in env.electric_vehicles)]
    ):
        battery.capacity = float(battery.capacity) * 0.7
        battery.nominal_power = (0.4 if i < len(env.buildings) else 0.1) * battery.capacity
        battery.depth_of_discharge = 0.7
        battery.loss_coefficient = 0.01
        battery.capacity_loss_coefficient = 0.05
        battery.initial_soc = 0.5
        battery.power_efficiency_curve = [[0.0, 0.6], [0.4, 0.95], [1.0, 0.7]]
        battery.capacity_power_curve = [[0.0, 0.4], [0.55 + 0.01 * i, 0.95], [1.0, 0.3]]
    for building in env.buildings:
        for use in END_USES:
            tank, device = getattr(building, f"{use}_storage"), getattr(building, f"{use}_device")
            if tank.capacity:
                tank.capacity = type(tank.capacity)(2.0 * tank.capacity)
                tank.loss_coefficient, tank.efficiency, tank.initial_soc = 0.02, 0.8, 0.4
                # Small enough to bind, also while demand is low.
                demand = np.asarray(getattr(building.energy_simulation, f"{use}_demand"))[:HOURS]
                tank.max_output_power = float(0.5 * np.median(demand[demand > 0]))
                # Cold-water tanks leave the limit to the heat pump.
                tank.max_input_power = None if use == "cooling" else float(0.2 * tank.capacity)
            if device.nominal_power:
                device.nominal_power = device.nominal_power * 1.05
        for i, charger in enumerate(building.electric_vehicle_chargers or []):
            charger.max_charging_power, charger.max_discharging_power = 9.0 + i, 8.0 + i
            charger.min_charging_power, charger.min_discharging_power = 2.0, 1.5
            charger.efficiency = 0.9
            curve = [[0.1, 0.6], [0.5, 0.95], [0.9, 0.7]] if building is env.buildings[0] else None
            charger.charge_efficiency_curve = charger.discharge_efficiency_curve = curve


def revealing_actions(description: CommunityDescription) -> Doubles:
    """Mixed actions; every third hour chargers are asked for barely more than the least power they can give."""
    actions = scripted("mixed", description.features, HOURS, 5)
    chargers = description.parameters.chargers
    barely = 1.0 + 1e-9
    for n, column, low, most, low_out, most_out in zip(
        chargers.building,
        description.parameters.actions.charger,
        chargers.min_charging,
        chargers.max_charging,
        chargers.min_discharging,
        chargers.max_discharging,
        strict=True,
    ):
        actions[::6, n, column] = barely * low / most
        actions[3::6, n, column] = -barely * low_out / most_out
    return actions


class Case:
    """A community, what CityLearn makes of some actions in it, and what the engine does if it is changed."""

    def __init__(self, env: Any) -> None:
        self.description = CommunityDescription.read(env, community_features(env))
        self.actions = revealing_actions(self.description)
        self.expected: Run = record(env, self.description.features, self.actions)
        self.seed = seed_of(env)

    def errors(self, description: CommunityDescription) -> dict[str, float]:
        return differing(errors(self.expected, Replay(description, 1).run(self.actions, seed=self.seed)))


@pytest.fixture(scope="module")
def cases(shared_datasets: Path, ev_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    tanks = shared_datasets / "citylearn_challenge_2020_climate_zone_1"
    heated = with_heating(tanks, tmp_path_factory.mktemp("heating"), ["Building_1", "Building_4"])

    @functools.cache
    def case(name: str) -> Case:
        if name == "vehicles":
            env = make_citylearn_env(ev_data, buildings=("Building_10", "Building_12", "Building_15"), window=(100, 250))
        else:
            env = make_citylearn_env(heated, window=(4600, 4750))
        reveal(env)
        if name == "outages":
            cut_the_grid(env, 4)
        return Case(env)

    return case


def numbers(thing: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every field below ``thing`` that is no dataclass itself, with its dotted name."""
    for field in fields(thing):
        name, value = f"{path}.{field.name}", getattr(thing, field.name)
        if name in UNUSED or value is None:
            continue
        if is_dataclass(value):
            yield from numbers(value, name)
        elif isinstance(value, np.ndarray) and not name.endswith(".points"):
            yield name, value


def with_entry(thing: Any, path: list[str], index: tuple[int, ...]) -> Any:
    """A copy of a dataclass in which one entry of the array at ``path`` is off by a millionth of it, or of one."""
    value = getattr(thing, path[0])
    if len(path) > 1:
        return replace(thing, **{path[0]: with_entry(value, path[1:], index)})
    changed = value.copy()
    changed[index] += 1e-6 * max(abs(changed[index]), 1.0)
    return replace(thing, **{path[0]: changed})


def seen(case: Case, name: str, index: tuple[int, ...]) -> bool:
    part, *path = name.split(".")
    changed = with_entry(getattr(case.description, part), path, index)
    return bool(case.errors(replace(case.description, **{part: changed})))


def places(case: Case, name: str, values: Any) -> list[list[tuple[int, ...]]]:
    """Entries to change, in groups: at least one of each has to be seen.

    Every device is a group of its own, but for vehicles: those that never come to a charger of these buildings only drift.
    In a table every column is a group, and so is every point of a curve.
    """
    parameters, tables = case.description.parameters, case.description.tables
    if name.startswith("tables."):
        matters = np.isfinite(values[:HOURS]) & (values[:HOURS] != 0)
        if name.endswith("start_soc"):
            matters[1:] = False  # episodes start at row 0 here
        if name.endswith("islanded_load"):
            assert tables.outage is not None
            matters &= (tables.outage[:HOURS] != 0) & (values[:HOURS] > 0)
        if name.endswith("heat_demand"):
            matters &= parameters.devices.kind != ABSENT
        if name.endswith("outdoor"):
            matters &= (parameters.devices.kind != ABSENT).any(1)
        columns = [tuple(map(int, column)) for column in np.ndindex(values.shape[1:])]
        groups = [[(int(row), *c) for row in np.flatnonzero(matters[(slice(None), *c)])] for c in columns]
        return [group for group in groups if group]
    owner = functools.reduce(getattr, name.split(".")[1:-1], parameters)
    indices = [tuple(map(int, index)) for index in np.ndindex(values.shape)]
    if isinstance(owner, Curves):
        return [[(d, k) for d, k in indices if k == point < owner.points[d]] for point in range(values.shape[1])]
    if ".tanks." in name:
        indices = [index for index in indices if parameters.tanks.capacity[index] > 0 and np.isfinite(values[index])]
    if ".devices." in name:
        unread = (ABSENT, ELECTRIC_HEATER) if name.endswith("target_temperature") else (ABSENT,)
        indices = [index for index in indices if parameters.devices.kind[index] not in unread]
    if name == "parameters.chargers.efficiency":
        curves = parameters.chargers.charge_efficiency.points + parameters.chargers.discharge_efficiency.points
        indices = [index for index in indices if curves[index] < 4]
    return [indices] if ".vehicles." in name else [[index] for index in indices]


@pytest.mark.parametrize("name", ["vehicles", "heating", "outages"])
def test_the_engine_is_equal_before_it_is_changed(name: str, cases: Callable[[str], Case]) -> None:
    case = cases(name)
    assert not case.errors(case.description)


@pytest.mark.parametrize("name", ["vehicles", "heating", "outages"])
def test_every_number_shows_if_it_is_a_millionth_off(name: str, cases: Callable[[str], Case]) -> None:
    case = cases(name)
    unseen = []
    checked = 0
    for part in ("parameters", "tables"):
        for field, values in numbers(getattr(case.description, part), part):
            if not values.size:
                continue
            for group in places(case, field, values):
                checked += 1
                if not any(seen(case, field, index) for index in group):
                    unseen.append((field, group[0]))
    assert not unseen, f"{len(unseen)} of {checked} changes were not seen: {unseen}"


LSTM_CHANGE = 0.02
"""How much one weight has to be off to move a temperature by more than the 2e-5 degC that are tolerated."""


@pytest.mark.parametrize(
    "name",
    ["inputs", "input_range", "input_weights", "recurrent_weights", "bias", "output_weights", "output_bias", "indoor"],
)
def test_a_wrong_number_in_the_models_of_the_indoor_temperature_shows(name: str, shared_datasets: Path) -> None:
    env = make_citylearn_env(shared_datasets / "citylearn_challenge_2023_phase_1", buildings=["Building_2"], window=(0, 71))
    description = CommunityDescription.read(env, community_features(env))
    dynamics, tables = description.dynamics, description.tables
    assert dynamics is not None
    actions = scripted("random", description.features, 71)
    expected = record(env, description.features, actions)
    if name == "indoor":
        indoor = tables.indoor.copy()
        indoor[3] += np.float32(LSTM_CHANGE)  # later ones are predicted
        changed = replace(description, tables=replace(tables, indoor=indoor))
    else:
        values = getattr(dynamics, name).copy()
        values[(0,) if name == "output_bias" else (slice(None), 0)] += LSTM_CHANGE
        changed = replace(description, dynamics=replace(dynamics, **{name: values}))
    assert errors(expected, Replay(description, 1).run(actions))["temperature"] < 2e-5
    assert errors(expected, Replay(changed, 1).run(actions))["temperature"] > 2e-5
