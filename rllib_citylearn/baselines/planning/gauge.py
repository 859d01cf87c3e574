"""What storages hold now and what the buildings drew last, read from a CityLearn environment while it is simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.storages import Storage
from rllib_citylearn.simulator.parameters import END_USES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from citylearn.citylearn import CityLearnEnv

Floats = npt.NDArray[np.float64]


class Gauge:
    """Reads meters, as the buildings' own displays would show them; nothing of what is to come.

    Args:
        env: the environment that is controlled, whichever engine simulates it.
        storages: what to read, U in all.
    """

    def __init__(self, env: CityLearnEnv, storages: Sequence[Storage]) -> None:
        self._env = env
        self._storages = storages
        self._chargers = [charger for building in env.buildings for charger in building.electric_vehicle_chargers or []]

    @property
    def row(self) -> int:
        """Row of the hour that is to be decided."""
        return int(self._env.time_step)

    def stored_kwh(self) -> Floats:
        """Energy in every storage at the start of the hour, ``[U]``; zero at a charger without a vehicle."""
        return np.array([self._stored(storage) for storage in self._storages])

    def drawn_kwh(self) -> Floats:
        """What the buildings drew in the hour before, ``[N]``; at the start of an episode what they would draw now."""
        row = max(self.row - 1, 0)
        return np.array([float(building.net_electricity_consumption[row]) for building in self._env.buildings])

    def _stored(self, storage: Storage) -> float:
        row = self.row
        if storage.kind == "charger":
            vehicle = self._chargers[storage.place[0]].connected_electric_vehicle
            if vehicle is None:
                return 0.0
            return float(vehicle.battery.soc[row]) * float(vehicle.battery.capacity)
        building = self._env.buildings[storage.place[0]]
        if storage.kind == "battery":
            device = building.electrical_storage
        else:
            device = getattr(building, f"{END_USES[storage.place[1]]}_storage")
        return float(device.soc[row if row == 0 else row - 1]) * float(device.capacity) * storage.keeps
