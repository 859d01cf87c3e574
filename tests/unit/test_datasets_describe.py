"""`describe` says what is in a data set: CityLearn's own sizes, sums of the files, the engine. What the commands print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rllib_citylearn.cli.main import main
from rllib_citylearn.datasets import DatasetSource, describe_dataset
from rllib_citylearn.datasets.checks.names import KNOWN_ACTIONS, OBSERVATIONS
from rllib_citylearn.datasets.description_text import WIDTH, description_text
from rllib_citylearn.env import make_citylearn_env
from rllib_citylearn.errors import DatasetError
from tests.datasets_sound import (
    CAPACITY_KWH,
    CHARGER,
    DAYS,
    HOURS,
    POWER_KW,
    edit_column,
    edit_schema,
    quarter_hours,
    write_sound,
)
from tests.spoils import SPOILS
from tests.spoils.changes import add_appliance

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_sound(tmp_path / "sound")


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return describe_dataset(write_sound(tmp_path_factory.mktemp("described") / "sound"))


def _check_sizes(folder: Path) -> None:
    """Every size in the description is the one of the environment that CityLearn builds; what is None has no power there."""
    described = describe_dataset(folder)["buildings"]
    live = make_citylearn_env(folder).buildings
    assert list(described) == [building.name for building in live]
    for building in live:
        found = described[building.name]
        battery = found["battery"] or {"kwh": 0.0, "kw": 0.0}
        assert battery["kwh"] == pytest.approx(building.electrical_storage.capacity)
        assert battery["kw"] == pytest.approx(building.electrical_storage.nominal_power)
        assert (found["pv_kw"] or 0.0) == pytest.approx(building.pv.nominal_power)
        for use in ("cooling", "heating", "dhw"):
            device = getattr(building, f"{use}_device")
            power = (found[use] or {"kw": 0.0})["kw"]
            assert power == pytest.approx(float(device.nominal_power))
            if found[use]:
                assert found[use]["type"] == type(device).__name__
            assert found["tanks_kwh"].get(use, 0.0) == pytest.approx(float(getattr(building, f"{use}_storage").capacity))
        chargers = {charger.charger_id: charger for charger in building.electric_vehicle_chargers or []}
        assert {name: c["kw"] for name, c in found["chargers"].items()} == {
            name: charger.max_charging_power for name, charger in chargers.items()
        }


def test_sizes_are_citylearns(sound: Path, shared_datasets: Path) -> None:
    _check_sizes(sound)
    _check_sizes(shared_datasets / "citylearn_challenge_2023_phase_1")


@pytest.mark.slow
def test_sizes_that_citylearn_chooses_too(shared_datasets: Path, ev_data: Path) -> None:
    _check_sizes(shared_datasets / "citylearn_challenge_2020_climate_zone_1")
    _check_sizes(ev_data)


def test_sums_are_those_of_the_files(sound: Path, description: dict[str, Any]) -> None:
    for name, building in description["buildings"].items():
        series = pd.read_csv(sound / f"{name}.csv")
        assert building["load_kwh_a_year"] == pytest.approx(series["non_shiftable_load"].sum() * 365 / DAYS)
        assert building["dhw_kwh_a_year"] == pytest.approx(series["dhw_demand"].sum() * 365 / DAYS)
        assert building["pv_kwh_a_year"] == pytest.approx(series["solar_generation"].sum() / 1000 * 4.0 * 365 / DAYS)
    weather = pd.read_csv(sound / "weather.csv")["outdoor_dry_bulb_temperature"]
    found = description["statistics"]["outdoor_dry_bulb_temperature"]
    assert (found["min"], found["mean"], found["max"]) == pytest.approx((weather.min(), weather.mean(), weather.max()))


def test_span_and_names(description: dict[str, Any]) -> None:
    span = description["span"]
    assert (span["time_steps"], span["days"], span["seconds_per_time_step"]) == (HOURS, DAYS, 3600)
    assert (span["first_month"], span["first_day_type"], span["first_hour"]) == (6, 3, 1)
    assert "electrical_storage_soc" in description["observations"]
    assert description["actions"] == ["electrical_storage", "dhw_storage", "electric_vehicle_storage"]
    assert description["findings"] == {"error": 0, "warning": 0}


def test_sessions_are_those_that_were_written(description: dict[str, Any]) -> None:
    """Every night from 18:00 (the row of hour 19) to 7:00, from 40% to 80%; the span cuts off the first and last."""
    found = description["vehicles"]
    assert (found["vehicles"], found["chargers"], found["sessions"]) == (1, 1, DAYS + 1)
    assert found["mean_arrival_hour"] == pytest.approx(19)
    assert found["mean_departure_hour"] == pytest.approx(8)
    assert found["mean_stay_h"] == pytest.approx(13)
    assert found["mean_needed_kwh"] == pytest.approx(0.4 * CAPACITY_KWH)
    assert description["buildings"]["Building_2"]["chargers"] == {CHARGER: {"kw": POWER_KW, "v2g_kw": POWER_KW}}


def test_quarters_of_an_hour_count_for_a_quarter(sound: Path, description: dict[str, Any]) -> None:
    quarter_hours(sound)
    found = describe_dataset(sound)
    assert found["engine"]["runs_on"] == "citylearn"
    assert found["span"]["days"] == DAYS / 4
    for name, building in found["buildings"].items():
        hourly = description["buildings"][name]
        assert building["load_kwh_a_year"] == pytest.approx(4 * hourly["load_kwh_a_year"])
        assert building["pv_kwh_a_year"] == pytest.approx(hourly["pv_kwh_a_year"])  # a power, whatever the step
    assert found["statistics"]["district_load"]["max"] == pytest.approx(
        4 * description["statistics"]["district_load"]["max"]
    )
    assert found["vehicles"]["mean_stay_h"] == pytest.approx(13 / 4)


def test_chargers_that_only_charge_and_outages_are_told(sound: Path) -> None:
    def change(description: dict[str, Any]) -> None:
        buildings = description["buildings"]
        buildings["Building_2"]["chargers"][CHARGER]["attributes"]["max_discharging_power"] = 0.0
        buildings["Building_1"]["power_outage"] = {"simulate_power_outage": True, "stochastic_power_outage": True}
        buildings["Building_2"]["power_outage"] = {"simulate_power_outage": False, "stochastic_power_outage": True}

    edit_schema(sound, change)
    found = describe_dataset(sound)
    assert found["buildings"]["Building_2"]["chargers"][CHARGER] == {"kw": POWER_KW, "v2g_kw": 0.0}
    assert [building["outages"] for building in found["buildings"].values()] == ["random", None]
    assert "7.4+" not in description_text(found)


def test_every_known_name_is_one_that_citylearn_takes(sound: Path) -> None:
    """The check's lists of names, against CityLearn; what is about occupants needs a building of their kind."""
    # In an order of its own: in some CityLearn looks for a load without storage before it has one.
    names = sorted(name for name in OBSERVATIONS if not name.startswith("occupant_interaction"))
    for number in (1, 2):
        edit_column(sound / f"Building_{number}.csv", "indoor_dry_bulb_temperature", lambda row, old: 21 + row % 3)
    actions = KNOWN_ACTIONS - {"deferrable_appliance", "escalator"}
    edit_schema(sound, lambda d: d["observations"].update({name: {"active": True} for name in names}))
    edit_schema(sound, lambda d: d["actions"].update({name: {"active": True} for name in actions}))
    building = make_citylearn_env(sound).buildings[1]
    several = ("charger", "deferrable_appliance")
    single = {name for name in names if not any(kind in name for kind in several) and name not in ("minutes", "seconds")}
    assert single <= set(building.active_observations)
    assert actions - {"electric_vehicle_storage"} <= set(building.active_actions)
    assert sum("charger" in name for name in building.active_observations) == sum("charger" in name for name in names)


