"""How people are served in a CityLearn environment that runs: the charge of vehicles that leave, and comfort.

The compiled engine computes the same in ``rllib_citylearn.simulator.kernels.service``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.comfort import comfort_limits
from rllib_citylearn.simulator.presence import Presence
from rllib_citylearn.simulator.reward_layout import DISCOMFORT, MISSING

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class ServiceMeter:
    """Reads what the reward's terms of departures and comfort need.

    Args:
        env: a CityLearn environment, reset over the whole window that will be visited.
    """

    def __init__(self, env: CityLearnEnv) -> None:
        rows = int(env.time_steps)
        presence = Presence.read(env, rows)
        self._connected, self._required = presence.connected, presence.required_soc
        self._comfort = comfort_limits(env)
        self._building = [n for n, b in enumerate(env.buildings) for _ in b.electric_vehicle_chargers or []]

    @property
    def measures(self) -> bool:
        """Whether there is anything to measure: vehicles, or temperatures that depend on the control."""
        return bool(self._building) or self._comfort is not None

    def read(self, env: CityLearnEnv, row: int, index: int) -> npt.NDArray[np.float64]:
        """kWh that vehicles lack that leave after an hour, and degC outside the comfort band in it, ``[N, 2]``.

        Args:
            env: where the hour was simulated.
            row: the hour, counted from the start of the whole window.
            index: the same hour, counted from the start of the episode.
        """
        service = np.zeros((len(env.buildings), 2))
        for c in np.flatnonzero(~np.isnan(self._required[row])):
            battery = env.electric_vehicles[self._connected[row, c]].battery
            lacking = max(float(self._required[row, c]) - float(battery.soc[index]), 0.0)
            service[self._building[c], MISSING] += lacking * float(battery.capacity)
        if self._comfort is not None:
            indoor = np.array([b.energy_simulation.indoor_dry_bulb_temperature[index] for b in env.buildings], float)
            low, high = self._comfort[row].astype(float).T
            service[:, DISCOMFORT] = np.maximum(np.maximum(indoor - high, low - indoor), 0.0)
        return service
