"""Everything in a community that stores energy and can be controlled, as one list of storages, hour by hour."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.conversion import (
    SHARES,
    Conversion,
    battery_conversion,
    charger_conversion,
    tank_conversion,
)
from rllib_citylearn.baselines.planning.idle_load import performance_of
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.parameters import ABSENT, END_USES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Storage:
    """One storage: a battery, a tank, or a charger with whatever vehicle is there.

    Attributes:
        building: row of its building.
        action: column of the joint actions that sets it.
        unit_kwh: what an action of one asks for in an hour, kWh drawn.
        least_kwh: less than this is not drawn or given, kWh in and out: ``(in, out)``.
        kind: ``battery``, ``tank`` or ``charger``.
        place: which battery (building), tank (building, end use) or charger it is.
        keeps: share of the stored energy that an hour of standing by leaves.
        wear: capacity lost for every kWh by which what is stored changes, kWh.
    """

    building: int
    action: int
    unit_kwh: tuple[float, float]
    least_kwh: tuple[float, float]
    kind: str
    place: tuple[int, ...]
    keeps: float
    wear: float = 0.0

    def action_for(self, drawn_kwh: float, *, at_least_kwh: float = 0.0) -> float:
        """The action that draws (> 0) or gives an energy in an hour, in CityLearn's units.

        Too little for the device is rounded: charging to the nearest of nothing and the least that it does, giving back to
        nothing. What has to be drawn is rounded up.

        Args:
            drawn_kwh: what is wanted.
            at_least_kwh: what has to be drawn, if it is positive.
        """
        if at_least_kwh > 0.0:
            drawn_kwh = max(drawn_kwh, at_least_kwh, self.least_kwh[0])
        up = drawn_kwh >= 0.0
        least, unit = self.least_kwh[0 if up else 1], self.unit_kwh[0 if up else 1]
        size = abs(drawn_kwh)
        if size < least:
            size = least if up and size >= 0.5 * least else 0.0
        share = min(size / unit, 1.0) if unit > 0.0 else 0.0
        return float(share if up else -share)


@dataclass(frozen=True)
class StorageTables:
    """What U storages may do in each of the T rows of a community's data.

    Attributes:
        storages: the storages, U in all.
        conversions: ways of storing, K in all.
        conversion: which of them holds, ``[T, U]``.
        available: whether the storage can be used, ``[T, U]``; a charger can while a vehicle is there.
        capacity_kwh: what it holds, ``[T, U]``.
        floor_kwh: what has to stay in it, ``[T, U]``.
        begins_kwh: what it holds at the start of a row where it does not go on from the row before, ``[T, U]``; NaN where
            it does.
        required_kwh: what it has to hold at the end of a row, ``[T, U]``; NaN without a requirement.
        must_kwh: what it has to hold at the end of a row for the next requirement of the stay to be met by charging at full
            power from then on, ``[T, U]``; minus infinity where none follows. It may be more than can be reached.
        electricity: electricity for what is drawn, ``[T, U]``: 1, or for tanks one over the device's performance.
        most_in_kwh, most_out_kwh: bounds on what is drawn and given, ``[T, U]``.
    """

    storages: tuple[Storage, ...]
    conversions: tuple[Conversion, ...]
    conversion: Integers
    available: Flags
    capacity_kwh: Floats
    floor_kwh: Floats
    begins_kwh: Floats
    required_kwh: Floats
    must_kwh: Floats
    electricity: Floats
    most_in_kwh: Floats
    most_out_kwh: Floats

    def __len__(self) -> int:
        return len(self.storages)

    @property
    def building(self) -> Integers:
        """Row of each storage's building, ``[U]``."""
        return np.array([storage.building for storage in self.storages], np.int64)

    @property
    def keeps(self) -> Floats:
        """Share of the stored energy that an hour of standing by leaves, ``[U]``."""
        return np.array([storage.keeps for storage in self.storages])

    def at(self, rows: Integers) -> StorageTables:
        """Tables of other rows: ``[H]``, the same for all storages, or ``[H, U]``."""
        picked = np.broadcast_to(rows if rows.ndim == 2 else rows[:, None], (len(rows), len(self)))
        tables: dict[str, Any] = {name: np.take_along_axis(getattr(self, name), picked, 0) for name in _TABLES}
        return replace(self, **tables)

    def worn(self, lost_kwh: Floats) -> StorageTables:
        """Tables of storages that have lost some of their capacity, ``[U]`` kWh."""
        return replace(self, capacity_kwh=np.maximum(self.capacity_kwh - lost_kwh, self.floor_kwh))

    def usable_kwh(self, conversion: Integers, stored_kwh: Floats) -> Floats:
        """The most that each storage can draw or give while it holds ``stored_kwh``, ``[U]``; conversions are ``[U]``."""
        kinds = [self.conversions[k] for k in conversion.tolist()]
        shares = [held / kind.capacity_kwh for held, kind in zip(stored_kwh.tolist(), kinds, strict=True)]
        return np.array([np.interp(x, SHARES, kind.usable_kwh) for x, kind in zip(shares, kinds, strict=True)])

    def needed_kwh(self, row: int, u: int, stored_kwh: float) -> float:
        """What storage ``u`` has to draw in a row, for it can't be made up for later; zero if nothing."""
        lacks = self.must_kwh[row, u] - stored_kwh
        if not (self.available[row, u] and lacks > 0.0):
            return 0.0
        return self.conversions[self.conversion[row, u]].drawn_for(lacks + 1e-4)

    def last_rows(self) -> Integers:
        """The last row of the stay that a row belongs to, ``[T, U]``: after it a vehicle leaves or something is
        required of it, or the data ends."""
        rows = len(self.available)
        ends = np.ones(self.available.shape, bool)
        ends[:-1] = ~np.isnan(self.begins_kwh[1:]) | ~np.isnan(self.required_kwh[:-1])
        ends[:-1] |= self.available[1:] != self.available[:-1]
        last = np.where(ends, np.arange(rows)[:, None], rows)
        result: Integers = np.minimum.accumulate(last[::-1], 0)[::-1]
        return result

    @classmethod
    def read(cls, description: CommunityDescription) -> StorageTables:
        """From a community that can be simulated by the fast engine; what no action sets is left out."""
        return _Builder(description).build()


