"""Upgrading the old format: nothing but names, weekdays and the documented entries may change."""

from __future__ import annotations

import csv
import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.datasets import check_folder, folder_sha256, upgrade_folder
from rllib_citylearn.datasets.upgrade import upgrade_schema, upgrade_series
from rllib_citylearn.errors import DatasetError
from tests.datasets_toy import write_current, write_old


def test_the_upgraded_toy_is_the_current_toy(tmp_path: Path) -> None:
    old = write_old(tmp_path / "old")
    upgrade_folder(old, tmp_path / "upgraded", random_seed=2022)
    current = write_current(tmp_path / "current")
    for path in sorted(current.iterdir()):
        upgraded = (tmp_path / "upgraded" / path.name).read_text()
        if path.suffix == ".csv":
            assert upgraded == path.read_text(), path.name
        else:
            assert json.loads(upgraded) == json.loads(path.read_text())
    check_folder(tmp_path / "upgraded")


def test_upgrading_leaves_the_old_folder_alone_and_is_repeatable(tmp_path: Path) -> None:
    old = write_old(tmp_path / "old")
    before = folder_sha256(old)
    upgrade_folder(old, tmp_path / "new", random_seed=2022)
    first = folder_sha256(tmp_path / "new")
    upgrade_folder(old, tmp_path / "new", random_seed=2022)
    assert folder_sha256(old) == before
    assert folder_sha256(tmp_path / "new") == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


def test_a_schema_keeps_a_seed_of_its_own() -> None:
    description = {"random_seed": 7, "observations": {}, "actions": {}, "buildings": {}}
    assert upgrade_schema(description, random_seed=2022)["random_seed"] == 7


@pytest.mark.parametrize("first_day", [datetime.date(2018, 1, 1), datetime.date(2016, 8, 3)])
def test_holidays_get_the_weekday_of_the_calendar(first_day: datetime.date) -> None:
    """Any days marked as holidays, even the first ones and several in a row, come back as what the calendar says."""
    days = [first_day + datetime.timedelta(days=i) for i in range(40)]
    holidays = {0, 1, 9, 20, 21, 22, 23, 24, 25, 26, 27, 28, 39}
    rows = ["Month,Hour,Day Type,Equipment Electric Power (kWh)"]
    for i, day in enumerate(days):
        kind = 8 if i in holidays else day.isoweekday()
        rows += [f"{day.month},{hour},{kind},0.1234567890123" for hour in range(1, 25)]
    upgraded = list(csv.DictReader(upgrade_series("\n".join(rows), "Building_1.csv").splitlines()))
    assert [int(row["day_type"]) for row in upgraded] == [day.isoweekday() for day in days for _ in range(24)]
    assert {row["non_shiftable_load"] for row in upgraded} == {"0.1234567890123"}


def test_one_set_point_becomes_two_with_the_same_values() -> None:
    text = "Hour,Temperature Set Point (C),HVAC Mode (Off/Cooling/Heating)\n1,22.5,1\n2,23.5,0\n"
    assert upgrade_series(text, "b.csv").splitlines() == [
        "hour,indoor_dry_bulb_temperature_cooling_set_point,indoor_dry_bulb_temperature_heating_set_point,hvac_mode",
        "1,22.5,22.5,1",
        "2,23.5,23.5,0",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Hour,Fluffiness [m]\n1,2\n", "column 'Fluffiness"),
        ("5h Prediction Electricity Pricing [$/kWh]\n1\n", "column '5h Prediction"),
        ("Hour,Month\n1\n", "other lengths"),
        ("", "empty"),
    ],
)
def test_what_is_not_known_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message) as caught:
        upgrade_series(text, "some_file.csv")
    assert "some_file.csv" in str(caught.value)


def _dynamics(heating_file: str) -> dict[str, Any]:
    def model(file: str, demand: str) -> dict[str, Any]:
        names = ["indoor_dry_bulb_temperature_set_point", demand, "hour_sin"]
        return {
            "type": "citylearn.dynamics.LSTMDynamics",
            "attributes": {"filename": file, "input_observation_names": names},
        }

    return {"cooling": model("a.pth", "cooling_demand"), "heating": model(heating_file, "heating_demand")}


def test_twin_dynamics_become_one_and_different_ones_are_refused() -> None:
    def schema(heating_file: str) -> dict[str, Any]:
        return {"observations": {}, "actions": {}, "buildings": {"B": {"dynamics": _dynamics(heating_file)}}}

    dynamics = upgrade_schema(schema("a.pth"), random_seed=1)["buildings"]["B"]["dynamics"]
    assert dynamics["type"] == "citylearn.dynamics.LSTMDynamics"
    assert dynamics["attributes"]["input_observation_names"] == [
        "indoor_dry_bulb_temperature_cooling_set_point",
        "cooling_demand",
        "hour_sin",
    ]
    with pytest.raises(DatasetError, match=r"B has one model .* another for heating"):
        upgrade_schema(schema("b.pth"), random_seed=1)
