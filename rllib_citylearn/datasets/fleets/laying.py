"""A fleet written over a data set, as a data set that plain CityLearn 3.0.2 reads."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rllib_citylearn import __version__
from rllib_citylearn.datasets.checks.check import structural_errors
from rllib_citylearn.datasets.content import SOURCE_FILE, folder_sha256
from rllib_citylearn.datasets.fleets.calendar import Calendar, read_calendar
from rllib_citylearn.datasets.fleets.fleet import POWER_CURVE, VEHICLE_POWER_KW, Charger, Fleet, Vehicle, make_fleet
from rllib_citylearn.datasets.fleets.schedule import charger_csv
from rllib_citylearn.datasets.fleets.spec import SOURCES, FleetSpec
from rllib_citylearn.datasets.schema import check_folder
from rllib_citylearn.datasets.target import check_target, new_dataset
from rllib_citylearn.errors import DatasetError
from rllib_citylearn.files import write_json, write_text

FLEET_FILE = "fleet.json"
"""Where a laid fleet says what it was drawn from."""

OBSERVATIONS = (
    "electric_vehicle_charger_connected_state",
    "connected_electric_vehicle_at_charger_battery_capacity",
    "connected_electric_vehicle_at_charger_departure_time",
    "connected_electric_vehicle_at_charger_required_soc_departure",
    "connected_electric_vehicle_at_charger_soc",
    "electric_vehicle_charger_incoming_state",
    "incoming_electric_vehicle_at_charger_estimated_arrival_time",
    "incoming_electric_vehicle_at_charger_estimated_soc_arrival",
)
"""What buildings see of each charger; all are made active."""

ACTION = "electric_vehicle_storage"

DEPTH_OF_DISCHARGE = 0.9
"""Share of a vehicle's battery that a building may take back: the last tenth stays in it."""

CAPACITY_LOSS = 1e-5
"""CityLearn's ``capacity_loss_coefficient``: that of the challenges' home batteries."""


def lay_fleet(source: str | Path, target: str | Path, spec: FleetSpec, *, force: bool = False) -> Fleet:
    """Write a data set with a fleet: chargers in its buildings, their vehicles, all else as it was.

    Vehicles and chargers that the set has already are replaced. The random seed stays the source's, and so do its batteries.
    The same source and spec give the same bytes.

    Args:
        source: folder of an hourly data set in CityLearn 3.0.2's format; it is not changed.
        target: the folder to make.
        spec: the fleet.
        force: replace ``target`` if it is there.

    Returns:
        What was laid.

    Raises:
        DatasetError: the source can't be used, or the target is there or can't be written.
    """
    source, target = Path(source), Path(target)
    check_target(target, force=force)
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise DatasetError(f"{target} lies in the data set that the fleet is laid over; choose a folder outside {source}.")
    description = _sound_description(source)
    calendar = read_calendar(source, description)
    replaced = {str(charger.get("charger_simulation")) for charger in _chargers_of(description)}
    with new_dataset(target) as folder:
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source)
            left_out = str(name) in {"schema.json", SOURCE_FILE, FLEET_FILE} | replaced
            if path.is_file() and not left_out and not any(part.startswith(".") for part in name.parts):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, folder / name)
        new, fleet = add_fleet(folder, description, calendar, spec)
        write_json(folder / "schema.json", new)
        write_json(folder / FLEET_FILE, _record(spec, fleet, folder_sha256(source)))
    return fleet


def _sound_description(source: Path) -> dict[str, Any]:
    """The schema of a folder that CityLearn can run, so that what is made of it can be run too."""
    description = check_folder(source)
    errors = structural_errors(source)
    if errors:
        raise DatasetError(f"The data set in {source} can't be given a fleet. {errors[0].message}")
    return description


