"""What buildings see in physical units, fast enough to be asked for every hour of a year."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.parameters import APPLIANCE, BATTERY_SOC, MADE, NET_LOAD, TANK_SOC, UNPLUGGED, VEHICLE_SOC

if TYPE_CHECKING:
    from rllib_citylearn.simulator.community import FastCommunity

Places = npt.NDArray[np.int64]


class RawObservations:
    """CityLearn's own observations, tabulated: a row of all buildings' values for every hour.

    What is data stands in the table beforehand; state is written into it when it is asked for.

    Args:
        community: the simulation that they are of.
    """

    def __init__(self, community: FastCommunity) -> None:
        self._community = community
        plan = community.description.observations
        agents = plan.features.agents
        self._bounds = list(pairwise(accumulate((len(agent.features) for agent in agents), initial=0)))
        self._table = np.zeros((community.rows, self._bounds[-1][1]))
        states = {state.name: state for state in plan.states}
        found: dict[int, list[tuple[int, int]]] = {}
        for n, (agent, (start, _)) in enumerate(zip(agents, self._bounds, strict=True)):
            for place, name in enumerate(agent.features, start):
                if name in states:
                    state = states[name]
                    source = n
                    if state.kind == VEHICLE_SOC:
                        source = int(state.charger[n])
                    elif state.kind >= APPLIANCE:
                        source = int(state.appliance[n])
                    found.setdefault(state.kind, []).append((place, source))
                else:
                    self._table[:, place] = plan.series[n, name]
        self._states: list[tuple[int, Places, Places]] = [
            (kind, *np.array(places, np.int64).T) for kind, places in sorted(found.items())
        ]

    def of(self, e: int) -> list[list[float]]:
        """One list a building of community ``e``: the data of its hour and the state that it is in."""
        row = int(self._community.clock[e])
        values = self._table[row]
        for kind, places, sources in self._states:
            values[places] = self._state(e, kind, sources, row)
        flat = values.tolist()
        return [flat[start:end] for start, end in self._bounds]

    def _state(self, e: int, kind: int, sources: Places, row: int) -> npt.NDArray[np.float32] | npt.NDArray[np.float64]:
        community = self._community
        if kind == VEHICLE_SOC:
            connected = community.description.tables.presence.connected[row, sources]
            return np.append(community.vehicle_soc[e].astype(np.float64), UNPLUGGED)[connected]
        if kind == BATTERY_SOC:
            return community.battery_soc[e, sources]
        if kind == NET_LOAD:
            return community.net_kwh[e, sources]
        if kind < MADE:
            return community.tank_soc[e, sources, kind - TANK_SOC]
        if kind >= APPLIANCE:
            shown: npt.NDArray[np.float64] = community.arrays["appliance_shown"][e, sources, kind - APPLIANCE]
            return shown
        use = kind - MADE
        return community.device_output_kwh[e, sources, use] + np.abs(
            np.minimum(community.tank_energy_kwh[e, sources, use], np.float32(0.0))
        )
