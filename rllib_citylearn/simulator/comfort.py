"""The temperatures between which occupants are comfortable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


def simulates_temperature(building: Any) -> bool:
    """Whether the building's indoor temperature depends on what its devices do."""
    return hasattr(building, "dynamics") and not building.ignore_dynamics


def comfort_limits(env: CityLearnEnv) -> npt.NDArray[np.float32] | None:
    """Lowest and highest comfortable temperature of every row, degC ``[T, N, 2]``.

    CityLearn's (``citylearn.cost_function.CostFunction.discomfort``): the heating set point less the comfort band, the
    cooling set point plus it, while somebody is there. Without occupants, and where a controller can't change the
    temperature, every temperature will do.

    Args:
        env: a CityLearn environment that has been reset.

    Returns:
        None if no building's temperature depends on the control.
    """
    if not any(simulates_temperature(building) for building in env.buildings):
        return None
    limits = []
    for building in env.buildings:
        energy = building.energy_simulation
        low = np.asarray(energy.indoor_dry_bulb_temperature_heating_set_point - energy.comfort_band, np.float32)
        high = np.asarray(energy.indoor_dry_bulb_temperature_cooling_set_point + energy.comfort_band, np.float32)
        counts = (np.asarray(energy.occupant_count) > 0) & simulates_temperature(building)
        limits.append(np.stack([np.where(counts, low, -np.inf), np.where(counts, high, np.inf)], 1))
    return np.ascontiguousarray(np.stack(limits, 1), np.float32)