def add_fleet(
    folder: Path, description: Mapping[str, Any], calendar: Calendar, spec: FleetSpec
) -> tuple[dict[str, Any], Fleet]:
    """Draw a fleet for a data set and write the files of its chargers.

    Args:
        folder: where the chargers' files go.
        description: the content of its schema, which is not changed.
        calendar: its rows.
        spec: the fleet.

    Returns:
        The schema with the fleet, to be written, and the fleet.
    """
    names = [name for name, building in description["buildings"].items() if building.get("include", True)]
    fleet = make_fleet(spec, calendar, names)
    for c, charger in enumerate(fleet.chargers):
        write_text(folder / f"{charger.name}.csv", charger_csv(fleet, c))
    return schema_with_fleet(description, fleet), fleet


def schema_with_fleet(description: Mapping[str, Any], fleet: Fleet) -> dict[str, Any]:
    """A schema with the chargers and vehicles of ``fleet`` instead of its own; ``description`` is not changed."""
    new: dict[str, Any] = copy.deepcopy(dict(description))
    for building in new["buildings"].values():
        building.pop("chargers", None)
        for kind in ("inactive_observations", "inactive_actions"):
            if building.get(kind):
                building[kind] = [name for name in building[kind] if "electric_vehicle" not in name]
    for charger in fleet.chargers:
        building = new["buildings"][charger.building]
        building.setdefault("chargers", {})[charger.name] = _charger_entry(charger)
    for name in OBSERVATIONS:
        new["observations"][name] = {"active": True, "shared_in_central_agent": True}
    new["actions"][ACTION] = {"active": True}
    first = {int(v): s for s, v in reversed(list(enumerate(fleet.sessions.vehicle)))}
    new["electric_vehicles_def"] = {
        vehicle.name: _vehicle_entry(
            vehicle, float(fleet.sessions.arrival_soc[first[v]]) if v in first else vehicle.wanted_soc
        )
        for v, vehicle in enumerate(fleet.vehicles)
    }
    return new


def _charger_entry(charger: Charger) -> dict[str, Any]:
    return {
        "type": "citylearn.electric_vehicle_charger.Charger",
        "charger_simulation": f"{charger.name}.csv",
        "autosize": False,
        "attributes": {
            "nominal_power": charger.power_kw,
            "efficiency": charger.efficiency,
            "max_charging_power": charger.power_kw,
            "min_charging_power": charger.least_power_kw,
            "max_discharging_power": charger.discharge_power_kw,
            "min_discharging_power": min(charger.least_power_kw, charger.discharge_power_kw),
        },
    }


def _vehicle_entry(vehicle: Vehicle, initial_soc: float) -> dict[str, Any]:
    return {
        "include": True,
        "battery": {
            "type": "citylearn.energy_model.Battery",
            "autosize": False,
            # Nothing is left to CityLearn's random numbers: whether a session can be met depends on all of it.
            "attributes": {
                "capacity": vehicle.capacity_kwh,
                "nominal_power": VEHICLE_POWER_KW,
                "initial_soc": initial_soc,
                "depth_of_discharge": DEPTH_OF_DISCHARGE,
                "loss_coefficient": 0.0,
                "capacity_loss_coefficient": CAPACITY_LOSS,
                "efficiency": vehicle.battery_efficiency,
                "power_efficiency_curve": [[0.0, vehicle.battery_efficiency], [1.0, vehicle.battery_efficiency]],
                "capacity_power_curve": [list(point) for point in POWER_CURVE],
            },
        },
    }


def _chargers_of(description: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [c for b in description["buildings"].values() for c in (b.get("chargers") or {}).values()]


def _record(spec: FleetSpec, fleet: Fleet, source: str) -> dict[str, Any]:
    return {
        "made_by": f"rllib_citylearn {__version__}",
        "source_sha256": source,
        "spec": spec.to_dict(),
        "chargers": len(fleet.chargers),
        "vehicles": len(fleet.vehicles),
        "sessions": len(fleet.sessions),
        "sources": dict(SOURCES),
    }
