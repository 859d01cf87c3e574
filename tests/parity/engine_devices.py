"""Devices that no data set has: random parameters for a live CityLearn environment, and a data set with heating."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rllib_citylearn.simulator.parameters import END_USES


def random_curve(rng: np.random.Generator, low: float, high: float, *, whole: bool) -> list[list[float]]:
    """A curve of two to seven points with ordinates in [low, high]; CityLearn extrapolates it to 0 and 1.

    Args:
        rng: where it is drawn from.
        low, high: bounds of the ordinates, which an extrapolation keeps too.
        whole: whether it begins at 0 and ends at 1.
    """
    while True:
        count = int(rng.integers(2, 8))
        x = np.sort(rng.uniform(0.0, 1.0, count))
        if whole:
            x[0], x[-1] = 0.0, 1.0
        y = rng.uniform(low, high, count)
        if np.diff(x).min() < 0.02:
            continue
        ends = [y[0] - x[0] * (y[1] - y[0]) / (x[1] - x[0]), y[-1] + (1 - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])]
        if min(ends) >= low and max(ends) <= high:
            return [[float(a), float(b)] for a, b in zip(x, y, strict=True)]


def randomise_battery(battery: Any, rng: np.random.Generator) -> None:
    """Another battery of about the same size, lossy and worn fast; a quarter have whole numbers, as schemas may."""
    capacity = float(battery.capacity or 5.0) * float(rng.uniform(0.4, 2.0))
    power = capacity * float(rng.uniform(0.1, 1.5))
    whole = rng.uniform() < 0.25
    battery.capacity = int(capacity) + 1 if whole else capacity
    battery.nominal_power = int(power) + 1 if whole else power
    battery.depth_of_discharge = 1.0 if rng.uniform() < 0.2 else float(rng.uniform(0.3, 1.0))
    battery.loss_coefficient = float(rng.uniform(0.0, 0.05))
    battery.capacity_loss_coefficient = float(10.0 ** rng.uniform(-5.0, -0.7))
    battery.initial_soc = float(rng.uniform(0.0, 1.0))
    battery.power_efficiency_curve = random_curve(rng, 0.4, 1.0, whole=bool(rng.uniform() < 0.5))
    battery.capacity_power_curve = random_curve(rng, 0.0, 1.2, whole=bool(rng.uniform() < 0.5))


def randomise_tank(tank: Any, rng: np.random.Generator) -> None:
    """Another tank of about the same size, with or without limits; some capacities become Python floats."""
    capacity = tank.capacity * float(rng.uniform(0.3, 1.5))
    tank.capacity = float(capacity) if rng.uniform() < 0.5 else type(tank.capacity)(capacity)
    tank.loss_coefficient = float(rng.uniform(0.0, 0.05))
    tank.efficiency = float(rng.uniform(0.6, 1.0))
    tank.initial_soc = float(rng.uniform(0.0, 1.0))
    tank.max_input_power = None if rng.uniform() < 0.4 else float(rng.uniform(0.05, 0.6) * capacity)
    tank.max_output_power = None if rng.uniform() < 0.4 else float(rng.uniform(0.05, 0.6) * capacity)


def randomise_device(building: Any, use: str, rng: np.random.Generator) -> None:
    """Another heat pump or heater that is still strong enough for every hour: CityLearn refuses weaker ones."""
    device = getattr(building, f"{use}_device")
    demand = np.asarray(getattr(building.energy_simulation, f"{use}_demand"), float)
    if hasattr(device, "get_cop"):
        device.efficiency = float(rng.uniform(0.15, 0.4))
        device.target_cooling_temperature = float(rng.uniform(5.0, 12.0))
        device.target_heating_temperature = float(rng.uniform(35.0, 55.0))
        outdoor = np.asarray(building.weather.outdoor_dry_bulb_temperature, float)
        power = device.get_input_power(demand, outdoor, heating=use != "cooling").max()
    else:
        device.efficiency = float(rng.uniform(0.6, 1.0))
        power = demand.max() / device.efficiency
    device.nominal_power = type(device.nominal_power)(power * rng.uniform(1.01, 1.5))


def randomise_charger(charger: Any, rng: np.random.Generator) -> None:
    """Another charger; half of the curves are left out."""
    charger.max_charging_power = float(rng.uniform(2.0, 15.0))
    charger.max_discharging_power = 0.0 if rng.uniform() < 0.1 else float(rng.uniform(2.0, 15.0))
    charger.min_charging_power = float(rng.uniform(0.0, 3.0))
    charger.min_discharging_power = float(rng.uniform(0.0, 3.0))
    charger.efficiency = float(rng.uniform(0.6, 1.0))
    charger.charge_efficiency_curve = None if rng.uniform() < 0.5 else random_curve(rng, 0.4, 1.0, whole=False)
    charger.discharge_efficiency_curve = None if rng.uniform() < 0.5 else random_curve(rng, 0.4, 1.0, whole=False)


def randomise(env: Any, seed: int) -> None:
    """Give every device of an environment other parameters, as Python numbers like a schema's; reset it afterwards."""
    rng = np.random.default_rng(seed)
    for building in env.buildings:
        randomise_battery(building.electrical_storage, rng)
        building.pv.nominal_power = float(building.pv.nominal_power * rng.uniform(0.5, 2.0))
        for use in END_USES:
            if getattr(building, f"{use}_storage").capacity > 0.0:
                randomise_tank(getattr(building, f"{use}_storage"), rng)
            if getattr(building, f"{use}_device").nominal_power > 0.0:
                randomise_device(building, use, rng)
        for charger in building.electric_vehicle_chargers or []:
            randomise_charger(charger, rng)
    for vehicle in env.electric_vehicles:
        randomise_battery(vehicle.battery, rng)


