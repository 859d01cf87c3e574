"""What the devices of a community are: constants read from a live CityLearn environment.

CityLearn draws what a schema leaves out (battery curves, efficiencies, sizes) from a seed when it is built, so parameters
are taken from the built objects, never from the schema. The physics they belong to is CityLearn's (MIT licence).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.appliances import Appliances

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

BATTERY_SOC, NET_LOAD, VEHICLE_SOC = 0, 1, 2
TANK_SOC, MADE, APPLIANCE = 3, 6, 9
"""Kinds of observation that depend on the control. Tanks' charge and what devices and tanks give have one an end use,
deferrable appliances one for each of their observations."""

UNPLUGGED = -0.1
"""What CityLearn shows for the charge of a vehicle that is not there."""

HOURS_A_MONTH = 730
"""Length of the stretches over which CityLearn takes the monthly load factor, in time steps."""

END_USES = ("cooling", "heating", "dhw")
"""Order of the thermal end uses in every array that has an axis of three."""

ABSENT, COOLING_HEAT_PUMP, HEATING_HEAT_PUMP, ELECTRIC_HEATER = range(4)
"""Kinds of thermal device."""


@dataclass(frozen=True)
class Curves:
    """Piecewise linear curves, one a device, padded to the longest one.

    Attributes:
        x: abscissae ``[M, K]``, rising; padding is infinite.
        y: ordinates ``[M, K]``; padding is zero.
        points: number of points of each curve, ``[M]``, at least two.
    """

    x: Floats
    y: Floats
    points: Integers

    @classmethod
    def of(cls, curves: Sequence[Any]) -> Curves:
        """From arrays ``[2, k]`` of abscissae and ordinates (``check_curve`` says which can be used)."""
        longest = max((np.shape(curve)[1] for curve in curves), default=2)
        x, y = np.full((len(curves), longest), np.inf), np.zeros((len(curves), longest))
        points = np.array([np.shape(curve)[1] for curve in curves], np.int64)
        for i, (curve, count) in enumerate(zip(curves, points, strict=True)):
            x[i, :count], y[i, :count] = curve
        return cls(x, y, points)

    def each(self) -> list[Floats]:
        """The curves as arrays ``[2, k]``."""
        return [np.stack([x[:k], y[:k]]) for x, y, k in zip(self.x, self.y, self.points, strict=True)]


def check_curve(what: str, curve: Any, *, points: int, highest: float = np.inf) -> None:
    """Refuse a curve on which CityLearn's interpolation and the kernels' could differ.

    Args:
        what: what it is a curve of, for the message.
        curve: abscissae and ordinates, ``[2, k]``.
        points: the least number of points.
        highest: the largest ordinate, where it is an efficiency.

    Raises:
        EngineError: values that are no numbers, falling abscissae, too few points, or efficiencies out of range.
    """
    x, y = np.asarray(curve, np.float64)
    efficient = highest == np.inf or bool((y > 0.0).all() and (y <= highest).all())
    if len(x) < points or not np.isfinite([x, y]).all() or (np.diff(x) < 0.0).any() or not efficient:
        bound = "" if highest == np.inf else f", with efficiencies above 0 and at most {highest:g}"
        raise EngineError(
            f"The {what} has the points {np.stack([x, y], 1).tolist()}; expected at least {points} with finite numbers and "
            f"rising abscissae{bound}. Mend the data set's schema."
        )


@dataclass(frozen=True)
class Batteries:
    """Batteries of buildings or of vehicles.

    Attributes:
        capacity: kWh when new, ``[M]``; zero where there is no battery.
        nominal_power: largest charge and discharge power, kW, ``[M]``.
        depth_of_discharge: share of the capacity that may be used, ``[M]``.
        loss_coefficient: share of the charge lost in a time step of standing by, ``[M]``.
        capacity_loss_coefficient: capacity lost over a full cycle, as a share of the capacity, ``[M]``.
        initial_soc: state of charge at the start of an episode, 0 to 1, ``[M]``.
        efficiency: round-trip efficiency as a function of the share of the nominal power.
        power: usable share of the nominal power as a function of the state of charge.
    """

    capacity: Floats
    nominal_power: Floats
    depth_of_discharge: Floats
    loss_coefficient: Floats
    capacity_loss_coefficient: Floats
    initial_soc: Floats
    efficiency: Curves
    power: Curves

    def __len__(self) -> int:
        return len(self.capacity)

    @classmethod
    def joined(cls, first: Batteries, second: Batteries) -> Batteries:
        """The batteries of both, one after the other."""

        def both(name: str) -> Floats:
            return np.concatenate([getattr(first, name), getattr(second, name)])

        return cls(
            capacity=both("capacity"),
            nominal_power=both("nominal_power"),
            depth_of_discharge=both("depth_of_discharge"),
            loss_coefficient=both("loss_coefficient"),
            capacity_loss_coefficient=both("capacity_loss_coefficient"),
            initial_soc=both("initial_soc"),
            efficiency=Curves.of([*first.efficiency.each(), *second.efficiency.each()]),
            power=Curves.of([*first.power.each(), *second.power.each()]),
        )

    @classmethod
    def read(cls, batteries: Sequence[Any]) -> Batteries:
        """From CityLearn's ``Battery`` objects.

        Raises:
            EngineError: a curve that can't be used.
        """
        for i, battery in enumerate(batteries, 1):
            check_curve(f"efficiency curve of battery {i}", battery.power_efficiency_curve, points=2, highest=1.0)
            check_curve(f"power curve of battery {i}", battery.capacity_power_curve, points=2)

        def each(name: str) -> Floats:
            return np.array([getattr(battery, name) for battery in batteries], np.float64)

        return cls(
            capacity=each("capacity"),
            nominal_power=each("nominal_power"),
            depth_of_discharge=each("depth_of_discharge"),
            loss_coefficient=each("loss_coefficient"),
            capacity_loss_coefficient=each("capacity_loss_coefficient"),
            initial_soc=each("initial_soc"),
            efficiency=Curves.of([battery.power_efficiency_curve for battery in batteries]),
            power=Curves.of([battery.capacity_power_curve for battery in batteries]),
        )


@dataclass(frozen=True)
class Tanks:
    """Cold, heat and hot-water tanks of N buildings, in the order of ``END_USES``.

    Attributes:
        capacity: kWh of heat or cold, ``[N, 3]``; zero where there is no tank.
        round_trip_efficiency: square root of the technical efficiency, ``[N, 3]``.
        loss_coefficient: share of the charge lost in a time step, ``[N, 3]``.
        initial_soc: state of charge at the start of an episode, ``[N, 3]``.
        max_input: largest energy taken up in a time step, kWh, ``[N, 3]``; infinite where unlimited.
        max_output: largest energy given in a time step, kWh, ``[N, 3]``.
        single: where CityLearn holds the capacity as a 32-bit number, ``[N, 3]``; its arithmetic rounds differently then.
    """

    capacity: Floats
    round_trip_efficiency: Floats
    loss_coefficient: Floats
    initial_soc: Floats
    max_input: Floats
    max_output: Floats
    single: Flags

    @classmethod
    def read(cls, buildings: Sequence[Any]) -> Tanks:
        """From CityLearn's buildings, whose time step is an hour."""
        tanks = [[getattr(building, f"{use}_storage") for use in END_USES] for building in buildings]

        def each(value: Any) -> Floats:
            return np.array([[value(tank) for tank in row] for row in tanks], np.float64)

        def limit(power: Any) -> float:
            return np.inf if power is None else float(power)

        return cls(
            capacity=each(lambda tank: tank.capacity),
            round_trip_efficiency=each(lambda tank: tank.round_trip_efficiency),
            loss_coefficient=each(lambda tank: tank.loss_coefficient),
            initial_soc=each(lambda tank: tank.initial_soc),
            max_input=each(lambda tank: limit(tank.max_input_power)),
            max_output=each(lambda tank: limit(tank.max_output_power)),
            single=np.array([[isinstance(tank.capacity, np.float32) for tank in row] for row in tanks]),
        )


