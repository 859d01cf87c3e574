"""Charging, discharging and standing by of batteries (``kernels/battery.py``), all of a community's at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from rllib_citylearn.simulator.differentiable.curves import Pieces, PiecewiseLinear
from rllib_citylearn.simulator.parameters import Batteries, Floats

TINY = 1e-6
"""CityLearn's ``ZERO_DIVISION_PLACEHOLDER``."""


class BatteryBank(torch.nn.Module):
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
        super().__init__()
        capacity, nominal = batteries.capacity, batteries.nominal_power
        size = np.maximum(capacity, TINY)
        lowest = np.clip(1.0 - batteries.depth_of_discharge, 0.0, 1.0)

        def keep(name: str, values: Any) -> None:
            self.register_buffer(name, torch.as_tensor(np.asarray(values), dtype=dtype), persistent=False)

        keep("capacity_kwh", capacity)
        keep("nominal_power_kw", nominal)
        keep("minimum_kwh", lowest * capacity)
        keep("negative_minimum_kwh", -lowest * capacity)
        keep("soc_per_kwh", 1.0 / size)
        keep("one", 1.0)
        keep("wear", batteries.capacity_loss_coefficient * capacity / 2.0)
        keep("kept", 1.0 - batteries.loss_coefficient)
        keep("lowest", lowest)
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
        charged: tuple[torch.Tensor, torch.Tensor, torch.Tensor] = _Charge.apply(soc, capacity, requested, self)
        return charged

    def stand_by(self, soc: torch.Tensor, first: int) -> torch.Tensor:
        """State of charge ``[E, first]`` of the ``first`` batteries after their standing losses of an hour."""
        if not self.loses:
            return soc
        return (soc * self.kept[:first]).clamp(min=self.lowest[:first]).clamp(max=1.0)


class _Charge(torch.autograd.Function):
    """``BatteryBank.charge`` with its gradient written down, which takes two thirds of the time of one that is recorded.

    All is elementwise. Magnitudes of energies are used up to the end, where they take the sign of the request.
    """

    @staticmethod
    def forward(ctx: Any, soc: torch.Tensor, capacity: torch.Tensor, requested: torch.Tensor, bank: BatteryBank) -> Any:
        sign = torch.copysign(bank.one, requested)
        up = sign > 0
        stored = soc * bank.capacity_kwh
        energy = torch.maximum(stored, bank.minimum_kwh)
        power, power_slope = bank.power.line(energy)
        limit, magnitude = power.clamp(min=0.0), requested.abs()
        bounded = torch.minimum(magnitude, limit)
        space = torch.addcmul(torch.where(up, capacity, bank.negative_minimum_kwh), sign, energy, value=-1.0)
        room = space.clamp(min=0.0)
        # Energy is bounded outside the battery, room is inside, and the efficiency between them depends on the power.
        delivered, rounds = bounded, []
        for _ in range(2):
            efficiency, slope = bank.efficiency.line(delivered)
            ratio = efficiency.sqrt()
            inverse = ratio.reciprocal()
            outward = torch.where(up, inverse, ratio)
            fits = room * outward
            delivered = torch.minimum(bounded, fits)
            rounds += [efficiency, slope, outward, fits, bounded > fits]
        given, inward = delivered * sign, torch.where(up, ratio, inverse)
        moved, left = given * inward, capacity.clamp(min=TINY)
        worn = bank.wear * delivered / left
        remaining = capacity - worn
        if any(ctx.needs_input_grad):
            ctx.bank = bank
            limits = (stored >= bank.minimum_kwh, magnitude > limit, power >= 0, power_slope, space >= 0)
            end = (inward, moved, capacity >= TINY, left, worn, remaining >= 0)
            ctx.save_for_backward(sign, up, *limits, *rounds, *end)
        return (energy + moved) * bank.soc_per_kwh, remaining.clamp(min=0.0), given

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_soc: torch.Tensor, to_capacity: torch.Tensor, to_given: torch.Tensor) -> Any:
        bank = ctx.bank
        sign, up, above, limited, powered, power_slope, spacious, *saved = ctx.saved_tensors
        (efficiency_1, slope_1, outward_1, fits_1, full_1), (efficiency_2, slope_2, outward_2, fits_2, full_2) = (
            saved[:5],
            saved[5:10],
        )
        inward, moved, some, left, worn, lasting = saved[10:]
        half = -0.5 * sign  # of d log(outward) = half * d log(efficiency), and of inward the opposite
        to_moved = to_soc * bank.soc_per_kwh
        to_remaining = torch.where(lasting, to_capacity, 0.0)
        to_delivered = torch.addcmul(to_given, to_moved, inward) * sign - to_remaining * bank.wear / left
        # Backwards through the two rounds: what was delivered is either what was asked for or what fits.
        to_fits = torch.where(full_2, to_delivered, 0.0)
        to_bounded, to_room = to_delivered - to_fits, to_fits * outward_2
        to_delivered = (to_fits * fits_2 - to_moved * moved) * half * slope_2 / efficiency_2
        to_fits = torch.where(full_1, to_delivered, 0.0)
        to_room = torch.addcmul(to_room, to_fits, outward_1)
        to_bounded = to_bounded + to_delivered - to_fits + to_fits * fits_1 * half * slope_1 / efficiency_1
        to_limit = torch.where(limited, to_bounded, 0.0)
        to_space = torch.where(spacious, to_room, 0.0)
        to_energy = to_moved + torch.where(powered, to_limit * power_slope, 0.0) - to_space * sign
        return (
            torch.where(above, to_energy * bank.capacity_kwh, 0.0),
            to_remaining * (1.0 + torch.where(some, worn / left, 0.0)) + torch.where(up, to_space, 0.0),
            (to_bounded - to_limit) * sign,
            None,
        )


def _efficiency_of_power(curve: Floats, nominal_kw: float) -> Pieces:
    """Round-trip efficiency as a function of the power in kW."""
    pieces = Pieces.extrapolated(curve).held(above=1.0)
    return pieces.scaled(nominal_kw) if nominal_kw > 0.0 else Pieces.constant(pieces.at(0.0))
