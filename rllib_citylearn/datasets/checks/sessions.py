"""Charging sessions as CityLearn 3.0.2 reads them from a charger's schedule.

A row a time step: the charger's state (1 connected, 2 arriving, 3 away), which vehicle, how many steps until it leaves or
comes, and the states of charge. States of charge up to 1 are shares, others percent; each value decides for itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.checks.columns import (
    ARRIVAL,
    ARRIVAL_SOC,
    CHARGER_COLUMNS,
    CURRENT_SOC,
    DEPARTURE,
    REQUIRED_SOC,
    SESSION,
    STATE,
    VEHICLE,
)
from rllib_citylearn.datasets.checks.dataset import Dataset, entries, number
from rllib_citylearn.datasets.checks.tables import Table

CONNECTED, ARRIVING, AWAY = 1, 2, 3
DEFAULT_POWER_KW = 50.0
"""CityLearn's power of a charger whose schema gives none."""


@dataclass(frozen=True)
class Session:
    """One stay of a vehicle at a charger.

    Attributes:
        vehicle: its name.
        first, last: first and last time step of the stay, counted in the schedule's rows.
        arrival_soc, required_soc: shares; NaN if not given.
        capacity_kwh: of the vehicle's battery; NaN if unknown.
        within: whether arrival and departure both lie within the span.
    """

    vehicle: str
    first: int
    last: int
    arrival_soc: float
    required_soc: float
    capacity_kwh: float
    within: bool

    @property
    def steps(self) -> int:
        """Time steps in which the vehicle can be charged."""
        return self.last - self.first + 1

    @property
    def needed_kwh(self) -> float:
        """Energy into the battery that the required charge takes; NaN if something is not given."""
        return max(0.0, self.required_soc - self.arrival_soc) * self.capacity_kwh


@dataclass(frozen=True)
class Schedule:
    """A charger's schedule; every array is ``[T]``, NaN where nothing is given.

    Attributes:
        building, charger: names.
        table: the file's rows.
        vehicles: vehicle named in a row; empty for none.
        labels: session named in a row; empty for none.
    """

    building: str
    charger: str
    table: Table
    entry: Mapping[str, Any]
    state: npt.NDArray[np.float64]
    vehicles: npt.NDArray[np.str_]
    labels: npt.NDArray[np.str_]
    departure: npt.NDArray[np.float64]
    arrival: npt.NDArray[np.float64]
    required_soc: npt.NDArray[np.float64]
    arrival_soc: npt.NDArray[np.float64]
    current_soc: npt.NDArray[np.float64]

    @property
    def connected(self) -> npt.NDArray[np.bool_]:
        """Where a named vehicle is plugged in."""
        return np.asarray((self.state == CONNECTED) & (self.vehicles != ""))

    @property
    def starts(self) -> npt.NDArray[np.bool_]:
        """Where a session begins: another vehicle, another label, or a countdown that begins again."""
        before = np.append(False, self.connected[:-1])
        other = np.append(True, self.vehicles[1:] != self.vehicles[:-1])
        labelled = (self.labels != "") & np.append(False, self.labels[:-1] != "")
        relabelled = labelled & np.append(False, self.labels[1:] != self.labels[:-1])
        left = np.where(np.isnan(self.departure), -1, self.departure)  # as CityLearn sees it
        earlier = np.append(np.inf, left[:-1])
        restarted = ~labelled & (earlier <= 1) & (left > earlier)
        return np.asarray(self.connected & (~before | other | relabelled | restarted))

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The charger's, from the schema."""
        return entries(self.entry.get("attributes"))

    @property
    def power_kw(self) -> float:
        """Highest charging power."""
        value = self.attributes.get("max_charging_power")
        return DEFAULT_POWER_KW if value is None else number(value) or 0.0

    @property
    def efficiency(self) -> float:
        """The charger's, at best."""
        value = number(self.attributes.get("efficiency"))
        return 1.0 if value is None else min(1.0, value)

    def soc_at_start(self, row: int) -> float:
        """State of charge at which a vehicle is plugged in at ``row``; NaN if nothing says it."""
        if not np.isnan(self.current_soc[row]):
            return float(self.current_soc[row])
        was_away = row > 0 and self.state[row - 1] in (ARRIVING, AWAY)
        return float(self.arrival_soc[row - 1 if was_away else row])

    def sessions(self, vehicles: Mapping[str, Mapping[str, Any]]) -> Iterator[Session]:
        """All sessions of known vehicles.

        Args:
            vehicles: battery attributes by name.
        """
        connected, starts = self.connected, np.flatnonzero(self.starts)
        rows = len(connected)
        ends = np.flatnonzero(connected & np.append(~connected[1:] | self.starts[1:], True))
        for first, last in zip(starts.tolist(), ends.tolist(), strict=True):
            name = str(self.vehicles[first])
            if name in vehicles:
                capacity = number(vehicles[name].get("capacity"))
                yield Session(
                    vehicle=name,
                    first=first,
                    last=last,
                    arrival_soc=self.soc_at_start(first),
                    required_soc=float(self.required_soc[last]),
                    capacity_kwh=np.nan if capacity is None else capacity,
                    within=first > 0 and last < rows - 1,
                )


def read_schedules(data: Dataset) -> list[Schedule]:
    """The schedules of all chargers whose files have the columns they need."""
    schedules = []
    for (building, charger), entry in data.chargers().items():
        table = data.table(entry.get("charger_simulation"))
        if table is not None and len(table.frame) and set(CHARGER_COLUMNS) <= set(table.columns):
            schedules.append(_read(building, charger, entry, table))
    return schedules


def _read(building: str, charger: str, entry: Mapping[str, Any], table: Table) -> Schedule:
    rows = len(table.frame)
    return Schedule(
        building=building,
        charger=charger,
        table=table,
        entry=entry,
        state=table.numbers(STATE),
        vehicles=np.array(table.texts(VEHICLE), str),
        labels=np.array(table.texts(SESSION) if SESSION in table.columns else [""] * rows, str),
        departure=_given(table.numbers(DEPARTURE)),
        arrival=_given(table.numbers(ARRIVAL)),
        required_soc=soc_shares(table.numbers(REQUIRED_SOC)),
        arrival_soc=soc_shares(table.numbers(ARRIVAL_SOC)),
        current_soc=soc_shares(table.numbers(CURRENT_SOC)) if CURRENT_SOC in table.columns else np.full(rows, np.nan),
    )


def _given(times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Times with NaN for -1, which is CityLearn's word for none."""
    return np.where(times == -1, np.nan, times)


def soc_shares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Shares from shares and percentages; NaN for negative ones, which CityLearn takes for none."""
    shares = np.where(values > 1, values / 100, values)
    return np.where(shares < 0, np.nan, np.minimum(shares, 1.0))
