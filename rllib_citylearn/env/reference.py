"""The reference of rewards and scores: the same community without control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NoControl:
    """The uncontrolled community over a stretch of the data.

    Attributes:
        first_step: the data's time step that row 0 stands for.
        net_kwh: net electricity consumption, ``[T, N]`` kWh a time step, negative when exporting.
        price: price of electricity, ``[T, N]`` currency/kWh.
        carbon: carbon intensity, ``[T, N]`` kgCO2/kWh.
        service: kWh that vehicles lack of their required charge when they leave, degC outside the comfort band, and kWh of
            deferrable appliances' cycles that are given up, ``[T, N, 3]``; no rows where there are neither chargers nor
            simulated temperatures nor appliances.
    """

    first_step: int
    net_kwh: Array
    price: Array
    carbon: Array
    service: Array