REFUSED = ("missing-column", "unknown-column", "unknown-observation", "unknown-action", "heat-and-cold", "battery-missing")


@pytest.mark.parametrize("rule", [*REFUSED, "device-value", "device-type"])
def test_what_the_check_says_citylearn_refuses_it_refuses(sound: Path, rule: str) -> None:
    next(spoil for spoil in SPOILS if spoil.rule == rule).apply(sound)
    with pytest.raises(DatasetError, match="CityLearn could not build"):
        make_citylearn_env(sound)


def test_with_one_gap_citylearn_reads_no_state_at_all(sound: Path) -> None:
    """Why the check calls a single empty cell an error."""
    edit_column(sound / f"{CHARGER}.csv", "electric_vehicle_charger_state", lambda row, old: "" if row == 10 else old)
    (charger,) = make_citylearn_env(sound).buildings[1].electric_vehicle_chargers
    assert np.isnan(charger.charger_simulation.electric_vehicle_charger_state).all()


def test_states_of_charge_are_read_as_citylearn_reads_them() -> None:
    from citylearn.data import ChargerSimulation

    from rllib_citylearn.datasets.checks.sessions import soc_shares

    values = np.array([0.0, 0.3, 1.0, 1.01, 40.0, 100.0, 130.0, -0.1, -3.0, np.nan])
    theirs = ChargerSimulation.normalize_soc_series(values)
    assert np.nan_to_num(soc_shares(values), nan=-0.1) == pytest.approx(theirs, abs=1e-6)


