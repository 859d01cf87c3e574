"""What buildings draw while nobody controls their storage, worked out from the data instead of simulated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.parameters import ABSENT, END_USES

Floats = npt.NDArray[np.float64]


def idle_load_kwh(description: CommunityDescription) -> Floats:
    """What the buildings draw while all storage is idle and devices follow their thermostats, ``[T, N]`` kWh."""
    data, devices = description.tables, description.parameters.devices
    total = data.load.astype(np.float64) + data.generation.astype(np.float64)
    for n in range(total.shape[1]):
        for u in range(len(END_USES)):
            if devices.kind[n, u] != ABSENT:
                total[:, n] += data.heat_demand[:, n, u] / performance_of(description, n, u)
    return total


def performance_of(description: CommunityDescription, n: int, u: int) -> Floats:
    """Heat or cold that the device of an end use makes of electricity, ``[T]``."""
    from rllib_citylearn.simulator.kernels.thermal import performance

    devices = description.parameters.devices
    kind, efficiency = int(devices.kind[n, u]), float(devices.efficiency[n, u])
    target = float(devices.target_temperature[n, u])
    return np.array([performance(kind, efficiency, target, float(x)) for x in description.tables.outdoor[:, n]])
