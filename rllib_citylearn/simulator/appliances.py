"""Deferrable appliances: cycles that wait to be started, as arrays (``citylearn.energy_model.DeferrableAppliance``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SHOWN_OF_A_CYCLE = (
    "earliest_start_time_step",
    "latest_start_time_step",
    "deadline_time_step",
    "cycle_duration_steps",
    "cycle_energy_kwh",
    "priority",
    "must_run",
    "cycle_average_power_kw",
    "cycle_peak_power_kw",
    "cycle_load_factor_ratio",
    "cycle_peak_step_offset_ratio",
)
"""Observations that are the same as long as a cycle is shown, in the order of ``Appliances.shown``."""


@dataclass(frozen=True)
class Appliances:
    """Appliances in the order of buildings and of the appliances within them, Q in all; cycles are padded to the longest.

    A cycle of an appliance ends before the next one may start, so that one at most runs or waits.

    Attributes:
        building: row of the building each belongs to, ``[Q]``.
        threshold: above what an action starts a cycle, ``[Q]``.
        count: number of cycles, ``[Q]``.
        earliest, latest: the data's time steps between which a cycle may start, ``[Q, K]``.
        duration: time steps, ``[Q, K]``.
        profile: what a cycle draws, kWh a time step, float32 ``[Q, K, J]``.
        left: what it has still to draw at a time step of its run, kWh, ``[Q, K, J]``.
        shown: its constants, ``[Q, K, 11]``; ``SHOWN_OF_A_CYCLE`` names them.
    """

    building: Integers
    threshold: Floats
    count: Integers
    earliest: Integers
    latest: Integers
    duration: Integers
    profile: npt.NDArray[np.float32]
    left: Floats
    shown: Floats

    def __len__(self) -> int:
        return len(self.building)

    @classmethod
    def read(cls, buildings: Sequence[Any]) -> Appliances:
        """From CityLearn's buildings, whose time step is an hour."""
        owned = [
            (n, appliance) for n, building in enumerate(buildings) for appliance in building.deferrable_appliances or []
        ]
        schedules = [appliance.deferrable_appliance_simulation.flexibility_schedule for _, appliance in owned]
        most = max((len(schedule) for schedule in schedules), default=0)
        longest = max((int(cycle["duration_steps"]) for schedule in schedules for cycle in schedule), default=0)
        shape = (len(owned), most)
        appliances = cls(
            building=np.array([n for n, _ in owned], np.int64),
            threshold=np.array([appliance.trigger_threshold for _, appliance in owned], np.float64),
            count=np.array([len(schedule) for schedule in schedules], np.int64),
            earliest=np.zeros(shape, np.int64),
            latest=np.zeros(shape, np.int64),
            duration=np.zeros(shape, np.int64),
            profile=np.zeros((*shape, longest), np.float32),
            left=np.zeros((*shape, longest)),
            shown=np.zeros((*shape, len(SHOWN_OF_A_CYCLE))),
        )
        for q, schedule in enumerate(schedules):
            for i, cycle in enumerate(schedule):
                appliances._fill(q, i, cycle)
        return appliances

    def _fill(self, q: int, i: int, cycle: Any) -> None:
        steps, profile = int(cycle["duration_steps"]), cycle["load_profile"]
        self.earliest[q, i], self.latest[q, i] = cycle["earliest_start_time_step"], cycle["latest_start_time_step"]
        self.duration[q, i] = steps
        self.profile[q, i, :steps] = profile
        # CityLearn adds these up in 32 bits, each anew.
        self.left[q, i, :steps] = [float(np.sum(profile[offset:])) for offset in range(steps)]
        average, peak = float(cycle["total_energy_kwh"]) / steps, float(np.max(profile))
        self.shown[q, i] = (
            cycle["earliest_start_time_step"],
            cycle["latest_start_time_step"],
            cycle["deadline_time_step"],
            steps,
            cycle["total_energy_kwh"],
            cycle["priority"],
            cycle["must_run"],
            average,
            peak,
            min(max(average / peak if peak > 0.0 else 0.0, 0.0), 1.0),
            float(np.argmax(profile)) / (steps - 1.0) if steps > 1 else 0.0,
        )
