"""CityLearn 2.x's data format to CityLearn 3.0.2's.

What differs, and how it was established: the published sets of both formats were compared with each other, and the tests
compare an upgraded archive with the published set again.

- Series have other titles; the values are the same (the current sets print them as float32).
- Predictions are numbered instead of carrying their horizon: 6 h, 12 h, 24 h ahead are 1, 2, 3.
- One set point for cooling and heating became two; both are the old one.
- Day type 8 (a holiday) became the weekday that the day is.
- Dynamics were given for cooling and heating apart, with one network for both; the current sets keep cooling's.
- Prices are shared in a central agent; the schema has a random seed, from which missing battery curves are drawn.
- Washing machines became deferrable appliances (``rllib_citylearn.datasets.washing_machines``).

Files and schemas that are in the current format already are taken as they are.
"""

from __future__ import annotations

import copy
import csv
import io
import re
import shutil
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rllib_citylearn.datasets.schema import check_shape, is_current, read_description
from rllib_citylearn.datasets.washing_machines import has_washing_machines, machine_files, upgrade_washing_machines
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import new_directory, write_json, write_text

UPGRADE_FORMAT = 1
"""Counts what upgrading the same folder may give; copies of an earlier count are made anew."""

_COOLING_SET_POINT = "indoor_dry_bulb_temperature_cooling_set_point"
_HEATING_SET_POINT = "indoor_dry_bulb_temperature_heating_set_point"
_OLD_SET_POINT = "indoor_dry_bulb_temperature_set_point"
_OLD_DELTA = "indoor_dry_bulb_temperature_delta"

_COLUMNS = {
    "Month": "month",
    "Hour": "hour",
    "Day Type": "day_type",
    "Daylight Savings Status": "daylight_savings_status",
    "Indoor Temperature": "indoor_dry_bulb_temperature",
    "Average Unmet Cooling Setpoint Difference": "average_unmet_cooling_setpoint_difference",
    "Indoor Relative Humidity": "indoor_relative_humidity",
    "Equipment Electric Power": "non_shiftable_load",
    "DHW Heating": "dhw_demand",
    "Cooling Load": "cooling_demand",
    "Heating Load": "heating_demand",
    "Solar Generation": "solar_generation",
    "Occupant Count": "occupant_count",
    "Temperature Set Point": _COOLING_SET_POINT,
    "HVAC Mode": "hvac_mode",
    "Outdoor Drybulb Temperature": "outdoor_dry_bulb_temperature",
    "Outdoor Relative Humidity": "outdoor_relative_humidity",
    "Relative Humidity": "outdoor_relative_humidity",
    "Diffuse Solar Radiation": "diffuse_solar_irradiance",
    "Direct Solar Radiation": "direct_solar_irradiance",
    "Electricity Pricing": "electricity_pricing",
    "kg_CO2/kWh": "carbon_intensity",
}
_HORIZONS = {"6": "_predicted_1", "12": "_predicted_2", "24": "_predicted_3"}
# 2.x read series by position, whatever the titles said; one set forecasts prices one to three hours ahead.
_SHORT_HORIZONS = {"1": "_predicted_1", "2": "_predicted_2", "3": "_predicted_3"}
_TITLE = re.compile(r"(?:(?P<hours>1|2|3|6|12|24)h (?:Prediction )?)?(?P<quantity>.+?)(?: [\[(][^\[(]*[\])])?")
_OLD_PREDICTION = re.compile(r"(?P<quantity>.+)_predicted_(?P<hours>6|12|24)h")
_HOLIDAY = 8


def upgrade_folder(source: Path, target: Path, *, random_seed: int) -> None:
    """Write a data set of CityLearn 2.x's format anew in CityLearn 3.0.2's.

    Args:
        source: the old folder, with ``schema.json``; it is not changed.
        target: the new folder; it appears when all is done, and replaces one that is there.
        random_seed: the seed the schema gets if it has none. CityLearn draws from it what the schema leaves out (battery
            curves), so it decides the physics.

    Warns:
        UserWarning: a washing machine that no deferrable appliance can stand for was left out.

    Raises:
        DatasetError: the folder holds something whose counterpart in the current format is not known.
    """
    old = read_description(source)
    series = [path for path in _series_of(source) if path.name not in machine_files(old)]
    texts = {path.name: _text(path) for path in series}
    if is_current(old) and all(_has_current_titles(text) for text in texts.values()):
        description = _seeded(old, random_seed)
    else:
        description = upgrade_schema(old, random_seed=random_seed)
    texts = {name: text if _has_current_titles(text) else upgrade_series(text, name) for name, text in texts.items()}
    if has_washing_machines(old):
        description, tables, left_out = upgrade_washing_machines(description, source)
        texts |= tables
        for sentence in left_out:
            warnings.warn(sentence, stacklevel=2)
    with new_directory(target) as folder:
        for path in sorted(source.iterdir()):
            if path.is_file() and path.suffix != ".csv" and path.name != "schema.json" and not path.name.startswith("."):
                shutil.copyfile(path, folder / path.name)
        for name, text in texts.items():
            write_text(folder / name, text)
        write_json(folder / "schema.json", description)


