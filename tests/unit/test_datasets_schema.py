"""A folder that CityLearn 3.0.2 can't read is refused in a sentence that names what was found."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.datasets import check_folder, check_schema_version, find_folder, folder_sha256, resolve
from rllib_citylearn.errors import DatasetError
from tests.datasets_toy import write_current, write_old


@pytest.fixture
def current(tmp_path: Path) -> Path:
    return write_current(tmp_path / "toy")


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "schema.json"
    description = json.loads(path.read_text())
    change(description)
    path.write_text(json.dumps(description))


def test_a_current_set_passes(current: Path) -> None:
    assert check_folder(current)["random_seed"] == 2022


def test_every_official_current_set_passes(shared_datasets: Path) -> None:
    folders = [path.parent for path in sorted(shared_datasets.glob("*/schema.json"))]
    passed = []
    for folder in folders:
        if folder.name.endswith("_plus_evs"):
            with pytest.raises(DatasetError, match=r"'washing_machines' in Building_1.*deferrable_appliances"):
                check_folder(folder)
        else:
            check_folder(folder)
            passed.append(folder.name)
    assert len(passed) >= 5


def test_an_old_set_is_refused_before_citylearn_sees_it(tmp_path: Path) -> None:
    old = write_old(tmp_path / "old")
    with pytest.raises(DatasetError, match=r"2\.x's format.*predicted_24h.*upgrade_folder"):
        check_folder(old)


def test_old_titles_behind_a_current_schema_are_refused(current: Path, tmp_path: Path) -> None:
    old = write_old(tmp_path / "old")
    (current / "weather.csv").write_bytes((old / "weather.csv").read_bytes())
    with pytest.raises(DatasetError, match=r"weather\.csv has the columns 'Outdoor Drybulb Temperature"):
        check_folder(current)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda d: d["observations"].update({"carbon_intensity_predicted_6h": {}}), "carbon_intensity_predicted_6h"),
        (lambda d: d["observations"].update({"cooling_device_cop": {}}), "cooling_device_cop"),
        (lambda d: d["observations"].update({"washing_machine_start_time_step": {}}), "washing_machine_start_time_step"),
        (lambda d: d["actions"].update({"washing_machine": {"active": True}}), "action 'washing_machine'"),
        (lambda d: d["buildings"]["Building_1"].update(washing_machines={"w": {}}), "washing_machines' in Building_1"),
        (lambda d: d["buildings"]["Building_1"].update(dynamics={"cooling": {}, "heating": {}}), "dynamics of Building_1"),
        (
            lambda d: d["buildings"]["Building_1"].update(inactive_observations=["pricing_predicted_12h"]),
            "pricing_predicted_12h",
        ),
    ],
)
def test_each_trace_of_the_old_format_is_named(
    current: Path, change: Callable[[dict[str, Any]], object], found: str
) -> None:
    _edit(current, change)
    with pytest.raises(DatasetError, match=found):
        check_schema_version(json.loads((current / "schema.json").read_text()))


def test_a_missing_file_is_named(current: Path) -> None:
    (current / "pricing.csv").unlink()
    with pytest.raises(DatasetError, match=r"names pricing\.csv for Building_1"):
        check_folder(current)


def test_a_file_of_a_building_left_out_may_be_missing(current: Path) -> None:
    _edit(current, lambda d: d["buildings"].update(Other={"include": False, "energy_simulation": "Other.csv"}))
    check_folder(current)


@pytest.mark.parametrize("keep", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_a_series_cut_anywhere_is_refused(current: Path, keep: float) -> None:
    path = current / "Building_1.csv"
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DatasetError, match=r"Building_1\.csv is damaged"):
        check_folder(current)


def test_an_error_page_in_place_of_a_series_is_refused(current: Path) -> None:
    (current / "weather.csv").write_text("404: Not Found")
    with pytest.raises(DatasetError, match=r"weather\.csv has the columns '404: Not Found'"):
        check_folder(current)


@pytest.mark.parametrize(("content", "message"), [("{", "not valid JSON"), ("[]", "not a CityLearn schema")])
def test_a_file_that_is_no_schema_is_refused(current: Path, content: str, message: str) -> None:
    (current / "schema.json").write_text(content)
    with pytest.raises(DatasetError, match=message):
        check_folder(current)


def test_the_hash_is_of_names_and_contents_only(current: Path, tmp_path: Path) -> None:
    again = write_current(tmp_path / "elsewhere")
    assert folder_sha256(current) == folder_sha256(again)
    (again / ".hidden").write_text("x")
    (again / "source.json").write_text("x")
    assert folder_sha256(current) == folder_sha256(again)
    # A name that sorts to the same place, so that only the name itself can make the difference.
    (again / "weather.csv").rename(again / "weather_2.csv")
    renamed = folder_sha256(again)
    assert renamed != folder_sha256(current)
    (again / "pricing.csv").write_bytes((again / "pricing.csv").read_bytes() + b"\n")
    assert folder_sha256(again) not in (renamed, folder_sha256(current))


@pytest.mark.parametrize(
    ("where", "wrong", "said"),
    [
        (("observations",), [1], "observations are"),
        (("actions", "electrical_storage"), 3, "actions.electrical_storage"),
        (("buildings", "Building_1"), None, "buildings.Building_1"),
        (("buildings", "Building_1", "inactive_observations"), [1], "'inactive_observations' of Building_1"),
        (("buildings", "Building_1", "washing_machines"), {"a": 1}, "washing_machines.a"),
        (("random_seed",), "x", "'random_seed' is 'x'"),
    ],
)
def test_parts_that_are_not_what_they_should_be_are_named(tmp_path: Path, where: tuple, wrong: object, said: str) -> None:
    """A folder like that is refused where it would be used, and handed to the check, which says all that is wrong."""
    description = {
        "observations": {"hour": {"active": True}},
        "actions": {"electrical_storage": {"active": True}},
        "buildings": {"Building_1": {"include": True}},
    }
    entry: dict = description
    for key in where[:-1]:
        entry = entry[key]
    entry[where[-1]] = wrong
    (tmp_path / "schema.json").write_text(json.dumps(description))
    with pytest.raises(DatasetError, match=re.escape(said)):
        resolve(tmp_path)
    assert find_folder(tmp_path) == tmp_path