@dataclass(frozen=True)
class ThermalDevices:
    """Heat pumps and electric heaters of N buildings, in the order of ``END_USES``.

    Attributes:
        kind: ``ABSENT``, ``COOLING_HEAT_PUMP``, ``HEATING_HEAT_PUMP`` or ``ELECTRIC_HEATER``, ``[N, 3]``.
        nominal_power: electric, kW, ``[N, 3]``.
        efficiency: technical efficiency, ``[N, 3]``.
        target_temperature: of the supply, degC, ``[N, 3]``; zero for heaters.
    """

    kind: Integers
    nominal_power: Floats
    efficiency: Floats
    target_temperature: Floats

    @classmethod
    def read(cls, buildings: Sequence[Any]) -> ThermalDevices:
        """From CityLearn's buildings. A device that neither a demand nor a tank needs counts as absent."""
        shape = (len(buildings), len(END_USES))
        kind = np.full(shape, ABSENT, np.int64)
        power, efficiency, target = np.zeros(shape), np.ones(shape), np.zeros(shape)
        for n, building in enumerate(buildings):
            for u, use in enumerate(END_USES):
                device = getattr(building, f"{use}_device")
                if not needs_device(building, use):
                    continue
                power[n, u], efficiency[n, u] = device.nominal_power, device.efficiency
                if not hasattr(device, "get_cop"):
                    kind[n, u] = ELECTRIC_HEATER
                elif use == "cooling":
                    kind[n, u], target[n, u] = COOLING_HEAT_PUMP, device.target_cooling_temperature
                else:
                    kind[n, u], target[n, u] = HEATING_HEAT_PUMP, device.target_heating_temperature
        return cls(kind, power, efficiency, target)