def needs_upgrade(folder: Path) -> bool:
    """Whether a folder holds a data set of CityLearn 2.x's format, or has something of it."""
    description = read_description(folder)
    check_shape(description)
    if not is_current(description) or has_washing_machines(description):
        return True
    return any(_has_old_titles(path) for path in _series_of(folder))


def _series_of(folder: Path) -> list[Path]:
    """CSV files, sorted; a folder or a broken link that is called so is none."""
    return [path for path in sorted(folder.glob("*.csv")) if path.is_file()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} can't be read ({error}). Get the data set again.") from error


def _has_old_titles(path: Path) -> bool:
    """Whether every column of a file is one that CityLearn 2.x's series had, and none is a current one."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            titles = _titles(file.readline())
    except (OSError, csv.Error) as error:
        raise DatasetError(f"{path} can't be read ({error}). Mend its permissions or get it again.") from error
    matches = [_TITLE.fullmatch(title.strip()) for title in titles]
    return bool(titles) and all(match is not None and match["quantity"] in _COLUMNS for match in matches)


def _has_current_titles(text: str) -> bool:
    """Whether a series' columns are named as CityLearn 3 names them: in small letters, with underscores."""
    titles = _titles(text.partition("\n")[0])
    return bool(titles) and all(re.fullmatch(r"[a-z0-9_]+", title) for title in titles)


def _titles(line: str) -> list[str]:
    return next(csv.reader([line]), [])


def upgrade_schema(description: Mapping[str, Any], *, random_seed: int) -> dict[str, Any]:
    """A schema in CityLearn 3.0.2's format from one in CityLearn 2.x's.

    Args:
        description: the old ``schema.json``; it is not changed.
        random_seed: the seed it gets if it has none.
    """
    old = copy.deepcopy(dict(description))
    new = _seeded(old, random_seed)
    new["observations"] = _upgrade_observations(old["observations"])
    if _has_heat_pump_control(old["actions"]):
        new["actions"]["cooling_or_heating_device"] = {"active": False}
    for name, building in new["buildings"].items():
        inactive = building.get("inactive_observations")
        if inactive:
            building["inactive_observations"] = [n for o in inactive for n in _observation_names(o)]
        if building.get("dynamics"):
            building["dynamics"] = _upgrade_dynamics(building["dynamics"], name)
    return new


def _seeded(description: Mapping[str, Any], random_seed: int) -> dict[str, Any]:
    """A schema with ``random_seed`` where it has none of its own."""
    given = {key: value for key, value in description.items() if key != "random_seed" or value is not None}
    return {"random_seed": random_seed, **given}


def _has_heat_pump_control(actions: Mapping[str, Any]) -> bool:
    """Whether the schema knows thermal devices as actions; then the current format lists their joint action too."""
    return "cooling_device" in actions and "heating_device" in actions


def _upgrade_observations(observations: Mapping[str, Any]) -> dict[str, Any]:
    upgraded: dict[str, Any] = {}
    # The current format lists set points and their differences last.
    thermostat: dict[str, Any] = {}
    for name, settings in observations.items():
        names = _observation_names(name)
        settings = dict(settings)
        if names[0].startswith("electricity_pricing"):
            settings["shared_in_central_agent"] = True
        if len(names) == 1:
            upgraded[names[0]] = settings
        else:
            # Only the cooling half keeps the old activity: these sets have no heating.
            thermostat[names[0]] = settings
            thermostat[names[1]] = {**settings, "active": False}
    for name in ("hvac_mode", "comfort_band"):
        upgraded.setdefault(name, {"active": False, "shared_in_central_agent": False})
    order = sorted(thermostat, key=lambda name: name.endswith("_delta"))
    return {**upgraded, **{name: thermostat[name] for name in order}}


