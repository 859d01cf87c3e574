"""What is in a data set: span, buildings with their devices, statistics, vehicles, and which engine can run it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.datasets.checks.check import check_dataset, open_dataset
from rllib_citylearn.datasets.checks.dataset import END_USES, Dataset, device_attributes, entries, number
from rllib_citylearn.datasets.checks.finding import Finding, Findings
from rllib_citylearn.datasets.checks.sessions import DEFAULT_POWER_KW
from rllib_citylearn.datasets.checks.tables import Table
from rllib_citylearn.datasets.content import folder_sha256
from rllib_citylearn.datasets.source import DatasetSource
from rllib_citylearn.datasets.statistics import district_statistics, session_statistics, yearly
from rllib_citylearn.errors import DatasetError, EngineError, UserError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

_GAPS = ("missing-value", "time-gap", "dropout")


def describe_dataset(source: DatasetSource | str | Path) -> dict[str, Any]:
    """A JSON-ready description of a data set.

    Sizes are CityLearn's own, so that those which a schema leaves to it are given too; a data set with errors is not built,
    and its sizes are the schema's.

    Args:
        source: from ``resolve``, or a folder with ``schema.json``.

    Returns:
        ``name``, ``folder``, ``sha256``; ``span``; ``buildings``, a mapping a building; the active ``observations`` and
        ``actions``; ``statistics``; ``vehicles`` (None without chargers); ``findings`` (counts of the check's); ``gaps``
        (sentences); ``engine``: ``runs_on`` (``fast``, ``citylearn`` or None) and ``reason``.

    Raises:
        DatasetError: the schema can't be read or is in another format, so that there is nothing to describe.
    """
    folder = (source.folder if isinstance(source, DatasetSource) else Path(source)).resolve()
    findings = check_dataset(folder)
    data = open_dataset(folder, Findings())
    if data is None:
        raise DatasetError(f"The data set in {folder} can't be described. {findings[0].message}")
    env, engine = _build(folder, findings)
    live = {} if env is None else {building.name: building for building in env.buildings}
    return {
        "name": source.name if isinstance(source, DatasetSource) else folder.name,
        "folder": str(folder),
        "sha256": folder_sha256(folder),
        "span": _span(data),
        "buildings": {name: _building(data, name, building, live.get(name)) for name, building in data.buildings.items()},
        "observations": _active(data, "observations"),
        "actions": _active(data, "actions"),
        "statistics": district_statistics(data),
        "vehicles": session_statistics(data),
        "gaps": [finding.message for finding in findings if finding.rule in _GAPS],
        "findings": {level: sum(f.level == level for f in findings) for level in ("error", "warning")},
        "engine": engine,
    }


def _build(folder: Path, findings: Sequence[Finding]) -> tuple[CityLearnEnv | None, dict[str, Any]]:
    """CityLearn's environment of all the data, None if there can't be one, and which engine can run it."""
    if findings and findings[0].level == "error":
        return None, {"runs_on": None, "reason": f"The check found errors; put them right first. {findings[0].message}"}
    from rllib_citylearn.env import community_features, make_citylearn_env
    from rllib_citylearn.simulator import CommunityDescription

    try:
        env = make_citylearn_env(folder)
        features = community_features(env)
        _reset(env)
    except UserError as error:
        return None, {"runs_on": None, "reason": str(error)}
    try:
        CommunityDescription.read(env, features)
    except EngineError as error:
        return env, {"runs_on": "citylearn", "reason": str(error)}
    return env, {"runs_on": "fast", "reason": None}


def _reset(env: CityLearnEnv) -> None:
    try:
        env.reset()
    except Exception as error:
        raise DatasetError(
            f"CityLearn could not start an episode: {error}. `rllib-citylearn datasets check` may say why."
        ) from error


def _span(data: Dataset) -> dict[str, Any]:
    """Time steps, days, and the first row's month, weekday and hour; those are None if they can't be read."""
    calendar: dict[str, int | None] = dict.fromkeys(("month", "day_type", "hour"))
    table = _first_table(data)
    for name in calendar:
        if table is not None and name in table.columns:
            first = number(float(table.numbers(name)[0]))
            calendar[name] = None if first is None else int(first)
    return {
        "first_time_step": data.first,
        "last_time_step": data.last,
        "time_steps": data.rows,
        "seconds_per_time_step": data.step_s,
        "days": data.rows * data.step_s / 86400,
        **{f"first_{name}": value for name, value in calendar.items()},
    }


def _first_table(data: Dataset) -> Table | None:
    tables = (data.table(building.get("energy_simulation")) for building in data.buildings.values())
    return next((table for table in tables if table is not None and len(table.frame)), None)


def _active(data: Dataset, group: str) -> list[str]:
    """Names that are switched on in at least one building."""
    names = entries(data.description[group])
    return [name for name in names if any(data.is_active(group, name, b) for b in data.buildings.values())]


def _building(data: Dataset, name: str, building: Mapping[str, Any], live: Any) -> dict[str, Any]:
    """A building's devices; sizes in kW and kWh, None for devices that it does not have."""

    def size(device: str, attribute: str) -> float | None:
        if not entries(building.get(device)):
            return None
        if live is not None:
            return number(float(getattr(getattr(live, device), attribute)))
        return number(device_attributes(building, device).get(attribute))

    outage = entries(building.get("power_outage"))
    simulated = bool(outage.get("simulate_power_outage"))
    battery = size("electrical_storage", "capacity")
    pv_kw = size("pv", "nominal_power")
    return {
        "battery": None if battery is None else {"kwh": battery, "kw": size("electrical_storage", "nominal_power")},
        "pv_kw": pv_kw,
        **{
            use: None
            if size(f"{use}_device", "nominal_power") is None
            else {"type": _class(building[f"{use}_device"]), "kw": size(f"{use}_device", "nominal_power")}
            for use in END_USES
        },
        "tanks_kwh": {use: size(f"{use}_storage", "capacity") for use in END_USES if building.get(f"{use}_storage")},
        "chargers": {charger: _charger(entries(entry)) for charger, entry in entries(building.get("chargers")).items()},
        "deferrable_appliances": list(entries(building.get("deferrable_appliances"))),
        "dynamics": _class(building["dynamics"]) if building.get("dynamics") else None,
        "outages": None if not simulated else "random" if outage.get("stochastic_power_outage") else "in the data",
        **yearly(data, building, pv_kw),
    }


def _class(entry: Any) -> str:
    return str(entries(entry).get("type")).rsplit(".", 1)[-1]


def _charger(entry: Mapping[str, Any]) -> dict[str, float | None]:
    """Powers in kW; CityLearn's where the schema gives none. A charger that can discharge vehicles has ``v2g_kw`` > 0."""
    attributes = entries(entry.get("attributes"))
    powers = {"kw": attributes.get("max_charging_power"), "v2g_kw": attributes.get("max_discharging_power")}
    return {key: DEFAULT_POWER_KW if power is None else number(power) for key, power in powers.items()}
