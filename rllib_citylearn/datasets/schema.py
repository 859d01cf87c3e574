"""Is a folder a data set that CityLearn 3.0.2 can read? Said in a sentence, before CityLearn's own traceback."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import DatasetError

_OLD_OBSERVATION = re.compile(
    r".*_predicted_\d+h|(cooling|heating)_device_cop|indoor_dry_bulb_temperature_(set_point|delta)"
)
_HOURLY_FILES = ("energy_simulation", "weather", "carbon_intensity", "pricing")
_DAY_S = 86400
_DEEPEST = 50
_NESTED = f"nested deeper than the {_DEEPEST} levels that a CityLearn schema may have. Get the data set again."
_HOW_TO_UPGRADE = (
    "Bring the folder to the current format with "
    "`rllib_citylearn.datasets.upgrade_folder(old, new, random_seed=...)`, or give its folder or name wherever a data set "
    "is asked for: it is upgraded in a copy."
)


def read_description(folder: Path) -> dict[str, Any]:
    """The content of a folder's ``schema.json``.

    Raises:
        DatasetError: there is none, or it is not a CityLearn schema.
    """
    path = folder / "schema.json"
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"No schema.json can be read in {folder} ({error.strerror}). Give a folder that holds a CityLearn data set."
        ) from error
    except ValueError as error:
        raise DatasetError(f"{path} is not valid JSON ({error}). Get the data set again.") from error
    except RecursionError as error:
        raise DatasetError(f"{path} is {_NESTED}") from error
    if any(depth > _DEEPEST for _, depth, _ in _values(description)):
        raise DatasetError(f"{path} is {_NESTED}")
    if not isinstance(description, dict) or not isinstance(description.get("buildings"), dict):
        raise DatasetError(f"{path} is not a CityLearn schema: it has no 'buildings'. Give a data set's schema.json.")
    return description


def check_schema_version(description: Mapping[str, Any]) -> None:
    """Refuse a schema that is in another format than CityLearn 3.0.2's.

    Args:
        description: the content of a ``schema.json``.

    Raises:
        DatasetError: observations, devices or dynamics are written as CityLearn 2.x wrote them; the message names what
            was found and what to do.
    """
    appliances = sorted(_washing_machines(description))
    if appliances:
        raise DatasetError(
            f"The schema has {', '.join(appliances)}, which CityLearn 2.x simulated and CityLearn 3.0.2 refuses; "
            f"it simulates 'deferrable_appliances' instead. {_HOW_TO_UPGRADE}"
        )
    if old := _old_format(description):
        raise DatasetError(f"The schema is in CityLearn 2.x's format: {old} {_HOW_TO_UPGRADE}")


def is_current(description: Mapping[str, Any]) -> bool:
    """Whether observations and dynamics, washing machines aside, are written as CityLearn 3.0.2 writes them."""
    return _old_format(description) is None


def check_shape(description: Mapping[str, Any]) -> None:
    """Refuse a schema whose parts are not what their names say, so that nothing after it stumbles over them.

    Raises:
        DatasetError: names the first of them.
    """
    seed = description.get("random_seed")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise DatasetError(f"The schema's 'random_seed' is {seed!r}; a whole number was expected. Mend schema.json.")
    _check_numbers(description)
    for group in ("observations", "actions", "buildings"):
        _check_entries(group, description.get(group, {}))
    for name, building in description["buildings"].items():
        _check_entries(f"buildings.{name}.washing_machines", building.get("washing_machines") or {})
        for key in ("inactive_observations", "inactive_actions"):
            names = building.get(key) or []
            if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
                raise DatasetError(f"'{key}' of {name} is {names!r}; a list of names was expected. Mend schema.json.")


def _check_numbers(description: Mapping[str, Any]) -> None:
    """Refuse a span that is none, and numbers that JSON does not have."""
    for where, _, value in _values(description):
        if isinstance(value, float) and not math.isfinite(value):
            raise DatasetError(f"The schema has {value} for {where}; a number was expected. Mend schema.json.")
    seconds = description.get("seconds_per_time_step")
    known = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if seconds is not None and not (known and 1 <= seconds <= _DAY_S):
        raise DatasetError(
            f"The schema's 'seconds_per_time_step' is {seconds!r}; a number from 1 to {_DAY_S} was expected, 3600 for "
            "hours. Mend schema.json."
        )
    first, last = (description.get(f"simulation_{end}_time_step") for end in ("start", "end"))
    for end, step in (("start", first), ("end", last)):
        is_whole = isinstance(step, (int, float)) and not isinstance(step, bool) and step == int(step)
        if step is not None and not (is_whole and step >= 0):
            raise DatasetError(
                f"The schema's 'simulation_{end}_time_step' is {step!r}; a time step's number, 0 or more, was expected. "
                "Mend schema.json."
            )
    if first is not None and last is not None and first > last:
        raise DatasetError(
            f"The schema's simulation ends at time step {last}, before it starts at {first}. Mend schema.json."
        )


def _values(description: Any) -> Iterator[tuple[str, int, Any]]:
    """Path, depth and value of everything in a schema, without recursion."""
    waiting = [("", 0, description)]
    while waiting:
        where, depth, value = waiting.pop()
        yield where, depth, value
        if isinstance(value, Mapping):
            waiting += [(f"{where}.{key}" if where else str(key), depth + 1, item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{where}[{k}]", depth + 1, item) for k, item in enumerate(value)]


def _check_entries(group: str, entries: Any) -> None:
    if not isinstance(entries, Mapping):
        raise DatasetError(f"The schema's {group} are {entries!r}; a mapping by name was expected. Mend schema.json.")
    for name, entry in entries.items():
        if not isinstance(entry, Mapping):
            raise DatasetError(f"The schema has {entry!r} for {group}.{name}; a mapping was expected. Mend schema.json.")


def _old_format(description: Mapping[str, Any]) -> str | None:
    """What is written as CityLearn 2.x wrote it; None if nothing is."""
    observations = [*description.get("observations", {})]
    for building in description["buildings"].values():
        observations += building.get("inactive_observations") or []
    old = sorted({name for name in observations if _OLD_OBSERVATION.fullmatch(name)})
    if old:
        return (
            f"it has the observations {_some(old)}, where CityLearn 3.0.2 has '..._predicted_1', '..._cooling_set_point', "
            "'..._device_efficiency' and so on."
        )
    for name, building in description["buildings"].items():
        dynamics = building.get("dynamics")
        if isinstance(dynamics, Mapping) and "type" not in dynamics:
            return (
                f"the dynamics of {name} are given for {_some(sorted(dynamics))} apart, where CityLearn 3.0.2 expects one "
                "model with a 'type'."
            )
    return None


def _washing_machines(description: Mapping[str, Any]) -> Iterator[str]:
    for name, building in description["buildings"].items():
        if building.get("washing_machines"):
            yield f"'washing_machines' in {name}"
    yield from (f"the action '{name}'" for name in description.get("actions", {}) if name == "washing_machine")
    for name in description.get("observations", {}):
        if name.startswith("washing_machine_"):
            yield f"the observation '{name}'"


def check_folder(folder: Path) -> dict[str, Any]:
    """Check that a folder holds a whole data set in CityLearn 3.0.2's format.

    The schema's version, the presence of every file it names, and titles and lengths of the hourly series are checked;
    values are not.

    Args:
        folder: a folder with ``schema.json``.

    Returns:
        The schema's content.

    Raises:
        DatasetError: what is wrong, with which file.
    """
    description = read_description(folder)
    check_shape(description)
    check_schema_version(description)
    included = {name: b for name, b in description["buildings"].items() if b.get("include", True)}
    for name, building in included.items():
        for file in files_named(building):
            if not (folder / file).is_file():
                raise DatasetError(
                    f"The data set in {folder} is incomplete: the schema names {file} for {name}, but there is no such "
                    "file. Get the data set again."
                )
    last = int(description.get("simulation_end_time_step") or 0)
    for file in sorted({b[kind] for b in included.values() for kind in _HOURLY_FILES if str(b.get(kind)).endswith(".csv")}):
        _check_series(folder / file, last)
    return description


def files_named(value: Any) -> Iterator[str]:
    """Every file that a building's entry names, however deep."""
    if isinstance(value, str):
        if value.endswith((".csv", ".pth")):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from files_named(item)
    elif isinstance(value, list):
        for item in value:
            yield from files_named(item)


