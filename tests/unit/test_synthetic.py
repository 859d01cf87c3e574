"""Made-up communities: the same again from the same seed, as many devices as asked for, and no nonsense in them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.datasets import check_folder
from rllib_citylearn.datasets.content import file_hashes
from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.errors import ConfigError, DatasetError

YEAR = SyntheticSpec(buildings=4, days=365, seed=9, heat_pump_share=0.5, tank_share=0.5, pv_share=0.75)


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_community(YEAR, tmp_path_factory.mktemp("synthetic") / "year")


def read(path: Path) -> dict[str, np.ndarray]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def schema(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "schema.json").read_text())
    return content


def test_the_same_spec_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    spec = SyntheticSpec(buildings=3, days=3, seed=4, vehicle_share=0.5)
    one, again = make_community(spec, tmp_path / "one"), make_community(spec, tmp_path / "again")
    assert file_hashes(one) == file_hashes(again)
    other = make_community(SyntheticSpec(buildings=3, days=3, seed=5, vehicle_share=0.5), tmp_path / "other")
    assert all(file_hashes(other)[f"{name}.csv"] != file_hashes(one)[f"{name}.csv"] for name in ("weather", "Building_3"))


def test_a_larger_community_lives_at_the_same_place(tmp_path: Path) -> None:
    small = make_community(SyntheticSpec(buildings=2, days=3, battery_share=1, pv_share=1), tmp_path / "small")
    large = make_community(SyntheticSpec(buildings=6, days=3, battery_share=1, pv_share=1), tmp_path / "large")
    for name in ("weather.csv", "pricing.csv", "carbon_intensity.csv"):
        assert file_hashes(small)[name] == file_hashes(large)[name]


def test_the_series_are_a_year_of_a_temperate_place(year: Path) -> None:
    check_folder(year)
    weather, prices = read(year / "weather.csv"), read(year / "pricing.csv")
    carbon = read(year / "carbon_intensity.csv")["carbon_intensity"]
    home = read(year / "Building_1.csv")
    assert len(home["hour"]) == len(carbon) == len(weather["outdoor_dry_bulb_temperature"]) == 8760
    temperature = weather["outdoor_dry_bulb_temperature"]
    assert -25 < temperature.min() < 5 < 25 < temperature.max() < 45
    for month, day in ((1, 17), (7, 198)):
        assert home["month"][24 * day] == month
    assert temperature[24 * 181 : 24 * 212].mean() > temperature[:744].mean() + 12
    sun = weather["direct_solar_irradiance"] + weather["diffuse_solar_irradiance"]
    night = (home["hour"] <= 3) | (home["hour"] >= 23)
    assert sun[night].max() == 0.0
    assert 600 < sun.max() < 1500
    assert (carbon > 0).all()
    assert (prices["electricity_pricing"] > 0).all()
    ahead = weather["outdoor_dry_bulb_temperature_predicted_2"][:-12]
    assert np.abs(ahead - temperature[12:]).mean() < 1.5


def test_homes_use_and_make_plausible_energy(year: Path) -> None:
    buildings = schema(year)["buildings"]
    for name, building in buildings.items():
        home = read(year / f"{name}.csv")
        assert 1000 < home["non_shiftable_load"].sum() < 12000
        by_hour = home["non_shiftable_load"].reshape(-1, 24).mean(0)
        assert by_hour[18:21].mean() > 1.5 * by_hour[1:4].mean()
        if "pv" in building:
            assert 900 < home["solar_generation"].sum() / 1000 < 1900, "kWh a year for each kW"
        else:
            assert not home["solar_generation"].any()
        assert not (home["heating_demand"] * home["cooling_demand"]).any()
        assert ("heating_device" in building) == bool(home["heating_demand"].any())
        assert ("dhw_storage" in building) == bool(home["dhw_demand"].any())


def test_devices_come_in_the_numbers_asked_for(tmp_path: Path) -> None:
    spec = SyntheticSpec(
        buildings=20, days=2, battery_share=0.5, pv_share=0.25, heat_pump_share=0.1, tank_share=1.0, vehicle_share=0.4
    )
    buildings = schema(make_community(spec, tmp_path / "c"))["buildings"].values()
    kinds = ("electrical_storage", "pv", "heating_device", "cooling_device", "dhw_storage", "chargers")
    assert [sum(kind in building for building in buildings) for kind in kinds] == [10, 5, 2, 2, 20, 8]


def test_every_home_has_something_to_control(tmp_path: Path) -> None:
    spec = SyntheticSpec(buildings=5, days=2, battery_share=0.0, tank_share=0.4)
    for building in schema(make_community(spec, tmp_path / "c"))["buildings"].values():
        assert len(building["inactive_actions"]) < 3
        assert "electrical_storage" in building or "dhw_storage" in building


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"buildings": 0}, "buildings is 0; give a whole number from 1 to 100000"),
        ({"buildings": 2.5}, "buildings is 2.5"),
        ({"days": 1}, "days is 1; give a whole number from 2"),
        ({"seed": "x"}, "seed is 'x'; give a whole number from 0 to 4294967295"),
        ({"pv_share": -0.5}, "pv_share is -0.5; give a share of the homes, a number from 0 to 1"),
        ({"vehicle_share": 1.5}, "vehicle_share is 1.5"),
    ],
)
def test_mistakes_are_said_in_a_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SyntheticSpec(**fields)


def test_a_folder_that_is_there_is_kept(tmp_path: Path) -> None:
    spec = SyntheticSpec(buildings=1, days=2)
    make_community(spec, tmp_path / "c")
    with pytest.raises(DatasetError, match="is there already"):
        make_community(spec, tmp_path / "c")
    (tmp_path / "file").write_text("a list")
    with pytest.raises(DatasetError, match="is a file"):
        make_community(spec, tmp_path / "file", force=True)
