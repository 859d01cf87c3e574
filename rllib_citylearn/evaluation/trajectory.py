"""What happened in one episode, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_ALL = slice(None)


@dataclass(frozen=True)
class Trajectory:
    """One episode of N buildings over T time steps; energies are kWh a time step.

    Attributes:
        buildings: the buildings' names, in the order of the columns.
        window: first and last time step of the data (both included) that the environment was made for. CityLearn
            controls one step less than it holds, so ``T = window[1] - window[0]``.
        seconds_per_time_step: length of a time step.
        net_electricity_consumption_kwh: draw from the grid, ``[T, N]``, negative when exporting.
        no_control_net_kwh: what CityLearn says the draw would have been without control, ``[T, N]``.
        charging_kwh: what the chargers of a building drew, ``[T, N]``, negative when vehicles gave back; zero without any.
        soc: state of charge of the battery at the end of the step, 0 to 1, ``[T, N]``; NaN without a battery.
        actions: by action name (chargers by position), ``[T, N]`` in CityLearn's units; NaN where a building lacks it.
        price: price of electricity, ``[T, N]`` currency/kWh.
        carbon: carbon intensity of the grid, ``[T, N]`` kgCO2/kWh.
        month: month of the year, 1 to 12, ``[T]``.
        day_type: 1 = Monday to 7 = Sunday, 8 = holiday, ``[T]``.
        hour: hour of the day as the data counts it, 1 to 24, ``[T]``.
    """

    buildings: tuple[str, ...]
    window: tuple[int, int]
    seconds_per_time_step: float
    net_electricity_consumption_kwh: FloatArray
    no_control_net_kwh: FloatArray
    charging_kwh: FloatArray
    soc: FloatArray
    actions: Mapping[str, FloatArray]
    price: FloatArray
    carbon: FloatArray
    month: IntArray
    day_type: IntArray
    hour: IntArray

    @property
    def steps(self) -> int:
        """Number T of time steps."""
        return len(self.net_electricity_consumption_kwh)

    @property
    def steps_per_day(self) -> int:
        """Time steps in 24 hours, at least one."""
        return max(1, round(86400.0 / self.seconds_per_time_step))

    def part(self, rows: slice = _ALL, *, buildings: slice = _ALL) -> Trajectory:
        """A copy of some time steps of some buildings; the window stays that of the whole."""

        def cut(series: FloatArray) -> FloatArray:
            return series[rows, buildings].copy()

        return Trajectory(
            buildings=self.buildings[buildings],
            window=self.window,
            seconds_per_time_step=self.seconds_per_time_step,
            net_electricity_consumption_kwh=cut(self.net_electricity_consumption_kwh),
            no_control_net_kwh=cut(self.no_control_net_kwh),
            charging_kwh=cut(self.charging_kwh),
            soc=cut(self.soc),
            actions={name: cut(values) for name, values in self.actions.items()},
            price=cut(self.price),
            carbon=cut(self.carbon),
            month=self.month[rows].copy(),
            day_type=self.day_type[rows].copy(),
            hour=self.hour[rows].copy(),
        )

    def district_kw(self, energy_kwh: FloatArray) -> FloatArray:
        """Mean power ``[T]`` kW of the whole district, from the buildings' energies ``[T, N]`` kWh a time step."""
        power: FloatArray = energy_kwh.sum(1) * (3600.0 / self.seconds_per_time_step)
        return power
