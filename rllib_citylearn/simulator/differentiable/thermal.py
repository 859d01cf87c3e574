"""Heat pumps, electric heaters and tanks (``kernels/thermal.py``), of all buildings and end uses at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rllib_citylearn.simulator.differentiable.battery import TINY
from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.differentiable.dynamics import Shares
from rllib_citylearn.simulator.parameters import (
    ABSENT,
    COOLING_HEAT_PUMP,
    ELECTRIC_HEATER,
    CommunityParameters,
    Floats,
    ThermalDevices,
)
from rllib_citylearn.simulator.tables import CommunityTables

ZERO_CELSIUS, HIGHEST_COP = 273.15, 20.0


@dataclass(frozen=True)
class ThermalHour:
    """What an hour of heat and cold gives; each ``[E, N, 3]``, in the order of ``END_USES``.

    Attributes:
        tank_soc: state of charge at the end of the hour.
        made: what devices and tanks gave to the building, kWh: CityLearn's observed demand.
        consumption: electricity that the devices used, kWh.
    """

    tank_soc: torch.Tensor
    made: torch.Tensor
    consumption: torch.Tensor


class ThermalPlant(Constants):
    """Devices and tanks of N buildings. What devices can do in an hour is in the data. Tanks have a choice, and the devices
    of buildings whose temperature is simulated, what to make.

    Args:
        parameters: the community's.
        tables: its data.
        dtype: of the values.
    """

    def __init__(self, parameters: CommunityParameters, tables: CommunityTables, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        tanks, devices = parameters.tanks, parameters.devices
        present = devices.kind != ABSENT
        # float32 like the data itself; what follows from it is worked out in 64 bits.
        demand = np.where(present, tables.heat_demand, 0.0).astype(np.float64)
        performance = coefficient_of_performance(devices, tables.outdoor.astype(np.float64))
        highest = devices.nominal_power * performance
        used = np.minimum(demand, highest) / performance
        headroom = np.minimum((devices.nominal_power - used) * performance, tanks.max_input)
        capacity = np.where(present, tanks.capacity, 0.0)

        # [T, 5, N, 3]
        self.keep(
            "hours",
            np.stack(
                [demand, 1.0 / performance, highest, -np.minimum(demand, tanks.max_output), np.maximum(headroom, 0.0)], 1
            ),
        )
        self.keep("limits", np.stack([tanks.max_input, tanks.max_output]))  # [2, N, 3]
        self.keep("capacity_kwh", capacity)
        self.keep("soc_per_kwh", 1.0 / np.maximum(capacity, TINY))
        self.keep("ratio", np.where(capacity > 0.0, tanks.round_trip_efficiency, 1.0))
        self.keep("kept", 1.0 - tanks.loss_coefficient)
        self.keep("initial_soc", tanks.initial_soc)
        self.keep("tankless", ~present, torch.bool)

    def forward(
        self,
        row: torch.Tensor,
        first: torch.Tensor,
        soc: torch.Tensor,
        action: torch.Tensor,
        shares: Shares | None = None,
    ) -> ThermalHour:
        """One hour.

        Args:
            row: row of the data, ``[E]``.
            first: whether it is the first of an episode, bool ``[E]``.
            soc: of the tanks, ``[E, N, 3]``.
            action: share of the tanks' capacity to charge (> 0) or discharge, ``[E, N, 3]``.
            shares: what the control wants of devices in place of the data's demand; None where it has no say.
        """
        demand, per_cop, highest, most_out, most_in = self.hours.index_select(0, row).unbind(1)
        if shares is not None:
            demand = torch.where(shares.chosen, shares.share * highest, demand)
            most_out = -torch.minimum(demand, self.limits[1])
            most_in = torch.minimum((highest - demand).clamp(min=0.0), self.limits[0])
            # A share of the highest is no more than that; a limit that is met exactly would halve gradients.
            highest = torch.where(shares.chosen, torch.inf, highest)
        up = action >= 0
        requested = (action * self.capacity_kwh).clamp(min=most_out, max=most_in)
        stored = soc * self.capacity_kwh
        factor = torch.where(up, self.ratio, 1.0 / self.ratio)
        moved = torch.where(
            up, torch.minimum(requested * factor, self.capacity_kwh - stored), torch.maximum(requested * factor, -stored)
        )
        balance = moved / factor
        taken = balance.clamp(min=0.0)
        given = taken - balance
        output = torch.minimum(demand - given, highest)
        # In the first hour of an episode CityLearn takes what a tank gives off the consumption once more; the kernels let
        # nothing become negative by it.
        charged = torch.where(first[:, None, None], balance, taken)
        return ThermalHour(
            tank_soc=torch.where(self.tankless, soc, (stored + moved) * self.soc_per_kwh),
            made=output + given,
            consumption=(output + charged).clamp(min=0.0) * per_cop,
        )

    def start(self, row: torch.Tensor) -> ThermalHour:
        """What CityLearn shows at the start of an episode at ``row`` ``[E]``: demands without control."""
        demand, per_cop = self.hours[row, :2].unbind(1)
        return ThermalHour(self.initial_soc.expand(len(row), -1, -1).clone(), demand, demand * per_cop)

    def stand_by(self, soc: torch.Tensor) -> torch.Tensor:
        """State of charge ``[E, N, 3]`` after the standing losses of an hour."""
        return (soc * self.kept).clamp(min=0.0, max=1.0)


def coefficient_of_performance(devices: ThermalDevices, outdoor: Floats) -> Floats:
    """Heat or cold that a kWh of electricity makes, ``[T, N, 3]``; one where there is no device.

    Args:
        devices: of N buildings.
        outdoor: degC, ``[T, N]``.
    """
    outside = outdoor[:, :, None]
    lift = np.where(
        devices.kind == COOLING_HEAT_PUMP, outside - devices.target_temperature, devices.target_temperature - outside
    )
    carnot = devices.efficiency * (devices.target_temperature + ZERO_CELSIUS)
    cop = np.divide(carnot, lift, out=np.full(lift.shape, HIGHEST_COP), where=lift != 0.0)
    cop = np.where((cop < 0.0) | (cop > HIGHEST_COP), HIGHEST_COP, cop)
    cop = np.where(devices.kind == ELECTRIC_HEATER, devices.efficiency, cop)
    return np.where(devices.kind == ABSENT, 1.0, cop)
