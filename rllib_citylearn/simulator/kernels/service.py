"""How the people in the buildings are served: the charge of vehicles that leave, and comfort."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.numbers import double, inline


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
