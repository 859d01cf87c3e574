"""A CityLearn environment that shows the present of a fast simulation, for agents that look into it while they act."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator import FastCommunity
from rllib_citylearn.simulator.injection import Ledger, Plugs, chargers_of, clocks_of
from rllib_citylearn.simulator.parameters import Batteries

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

OBSERVED = ("net_kwh", "battery_soc", "tank_soc", "tank_energy_kwh", "device_output_kwh", "vehicle_soc")
"""What CityLearn's observations show of the hour before."""

Singles = npt.NDArray[np.float32]


class Present:
    """Moves an environment along with a simulation of one community.

    It shows the clock, what observations show, the charge that storage has now, and the vehicles at the chargers; the rest
    of what happened is written when the episode is over (``simulator.injection``).

    Args:
        env: the environment the community was read from, which was reset.
        community: the simulation, at the start of its data.
        seed: what its vehicles' journeys are drawn from.
    """

    def __init__(self, env: CityLearnEnv, community: FastCommunity, seed: int) -> None:
        self._env = env
        self._community = community
        self._last = community.rows - 1
        places = Ledger(env).places
        self._observed = [(getattr(community, name), places[name]) for name in OBSERVED if getattr(community, name).size]
        self._clocks = clocks_of(env)
        description = community.description
        self._storage = _Storage(community, seed)
        self._places = places
        self._plugs = Plugs(env, description, slice(0, community.rows)) if any(chargers_of(env)) else None

    def advance(self, hour: int) -> None:
        """Show the outcome of ``hour``, which was just simulated, and the start of the next one."""
        for array, places in self._observed:
            values = array[0].ravel().tolist()
            for place, series in places:
                series[hour] = values[place]
        self._env.time_step = now = hour + 1
        if now == self._last:
            return  # CityLearn leaves all but its own clock at the last hour
        for clock in self._clocks:
            clock.time_step = now
        for name, charge in self._storage.at(now):
            values = charge.ravel().tolist()
            for place, series in self._places[name]:
                series[now] = values[place]
        if self._plugs is not None:
            self._plugs.show(now)


class _Storage:
    """State of charge at the start of an hour, from that at the end of the hour before.

    Losses, journeys and arrivals are CityLearn's (``StorageDevice.next_time_step``,
    ``CityLearnRuntimeService.simulate_unconnected_ev_soc``, MIT licence).
    """

    def __init__(self, community: FastCommunity, seed: int) -> None:
        self._community = community
        parameters, presence = community.description.parameters, community.description.tables.presence
        self._batteries = _standing(parameters.batteries)
        self._vehicles = _standing(parameters.vehicles)
        self._kept_in_tanks = (1.0 - parameters.tanks.loss_coefficient).astype(np.float32)
        self._drift = presence.drift(0, community.rows, seed)
        self._arrival = presence.arrival_soc

    def at(self, row: int) -> list[tuple[str, Singles]]:
        """Charge ``[N]``, ``[N, 3]`` and ``[V]`` at the start of ``row``, by the quantity's name; what there is."""
        community = self._community
        kept, lowest = self._batteries
        now = [("battery_soc", (community.battery_soc[0] * kept).clip(lowest, 1.0))]
        if community.tank_soc.size:
            now.append(("tank_soc", (community.tank_soc[0] * self._kept_in_tanks).clip(0.0, 1.0)))
        if community.vehicle_soc.size:
            now.append(("vehicle_soc", self._of_vehicles(row)))
        return now

    def _of_vehicles(self, row: int) -> Singles:
        before, (kept, lowest) = self._community.vehicle_soc[0], self._vehicles
        soc = (before * kept).clip(lowest, 1.0).astype(np.float64)
        drift, arrival = self._drift[row], self._arrival[row]
        soc = np.where(np.isnan(drift), soc, (before.astype(np.float64) * drift).clip(0.0, 1.0))
        return np.where(np.isnan(arrival), soc, arrival).astype(np.float32)


def _standing(batteries: Batteries) -> tuple[Singles, Singles]:
    """Share of the charge that is left after an hour of standing by, and the lowest state of charge."""
    lowest = (1.0 - batteries.depth_of_discharge).clip(0.0, 1.0)
    return (1.0 - batteries.loss_coefficient).astype(np.float32), lowest.astype(np.float32)
