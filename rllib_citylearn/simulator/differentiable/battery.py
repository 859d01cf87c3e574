"""Charging, discharging and standing by of batteries (``kernels/battery.py``), all of a community's at once."""

from __future__ import annotations

import numpy as np
import torch

from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.differentiable.curves import Pieces, PiecewiseLinear
from rllib_citylearn.simulator.parameters import Batteries, Floats

TINY = 1e-6
"""CityLearn's ``ZERO_DIVISION_PLACEHOLDER``."""


class BatteryBank(Constants):
    """M batteries: a building's each, then a vehicle's each.

    Where a limit binds exactly, gradients are those of the side on which the action has an effect: of discharging for a
    full battery, of charging for an empty one.

    Args:
        batteries: M of them.
        dtype: of the values.

    Attributes:
        capacity_kwh, nominal_power_kw: ``[M]``.
    """

    def __init__(self, batteries: Batteries, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        capacity, nominal = batteries.capacity, batteries.nominal_power
        size = np.maximum(capacity, TINY)
        lowest = np.clip(1.0 - batteries.depth_of_discharge, 0.0, 1.0)

        self.keep("capacity_kwh", capacity)
        self.keep("nominal_power_kw", nominal)
        self.keep("minimum_kwh", lowest * capacity)
        self.keep("soc_per_kwh", 1.0 / size)
        self.keep("one", 1.0)
        self.keep("wear", batteries.capacity_loss_coefficient * capacity / 2.0)
        self.keep("kept", 1.0 - batteries.loss_coefficient)
        self.keep("lowest", lowest)
        self.loses = bool(batteries.loss_coefficient.any())
        # In kWh and kW instead of shares, so that no share has to be computed.
        power = zip(batteries.power.each(), size, nominal, strict=True)
        self.power = PiecewiseLinear([Pieces.extrapolated(curve).scaled(x, y) for curve, x, y in power], dtype)
        efficiency = zip(batteries.efficiency.each(), nominal, strict=True)
        self.efficiency = PiecewiseLinear([_efficiency_of_power(curve, kilowatts) for curve, kilowatts in efficiency], dtype)

    def charge(
        self, soc: torch.Tensor, capacity: torch.Tensor, requested: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Charge (``requested`` > 0) or discharge by an energy.

        Args:
            soc: state of charge, ``[E, M]``.
            capacity: kWh that degradation has left, ``[E, M]``.
            requested: kWh in this hour, ``[E, M]``.

        Returns:
            state of charge, capacity left in kWh, energy taken from (> 0) or given to outside in kWh; each ``[E, M]``.
        """
        sign = torch.copysign(self.one, requested.detach())
        up = sign > 0
        energy = (soc * self.capacity_kwh).clamp(min=self.minimum_kwh)
        limit = self.power(energy).clamp(min=0.0)
        bounded = (requested * sign).clamp(max=limit)
        room = torch.addcmul(torch.where(up, capacity, -self.minimum_kwh), sign, energy, value=-1.0).clamp(min=0.0)
        # Energy is bounded outside the battery, room is inside, and the efficiency between them depends on the power.
        delivered = bounded
        for _ in range(2):
            ratio = self.efficiency(delivered).sqrt()
            inverse = ratio.reciprocal()
            delivered = bounded.clamp(max=room * torch.where(up, inverse, ratio))
        given = delivered * sign
        moved = given * torch.where(up, ratio, inverse)
        worn = self.wear * delivered / capacity.clamp(min=TINY)
        return (energy + moved) * self.soc_per_kwh, (capacity - worn).clamp(min=0.0), given

    def stand_by(self, soc: torch.Tensor, first: int) -> torch.Tensor:
        """State of charge ``[E, first]`` of the ``first`` batteries after their standing losses of an hour."""
        if not self.loses:
            return soc
        return (soc * self.kept[:first]).clamp(min=self.lowest[:first]).clamp(max=1.0)


def _efficiency_of_power(curve: Floats, nominal_kw: float) -> Pieces:
    """Round-trip efficiency as a function of the power in kW."""
    pieces = Pieces.extrapolated(curve).held(above=1.0)
    return pieces.scaled(nominal_kw) if nominal_kw > 0.0 else Pieces.constant(pieces.at(0.0))
