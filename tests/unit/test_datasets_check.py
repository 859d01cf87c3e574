"""Every rule of `check` finds what it is there for, at the right place, and nothing else; what is sound is not blamed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import run
from typing import Any

import pandas as pd
import pytest

from rllib_citylearn.datasets import Finding, check_dataset
from rllib_citylearn.datasets.checks.rules import RULES
from tests.datasets_sound import CHARGER, edit_column, edit_schema, quarter_hours, read_rows, write_rows, write_sound
from tests.spoils import SPOILS, Spoil
from tests.spoils.changes import add_appliance


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sound(tmp_path_factory.mktemp("sound") / "sound")


@pytest.fixture
def sound(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "sound"))


def _where(findings: list[Finding]) -> list[tuple[str, str, str | None, int | None]]:
    return [(f.rule, f.file, f.column, f.row) for f in findings]


def test_a_sound_data_set_has_no_findings(original: Path) -> None:
    assert check_dataset(original) == []


def test_so_has_one_in_parquet(sound: Path) -> None:
    for path in sound.glob("*.csv"):
        pd.read_csv(path).to_parquet(path.with_suffix(".parquet"))
        path.unlink()
    schema = sound / "schema.json"
    schema.write_text(schema.read_text().replace(".csv", ".parquet"))
    assert check_dataset(sound) == []


def test_and_one_with_an_appliance(sound: Path) -> None:
    add_appliance(sound)
    assert check_dataset(sound) == []


@pytest.mark.parametrize("spoil", SPOILS, ids=lambda spoil: f"{spoil.rule}-{spoil.title}")
def test_a_spoiled_set_has_exactly_that_finding(sound: Path, spoil: Spoil) -> None:
    spoil.apply(sound)
    findings = check_dataset(sound)
    assert _where(findings) == [(spoil.rule, spoil.file, spoil.column, spoil.row)]
    finding = findings[0]
    assert finding.level == RULES[spoil.rule].level
    assert finding.message.startswith(finding.file)
    assert finding.message.endswith((".", "?"))
    for words in spoil.says:
        assert words in finding.message
    if spoil.row is not None:
        assert f"row {spoil.row}" in finding.message or f"{spoil.row} rows" in finding.message


def test_every_rule_is_spoiled() -> None:
    assert {spoil.rule for spoil in SPOILS} == set(RULES)


def test_all_findings_are_collected_errors_first(sound: Path) -> None:
    edit_column(sound / "pricing.csv", "electricity_pricing", lambda row, old: -0.1 if row == 3 else old)
    edit_column(sound / "Building_1.csv", "solar_generation", lambda row, old: -5 if row == 4 else old)
    edit_column(sound / "Building_2.csv", "dhw_demand", lambda row, old: "x" if row == 5 else old)
    edit_schema(sound, lambda d: d["observations"].update(hours={"active": True}))
    levels = [finding.level for finding in check_dataset(sound)]
    assert levels == ["error"] * 3 + ["warning"]


def test_a_wrong_title_is_named_with_the_right_one(sound: Path) -> None:
    path = sound / "Building_1.csv"
    path.write_text(path.read_text().replace("non_shiftable_load", "Non Shiftable Laod [kWh]", 1))
    missing, unknown = check_dataset(sound)
    assert (missing.rule, unknown.rule) == ("missing-column", "unknown-column")
    assert "Is it the one called 'Non Shiftable Laod [kWh]'?" in missing.message
    assert "Did you mean non_shiftable_load?" in unknown.message


def test_only_the_span_is_looked_at(sound: Path) -> None:
    edit_schema(sound, lambda d: d.update(simulation_start_time_step=24, simulation_end_time_step=100))
    for row in (23, 101):
        edit_column(sound / "Building_1.csv", "non_shiftable_load", lambda r, old, at=row: "x" if r == at else old)
    assert check_dataset(sound) == []
    edit_column(sound / "Building_1.csv", "non_shiftable_load", lambda r, old: -1 if r == 24 else old)
    # The bad value within the span is named by its row of the file, whatever text there is elsewhere in the column.
    assert _where(check_dataset(sound)) == [("negative", "Building_1.csv", "non_shiftable_load", 24)]


def test_an_excluded_building_is_not_looked_at(sound: Path) -> None:
    (sound / "Building_1.csv").write_text("nothing")
    edit_schema(sound, lambda d: d["buildings"]["Building_1"].update(include=False))
    assert check_dataset(sound) == []


@pytest.mark.parametrize("last", [0, 1])
def test_back_to_back_sessions_are_no_countdown_error(sound: Path, last: int) -> None:
    """A vehicle that stays while another session begins starts another countdown; CityLearn sees it in the numbers."""
    path = sound / f"{CHARGER}.csv"
    # The second night's session is announced to end at midnight.
    edit_column(path, "electric_vehicle_departure_time", lambda row, old: 47 - row + last if 42 <= row < 48 else old)
    assert [f.rule for f in check_dataset(sound)] == ["no-arrival-soc"]
    # Labels have the last word: one for both sessions makes it one.
    rows = [{**row, "electric_vehicle_session_id": "a"} for row in read_rows(path)]
    write_rows(path, rows)
    assert [f.rule for f in check_dataset(sound)] == ["countdown"]
    for row in rows[48:55]:
        row["electric_vehicle_session_id"] = "b"
    write_rows(path, rows)
    assert [f.rule for f in check_dataset(sound)] == ["no-arrival-soc"]


def test_a_holiday_may_be_any_day(sound: Path) -> None:
    for number in (1, 2):
        edit_column(sound / f"Building_{number}.csv", "day_type", lambda row, old: 8 if 48 <= row < 72 else old)
    assert check_dataset(sound) == []


def test_what_is_no_dropout(sound: Path) -> None:
    """A load that is often zero is a load that is often zero."""
    edit_column(sound / "Building_1.csv", "non_shiftable_load", lambda row, old: 0 if row % 8 == 0 else old)
    assert check_dataset(sound) == []


def test_a_few_dull_days_are_no_weak_array(sound: Path) -> None:
    edit_column(sound / "Building_1.csv", "solar_generation", lambda row, old: float(old) / 20)
    edit_schema(sound, lambda d: d.update(simulation_end_time_step=47))
    assert check_dataset(sound) == []


def test_an_unknown_name_that_is_switched_off_is_a_warning(sound: Path) -> None:
    edit_schema(sound, lambda d: d["observations"].update(hours={"active": False}))
    assert _where(check_dataset(sound)) == [("unknown-inactive", "schema.json", "observations.hours", None)]


def test_quarters_of_an_hour_are_sound_too(sound: Path) -> None:
    """Energies are a step's, so that loads of the same kWh are four times the kW, and the battery may be larger."""
    quarter_hours(sound)
    assert check_dataset(sound) == []
    edit_schema(sound, lambda d: d["buildings"]["Building_1"]["electrical_storage"]["attributes"].update(capacity=1000.0))
    assert check_dataset(sound) == []
    edit_schema(sound, lambda d: d["buildings"]["Building_1"]["electrical_storage"]["attributes"].update(capacity=4000.0))
    assert [f.rule for f in check_dataset(sound)] == ["unit-device"]


