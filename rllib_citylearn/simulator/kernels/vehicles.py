"""Chargers and the vehicles at them (``citylearn.electric_vehicle_charger``, ``citylearn.internal.runtime``)."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.battery import charge, segment, standby
from rllib_citylearn.simulator.kernels.numbers import TINY, double, inline, single


@inline
def efficiency_at(x, y, points, share):
    """``numpy.interp`` of an efficiency curve."""
    if share <= x[0]:
        return y[0]
    if share >= x[points - 1]:
        return y[points - 1]
    i = segment(x, points, share)
    if share == x[i + 1]:
        return y[i + 1]
    return (y[i + 1] - y[i]) / (x[i + 1] - x[i]) * (share - x[i]) + y[i]


@inline
def run_charger(m, e, c, k):
    """Apply the action of charger ``c``; returns float32 kWh drawn from (> 0) or given to the building."""
    vehicle = m.connected[k, c]
    column = m.charger_action[c]
    if vehicle < 0 or column < 0:
        return single(0.0)
    action = min(max(m.actions[e, m.charger_building[c], column], -1.0), 1.0)
    up = action >= 0.0
    largest = max(m.charger_max_in[c] if up else m.charger_max_out[c], 0.0)
    smallest = max(min(m.charger_min_in[c] if up else m.charger_min_out[c], largest), 0.0)
    power = abs(action) * largest
    power = 0.0 if power < smallest else min(power, largest)
    efficiency = m.charger_efficiency[c]
    curved = (m.charger_in_points[c] if up else m.charger_out_points[c]) > 0
    requested = 0.0
    if power != 0.0:
        share = power / max(largest, TINY)
        if curved and up:
            efficiency = efficiency_at(m.charger_in_x[c], m.charger_in_y[c], m.charger_in_points[c], share)
        elif curved:
            efficiency = efficiency_at(m.charger_out_x[c], m.charger_out_y[c], m.charger_out_points[c], share)
        commanded = share * largest
        requested = commanded * efficiency if up else -commanded / max(efficiency, TINY)
    soc, capacity, energy = charge(m, m.N + vehicle, m.vehicle_soc[e, vehicle], m.vehicle_capacity[e, vehicle], requested)
    m.vehicle_soc[e, vehicle], m.vehicle_capacity[e, vehicle] = soc, capacity
    if power == 0.0:
        return single(0.0)
    if curved:  # numpy's interpolation gives a 64-bit number, which CityLearn's division keeps
        drawn = double(energy) / max(efficiency, TINY) if energy >= single(0.0) else double(energy) * efficiency
        return single(drawn)
    if energy >= single(0.0):
        return single(energy / single(max(efficiency, TINY)))
    return single(energy * single(efficiency))


@inline
def move_vehicles(m, e, k):
    """Where the vehicles' batteries stand at the start of row ``k``: losses, driving, arrivals."""
    row = k - m.origin[e]
    for v in range(m.V):
        last = m.vehicle_soc[e, v]
        m.vehicle_soc_after[e, v] = last
        lowest = min(max(1.0 - m.b_depth[m.N + v], 0.0), 1.0)
        soc = standby(last, m.b_loss[m.N + v], lowest)
        factor = m.drift[e, row, v] if row < m.W else np.nan
        if not np.isnan(factor):
            soc = single(min(max(double(last) * factor, 0.0), 1.0))
        if not np.isnan(m.arrival_soc[k, v]):
            soc = single(m.arrival_soc[k, v])
        m.vehicle_soc[e, v] = soc