def with_heating(source: Path, folder: Path, buildings: Sequence[str]) -> Path:
    """A data set with heat pumps and tanks for heating, which no official one has.

    Args:
        source: ``citylearn_challenge_2020_climate_zone_1`` or one like it.
        folder: an empty folder.
        buildings: to keep; every 30 hours they heat instead of cooling: CityLearn allows one at a time.
    """
    schema = json.loads((source / "schema.json").read_text())
    schema["buildings"] = {name: schema["buildings"][name] for name in buildings}
    schema["actions"]["heating_storage"] = {"active": True}
    schema["observations"]["heating_storage_soc"] = {"active": True, "shared_in_central_agent": False}
    for building in schema["buildings"].values():
        building["heating_device"] = building["cooling_device"]
        building["heating_storage"] = building["cooling_storage"]
        data = pd.read_csv(source / building["energy_simulation"])
        cold = np.arange(len(data)) // 30 % 2 == 1
        data["heating_demand"] = np.where(cold, data["cooling_demand"], 0.0)
        data["cooling_demand"] = np.where(cold, 0.0, data["cooling_demand"])
        data.to_csv(folder / building["energy_simulation"], index=False)
    for file in source.glob("*.csv"):
        if not (folder / file.name).exists():
            shutil.copy(file, folder / file.name)
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder


def cut_the_grid(env: Any, seed: int) -> None:
    """Let the grid fail at random, in every building on its own, in spells of about three hours; reset it afterwards."""
    rng = np.random.default_rng(seed)
    for building in env.buildings:
        data = building.energy_simulation
        hours = len(data.__getattr__("non_shiftable_load", start_time_step=0, end_time_step=2**40))
        out = np.zeros(hours, bool)
        for t in range(hours):
            out[t] = rng.uniform() < (0.65 if t and out[t - 1] else 0.3)
        data.power_outage = out.astype(np.float32)
        building.simulate_power_outage = True
        building.stochastic_power_outage = False


def with_heat_pumps(source: Path, folder: Path, action: str) -> Path:
    """A data set with LSTM dynamics in which heating is controlled too, which no official one has.

    Args:
        source: ``citylearn_challenge_2023_phase_1`` or one like it.
        folder: an empty folder.
        action: "heating_device" or "cooling_or_heating_device", which takes the place of "cooling_device".
    """
    schema = json.loads((source / "schema.json").read_text())
    schema["actions"]["cooling_device"]["active"] = False
    schema["actions"][action]["active"] = True
    for file in source.iterdir():
        if file.name != "schema.json":
            (folder / file.name).symlink_to(file)
    rng = np.random.default_rng(1)
    for building in schema["buildings"].values():
        building["heating_device"] = building["cooling_device"]
        data = pd.read_csv(source / building["energy_simulation"])
        data["hvac_mode"] = rng.integers(0, 4, len(data))
        (folder / building["energy_simulation"]).unlink()
        data.to_csv(folder / building["energy_simulation"], index=False)
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder
