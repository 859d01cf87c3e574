"""Vehicles, chargers and charging sessions, drawn from a spec: every session can be met, by construction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.fleets.calendar import Calendar
from rllib_citylearn.datasets.fleets.spec import SHORTEST_TRIP_H, FleetSpec, HourDistribution, Shares
from rllib_citylearn.errors import ConfigError

Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

VEHICLE_POWER_KW = 50.0
"""What a vehicle's battery takes at most; the charger's power is the limit until the battery is nearly full."""

POWER_CURVE = ((0.0, 1.0), (0.8, 1.0), (1.0, 0.2))
"""Share of that power by state of charge (CityLearn's ``capacity_power_curve``)."""


@dataclass(frozen=True)
class Charger:
    """A charging point.

    Attributes:
        name: as CityLearn's sets call it, ``charger_BUILDING_NUMBER``, both counted from 1.
        building: name of the building it belongs to.
        power_kw: the most it draws.
        least_power_kw: the least it draws when it draws anything.
        discharge_power_kw: the most it gives back; 0 without V2G.
        efficiency: between the building and the battery's terminals.
    """

    name: str
    building: str
    power_kw: float
    least_power_kw: float
    discharge_power_kw: float
    efficiency: float


@dataclass(frozen=True)
class Vehicle:
    """A vehicle with a charger of its own.

    Attributes:
        name: ``Electric_Vehicle_1`` and so on.
        charger: its charger's place in the fleet.
        capacity_kwh: of its battery.
        battery_efficiency: of charging and discharging together.
        wanted_soc: state of charge its driver wants at departure.
    """

    name: str
    charger: int
    capacity_kwh: float
    battery_efficiency: float
    wanted_soc: float


@dataclass(frozen=True)
class Sessions:
    """S stays at chargers, by vehicle and time; every array is ``[S]``.

    Attributes:
        vehicle: the vehicle's place in the fleet; its charger is the session's.
        arrival: first row at which it is plugged in; 0 for vehicles that are there from the beginning.
        departure: first row at which it is not any more; beyond the data for those that stay to its end.
        arrival_soc: state of charge with which it comes, in steps of 0.001.
        required_soc: state of charge it has to leave with, in steps of 0.001.
        distance_km: driven before it came.
    """

    vehicle: Whole
    arrival: Whole
    departure: Whole
    arrival_soc: Doubles
    required_soc: Doubles
    distance_km: Doubles

    def __len__(self) -> int:
        return len(self.vehicle)


@dataclass(frozen=True)
class Fleet:
    """What stands at the chargers of a data set, and when.

    Attributes:
        vehicles, chargers: one of each belong together.
        sessions: all stays.
        steps: number of the data's rows.
    """

    vehicles: tuple[Vehicle, ...]
    chargers: tuple[Charger, ...]
    sessions: Sessions
    steps: int


def make_fleet(spec: FleetSpec, calendar: Calendar, buildings: Sequence[str]) -> Fleet:
    """Draw a fleet.

    Args:
        spec: what it is like.
        calendar: rows of the data set.
        buildings: names of all buildings, in the data set's order.

    Raises:
        ConfigError: no buildings.
    """
    if not buildings:
        raise ConfigError("A fleet needs at least one building; the list of buildings is empty.")
    random = np.random.default_rng(spec.seed)
    count = max(1, round(spec.building_share * len(buildings)))
    chosen = np.sort(random.permutation(len(buildings))[:count])
    places = [(int(b), k) for b in chosen for k in range(spec.chargers_per_building)]
    chargers = _draw_chargers(spec, random, places, buildings)
    vehicles = _draw_vehicles(spec, random, len(places))
    trips = _draw_trips(spec, random, calendar, len(vehicles))
    return Fleet(vehicles, chargers, _sessions(spec, vehicles, chargers, trips, calendar), calendar.steps)


def charging_limits(vehicle: Vehicle, charger: Charger) -> tuple[float, float, float]:
    """What bounds an hour of charging at full power.

    Returns:
        kWh that the charger brings to the battery's terminals, share of what arrives there that is stored, and the
        battery's capacity in kWh.
    """
    return charger.power_kw * charger.efficiency, vehicle.battery_efficiency**0.5, vehicle.capacity_kwh


def reachable_soc(soc: Doubles, hours: Whole, limits: Doubles) -> Doubles:
    """State of charge after charging at full power, as CityLearn's ``Battery.charge`` counts it.

    Args:
        soc: at the beginning, ``[V]``.
        hours: how long, ``[V]``.
        limits: of ``charging_limits``, ``[V, 3]``.

    Returns:
        ``[V]``, at most 1.
    """
    soc = soc.copy()
    curve = np.array(POWER_CURVE)
    for hour in range(int(hours.max(initial=0))):
        open_ = (hours > hour) & (soc < 1.0)
        if not open_.any():
            break
        most = VEHICLE_POWER_KW * np.interp(soc, curve[:, 0], curve[:, 1])
        gain = np.minimum(limits[:, 0], most) * limits[:, 1] / limits[:, 2]
        soc = np.where(open_, np.minimum(soc + gain, 1.0), soc)
    return soc


@dataclass(frozen=True)
class _Trips:
    """Days of V vehicles; every array is ``[V, D]``.

    Attributes:
        driven: whether the vehicle leaves and comes back.
        departure, arrival: rows.
        distance_km: how far.
    """

    driven: Flags
    departure: Whole
    arrival: Whole
    distance_km: Doubles


def _draw_chargers(
    spec: FleetSpec, random: np.random.Generator, places: Sequence[tuple[int, int]], buildings: Sequence[str]
) -> tuple[Charger, ...]:
    powers = _draw(random, spec.charger_powers_kw, len(places))
    two_way = random.random(len(places)) < spec.v2g_share
    return tuple(
        Charger(
            name=f"charger_{b + 1}_{k + 1}",
            building=buildings[b],
            power_kw=float(power),
            # 6 A a phase; more than 32 A on one phase is not found in homes
            least_power_kw=min(float(power), 1.4 if power <= 7.4 else 4.1),
            discharge_power_kw=float(power) if v2g else 0.0,
            efficiency=spec.charger_efficiency,
        )
        for (b, k), power, v2g in zip(places, powers, two_way, strict=True)
    )


def _draw_vehicles(spec: FleetSpec, random: np.random.Generator, count: int) -> tuple[Vehicle, ...]:
    capacities = _draw(random, spec.battery_capacities_kwh, count)
    wanted = np.round(random.uniform(*spec.required_soc, size=count), 3)
    return tuple(
        Vehicle(f"Electric_Vehicle_{v + 1}", v, float(capacity), spec.battery_efficiency, float(soc))
        for v, (capacity, soc) in enumerate(zip(capacities, wanted, strict=True))
    )


def _draw(random: np.random.Generator, shares: Shares, count: int) -> Doubles:
    values, weights = np.array(shares, float).T
    drawn: Doubles = random.choice(values, size=count, p=weights / weights.sum())
    return drawn


def _draw_trips(spec: FleetSpec, random: np.random.Generator, calendar: Calendar, count: int) -> _Trips:
    shape = (count, len(calendar.weekend))
    weekend = calendar.weekend[None, :]
    driven = random.random(shape) < np.where(weekend, spec.weekend_use, spec.weekday_use)
    first, second = random.random(shape), random.random(shape)
    weekday_hours = _hours(first, second, spec.weekday_departure, spec.weekday_arrival)
    weekend_hours = _hours(first, second, spec.weekend_departure, spec.weekend_arrival)
    leaves, comes = (np.where(weekend, w, d) for w, d in zip(weekend_hours, weekday_hours, strict=True))
    variance = np.log1p((spec.distance_std_km / spec.distance_km) ** 2)
    distance = random.lognormal(np.log(spec.distance_km) - variance / 2.0, np.sqrt(variance), shape)
    days = np.arange(shape[1])[None, :]
    departure, arrival = calendar.row[days, leaves], calendar.row[days, comes]
    # A day that the data has only in part may lack the row of either, and row 0 is no time to leave at.
    possible = (departure > 0) & (arrival >= departure + SHORTEST_TRIP_H)
    return _Trips(driven & possible, departure, arrival, distance)


def _hours(first: Doubles, second: Doubles, leaving: HourDistribution, coming: HourDistribution) -> tuple[Whole, Whole]:
    """Hours of departure and arrival for two uniform numbers each; arrivals are drawn among those that are late enough."""
    leaves = np.searchsorted(np.cumsum(leaving.shares(rounded_up=False))[:-1], first, side="right")
    cumulative = np.cumsum(coming.shares(rounded_up=True))
    before = np.concatenate([[0.0], cumulative])[leaves + SHORTEST_TRIP_H]
    comes = np.searchsorted(cumulative[:-1], before + second * (1.0 - before), side="right")
    return leaves, np.clip(comes, leaves + SHORTEST_TRIP_H, coming.latest_h)


def _sessions(
    spec: FleetSpec, vehicles: Sequence[Vehicle], chargers: Sequence[Charger], trips: _Trips, calendar: Calendar
) -> Sessions:
    """Day by day, for all vehicles at once: a stay ends where a trip begins, and the next one begins where that ends."""
    count, days = trips.driven.shape
    limits = np.array([charging_limits(vehicle, chargers[vehicle.charger]) for vehicle in vehicles])
    wanted = np.array([vehicle.wanted_soc for vehicle in vehicles])
    end = int(calendar.row.max()) + 1
    begin, distance = np.zeros(count, np.int64), trips.distance_km[:, 0].copy()
    soc = wanted.copy()
    found: list[Mapping[str, Any]] = []
    for day in range(days + 1):
        last = day == days
        leaves = begin < calendar.steps if last else trips.driven[:, day] & (begin < calendar.steps)
        until = np.full(count, end) if last else trips.departure[:, day]
        energy = distance * spec.consumption_kwh_per_km
        arrival = np.round(np.maximum(soc - energy / limits[:, 2], spec.lowest_soc), 3)
        reach = reachable_soc(arrival, np.where(leaves, until - begin, 0), limits)
        asked = np.minimum(wanted, arrival + spec.margin * (reach - arrival))
        # Rounded down, but for what rounding itself has lost
        required = np.maximum(np.floor(asked * 1000.0 + 1e-6) / 1000.0, arrival)
        found.append(
            {
                "vehicle": np.flatnonzero(leaves),
                "arrival": begin[leaves],
                "departure": until[leaves],
                "arrival_soc": arrival[leaves],
                "required_soc": required[leaves],
                "distance_km": distance[leaves],
            }
        )
        soc = np.where(leaves, required, soc)
        if not last:
            begin = np.where(leaves, trips.arrival[:, day], begin)
            distance = np.where(leaves, trips.distance_km[:, day], distance)
    columns = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    order = np.lexsort((columns["arrival"], columns["vehicle"]))
    return Sessions(**{name: column[order] for name, column in columns.items()})
