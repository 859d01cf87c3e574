"""How the people in the buildings are served: the charge of vehicles that leave, comfort, and appliances' cycles."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.numbers import double, inline

CYCLE_ENERGY = 4
"""Place of a cycle's kWh in ``cycle_constants`` (``simulator.appliances.SHOWN_OF_A_CYCLE``)."""


@inline
def missing_charge(m, e, c, k):
    """float64 kWh that the vehicle at charger ``c`` lacks if it leaves after row ``k``; zero if it stays."""
    vehicle, required = m.connected[k, c], m.required_soc[k, c]
    if vehicle < 0 or np.isnan(required):
        return 0.0
    return max(required - double(m.vehicle_soc[e, vehicle]), 0.0) * m.b_capacity[m.N + vehicle]


@inline
def discomfort(m, e, n, k):
    """float64 degC between the indoor temperature of building ``n`` and its comfort band."""
    if not m.DN:
        return 0.0
    temperature = double(m.temperature[e, n])
    return max(temperature - double(m.comfort[k, n, 1]), double(m.comfort[k, n, 0]) - temperature, 0.0)


@inline
def given_up(m, e, q, k):
    """float64 kWh of the cycle of appliance ``q`` that may not start after row ``k`` and still waits after its hour."""
    i = m.cycle[e, q]
    if i >= m.cycle_count[q] or m.cycle_start[e, q] >= 0 or m.cycle_latest[q, i] != k:
        return 0.0
    return m.cycle_constants[q, i, CYCLE_ENERGY]
