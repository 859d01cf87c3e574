"""One hour of one building: devices in CityLearn's order, then its balance (``citylearn.building.Building``)."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.battery import charge, standby
from rllib_citylearn.simulator.kernels.lstm import set_device_demands
from rllib_citylearn.simulator.kernels.numbers import double, inline, single
from rllib_citylearn.simulator.kernels.thermal import charge_tank, highest_output, is_wide, performance, run_device
from rllib_citylearn.simulator.parameters import ABSENT


@inline
def is_out(m, n, k):
    """Whether the grid is out for building ``n``."""
    return m.OT > 0 and m.outage[k, n] != 0


@inline
def flexibility(m, e, n, k):
    """Electricity that an outage leaves for the next device: float32 kWh, infinite while the grid is there."""
    if not is_out(m, n, k):
        return single(np.inf)
    used = single(0.0)
    if m.TN:
        used = single(m.device_consumption[e, n, 0] + m.device_consumption[e, n, 1])
        used = single(used + m.device_consumption[e, n, 2])
    used = single(used + m.load_served[e, n])
    used = single(used + m.battery_energy[e, n])
    return max(single(0.0), single(abs(m.generation[k, n]) - used))


@inline
def run_battery(m, e, n, k, action):
    """Charge or discharge the battery; in an outage within what the island gives and takes."""
    requested = min(max(action, -1.0), 1.0) * m.b_power[n]
    if is_out(m, n, k):
        left = flexibility(m, e, n, k)
        if left < single(requested):
            requested = double(left)
        if requested < 0.0:
            requested = max(requested, -max(m.islanded_load[k, n], 0.0))
    soc, capacity, energy = charge(m, n, m.battery_soc[e, n], m.battery_capacity[e, n], requested)
    m.battery_soc_after[e, n], m.battery_capacity[e, n], m.battery_energy[e, n] = soc, capacity, energy


@inline
def run_tank(m, e, n, u, k, cop, action):
    """Charge or discharge the tank of end use ``u``."""
    kind = m.device_kind[n, u]
    demand = m.demand[e, n, u]
    left = flexibility(m, e, n, k)
    highest = highest_output(kind, m.device_power[n, u], cop, m.device_consumption[e, n, u], left)
    soc, energy = charge_tank(
        m.tank_soc[e, n, u],
        action,
        m.tank_capacity[n, u],
        m.tank_ratio[n, u],
        m.tank_single[n, u] != 0,
        m.tank_input[n, u],
        m.tank_output[n, u],
        demand,
        highest,
        is_wide(kind, left),
    )
    m.tank_soc_after[e, n, u], m.tank_energy[e, n, u] = soc, energy
    if energy > single(0.0):
        used = single(energy / single(cop))
        m.device_consumption[e, n, u] = single(m.device_consumption[e, n, u] + used)


@inline
def run_end_use(m, e, n, u, k, action):
    """Device and tank of one end use; a tank that discharges goes first, so that the device makes only the rest."""
    kind = m.device_kind[n, u]
    if kind == ABSENT:
        m.tank_soc_after[e, n, u] = single(0.0)
        return
    cop = performance(kind, m.device_efficiency[n, u], m.device_target[n, u], double(m.outdoor[k, n]))
    if action < 0.0:
        run_tank(m, e, n, u, k, cop, action)
    output, used = run_device(
        kind,
        m.device_power[n, u],
        cop,
        m.demand[e, n, u],
        m.tank_energy[e, n, u],
        m.device_consumption[e, n, u],
        flexibility(m, e, n, k),
    )
    m.device_output[e, n, u], m.device_consumption[e, n, u] = output, used
    if not action < 0.0:
        run_tank(m, e, n, u, k, cop, action)


@inline
def settle_first_hour(m, e, n, k):
    """In the first hour, once all devices have run, CityLearn works consumption out anew from output and balance."""
    for u in range(3 if m.TN else 0):
        kind = m.device_kind[n, u]
        if kind != ABSENT:
            cop = performance(kind, m.device_efficiency[n, u], m.device_target[n, u], double(m.outdoor[k, n]))
            total = single(m.device_output[e, n, u] + m.tank_energy[e, n, u])
            # A tank that discharges in this hour counts twice. Where that makes the consumption negative CityLearn stops.
            m.device_consumption[e, n, u] = max(single(total / single(cop)), single(0.0))


@inline
def shed_load(m, e, n, k):
    """In the first hour, CityLearn cuts loads in an outage to what the island has."""
    available = abs(double(m.generation[k, n])) + max(-double(m.battery_energy[e, n]), 0.0)
    served = min(max(double(m.load_served[e, n]), 0.0), available)
    m.load_served[e, n] = single(served)
    available = max(available - served, 0.0)
    for u in range(2, -1 if m.TN else 2, -1):
        used = max(double(m.device_consumption[e, n, u]), 0.0)
        served = min(used, available)
        m.device_consumption[e, n, u] = single(served)
        available = max(available - served, 0.0)


@inline
def run_building(m, e, n, k, battery_action):
    """All devices of building ``n`` but its chargers."""
    m.battery_energy[e, n] = single(0.0)
    m.load_served[e, n] = single(0.0)
    if m.TN:
        for u in range(3):
            m.device_consumption[e, n, u] = single(0.0)
            m.tank_energy[e, n, u] = single(0.0)
            m.demand[e, n, u] = m.heat_demand[k, n, u]
    if battery_action < 0.0:
        run_battery(m, e, n, k, battery_action)
    if m.TN:
        if m.DN:
            set_device_demands(m, e, n, k)
        for u in range(3):
            column = m.tank_action[n, u]
            run_end_use(m, e, n, u, k, m.actions[e, n, column] if column >= 0 else 0.0)
    m.load_served[e, n] = min(m.load[k, n], flexibility(m, e, n, k))
    if not battery_action < 0.0:
        run_battery(m, e, n, k, battery_action)
    if k == m.origin[e]:
        settle_first_hour(m, e, n, k)
        if is_out(m, n, k):
            shed_load(m, e, n, k)


@inline
def balance(m, e, n, k, charged, deferrable):
    """Net load, bill and emissions of the hour; the building's chargers and appliances draw float32 kWh."""
    net = single(0.0)
    if not is_out(m, n, k):
        if m.TN:
            net = single(m.device_consumption[e, n, 0] + m.device_consumption[e, n, 1])
            net = single(net + m.device_consumption[e, n, 2])
        net = single(net + m.load_served[e, n])
        net = single(net + m.battery_energy[e, n])
        net = single(net + m.generation[k, n])
        net = single(net + charged)
        if m.Q:
            net = single(net + deferrable)
    m.net[e, n] = net
    m.cost[e, n] = single(max(net, single(0.0)) * m.price[k, n])
    m.emission[e, n] = max(single(0.0), single(net * m.carbon[k, n]))


@inline
def stand_by(m, e, n):
    """Standing losses until the next hour."""
    lowest = min(max(1.0 - m.b_depth[n], 0.0), 1.0)
    m.battery_soc[e, n] = standby(m.battery_soc_after[e, n], m.b_loss[n], lowest)
    if m.TN:
        for u in range(3):
            m.tank_soc[e, n, u] = standby(m.tank_soc_after[e, n, u], m.tank_loss[n, u], 0.0)
