"""A CityLearn environment that shows the present of a fast simulation, for agents that look into it while they act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator import FastCommunity
from rllib_citylearn.simulator.injection import START, Ledger, Plugs, appliances_of, chargers_of, clocks_of

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

OBSERVED = ("net_kwh", "battery_soc", "tank_soc", "tank_energy_kwh", "device_output_kwh", "vehicle_soc")
"""What CityLearn's observations show of the hour before."""

STORED = ("battery_soc", "tank_soc", "vehicle_soc")
"""Charge at the start of an hour, by the kernels' names."""

Singles = npt.NDArray[np.float32]


class Present:
    """Moves an environment along with a simulation of one community.

    It shows the clock, what observations show, the charge that storage has now, the vehicles at the chargers and the cycles
    of appliances; the rest of what happened is written when the episode is over (``simulator.injection``).

    Args:
        env: the environment the community was read from, which was reset.
        community: the simulation, at the start of its data.
    """

    def __init__(self, env: CityLearnEnv, community: FastCommunity) -> None:
        self._env = env
        self._community = community
        self._last = community.rows - 1
        places = Ledger(env).places
        self._observed = [(getattr(community, name), places[name]) for name in OBSERVED if getattr(community, name).size]
        self._stored = [(community.arrays[name], places[name]) for name in STORED if community.arrays[name].size]
        self._clocks = clocks_of(env)
        self._appliances = list(appliances_of(env))
        description = community.description
        self._plugs = Plugs(env, description, slice(0, community.rows)) if any(chargers_of(env)) else None

    def advance(self, hour: int) -> None:
        """Show the outcome of ``hour``, which was just simulated, and the start of the next one."""
        _write(self._observed, hour)
        for appliance, started in zip(self._appliances, self._community.appliance_started[0], strict=True):
            if started:
                appliance.start_cycle(START)
        self._env.time_step = now = hour + 1
        if now == self._last:
            return  # CityLearn leaves all but its own clock at the last hour
        for clock in self._clocks:
            clock.time_step = now
        _write(self._stored, now)
        if self._plugs is not None:
            self._plugs.show(now)


def _write(shown: Sequence[tuple[Singles, list[tuple[int, Any]]]], row: int) -> None:
    """Copy what the first community holds into CityLearn's series."""
    for array, places in shown:
        values = array[0].ravel().tolist()
        for place, series in places:
            series[row] = values[place]
