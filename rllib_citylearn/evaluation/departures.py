"""How drivers of electric vehicles were served: did vehicles leave with the charge that was asked for?

A departure counts as met if the vehicle has the required state of charge or more. The share met is CityLearn's
``district_ev_performance_departure_success_ratio`` of ``evaluate_v2()``; its ``..._within_tolerance_ratio`` is another
thing: there a vehicle that leaves with more than was asked for is a miss.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from rllib_citylearn.evaluation.trajectory import FloatArray, IntArray
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


@dataclass(frozen=True)
class DepartureTable:
    """K departures, in the order of time.

    Attributes:
        row: time step at whose end the vehicle left, ``[K]``.
        charger: position of its charger, ``[K]``.
        building: row of the charger's building, ``[K]``.
        soc: state of charge with which it left, 0 to 1, ``[K]``.
        required_soc: what was asked for, ``[K]``.
        capacity_kwh: of its battery, ``[K]``.
    """

    row: IntArray
    charger: IntArray
    building: IntArray
    soc: FloatArray
    required_soc: FloatArray
    capacity_kwh: FloatArray

    def judge(self) -> Departures:
        """How they were served."""
        missing = np.maximum(self.required_soc - self.soc, 0.0)
        return Departures(
            departures=int(missing.size),
            departures_met=float((missing <= TOLERANCE).mean()),
            missing_kwh=float((missing * self.capacity_kwh).sum()),
            mean_missing_soc=float(missing.mean()),
        )


def departures_served(env: CityLearnEnv) -> DepartureTable | None:
    """The departures of an episode that is over.

    Args:
        env: an environment at its end, whichever engine simulated (``rollout``).

    Returns:
        None where no vehicle left during the episode.
    """
    presence = Presence.read(env, int(env.time_steps))
    rows, chargers = np.nonzero(~np.isnan(presence.required_soc))
    if not rows.size:
        return None
    owners = np.array([n for n, building in enumerate(env.buildings) for _ in building.electric_vehicle_chargers or []])
    batteries = [env.electric_vehicles[v].battery for v in presence.connected[rows, chargers]]
    return DepartureTable(
        row=rows,
        charger=chargers,
        building=owners[chargers],
        soc=np.array([float(battery.soc[row]) for row, battery in zip(rows, batteries, strict=True)]),
        required_soc=presence.required_soc[rows, chargers],
        capacity_kwh=np.array([float(battery.capacity) for battery in batteries]),
    )