def test_arrivals_around_midnight_have_a_mean_at_midnight() -> None:
    from rllib_citylearn.datasets.statistics import mean_hour

    assert mean_hour([23.0, 1.0]) == pytest.approx(0, abs=1e-9) or mean_hour([23.0, 1.0]) == pytest.approx(24)
    assert mean_hour([22.0, 23.0]) == pytest.approx(22.5)


def test_the_engine_is_the_one_that_can_run_it(sound: Path, description: dict[str, Any]) -> None:
    assert description["engine"] == {"runs_on": "fast", "reason": None}
    add_appliance(sound)
    assert describe_dataset(sound)["engine"]["runs_on"] == "fast"
    edit_schema(sound, lambda d: d.update(community_market={"enabled": True}))
    engine = describe_dataset(sound)["engine"]
    assert engine["runs_on"] == "citylearn"
    assert "a community market" in engine["reason"]
    edit_schema(sound, lambda d: d["buildings"]["Building_1"]["pv"]["attributes"].update(nominal_power=-1))
    engine = describe_dataset(sound)["engine"]
    assert engine["runs_on"] is None
    assert "buildings.Building_1.pv.attributes.nominal_power" in engine["reason"]


def test_a_set_that_citylearn_gives_up_is_for_no_engine(sound: Path) -> None:
    """The check does not look at reward functions, since they are not used here, but CityLearn does."""
    edit_schema(sound, lambda d: d["reward_function"].update(type="citylearn.reward_function.NoSuchReward"))
    engine = describe_dataset(sound)["engine"]
    assert engine["runs_on"] is None
    assert "NoSuchReward" in engine["reason"]


def test_a_resolved_source_keeps_its_name(sound: Path) -> None:
    source = DatasetSource("my community", sound, "path", "local", "")
    assert describe_dataset(source)["name"] == "my community"


def test_the_old_format_is_not_described(sound: Path) -> None:
    edit_schema(sound, lambda d: d["observations"].update(outdoor_dry_bulb_temperature_predicted_6h={"active": True}))
    with pytest.raises(DatasetError, match=r"can't be described.*2\.x's format"):
        describe_dataset(sound)


def test_the_text_fits_a_terminal_and_says_what_there_is(description: dict[str, Any]) -> None:
    text = description_text(description)
    lines = text.splitlines()
    assert max(len(line) for line in lines if "folder" not in line) <= WIDTH
    for words in ("8 days, from a Wednesday in June", "Building_2", "6.4/5", "7.4+", "engine  fast", "3 actions"):
        assert words in text
    assert "cooling" not in text  # nothing has a cooling device, so there is no such column


def test_check_command(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "check", str(sound)]) == 0
    assert capsys.readouterr().out == "0 errors, 0 warnings\n"
    edit_schema(sound, lambda d: (d.pop("random_seed"), d["buildings"]["Building_1"].update(weather=None)))
    target = tmp_path / "findings.json"
    assert main(["datasets", "check", str(sound), "--json", str(target)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["error", "warning", "1"]
    assert lines[-1] == "1 error, 1 warning"
    assert main(["datasets", "check", str(sound), "--json", "-"]) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(target.read_text())
    assert [f["rule"] for f in printed["findings"]] == ["missing-file", "no-seed"]
    assert (printed["errors"], printed["warnings"]) == (1, 1)


def test_describe_command(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit_schema(sound, lambda d: d.update(seconds_per_time_step=900))  # an error, so that nothing is built
    assert main(["datasets", "describe", str(sound)]) == 1
    assert "engine  none" in capsys.readouterr().out
    assert main(["datasets", "describe", str(sound / "schema.json"), "--json", "-"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"] == {"error": 1, "warning": 0}


def test_what_is_no_data_set_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("check", "describe"):
        assert main(["datasets", action, str(tmp_path)]) == 2
        assert "has no schema.json" in capsys.readouterr().err
