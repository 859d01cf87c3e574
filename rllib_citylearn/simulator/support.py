"""What the compiled engine can't simulate is refused by name, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.errors import EngineError, UnsupportedError
from rllib_citylearn.simulator.parameters import ABSENT, END_USES

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

    from rllib_citylearn.simulator.parameters import CommunityParameters
    from rllib_citylearn.simulator.tables import CommunityTables

CITYLEARN, NUMPY = "3.0.2", "2.4"
"""Versions whose results the kernels reproduce: numpy's promotion rules are part of CityLearn's arithmetic."""

HOUR_S = 3600.0


def installed_versions() -> dict[str, str]:
    """Versions of what a community is read with."""
    return {package: version(package) for package in ("citylearn", "numpy")}


def check_versions(versions: Mapping[str, str]) -> None:
    """Refuse a CityLearn or numpy whose arithmetic may be another.

    Args:
        versions: those that a community was read with.

    Raises:
        EngineError: other ones than the kernels were written for.
    """
    for package, expected in (("citylearn", CITYLEARN), ("numpy", NUMPY)):
        installed = versions[package]
        if installed != expected and not installed.startswith(f"{expected}."):
            raise EngineError(
                f"The fast engine reproduces {package} {expected}, but {installed} is installed, which may compute other "
                f"numbers. Install {package} {expected} (`rllib-citylearn doctor` says how), or use the engine 'citylearn'."
            )


def check_supported(env: CityLearnEnv) -> None:
    """Refuse what the kernels don't know.

    Args:
        env: a CityLearn environment that has been reset.

    Raises:
        EngineError: names every unsupported thing and the buildings that have it.
    """
    check_versions(installed_versions())
    found: dict[str, list[str]] = {}
    for name, what in _unsupported(env):
        found.setdefault(what, []).append(name)
    if found:
        listed = "; ".join(f"{what} ({', '.join(dict.fromkeys(names))})" for what, names in found.items())
        raise UnsupportedError(
            f"The fast engine can't simulate this community: {listed}.",
            "Use the engine 'citylearn', or take these out of the data set's schema.",
        )


def check_demands(env: CityLearnEnv, parameters: CommunityParameters, tables: CommunityTables) -> None:
    """Refuse heat, cold or hot water that a device can't make: CityLearn ends such an episode with an assertion.

    Raises:
        EngineError: names the building, the end use and the row.
    """
    from citylearn.building import TOLERANCE

    for n, building in enumerate(env.buildings):
        for u, use in enumerate(END_USES):
            controlled = u < 2 and max(parameters.actions.device[n, u], parameters.actions.both_devices[n]) >= 0
            if parameters.devices.kind[n, u] == ABSENT or controlled:
                continue
            device = getattr(building, f"{use}_device")
            if hasattr(device, "get_cop"):
                cop = device.get_cop(tables.outdoor[:, n].astype(np.float64), heating=use != "cooling")
            else:
                cop = device.efficiency
            short = tables.heat_demand[:, n, u] - float(device.nominal_power) * cop >= TOLERANCE
            if tables.outage is not None:
                short &= tables.outage[:, n] == 0
            if short.any():
                row = int(np.flatnonzero(short)[0])
                raise EngineError(
                    f"The {use} demand of {building.name} at row {row} of the data is "
                    f"{tables.heat_demand[row, n, u]:g} kWh, more than its device of {float(device.nominal_power):g} kW can "
                    "make. CityLearn refuses that too; give it a larger device."
                )


def _unsupported(env: CityLearnEnv) -> Iterator[tuple[str, str]]:
    """(building or 'community', unsupported thing)."""
    if float(env.seconds_per_time_step) != HOUR_S:
        yield "community", f"time steps of {env.seconds_per_time_step:g} s instead of {HOUR_S:g} s"
    for flag, what in (
        ("community_market_enabled", "a community market"),
        ("central_agent", "a central agent"),
    ):
        if getattr(env, flag, False):
            yield "community", what
    if getattr(env, "topology_mode", "static") == "dynamic":
        yield "community", "buildings that join and leave"
    for service, what in (("_demand_response_service", "demand response"), ("_robustness_service", "disturbed channels")):
        if getattr(getattr(env, service, None), "enabled", False):
            yield "community", what
    for building in env.buildings:
        for what in _unsupported_in(building):
            yield building.name, what
    for vehicle in env.electric_vehicles:
        for what in _unsupported_battery(vehicle.battery):
            yield vehicle.name, what


def _unsupported_in(building: Any) -> Iterator[str]:
    kind = type(building).__name__
    if kind not in ("Building", "LSTMDynamicsBuilding"):
        yield f"buildings of the type {kind}"
    if float(building.time_step_ratio or 1.0) != 1.0:
        yield "data of another resolution than the time step"
    # Its type decides in how many bits CityLearn charges storage.
    if not isinstance(building.electrical_storage.time_step_ratio, np.float64):
        yield "data whose resolution CityLearn did not find out from its hours"
    for appliance in building.deferrable_appliances or []:
        if type(appliance).__name__ != "DeferrableAppliance":
            yield f"a deferrable appliance of the type {type(appliance).__name__}"
        elif (appliance.time_step_ratio or 1.0) != 1.0:
            yield "a deferrable appliance whose cycles have another resolution than the time step"
    if building.escalators:
        yield "escalators"
    if building._charging_constraints_enabled:
        yield "limits of the electrical service"
    if building.simulate_power_outage and building.electric_vehicle_chargers:
        yield "power outages of buildings with chargers"
    if building.simulate_power_outage and building.deferrable_appliances:
        yield "power outages of buildings with deferrable appliances"
    yield from _unsupported_battery(building.electrical_storage)
    for device in ("cooling_device", "heating_device", "dhw_device"):
        if type(getattr(building, device)).__name__ not in ("HeatPump", "ElectricHeater"):
            yield f"a {device} of the type {type(getattr(building, device)).__name__}"
        power, lstm = getattr(building, device).nominal_power, kind == "LSTMDynamicsBuilding"
        if isinstance(power, np.float64) or (lstm and device != "dhw_device" and isinstance(power, np.generic)):
            yield f"a {device} whose power is a number of numpy's instead of Python's"
    for tank in ("cooling_storage", "heating_storage", "dhw_storage"):
        if type(getattr(building, tank)).__name__ != "StorageTank":
            yield f"a {tank} of the type {type(getattr(building, tank)).__name__}"
        elif isinstance(getattr(building, tank).capacity, np.float64):
            yield f"a {tank} whose capacity is a 64-bit number of numpy's"
    for charger in building.electric_vehicle_chargers or []:
        if type(charger).__name__ != "Charger":
            yield f"a charger of the type {type(charger).__name__}"


def _unsupported_battery(battery: Any) -> Iterator[str]:
    if type(battery).__name__ != "Battery":
        yield f"a battery of the type {type(battery).__name__}"
    elif isinstance(battery.capacity, np.generic) or isinstance(battery.nominal_power, np.float32):
        yield "a battery whose size is a number of numpy's instead of Python's"
