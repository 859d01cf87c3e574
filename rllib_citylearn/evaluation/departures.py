"""How drivers of electric vehicles were served: did vehicles leave with the charge that was asked for?

A departure counts as met if the vehicle has the required state of charge or more. The share met is CityLearn's
``district_ev_performance_departure_success_ratio`` of ``evaluate_v2()``; its ``..._within_tolerance_ratio`` is another
thing: there a vehicle that leaves with more than was asked for is a miss.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.presence import Presence

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

TOLERANCE = 1e-6
"""State of charge that may be missing at a departure that counts as met: rounding of 32-bit numbers, as CityLearn allows."""


@dataclass(frozen=True)
class Departures:
    """How K departures were served.

    Attributes:
        departures: number K.
        departures_met: share of them with the required state of charge, less ``TOLERANCE``; 0 to 1.
        missing_kwh: energy that was missing at all departures together, kWh.
        mean_missing_soc: state of charge that was missing, mean over all departures, met ones counting zero; 0 to 1.
    """

    departures: int
    departures_met: float
    missing_kwh: float
    mean_missing_soc: float

    def to_dict(self) -> dict[str, float]:
        """What ``evaluate --json`` prints as ``ev``."""
        return asdict(self)


def serve(soc: npt.ArrayLike, required_soc: npt.ArrayLike, capacity_kwh: npt.ArrayLike) -> Departures | None:
    """Judge departures.

    Args:
        soc: state of charge with which each vehicle leaves, ``[K]``.
        required_soc: what was asked for, ``[K]``.
        capacity_kwh: of each vehicle's battery, ``[K]``.

    Returns:
        None without departures.
    """
    missing = np.maximum(np.asarray(required_soc, float) - np.asarray(soc, float), 0.0)
    if missing.size == 0:
        return None
    return Departures(
        departures=int(missing.size),
        departures_met=float((missing <= TOLERANCE).mean()),
        missing_kwh=float((missing * np.asarray(capacity_kwh, float)).sum()),
        mean_missing_soc=float(missing.mean()),
    )


def departures_served(env: CityLearnEnv) -> Departures | None:
    """Judge the departures of an episode that is over.

    Args:
        env: an environment at its end, whichever engine simulated (``rollout``).

    Returns:
        None where no vehicle left during the episode.
    """
    presence = Presence.read(env, int(env.time_steps))
    rows, chargers = np.nonzero(~np.isnan(presence.required_soc))
    batteries = [env.electric_vehicles[v].battery for v in presence.connected[rows, chargers]]
    return serve(
        [float(battery.soc[row]) for row, battery in zip(rows, batteries, strict=True)],
        presence.required_soc[rows, chargers],
        [float(battery.capacity) for battery in batteries],
    )
