"""Making data sets out of numbers, sources and places that can't be used: a sentence each, and nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.datasets import resolve
from rllib_citylearn.datasets.fleets import FleetSpec, lay_fleet
from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.errors import ConfigError, DatasetError

HUGE = 10**400
HOURS = {"mean_h": 8.0, "std_h": 1.0, "earliest_h": 5, "latest_h": 13}


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    return make_community(SyntheticSpec(buildings=1, days=2, vehicle_share=1.0), tmp_path / "homes")


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "schema.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


@pytest.mark.parametrize("spec", [SyntheticSpec, FleetSpec])
def test_seeds_are_those_that_citylearn_takes(spec: Any) -> None:
    assert spec(seed=2**32 - 1).seed == 2**32 - 1
    with pytest.raises(ConfigError, match="seed is 4294967296; give a whole number from 0 to 4294967295"):
        spec(seed=2**32)


@pytest.mark.parametrize(
    "fields",
    [
        {"distance_km": 1e-300},
        {"distance_km": HUGE},
        {"distance_std_km": HUGE},
        {"distance_km": True},
        {"seed": True},
        {"required_soc": [0.5, HUGE]},
        {"required_soc": [0.5, True]},
        {"charger_powers_kw": [[True, 1.0]]},
        {"charger_powers_kw": [[7.4, True]]},
        {"battery_capacities_kwh": [[HUGE, 1.0]]},
        {"weekday_departure": {**HOURS, "earliest_h": True}},
        {"weekday_departure": {**HOURS, "mean_h": True}},
        {"weekday_departure": {**HOURS, "std_h": HUGE}},
    ],
)
def test_numbers_that_a_fleet_cannot_have(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="give"):
        FleetSpec.from_dict(fields)


SPANS = [
    {"seconds_per_time_step": "x"},
    {"seconds_per_time_step": [1]},
    {"seconds_per_time_step": float("nan")},
    {"seconds_per_time_step": 0},
    {"seconds_per_time_step": "3600"},
    {"simulation_start_time_step": -5},
    {"simulation_start_time_step": 0.5},
    {"simulation_start_time_step": 48},
    {"simulation_end_time_step": 10**400},
    {"simulation_end_time_step": 48},
    {"simulation_end_time_step": -1},
    {"random_seed": "x"},
    {"observations": None},
    {"electric_vehicles_def": {"a": [float("inf")]}},
]


@pytest.mark.parametrize("change", SPANS, ids=str)
def test_a_schema_with_impossible_values_is_not_used(homes: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    edit(homes, lambda d: d.update(change))
    with pytest.raises(DatasetError, match=r"expected|before it starts|damaged"):
        resolve(homes)
    with pytest.raises(DatasetError):
        lay_fleet(homes, tmp_path / "laid", FleetSpec())
    assert [path.name for path in tmp_path.iterdir()] == ["homes"]


BUILDINGS: list[Callable[[dict[str, Any]], object]] = [
    lambda d: d.update(seconds_per_time_step=None),
    lambda d: d.update(random_seed=-1),
    lambda d: d.update(random_seed=2**32),
    lambda d: d.pop("actions"),
    lambda d: d["buildings"].update(Building_1=None),
    lambda d: d["buildings"]["Building_1"].update(chargers=[1]),
    lambda d: d["buildings"]["Building_1"].update(chargers="a"),
    lambda d: d["buildings"]["Building_1"].update(chargers={"a": None}),
    lambda d: d["buildings"]["Building_1"].update(include=False),
    lambda d: d["buildings"]["Building_1"]["electrical_storage"].update(type=None),
    lambda d: d["observations"].update(nonsense={"active": True}),
]


@pytest.mark.parametrize("change", BUILDINGS)
def test_no_fleet_over_a_set_that_the_check_refuses(
    homes: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit(homes, change)
    with pytest.raises(DatasetError) as caught:
        lay_fleet(homes, tmp_path / "laid", FleetSpec())
    assert ".laid" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["homes"]


def test_a_message_about_the_time_step_names_the_source(homes: Path, tmp_path: Path) -> None:
    edit(homes, lambda d: d.update(seconds_per_time_step=1800))
    with pytest.raises(DatasetError, match=f"{homes} has time steps of 1800 s"):
        lay_fleet(homes, tmp_path / "laid", FleetSpec())


@pytest.mark.parametrize("depth", [60, 100_000])
def test_a_schema_nested_without_end_is_refused(homes: Path, depth: int) -> None:
    text = (homes / "schema.json").read_text()
    (homes / "schema.json").write_text(text.replace("{", '{"deep": ' + "[" * depth + "]" * depth + ",", 1))
    with pytest.raises(DatasetError, match="nested deeper"):
        resolve(homes)
