"""What a charger's file says, row by row, in the format of CityLearn's charger simulations."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.datasets.fleets.fleet import Fleet

COLUMNS = (
    "electric_vehicle_charger_state",
    "electric_vehicle_id",
    "electric_vehicle_departure_time",
    "electric_vehicle_required_soc_departure",
    "electric_vehicle_estimated_arrival_time",
    "electric_vehicle_estimated_soc_arrival",
    "electric_vehicle_current_soc",
)
"""CityLearn 3.0.2's columns. The last one is where an episode that begins during a stay finds the vehicle: on the straight
line from its charge at arrival to the one required, so that the rest can still be met."""

_AWAY = "3,,,,,,"


def charger_csv(fleet: Fleet, charger: int) -> str:
    """The file of one charger: a row for each of the data set's.

    A plugged-in vehicle counts down to 0 in its last row, as in CityLearn's own sets; it is announced one row before it
    comes. States of charge are in percent.

    Args:
        fleet: all vehicles.
        charger: the charger's place in the fleet.
    """
    rows = [_AWAY] * fleet.steps
    sessions = fleet.sessions
    for s in np.flatnonzero(np.array([v.charger for v in fleet.vehicles])[sessions.vehicle] == charger):
        name = fleet.vehicles[sessions.vehicle[s]].name
        begin, end = int(sessions.arrival[s]), int(sessions.departure[s])
        arrival, required = float(sessions.arrival_soc[s]), float(sessions.required_soc[s])
        if begin > 0:
            rows[begin - 1] = f"2,{name},,,0,{100 * arrival:.1f},"
        for row in range(begin, min(end, fleet.steps)):
            soc = arrival + (required - arrival) * (row - begin) / (end - begin)
            rows[row] = f"1,{name},{end - 1 - row},{100 * required:.1f},,,{np.ceil(1000 * soc - 1e-6) / 10:.1f}"
    return "\n".join([",".join(COLUMNS), *rows, ""])
