"""How people are served in a CityLearn environment that runs: charge of vehicles that leave, comfort, appliances' cycles.

The compiled engine computes the same in ``rllib_citylearn.simulator.kernels.service``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.comfort import comfort_limits, simulates_temperature
from rllib_citylearn.simulator.presence import Presence
from rllib_citylearn.simulator.reward_layout import DISCOMFORT, GIVEN_UP, MISSING, SERVICE_COUNT

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


_NEVER_STARTED = frozenset({"missed", "pending"})
"""CityLearn's states of a cycle after its last possible start; it is pending still after the last hour of an episode."""


class _Cycle(NamedTuple):
    name: str
    energy_kwh: float


def serves(env: CityLearnEnv) -> bool:
    """Whether there is anything to measure: chargers, temperatures that depend on the control, or appliances."""
    return any(
        building.electric_vehicle_chargers or building.deferrable_appliances or simulates_temperature(building)
        for building in env.buildings
    )


class ServiceMeter:
    """Reads what the reward's terms of departures, comfort and appliances need.

    Args:
        env: a CityLearn environment, reset over the whole window that will be visited.
    """

    def __init__(self, env: CityLearnEnv) -> None:
        rows = int(env.time_steps)
        presence = Presence.read(env, rows)
        self._connected, self._required = presence.connected, presence.required_soc
        self._comfort = comfort_limits(env)
        self._building = [n for n, b in enumerate(env.buildings) for _ in b.electric_vehicle_chargers or []]
        self._last_starts = _last_starts(env)

    def read(self, env: CityLearnEnv, row: int, index: int) -> npt.NDArray[np.float64]:
        """kWh that vehicles lack that leave after an hour, degC outside the comfort band in it, and kWh of the cycles whose
        last possible start it was and that did not start, ``[N, 3]``.

        Args:
            env: where the hour was simulated.
            row: the hour, counted from the start of the whole window.
            index: the same hour, counted from the start of the episode.
        """
        service = np.zeros((len(env.buildings), SERVICE_COUNT))
        for c in np.flatnonzero(~np.isnan(self._required[row])):
            battery = env.electric_vehicles[self._connected[row, c]].battery
            lacking = max(float(self._required[row, c]) - float(battery.soc[index]), 0.0)
            service[self._building[c], MISSING] += lacking * float(battery.capacity)
        if self._comfort is not None:
            indoor = np.array([b.energy_simulation.indoor_dry_bulb_temperature[index] for b in env.buildings], float)
            low, high = self._comfort[row].astype(float).T
            service[:, DISCOMFORT] = np.maximum(np.maximum(indoor - high, low - indoor), 0.0)
        for n, appliances in self._last_starts.items():
            for appliance, ending in zip(env.buildings[n].deferrable_appliances, appliances, strict=True):
                if row in ending and appliance.cycle_state[ending[row].name] in _NEVER_STARTED:
                    service[n, GIVEN_UP] += ending[row].energy_kwh
        return service


def _last_starts(env: CityLearnEnv) -> dict[int, list[dict[int, _Cycle]]]:
    """By building that has appliances, for each of them: the cycle whose last possible start is a row of the window."""
    first = int(env.episode_tracker.episode_start_time_step)
    return {
        n: [
            {
                int(cycle["latest_start_time_step"]) - first: _Cycle(cycle["cycle_id"], float(cycle["total_energy_kwh"]))
                for cycle in appliance.deferrable_appliance_simulation.flexibility_schedule
            }
            for appliance in building.deferrable_appliances
        ]
        for n, building in enumerate(env.buildings)
        if building.deferrable_appliances
    }