def _observation_names(name: str) -> tuple[str, ...]:
    """What an old observation is called now; two names where one quantity became two, cooling's first."""
    prediction = _OLD_PREDICTION.fullmatch(name)
    if prediction is not None:
        return (prediction["quantity"] + _HORIZONS[prediction["hours"]],)
    if name == _OLD_SET_POINT:
        return (_COOLING_SET_POINT, _HEATING_SET_POINT)
    if name == _OLD_DELTA:
        return ("indoor_dry_bulb_temperature_cooling_delta", "indoor_dry_bulb_temperature_heating_delta")
    return (name.replace("_device_cop", "_device_efficiency"),)


def _upgrade_dynamics(dynamics: Mapping[str, Any], building: str) -> dict[str, Any]:
    """One model for cooling and heating, which has to be what both were; cooling's inputs are the current format's."""
    if set(dynamics) != {"cooling", "heating"}:
        raise DatasetError(
            f"The dynamics of {building} are given for {', '.join(sorted(dynamics))}; an upgrade is known only for data "
            "sets that give them for cooling and heating. Use a data set in CityLearn 3.0.2's format."
        )
    cooling, heating = copy.deepcopy(dynamics["cooling"]), copy.deepcopy(dynamics["heating"])
    for model in (cooling, heating):
        attributes = model["attributes"]
        attributes["input_observation_names"] = [
            _observation_names(name)[0] for name in attributes["input_observation_names"]
        ]
    as_cooling = copy.deepcopy(heating)
    as_cooling["attributes"]["input_observation_names"] = [
        "cooling_demand" if name == "heating_demand" else name for name in heating["attributes"]["input_observation_names"]
    ]
    if as_cooling != cooling:
        raise DatasetError(
            f"{building} has one model of its dynamics for cooling and another for heating, and CityLearn 3.0.2 takes only "
            "one. Use a data set in CityLearn 3.0.2's format."
        )
    return dict(cooling)


def upgrade_series(text: str, name: str) -> str:
    """The content of a series' CSV file with current titles and weekdays; other values keep every digit.

    Args:
        text: the old file's content.
        name: the file's name, for messages.
    """
    rows = list(csv.reader(io.StringIO(text)))
    if not rows:
        raise DatasetError(f"{name} is empty; a series with a row of titles was expected. Get the data set again.")
    titles = [_column(title, name) for title in rows[0]]
    body = rows[1:]
    if any(len(row) != len(titles) for row in body):
        raise DatasetError(f"{name} has rows of other lengths than its titles; it is damaged. Get the data set again.")
    if "day_type" in titles:
        _replace_holidays(body, titles.index("hour"), titles.index("day_type"))
    if _COOLING_SET_POINT in titles:
        at = titles.index(_COOLING_SET_POINT)
        titles.insert(at + 1, _HEATING_SET_POINT)
        for row in body:
            row.insert(at + 1, row[at])
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([titles, *body])
    return out.getvalue()


def _column(title: str, file: str) -> str:
    match = _TITLE.fullmatch(title.strip())
    if match is None or match["quantity"] not in _COLUMNS:
        raise DatasetError(
            f"{file} has the column '{title}', which CityLearn 2.x's data sets of the 2020 to 2023 challenges do not have; "
            "its name in the current format is not known. Use a data set in CityLearn 3.0.2's format."
        )
    return _COLUMNS[match["quantity"]] + (_HORIZONS | _SHORT_HORIZONS).get(match["hours"] or "", "")


def _replace_holidays(rows: Sequence[list[str]], hour: int, day_type: int) -> None:
    """Give holidays the weekday that counting on from the last ordinary day gives; back from the first one before it.

    Args:
        rows: the cells of a series, changed in place; a day begins where the hour is 1.
        hour: position of the hour's column.
        day_type: position of the day type's column.
    """
    days: list[int] = []
    for row in rows:
        starts = float(row[hour]) == 1
        days.append((days[-1] if days else 0) + int(starts))
    known = [i for i, row in enumerate(rows) if float(row[day_type]) != _HOLIDAY]
    if len(known) == len(rows) or not known:
        return
    anchor = known[0]
    for i, row in enumerate(rows):
        kind = float(row[day_type])
        if kind != _HOLIDAY:
            anchor = i
            continue
        weekday = int(float(rows[anchor][day_type]))
        row[day_type] = str((weekday - 1 + days[i] - days[anchor]) % 7 + 1)