def test_a_controlled_device_may_be_too_weak(sound: Path) -> None:
    """With dynamics, cooling is what the controller asks for; hot water is still a demand that has to be met."""

    def add_dynamics(description: dict[str, Any]) -> None:
        building = description["buildings"]["Building_1"]
        attributes = {"nominal_power": 0.01, "efficiency": 0.25}
        building["cooling_device"] = {"type": "citylearn.energy_model.HeatPump", "attributes": attributes}
        building["dynamics"] = {"type": "citylearn.dynamics.LSTMDynamics", "attributes": {"filename": "model.pth"}}

    edit_column(sound / "Building_1.csv", "cooling_demand", lambda row, old: 3.0 if row == 14 else 0.0)
    edit_column(sound / "Building_1.csv", "indoor_dry_bulb_temperature", lambda row, old: 22 + row % 3)
    edit_schema(sound, add_dynamics)
    assert _where(check_dataset(sound)) == [
        ("missing-file", "schema.json", "buildings.Building_1.dynamics.attributes.filename", None)
    ]
    (sound / "model.pth").write_bytes(b"")
    assert check_dataset(sound) == []
    edit_schema(sound, lambda d: d["buildings"]["Building_1"].pop("dynamics"))
    assert _where(check_dataset(sound)) == [("demand-without-device", "Building_1.csv", "cooling_demand", 14)]


