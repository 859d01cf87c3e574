"""When vehicles leave and with how much charge they should."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.parameters import Floats

NOT_LEAVING = -1.0
"""In place of a required state of charge: below any."""


def required_soc(description: CommunityDescription) -> Floats:
    """State of charge that vehicles should have at the end of the rows before they leave, ``[T, V]``.

    A vehicle leaves when another one or none is at its charger in the next row, or when a new session of its own begins
    there. The requirement is the observation ``..._required_soc_departure``; departures from chargers whose building does
    not observe it have none. (CityLearn's KPIs count a departure, too, where a countdown restarts while the vehicle stays.)

    Returns:
        ``NOT_LEAVING`` where nobody leaves.
    """
    presence = description.tables.presence
    connected = presence.connected
    required = np.full(presence.arrival_soc.shape, NOT_LEAVING)
    for c, wanted in _observed(description).items():
        there = np.flatnonzero(connected[:-1, c] >= 0)
        vehicle = connected[there, c]
        replugged = ~np.isnan(presence.arrival_soc[there + 1, vehicle])
        leaves = (connected[there + 1, c] != vehicle) | replugged
        rows, vehicle = there[leaves], vehicle[leaves]
        share = np.where(wanted[rows] > 1.0, wanted[rows] / 100.0, wanted[rows])  # some schedules give percentages
        required[rows, vehicle] = np.where((share >= 0.0) & (share <= 1.0), share, NOT_LEAVING)
    return required


def _observed(description: CommunityDescription) -> dict[int, Floats]:
    """Series of required states of charge ``[T]`` by charger."""
    series = description.observations.series
    return {
        int(c): series[n, name]
        for state in description.observations.states
        for n, c in enumerate(state.charger)
        if c >= 0 and (n, name := state.name.removesuffix("_soc") + "_required_soc_departure") in series
    }
