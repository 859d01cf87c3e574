"""Sizes, efficiencies and classes of the devices, and whether they fit the demands and actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rllib_citylearn.datasets.checks.dataset import END_USES, Dataset, device_attributes, entries, is_autosized, number
from rllib_citylearn.datasets.checks.finding import Findings
from rllib_citylearn.datasets.names import suggestion

_STORAGE = ("cooling_storage", "heating_storage", "dhw_storage", "electrical_storage")
_DEVICES = (*(f"{use}_device" for use in END_USES), *_STORAGE, "pv")
_MODULE = "citylearn.energy_model"
_HEATERS = ("HeatPump", "ElectricHeater")
_CLASSES = {
    "cooling_device": ("HeatPump",),
    "heating_device": _HEATERS,
    "dhw_device": _HEATERS,
    **dict.fromkeys(_STORAGE[:3], ("StorageTank",)),
    "electrical_storage": ("Battery",),
    "pv": ("PV",),
}
_BUILDINGS = ("Building", "DynamicsBuilding", "LSTMDynamicsBuilding", "OccupantInteractionBuilding")
_POSITIVE_SHARES = ("efficiency", "depth_of_discharge")
_SHARES = ("initial_soc", "loss_coefficient", "capacity_loss_coefficient")
_SIZES = ("capacity", "nominal_power", "max_input_power", "max_output_power")
_HIGHEST_COP = 20.0
_TOLERANCE = 1e-4


def check_devices(data: Dataset) -> None:
    """Every device of every building, and the batteries of the vehicles."""
    for name, building in data.buildings.items():
        if building.get("type") is not None:
            check_class(building["type"], f"buildings.{name}.type", "citylearn.building", _BUILDINGS, data.findings)
        for device in _DEVICES:
            entry = entries(building.get(device))
            if entry:
                where = f"buildings.{name}.{device}"
                check_class(entry.get("type"), f"{where}.type", _MODULE, _CLASSES[device], data.findings)
                check_values(device_attributes(building, device), f"{where}.attributes", data.findings)
                if device == "electrical_storage" and not is_autosized(building, device):
                    _check_battery(entry, where, data.findings)
        _check_demands(data, name, building)
        _check_actions(data, name, building)
    for name, attributes in data.vehicles().items():
        where = f"electric_vehicles_def.{name}.battery.attributes"
        check_values(attributes, where, data.findings)
        for size in ("capacity", "nominal_power"):
            if not number(attributes.get(size)):
                message = f"it is {attributes.get(size)!r}; expected more than 0. Put it into the schema."
                data.findings.add("device-value", message, column=f"{where}.{size}")


def check_class(name: Any, where: str, module: str, known: Sequence[str], findings: Findings) -> None:
    """A class of CityLearn's ``module`` that is none of those ``known``; classes of other modules are not looked at."""
    if not isinstance(name, str) or "." not in name:
        message = f"it is {str(name)[:60]!r}; expected a class such as {module}.{known[0]}."
        findings.add("device-type", message, column=where)
        return
    found, kind = name.rsplit(".", 1)
    if found == module and kind not in known:
        message = f"{kind} can't be used here.{suggestion(kind, known)} Expected {' or '.join(known)}."
        findings.add("device-type", message, column=where)


def check_values(attributes: Mapping[str, Any], where: str, findings: Findings) -> None:
    """Sizes, shares and curves that no device can have; what the schema leaves out is CityLearn's choice."""
    for key, value in attributes.items():
        x = number(value)
        if isinstance(value, str | bool) and key in (*_SIZES, *_POSITIVE_SHARES, *_SHARES):
            findings.add("device-value", f"it is {value!r}; expected a number.", column=f"{where}.{key}")
        elif key.endswith("_curve"):
            _check_curve(value, key, where, findings)
        elif x is None:
            continue
        elif key in _SIZES and x < 0:
            findings.add("device-value", f"it is {x:g}; expected 0 or more. Mend it.", column=f"{where}.{key}")
        elif key in _POSITIVE_SHARES and not 0 < x <= 1:
            findings.add(
                "device-value", f"it is {x:g}; expected more than 0 and at most 1. Mend it.", column=f"{where}.{key}"
            )
        elif key in _SHARES and not 0 <= x <= 1:
            findings.add("device-value", f"it is {x:g}; expected 0 to 1. Mend it.", column=f"{where}.{key}")