def test_a_folder_in_the_old_format_has_that_one_finding(sound: Path) -> None:
    edit_schema(sound, lambda d: d["observations"].update(outdoor_dry_bulb_temperature_predicted_6h={"active": True}))
    (sound / "weather.csv").unlink()
    assert _where(check_dataset(sound)) == [("old-format", "schema.json", None, None)]


def test_no_official_set_has_errors(shared_datasets: Path, ev_data: Path) -> None:
    found: dict[str, set[str]] = {}
    for folder in [path.parent for path in sorted(shared_datasets.glob("*/schema.json"))] + [ev_data]:
        if not folder.name.endswith("_plus_evs"):
            findings = check_dataset(folder)
            assert [f.message for f in findings if f.level == "error"] == []
            found[folder.name] = {f.rule for f in findings}
    # What is odd in them: a 29 kWh/kW array and meters that fail (2022), noise and a lost day (2021), schedules (vehicles).
    assert found.pop(ev_data.name) >= {"out-of-reach", "no-departure", "soc-one", "unequal-lengths", "two-midnights"}
    assert found["citylearn_challenge_2022_phase_all"] == {"dropout", "weak-pv"}
    assert found["citylearn_challenge_2021"] == {"humidity", "dropout", "date-order", "calendars-differ"}
    assert found["citylearn_challenge_2020_climate_zone_1"] == found["citylearn_challenge_2023_phase_1"] == set()


def test_checking_imports_nothing_heavy(original: Path) -> None:
    code = (
        "import sys; from rllib_citylearn.datasets import check_dataset; "
        f"assert check_dataset({str(original)!r}) == []; "
        "print([m for m in ('citylearn', 'torch', 'ray', 'numba', 'gymnasium') if m in sys.modules])"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_parquet_reader_is_said(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd.read_csv(sound / "weather.csv").to_parquet(sound / "weather.parquet")
    schema = sound / "schema.json"
    schema.write_text(schema.read_text().replace("weather.csv", "weather.parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (finding,) = check_dataset(sound)
    assert (finding.rule, finding.file) == ("unreadable", "weather.parquet")
    assert "needs pyarrow" in finding.message


STRUCTURE: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("observations", lambda d: d.update(observations=["hour"])),
    ("actions", lambda d: d.pop("actions")),
    ("reward_function", lambda d: d.pop("reward_function")),
    ("actions.electrical_storage", lambda d: d["actions"].update(electrical_storage=True)),
    ("simulation_start_time_step", lambda d: d.update(simulation_start_time_step=-1)),
    ("simulation_end_time_step", lambda d: d.update(simulation_end_time_step=0)),
    ("seconds_per_time_step", lambda d: d.pop("seconds_per_time_step")),
    ("random_seed", lambda d: d.update(random_seed="x")),
    ("random_seed", lambda d: d.update(random_seed=-1)),
    ("buildings.Building_1", lambda d: d["buildings"].update(Building_1="Building_1.csv")),
    ("buildings.Building_1.pv", lambda d: d["buildings"]["Building_1"].update(pv=4)),
    ("buildings.Building_1.inactive_actions", lambda d: d["buildings"]["Building_1"].update(inactive_actions="pv")),
    ("buildings.Building_2.chargers." + CHARGER, lambda d: d["buildings"]["Building_2"]["chargers"].update({CHARGER: 1})),
    ("electric_vehicles_def", lambda d: d.update(electric_vehicles_def=[])),
    ("buildings", lambda d: [b.update(include=False) for b in d["buildings"].values()]),
]


@pytest.mark.parametrize(("column", "change"), STRUCTURE, ids=[column for column, _ in STRUCTURE])
def test_a_schema_of_the_wrong_kind_is_the_only_finding(
    sound: Path, column: str, change: Callable[[dict[str, Any]], object]
) -> None:
    edit_schema(sound, change)
    assert _where(check_dataset(sound)) == [("structure", "schema.json", column, None)]
