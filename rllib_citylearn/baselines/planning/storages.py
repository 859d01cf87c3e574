"""Everything in a community that stores energy and can be controlled, as one list of storages, hour by hour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.conversion import SHARES, Conversion

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

    def action_for(self, drawn_kwh: float, *, at_least_kwh: float = -np.inf) -> float:
        """The action that draws (> 0) or gives an energy in an hour, in CityLearn's units.

        Too little for the device is rounded: charging to the nearest of nothing and the least that it does, giving back to
        nothing. What has to be drawn is rounded up.

        Args:
            drawn_kwh: what is wanted.
            at_least_kwh: what has to be drawn; where it is negative, the most that may be given.
        """
        drawn_kwh = max(drawn_kwh, at_least_kwh)
        if at_least_kwh > 0.0:
            drawn_kwh = max(drawn_kwh, self.least_kwh[0])
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
        must_kwh: what it has to hold at the end of a row for what is required later to be met by charging at full power
            from then on, ``[T, U]``, also of a vehicle's next session where it stays or goes on with the charge it left
            with; minus infinity where nothing follows. It may be more than can be reached.
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
        tables: dict[str, Any] = {name: np.take_along_axis(getattr(self, name), picked, 0) for name in COLUMNS}
        return replace(self, **tables)

    def worn(self, lost_kwh: Floats) -> StorageTables:
        """Tables of storages that have lost some of their capacity, ``[U]`` kWh."""
        return replace(self, capacity_kwh=np.maximum(self.capacity_kwh - lost_kwh, self.floor_kwh))

    def counted_kwh(self, row: int, stored_kwh: Floats) -> Floats:
        """What CityLearn counts as stored at the start of a row, ``[U]``.

        In a vehicle that comes with less than what has to stay in it, that is what has to stay.
        """
        return np.where(self.available[row], np.maximum(stored_kwh, self.floor_kwh[row]), stored_kwh)

    def usable_kwh(self, conversion: Integers, stored_kwh: Floats) -> Floats:
        """The most that each storage can draw or give while it holds ``stored_kwh``, ``[U]``; conversions are ``[U]``."""
        kinds = [self.conversions[k] for k in conversion.tolist()]
        shares = [held / kind.capacity_kwh for held, kind in zip(stored_kwh.tolist(), kinds, strict=True)]
        return np.array([np.interp(x, SHARES, kind.usable_kwh) for x, kind in zip(shares, kinds, strict=True)])

    def needed_kwh(self, row: int, u: int, stored_kwh: float) -> float:
        """The least that storage ``u`` may draw in a row for what is required of it to stay within reach.

        It is positive where it can't be made up for later, negative where something may be given before, and minus
        infinity where nothing is required.
        """
        must = float(self.must_kwh[row, u])
        if not self.available[row, u] or must == -np.inf:
            return -np.inf
        return self.conversions[self.conversion[row, u]].drawn_for(must - stored_kwh + 1e-4)

    def of_present_stays(self) -> StorageTables:
        """Tables for somebody who does not know the sessions to come: what has to be held is for the present one's end."""
        into = np.array([conversion.into for conversion in self.conversions])
        hourly = into[self.conversion] * self.most_in_kwh
        goes_on = self.last_rows() > np.arange(len(self.available))[:, None]
        must = np.where(np.isnan(self.required_kwh), -np.inf, self.required_kwh)
        for row in range(len(must) - 2, -1, -1):
            must[row] = np.maximum(must[row], np.where(goes_on[row], must[row + 1] - hourly[row + 1], -np.inf))
        return replace(self, must_kwh=must)

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


COLUMNS = (
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
"""The tables of ``StorageTables`` that have a column for each storage."""
