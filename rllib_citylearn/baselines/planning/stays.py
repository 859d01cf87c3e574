"""Chargers as storages: while a vehicle stays they hold its charge, and when it leaves something is required of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rllib_citylearn.baselines.planning.conversion import Conversion, charger_conversion
from rllib_citylearn.baselines.planning.storages import Flags, Floats, Integers, Storage
from rllib_citylearn.simulator.description import CommunityDescription


@dataclass(frozen=True)
class Found:
    """One storage of a community.

    Attributes:
        storage: the storage.
        conversions: ways of storing.
        columns: its columns of ``StorageTables``, ``[T]`` or the same in all rows; ``conversion`` counts within
            ``conversions``.
    """

    storage: Storage
    conversions: list[Conversion]
    columns: dict[str, Floats | float]


def find_charger(description: CommunityDescription, c: int) -> Iterator[Found]:
    """Charger ``c``, if an action sets it and a vehicle ever comes."""
    chargers, vehicles = description.parameters.chargers, description.parameters.vehicles
    column = int(description.parameters.actions.charger[c])
    presence, rows = description.tables.presence, description.tables.rows
    connected = presence.connected[:, c]
    if column < 0 or not (connected >= 0).any():
        return
    which, floor, capacity = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    most_in, most_out, hourly = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    conversions: list[Conversion] = []
    for v in np.unique(connected[connected >= 0]).tolist():
        here = connected == v
        conversion = charger_conversion(chargers, c, vehicles, v)
        which[here] = len(conversions)
        conversions.append(conversion)
        capacity[here] = vehicles.capacity[v]
        floor[here] = max(1.0 - float(vehicles.depth_of_discharge[v]), 0.0) * vehicles.capacity[v]
        most_in[here], most_out[here] = conversion.most_in_kwh, conversion.most_out_kwh
        hourly[here] = conversion.into * conversion.most_in_kwh
    begins = np.full(rows, np.nan)
    for first, v in _arrivals(connected, presence.arrival_soc):
        begins[first] = max(_soc_on_arrival(description, first, v) * vehicles.capacity[v], floor[first])
    if connected[0] < 0:
        begins[0] = 0.0
    required = presence.required_soc[:, c] * capacity
    storage = Storage(
        building=int(chargers.building[c]),
        action=column,
        unit_kwh=(float(chargers.max_charging[c]), float(chargers.max_discharging[c])),
        least_kwh=(float(chargers.min_charging[c]), float(chargers.min_discharging[c])),
        kind="charger",
        place=(c,),
        keeps=1.0,
    )
    columns: dict[str, Floats | float] = {
        "conversion": which,
        "available": (connected >= 0).astype(np.float64),
        "capacity_kwh": capacity,
        "floor_kwh": floor,
        "begins_kwh": begins,
        "required_kwh": required,
        "must_kwh": must_hold_kwh(required, begins, connected >= 0, hourly),
        "electricity": 1.0,
        "most_in_kwh": most_in,
        "most_out_kwh": most_out,
    }
    yield Found(storage, conversions, columns)


def must_hold_kwh(required_kwh: Floats, begins_kwh: Floats, there: Flags, hourly_kwh: Floats) -> Floats:
    """``StorageTables.must_kwh`` of a charger, ``[T]``, from what an hour at full power stores."""
    must = np.where(np.isnan(required_kwh), -np.inf, required_kwh)
    goes_on = there[:-1] & there[1:] & np.isnan(begins_kwh[1:])
    for row in np.flatnonzero(goes_on)[::-1].tolist():
        must[row] = max(must[row], must[row + 1] - hourly_kwh[row + 1])
    return must


def _arrivals(connected: Integers, arrival_soc: Floats) -> Iterator[tuple[int, int]]:
    """Rows at which a vehicle is found at a charger that it was not at before, or is set to another charge there."""
    before = np.append(-1, connected[:-1])
    for row in np.flatnonzero(connected >= 0).tolist():
        v = int(connected[row])
        if before[row] != v or not np.isnan(arrival_soc[row, v]):
            yield row, v


def _soc_on_arrival(description: CommunityDescription, row: int, v: int) -> float:
    """What the schedule says of a vehicle that is found at ``row``; its first charge where it says nothing."""
    presence = description.tables.presence
    given = [presence.start_soc[0, v]] if row == 0 else [presence.arrival_soc[row, v], presence.arrival_soc[row - 1, v]]
    known = [float(soc) for soc in given if not np.isnan(soc)]
    return known[0] if known else float(description.parameters.vehicles.initial_soc[v])
