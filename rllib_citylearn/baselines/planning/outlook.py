"""What a planner expects of the next hours: what it knows for certain, or what yesterday was like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.idle_load import idle_load_kwh
from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.simulator.description import CommunityDescription

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

DAY = 24


@dataclass(frozen=True)
class Outlook:
    """H hours, the present one first.

    Attributes:
        load_kwh: what the buildings draw while all storage is idle, ``[H, N]``.
        price: currency/kWh, ``[H, N]``.
        carbon: kgCO2/kWh, ``[H, N]``.
        storage: what may be done with storage, tables of H rows.
    """

    load_kwh: Floats
    price: Floats
    carbon: Floats
    storage: StorageTables

    def __len__(self) -> int:
        return len(self.load_kwh)


class Forecaster(ABC):
    """Looks ahead from a row of the data.

    Args:
        description: the community.
        tables: its storages.

    Attributes:
        load_kwh: what the buildings draw while all storage is idle, ``[T, N]``.
        committed_kwh: what appliances will draw whose cycles were started, ``[T, N]``; whoever starts them adds them.
        price, carbon: ``[T, N]``.
    """

    def __init__(self, description: CommunityDescription, tables: StorageTables) -> None:
        self.load_kwh = idle_load_kwh(description)
        self.committed_kwh = np.zeros_like(self.load_kwh)
        # Hours in which one is paid for importing count nothing, as in CityLearn's KPIs.
        self.price = np.maximum(description.tables.price.astype(np.float64), 0.0)
        self.carbon = np.maximum(description.tables.carbon.astype(np.float64), 0.0)
        self.tables = tables

    def ahead(self, row: int, hours: int) -> Integers:
        """The next ``hours`` rows from ``row`` on, fewer where the data ends, ``[H]``; nothing is controlled in its last."""
        return np.arange(row, max(min(row + hours, len(self.load_kwh) - 1), row + 1))

    def _paced(self, storage: StorageTables) -> StorageTables:
        """What leaves after the last hour has to be so full by then that the rest can still be charged."""
        last, must = storage.required_kwh[-1], storage.must_kwh[-1]
        pending = storage.available[-1] & np.isnan(last) & (must > 0.0)
        required = storage.required_kwh.copy()
        required[-1] = np.where(pending, must, last)
        return replace(storage, required_kwh=required)

    @abstractmethod
    def outlook(self, row: int, hours: int) -> Outlook:
        """What to expect of the next ``hours`` from ``row`` on, fewer where the data ends."""


class PerfectForecaster(Forecaster):
    """Knows what is to come, journeys of vehicles included."""

    def outlook(self, row: int, hours: int) -> Outlook:
        """See ``Forecaster.outlook``."""
        rows = self.ahead(row, hours)
        load = self.load_kwh[rows] + self.committed_kwh[rows]
        return Outlook(load, self.price[rows], self.carbon[rows], self._paced(self.tables.at(rows)))


class NaiveForecaster(Forecaster):
    """Expects of every hour what was measured at the same hour of the last day that has been seen.

    It knows the present hour, as CityLearn's observations show it, the tariff, which is published ahead, and of vehicles
    that are plugged in when they leave and what they need then, as drivers tell the charger. It does not know which
    vehicles will come.
    """

    def __init__(self, description: CommunityDescription, tables: StorageTables) -> None:
        super().__init__(description, tables.of_present_stays())
        self._chargers = np.array([storage.kind == "charger" for storage in tables.storages], bool)
        self._stays = tables.last_rows()

    def outlook(self, row: int, hours: int) -> Outlook:
        """See ``Forecaster.outlook``."""
        rows = self.ahead(row, hours)
        seen = rows - DAY * -(-(rows - row) // DAY)
        seen = np.where(seen < 0, row, seen)
        storage = self.tables.at(np.where(self._chargers, row, seen[:, None]))
        stays = self._stays[row]
        each = np.arange(len(stays))
        storage = replace(
            storage,
            available=(rows[:, None] <= stays) & self.tables.available[row],
            begins_kwh=np.full((len(rows), len(self._chargers)), np.nan),
            required_kwh=np.where(rows[:, None] == stays, self.tables.required_kwh[stays, each], np.nan),
            must_kwh=self.tables.must_kwh[np.minimum(rows[:, None], stays), each],
        )
        load = self.load_kwh[seen] + self.committed_kwh[rows]
        return Outlook(load, self.price[rows], self.carbon[seen], self._paced(storage))