def _check_series(path: Path, last: int) -> None:
    """Refuse a series whose titles are CityLearn 2.x's, or that ends before time step ``last``."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            titles = next(rows, [])
            lengths = [len(row) for row in rows if row]
    except OSError as error:
        raise DatasetError(f"{path} can't be read ({error.strerror}). Mend its permissions or get it again.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} is not a CSV file ({error}). Get the data set again.") from error
    old = [title for title in titles if not re.fullmatch(r"[a-z0-9_]+", title)]
    if old:
        raise DatasetError(
            f"{path} has the columns {_some(old)}, where CityLearn 3.0.2 expects names such as 'non_shiftable_load' or "
            f"'outdoor_dry_bulb_temperature'; it is in CityLearn 2.x's format or not a data set's file. {_HOW_TO_UPGRADE}"
        )
    if len(lengths) <= last or any(length != len(titles) for length in lengths):
        raise DatasetError(
            f"{path} is damaged: {last + 1} rows of {len(titles)} values are needed for the schema's time steps 0 to "
            f"{last}, but it has {sum(length == len(titles) for length in lengths)} whole rows of {len(lengths)}. Get the "
            "data set again."
        )


def _some(names: list[str]) -> str:
    """The first three of ``names``, quoted, and how many more there are."""
    shown = ", ".join(f"'{name}'" for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