_TABLES = (
    "conversion",
    "available",
    "capacity_kwh",
    "floor_kwh",
    "begins_kwh",
    "required_kwh",
    "must_kwh",
    "electricity",
    "most_in_kwh",
    "most_out_kwh",
)


class _Builder:
    def __init__(self, description: CommunityDescription) -> None:
        self.description = description
        self.parameters = description.parameters
        self.tables = description.tables
        self.storages: list[Storage] = []
        self.conversions: list[Conversion] = []
        self.columns: dict[str, list[Floats]] = {name: [] for name in _TABLES}

    def build(self) -> StorageTables:
        for n in range(len(self.parameters)):
            self._add_battery(n)
            for u in range(len(END_USES)):
                self._add_tank(n, u)
        for c in range(len(self.parameters.chargers)):
            self._add_charger(c)
        nothing = np.zeros((self.tables.rows, 0))
        tables: dict[str, Any] = {
            name: np.stack(columns, 1) if columns else nothing for name, columns in self.columns.items()
        }
        tables["conversion"] = tables["conversion"].astype(np.int64)
        tables["available"] = tables["available"] > 0.0
        return StorageTables(tuple(self.storages), tuple(self.conversions), **tables)

    def _add(self, storage: Storage, **columns: Floats | float) -> None:
        rows = self.tables.rows
        self.storages.append(storage)
        for name, kept in self.columns.items():
            kept.append(np.broadcast_to(np.asarray(columns[name], np.float64), rows).copy())

    def _converted(self, conversion: Conversion) -> int:
        self.conversions.append(conversion)
        return len(self.conversions) - 1

    def _starting(self, kwh: float) -> Floats:
        """Goes on from row to row, from what it holds at the first."""
        begins = np.full(self.tables.rows, np.nan)
        begins[0] = kwh
        return begins

    def _add_battery(self, n: int) -> None:
        batteries, column = self.parameters.batteries, int(self.parameters.actions.battery[n])
        power, capacity = float(batteries.nominal_power[n]), float(batteries.capacity[n])
        if column < 0 or power <= 0.0 or capacity <= 0.0:
            return
        floor = max(1.0 - float(batteries.depth_of_discharge[n]), 0.0) * capacity
        conversion = battery_conversion(batteries, n)
        self._add(
            Storage(
                building=n,
                action=column,
                unit_kwh=(power, power),
                least_kwh=(0.0, 0.0),
                kind="battery",
                place=(n,),
                keeps=1.0 - float(batteries.loss_coefficient[n]),
                wear=0.5 * float(batteries.capacity_loss_coefficient[n]),
            ),
            conversion=self._converted(conversion),
            available=1.0,
            capacity_kwh=capacity,
            floor_kwh=floor,
            begins_kwh=self._starting(max(float(batteries.initial_soc[n]) * capacity, floor)),
            required_kwh=np.nan,
            must_kwh=-np.inf,
            electricity=1.0,
            most_in_kwh=conversion.most_in_kwh,
            most_out_kwh=conversion.most_out_kwh,
        )

    def _add_tank(self, n: int, u: int) -> None:
        tanks, column = self.parameters.tanks, int(self.parameters.actions.tank[n, u])
        capacity, kind = float(tanks.capacity[n, u]), int(self.parameters.devices.kind[n, u])
        if column < 0 or capacity <= 0.0 or kind == ABSENT:
            return
        performance = performance_of(self.description, n, u)
        demand = self.tables.heat_demand[:, n, u].astype(np.float64)
        spare = np.maximum(self.parameters.devices.nominal_power[n, u] * performance - demand, 0.0)
        conversion = tank_conversion(capacity, float(tanks.round_trip_efficiency[n, u]), capacity, capacity)
        self._add(
            Storage(
                building=n,
                action=column,
                unit_kwh=(capacity, capacity),
                least_kwh=(0.0, 0.0),
                kind="tank",
                place=(n, u),
                keeps=1.0 - float(tanks.loss_coefficient[n, u]),
            ),
            conversion=self._converted(conversion),
            available=1.0,
            capacity_kwh=capacity,
            floor_kwh=0.0,
            begins_kwh=self._starting(float(tanks.initial_soc[n, u]) * capacity),
            required_kwh=np.nan,
            must_kwh=-np.inf,
            electricity=1.0 / performance,
            most_in_kwh=np.minimum(spare, min(float(tanks.max_input[n, u]), capacity)),
            most_out_kwh=np.minimum(demand, min(float(tanks.max_output[n, u]), capacity)),
        )

    def _add_charger(self, c: int) -> None:
        chargers, vehicles = self.parameters.chargers, self.parameters.vehicles
        column = int(self.parameters.actions.charger[c])
        presence = self.tables.presence
        rows = self.tables.rows
        connected = presence.connected[:, c]
        if column < 0 or not (connected >= 0).any():
            return
        varying = ("conversion", "capacity_kwh", "floor_kwh", "most_in_kwh", "most_out_kwh")
        columns = {name: np.zeros(rows) for name in varying}
        begins, hourly = np.full(rows, np.nan), np.zeros(rows)
        for v in np.unique(connected[connected >= 0]).tolist():
            here = connected == v
            conversion = charger_conversion(chargers, c, vehicles, v)
            columns["conversion"][here] = self._converted(conversion)
            hourly[here] = conversion.into * conversion.most_in_kwh
            columns["capacity_kwh"][here] = vehicles.capacity[v]
            columns["floor_kwh"][here] = max(1.0 - float(vehicles.depth_of_discharge[v]), 0.0) * vehicles.capacity[v]
            columns["most_in_kwh"][here], columns["most_out_kwh"][here] = conversion.most_in_kwh, conversion.most_out_kwh
        for first, v in _arrivals(connected, presence.arrival_soc):
            begins[first] = max(self._soc_on_arrival(first, v) * vehicles.capacity[v], columns["floor_kwh"][first])
        if connected.size and connected[0] < 0:
            begins[0] = 0.0
        columns["required_kwh"] = presence.required_soc[:, c] * columns["capacity_kwh"]
        columns["must_kwh"] = _must(columns["required_kwh"], begins, connected >= 0, hourly)
        self._add(
            Storage(
                building=int(chargers.building[c]),
                action=column,
                unit_kwh=(float(chargers.max_charging[c]), float(chargers.max_discharging[c])),
                least_kwh=(float(chargers.min_charging[c]), float(chargers.min_discharging[c])),
                kind="charger",
                place=(c,),
                keeps=1.0,
            ),
            available=(connected >= 0).astype(np.float64),
            begins_kwh=begins,
            electricity=1.0,
            **columns,
        )

    def _soc_on_arrival(self, row: int, v: int) -> float:
        """What the schedule says of a vehicle that is found at ``row``; its first charge where it says nothing."""
        presence = self.tables.presence
        given = [presence.start_soc[0, v]] if row == 0 else [presence.arrival_soc[row, v], presence.arrival_soc[row - 1, v]]
        known = [float(soc) for soc in given if not np.isnan(soc)]
        return known[0] if known else float(self.parameters.vehicles.initial_soc[v])


def _must(required_kwh: Floats, begins_kwh: Floats, there: Flags, hourly_kwh: Floats) -> Floats:
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