def _check_curve(value: Any, key: str, where: str, findings: Findings) -> None:
    """Points of a curve: two numbers each, abscissae rising within [0, 1]; efficiencies are in (0, 1]."""
    if value is None:
        return
    points = [[number(x) for x in point] for point in value if isinstance(point, list)] if isinstance(value, list) else []
    whole = len(points) >= 2 and len(points) == len(value) and all(len(p) == 2 and None not in p for p in points)
    x = np.array([p[0] for p in points], float) if whole else np.zeros(0)
    y = np.array([p[1] for p in points], float) if whole else np.zeros(0)
    fits = whole and x.min() >= 0 and x.max() <= 1 and (np.diff(x) > 0).all() and y.min() >= 0
    if fits and "efficiency" in key:
        fits = bool(y.min() > 0 and y.max() <= 1)
    if not fits:
        message = "expected points [x, y] with x rising from 0 to 1, and efficiencies above 0 and at most 1. Mend it."
        findings.add("device-value", message, column=f"{where}.{key}")


def _check_battery(entry: Mapping[str, Any], where: str, findings: Findings) -> None:
    """A battery that stores or gives nothing."""
    attributes = entries(entry.get("attributes"))
    for size in ("capacity", "nominal_power"):
        value = attributes.get(size)
        if value is None or number(value) == 0:
            message = (
                f"it is {'missing' if value is None else '0'}: the battery does nothing. Give its size, or take it out."
            )
            findings.add("device-value", message, column=f"{where}.attributes.{size}")


def _check_demands(data: Dataset, name: str, building: Mapping[str, Any]) -> None:
    """Demands above what the device gives at best; CityLearn ends an episode there."""
    table = data.table(building.get("energy_simulation"))
    for use in END_USES:
        column = f"{use}_demand"
        if table is None or column not in table.columns or is_autosized(building, f"{use}_device"):
            continue
        if building.get("dynamics") and use != "dhw":
            continue  # a controlled device makes what it can
        attributes = device_attributes(building, f"{use}_device")
        pump = str(entries(building.get(f"{use}_device")).get("type")).endswith("HeatPump")
        efficiency = number(attributes.get("efficiency"))
        best = _HIGHEST_COP if pump else 1.0 if efficiency is None else efficiency
        most = (number(attributes.get("nominal_power")) or 0.0) * best * data.step_s / 3600
        short = table.numbers(column) > most + _TOLERANCE
        if building.get(f"{use}_storage") and most > 0:
            continue  # a full tank may help out
        device = f"the {use}_device of {name} gives at most {most:.3g} kWh" if most else f"{name} has no {use}_device"
        data.findings.add_rows(
            "demand-without-device",
            short,
            f"{device}, less than is asked for",
            "CityLearn ends an episode there; give it a larger device.",
            file=table.file,
            column=column,
            first=table.first,
        )


def _check_actions(data: Dataset, name: str, building: Mapping[str, Any]) -> None:
    """Active actions for what a building does not have."""
    for action in entries(data.description.get("actions")):
        if not data.is_active("actions", action, building):
            continue
        if action == "electrical_storage" and not building.get(action):
            message = (
                f"{name} has no battery, but the action is active, which CityLearn refuses. Add it to the building's "
                "'inactive_actions'."
            )
            data.findings.add("battery-missing", message, column=f"buildings.{name}.inactive_actions")
        elif action in (*_STORAGE, "cooling_device", "heating_device") and not building.get(action):
            message = f"{name} has no {action}, so this action does nothing. Add it to the building's 'inactive_actions'."
            data.findings.add("action-idle", message, column=f"buildings.{name}.inactive_actions")
