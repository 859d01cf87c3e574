"""What reports keep of an episode: the district hour by hour, every building on one day, and sums.

A trajectory holds seven numbers and more a building and hour, over half a gigabyte for a year of 1,000 buildings; this is a
few megabytes, so that many episodes can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rllib_citylearn.evaluation.days import Days, peak_day
from rllib_citylearn.evaluation.response import Moved, Response, by_hour, by_price
from rllib_citylearn.evaluation.stretches import Stretches
from rllib_citylearn.evaluation.trajectory import FloatArray, IntArray, Trajectory


@dataclass(frozen=True)
class Course:
    """How an episode of N buildings over T time steps went.

    Attributes:
        buildings, window, seconds_per_time_step, month, day_type, hour: as in ``Trajectory``.
        net_kw: mean power of the district in each time step, ``[T]`` kW.
        no_control_kw: the same without control, ``[T]`` kW (``Evaluation.no_control``).
        shown_day: the day of the highest load without control.
        day: the episode on that day alone.
        soc_before: state of charge of the batteries before that day, ``[N]``, or after its first step where nothing came
            before; NaN without a battery.
        by_price: energy moved by price; None where there is but one price.
        by_hour: energy moved by hour of the day.
        moved: what moved energy at all.
        priced: whether the data has prices.
        emitting: whether the data has carbon intensities.
        stretches: sums over stretches of 730 hours.
        building_terms: the score's terms of every building as if it were a community by itself, ``[N, 4]`` as
            ``stretches.TERMS``; NaN where it has nothing without control.
    """

    buildings: tuple[str, ...]
    window: tuple[int, int]
    seconds_per_time_step: float
    month: IntArray
    day_type: IntArray
    hour: IntArray
    net_kw: FloatArray
    no_control_kw: FloatArray
    shown_day: Days
    day: Trajectory
    soc_before: FloatArray
    by_price: Response | None
    by_hour: Response
    moved: Moved
    priced: bool
    emitting: bool
    stretches: Stretches
    building_terms: FloatArray

    @classmethod
    def of(cls, trajectory: Trajectory) -> Course:
        """Of a whole episode; nothing in the result refers to the trajectory's arrays."""
        reference = trajectory.district_kw(trajectory.no_control_net_kwh)
        days = peak_day(reference, trajectory.hour, trajectory.steps_per_day)
        return cls(
            buildings=trajectory.buildings,
            window=trajectory.window,
            seconds_per_time_step=trajectory.seconds_per_time_step,
            month=trajectory.month,
            day_type=trajectory.day_type,
            hour=trajectory.hour,
            net_kw=trajectory.district_kw(trajectory.net_electricity_consumption_kwh),
            no_control_kw=reference,
            shown_day=days,
            day=trajectory.part(slice(days.first, days.end)),
            soc_before=trajectory.soc[max(days.first - 1, 0)].copy(),
            by_price=by_price(trajectory),
            by_hour=by_hour(trajectory),
            moved=Moved.of(trajectory),
            priced=bool(trajectory.price.any()),
            emitting=bool(trajectory.carbon.any()),
            stretches=Stretches.of(trajectory),
            building_terms=_building_terms(trajectory),
        )

    @property
    def steps(self) -> int:
        """Number T of time steps."""
        return len(self.net_kw)

    @property
    def steps_per_day(self) -> int:
        """Time steps in 24 hours, at least one."""
        return self.day.steps_per_day


def _building_terms(trajectory: Trajectory) -> FloatArray:
    alone = [trajectory.part(buildings=slice(n, n + 1)) for n in range(len(trajectory.buildings))]
    return np.concatenate([Stretches.of(one).terms() for one in alone])
