"""Encoded observations ``[E, N, D]``, ready for a network (``rllib_citylearn.env.features`` says what they mean)."""

from __future__ import annotations

from rllib_citylearn.simulator.kernels.appliances import show_appliance
from rllib_citylearn.simulator.kernels.numbers import double, inline, single
from rllib_citylearn.simulator.parameters import APPLIANCE, BATTERY_SOC, MADE, NET_LOAD, TANK_SOC, UNPLUGGED, VEHICLE_SOC


@inline
def state_value(m, e, n, s, k):
    """float64 physical value of state column ``s`` of building ``n`` at row ``k``: the outcome of the hour before."""
    kind = m.state_kind[s]
    if kind == BATTERY_SOC:
        return double(m.battery_soc_after[e, n])
    if kind == NET_LOAD:
        return double(m.net[e, n])
    if kind == VEHICLE_SOC:
        vehicle = m.connected[k, m.charger_at[n, s]]
        return double(m.vehicle_soc_after[e, vehicle]) if vehicle >= 0 else UNPLUGGED
    if kind < MADE:
        return double(m.tank_soc_after[e, n, kind - TANK_SOC])
    if kind >= APPLIANCE:
        return m.appliance_shown[e, m.appliance_at[n, s], kind - APPLIANCE]
    u = kind - MADE
    return double(single(m.device_output[e, n, u] + abs(min(m.tank_energy[e, n, u], single(0.0)))))


@inline
def observe(m, e, k):
    """Write what the buildings of community ``e`` see at row ``k``."""
    for q in range(m.Q):
        show_appliance(m, e, q, k)
    for n in range(m.N):
        row = m.observations[e, n]
        shared = m.shared_columns[k]
        for d in range(m.D):
            row[d] = shared[d]
        for p in range(m.P):
            row[m.private_at[p]] = m.private_columns[k, n, p]
        for x in range(m.X):
            row[m.fixed_at[x]] = m.fixed_columns[n, x]
        for s in range(m.S):
            if m.state_mask[n, s]:
                low, high = m.state_range[s, 0], m.state_range[s, 1]
                value = min(max(state_value(m, e, n, s, k), low), high)
                row[m.state_at[s]] = single(2.0 * (value - low) / (high - low) - 1.0)