def needs_device(building: Any, use: str) -> bool:
    """Whether a building of CityLearn's has anything for the device of an end use to do in its episode."""
    demand = getattr(building.energy_simulation, f"{use}_demand")
    controls = {f"{use}_device"} if use == "dhw" else {f"{use}_device", "cooling_or_heating_device"}
    controlled = bool(controls & set(building.active_actions))
    return controlled or bool(np.any(demand)) or getattr(building, f"{use}_storage").capacity > 0


@dataclass(frozen=True)
class Chargers:
    """Chargers of electric vehicles, in the order of buildings and of the chargers within them.

    Attributes:
        building: row of the building each belongs to, ``[C]``.
        max_charging, min_charging, max_discharging, min_discharging: kW, ``[C]``.
        efficiency: where there is no curve, ``[C]``.
        charge_efficiency, discharge_efficiency: efficiency as a function of the share of the power; curves of zero
            points where the constant holds.
    """

    building: Integers
    max_charging: Floats
    min_charging: Floats
    max_discharging: Floats
    min_discharging: Floats
    efficiency: Floats
    charge_efficiency: Curves
    discharge_efficiency: Curves

    def __len__(self) -> int:
        return len(self.building)

    @classmethod
    def read(cls, buildings: Sequence[Any]) -> Chargers:
        """From CityLearn's buildings."""
        owned = [
            (n, charger) for n, building in enumerate(buildings) for charger in building.electric_vehicle_chargers or []
        ]
        none = np.zeros((2, 0))

        def each(name: str) -> Floats:
            return np.array([getattr(charger, name) for _, charger in owned], np.float64)

        def curves(name: str) -> Curves:
            given = [getattr(charger, name) for _, charger in owned]
            for (_, charger), curve in zip(owned, given, strict=True):
                if curve is not None:
                    check_curve(f"{name} of {charger.charger_id}", curve, points=1)
            return Curves.of([none if curve is None else curve for curve in given])

        return cls(
            building=np.array([n for n, _ in owned], np.int64),
            max_charging=each("max_charging_power"),
            min_charging=each("min_charging_power"),
            max_discharging=each("max_discharging_power"),
            min_discharging=each("min_discharging_power"),
            efficiency=each("efficiency"),
            charge_efficiency=curves("charge_efficiency_curve"),
            discharge_efficiency=curves("discharge_efficiency_curve"),
        )


@dataclass(frozen=True)
class Actions:
    """Where the actions stand and what they may be.

    Attributes:
        battery: column of ``actions[:, n, :]`` that sets the battery, ``[N]``; -1 where none does.
        tank: the same for the tanks, ``[N, 3]``.
        device: the same for cooling and heating devices, ``[N, 2]``.
        both_devices: column of ``cooling_or_heating_device``, ``[N]``.
        charger: the same for chargers, ``[C]``; the row is the charger's building.
        appliance: the same for deferrable appliances, ``[Q]``.
        low, high: CityLearn's limits, ``[N, A]``; zero where a building lacks the action.
        mask: which of the A joint actions each building has, ``[N, A]``.
    """

    battery: Integers
    tank: Integers
    device: Integers
    both_devices: Integers
    charger: Integers
    appliance: Integers
    low: Floats
    high: Floats
    mask: Flags


@dataclass(frozen=True)
class CommunityParameters:
    """The devices of a community of N buildings.

    Attributes:
        buildings: their names, in CityLearn's order.
        batteries: one a building, ``[N]``.
        tanks: ``[N, 3]``.
        devices: ``[N, 3]``.
        chargers: ``[C]``.
        vehicles: the vehicles' batteries, ``[V]``.
        appliances: deferrable ones, ``[Q]``.
        actions: where the actions stand.
        random_seed: CityLearn's seed, from which it draws the drift of vehicles that are away.
    """

    buildings: tuple[str, ...]
    batteries: Batteries
    tanks: Tanks
    devices: ThermalDevices
    chargers: Chargers
    vehicles: Batteries
    appliances: Appliances
    actions: Actions
    random_seed: int

    def __len__(self) -> int:
        return len(self.buildings)
