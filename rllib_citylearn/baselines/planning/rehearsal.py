"""An episode before it is played: what becomes of decisions in the simulator, for planners who know all of it.

What chargers do below their least power, how much a vehicle holds that was driven meanwhile, what wear takes: the
simulator knows, and nobody has to work it out a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.simulator import FastCommunity
from rllib_citylearn.simulator.description import CommunityDescription

Floats = npt.NDArray[np.float64]

Decide = Callable[[int, Floats, Floats], Floats]
"""Actions ``[N, A]`` in CityLearn's units from the row, what storages hold ``[U]`` and what buildings drew last ``[N]``."""


@dataclass(frozen=True)
class Rehearsed:
    """What became of T hours.

    Attributes:
        held_kwh: what storages held at the start of every hour, ``[T, U]``; zero at a charger without a vehicle.
        stored_kwh: the same at its end.
        net_kwh: what the buildings drew, ``[T, N]``.
    """

    held_kwh: Floats
    stored_kwh: Floats
    net_kwh: Floats


class Rehearsal:
    """Plays a community's episode on the fast engine.

    Args:
        description: the community.
        tables: its storages, U in all.
        seed: from which the journeys are drawn (``FastCommunity.reset``).
    """

    def __init__(self, description: CommunityDescription, tables: StorageTables, seed: int) -> None:
        self._community = FastCommunity(description)
        self._tables = tables
        self._seed = seed
        self._connected = description.tables.presence.connected
        # What is read of every storage: an array of the engine's by kind, and a place in it.
        kinds = [storage.kind for storage in tables.storages]
        self._of = {kind: np.flatnonzero([k == kind for k in kinds]) for kind in ("battery", "tank", "charger")}
        self._places = {
            kind: tuple(np.array([tables.storages[u].place for u in which], np.int64).T) for kind, which in self._of.items()
        }
        parameters = description.parameters
        self._capacity = {
            "battery": parameters.batteries.capacity[self._places["battery"]] if self._of["battery"].size else np.zeros(0),
            "tank": parameters.tanks.capacity[self._places["tank"]] if self._of["tank"].size else np.zeros(0),
        }
        self._vehicle_kwh = parameters.vehicles.capacity

    def play(self, decide: Decide) -> Rehearsed:
        """The whole episode.

        Args:
            decide: what to do in an hour.
        """
        community, hours = self._community, self._community.rows - 1
        community.reset(seeds=self._seed)
        shape = (hours, len(self._tables))
        held, stored, net = np.zeros(shape), np.zeros(shape), np.zeros((hours, community.net_kwh.shape[1]))
        vehicles = community.arrays["vehicle_soc"]
        for row in range(hours):
            held[row] = self._read(row, vehicles) * self._tables.keeps
            actions = decide(row, held[row], community.net_kwh[0].astype(np.float64))
            community.step_physical(actions[None])
            stored[row] = self._read(row, community.vehicle_soc)
            net[row] = community.net_kwh[0]
        return Rehearsed(held, stored, net)

    def _read(self, row: int, vehicle_soc: npt.NDArray[np.float32]) -> Floats:
        """What storages hold, ``[U]``, vehicles by an array of their own: driving changes them between two hours."""
        result = np.zeros(len(self._tables))
        for kind, soc in (("battery", self._community.battery_soc), ("tank", self._community.tank_soc)):
            if self._of[kind].size:
                result[self._of[kind]] = soc[0][self._places[kind]].astype(np.float64) * self._capacity[kind]
        if self._of["charger"].size:
            vehicle = self._connected[row][self._places["charger"]]
            charge = vehicle_soc[0].astype(np.float64) * self._vehicle_kwh
            result[self._of["charger"]] = np.where(vehicle >= 0, charge[vehicle], 0.0)
        return result
