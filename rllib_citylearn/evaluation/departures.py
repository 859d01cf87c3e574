"""How drivers of electric vehicles were served: did vehicles leave with the charge that was asked for?

A departure counts as met if the vehicle has the required state of charge or more. The share met is CityLearn's
``district_ev_performance_departure_success_ratio`` of ``evaluate_v2()``; its ``..._within_tolerance_ratio`` is another
thing: there a vehicle that leaves with more than was asked for is a miss.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

TOLERANCE = 1e-6
"""State of charge that may be missing at a departure that counts as met: rounding of 32-bit numbers, as CityLearn allows."""

Doubles = npt.NDArray[np.float64]

_PLUGGED_IN = 1


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
    hours = int(env.time_steps) - 1
    found: list[tuple[float, float, float]] = []
    for building in env.buildings:
        for charger in building.electric_vehicle_chargers or []:
            schedule = charger.charger_simulation
            required = np.asarray(schedule.electric_vehicle_required_soc_departure, float)
            for row in last_rows(schedule, hours):
                vehicle = charger.past_connected_evs[row]
                if vehicle is not None and required[row] >= 0.0:
                    battery = vehicle.battery
                    found.append((float(battery.soc[row]), float(required[row]), float(battery.capacity)))
    soc, required_soc, capacity = np.array(found, float).reshape(-1, 3).T
    return serve(soc, required_soc, capacity)


def last_rows(schedule: Any, hours: int) -> list[int]:
    """Hours of an episode after which a vehicle leaves its charger.

    Args:
        schedule: CityLearn's ``ChargerSimulation``, of which the episode shows one row more than it has hours.
        hours: of the episode.
    """
    there = np.asarray(schedule.electric_vehicle_charger_state, float) == _PLUGGED_IN
    countdown = np.asarray(schedule.electric_vehicle_departure_time, float)
    vehicle, session = _labels(schedule.electric_vehicle_id), _labels(schedule.electric_vehicle_session_id)
    rows = []
    for row in np.flatnonzero(there[:hours]).tolist():
        after = row + 1
        changes = vehicle[row] != vehicle[after]
        if session[row] and session[after]:
            changes |= session[row] != session[after]
        else:  # without names of sessions, a countdown that starts again tells two stays of a vehicle apart
            changes |= bool(countdown[row] <= 1.0 and countdown[after] > countdown[row])
        if not there[after] or changes:
            rows.append(row)
    return rows


def _labels(values: Any) -> list[str]:
    """Names, empty where there is none."""
    return [value.strip() if isinstance(value, str) and value.strip() != "nan" else "" for value in values]
