"""Chargers and the vehicles at them (``kernels/vehicles.py``), seen from the vehicles: each is at one charger at most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.differentiable.curves import Pieces, PiecewiseLinear
from rllib_citylearn.simulator.parameters import Chargers, Floats


@dataclass(frozen=True)
class Plugged:
    """What chargers ask of vehicles in an hour; each ``[E, V]``.

    Attributes:
        requested: kWh to charge (> 0) or discharge.
        there: whether a charger that can be controlled has the vehicle.
        factor: energy in the vehicle for energy at the charger.
    """

    requested: torch.Tensor
    there: torch.Tensor
    factor: torch.Tensor


class Fleet(Constants):
    """V vehicles, C chargers.

    Args:
        description: the community.
        dtype: of the values.
    """

    def __init__(self, description: CommunityDescription, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        parameters, presence = description.parameters, description.tables.presence
        chargers, vehicles, actions = parameters.chargers, parameters.vehicles, parameters.actions
        rows, count = presence.arrival_soc.shape
        # [T, V]: the charger of each vehicle; those that no action sets might as well not be there. C is none.
        at = np.full((rows, count + 1), len(chargers))
        for c in np.flatnonzero(actions.charger >= 0):
            at[np.arange(rows), presence.connected[:, c]] = c  # -1, no vehicle, is the last column
        at = at[:, :count]

        low = actions.low[chargers.building, actions.charger]
        high = actions.high[chargers.building, actions.charger]
        most_in, most_out = np.maximum(chargers.max_charging, 0.0), np.maximum(chargers.max_discharging, 0.0)
        least_in = np.clip(chargers.min_charging, 0.0, most_in)
        least_out = np.clip(chargers.min_discharging, 0.0, most_out)
        # [T, 6, V]
        self.keep("limits", _of_vehicles(at, [(low + high) / 2, (high - low) / 2, most_in, most_out, least_in, least_out]))
        column = chargers.building * actions.mask.shape[1] + actions.charger
        # [T, 2, V]: the action's place among all of a community's, and the charger; the first where there is none.
        places = np.stack([np.append(column, 0)[at], np.where(at < len(chargers), at, 0)], 1)
        self.keep("places", places, torch.int64)
        self.keep("there", at < len(chargers), torch.bool)
        controlled = (presence.connected >= 0) & (actions.charger >= 0)
        self.keep("vehicle", np.where(controlled, presence.connected, count), torch.int64)
        self.keep("building", chargers.building, torch.int64)
        self.efficiency = PiecewiseLinear(_efficiencies(chargers, most_in, most_out), dtype)
        lowest = np.clip(1.0 - vehicles.depth_of_discharge, 0.0, 1.0)
        arrives = ~np.isnan(presence.arrival_soc)
        # [T, 2, V]: the charge at the start of a row is a multiple of the last one, but at least so much.
        multiple = np.where(arrives, 0.0, 1.0 - vehicles.loss_coefficient)
        self.keep("passage", np.stack([multiple, np.where(arrives, presence.arrival_soc, lowest)], 1))
        self.keep("arrives", arrives, torch.bool)
        # [T, C]: who leaves with which charge; without a requirement, less than any.
        self.keep("required", np.nan_to_num(presence.required_soc, nan=-1.0))
        self.keep("leaving", np.maximum(presence.connected, 0), torch.int64)
        self.keep(
            "initial_soc",
            np.where(np.isnan(presence.start_soc), np.maximum(vehicles.initial_soc, lowest), presence.start_soc),
        )
        self.keep("capacity_kwh", vehicles.capacity)
        self.keep("one", np.ones(()))
        self.chargers = len(chargers)

    def request(self, row: torch.Tensor, actions: torch.Tensor) -> Plugged:
        """What the chargers ask at ``row`` ``[E]``, with all of a community's joint actions ``[E, N * A]`` in [-1, 1]."""
        middle, half, most_in, most_out, least_in, least_out = self.limits.index_select(0, row).unbind(1)
        column, charger = self.places.index_select(0, row).unbind(1)
        action = torch.addcmul(middle, half, actions.gather(1, column)).clamp(-1.0, 1.0)
        sign = torch.copysign(self.one, action.detach())
        up = sign > 0
        power = action * (sign * torch.where(up, most_in, most_out))
        # Below its least power a charger does nothing.
        power = torch.where(power >= torch.where(up, least_in, least_out), power, 0.0)
        efficiency = self.efficiency(power, charger + self.chargers * ~up)
        factor = torch.where(up, efficiency, efficiency.reciprocal())
        return Plugged(power * sign * factor, self.there.index_select(0, row), factor)

    def drawn(self, row: torch.Tensor, plugged: Plugged, energy: torch.Tensor) -> torch.Tensor:
        """kWh that each charger takes from (> 0) or gives to its building, ``[E, C]``.

        Args:
            row: ``[E]``.
            plugged: what was asked.
            energy: what the vehicles' batteries took (> 0) or gave, kWh, ``[E, V]``.
        """
        outside = torch.nn.functional.pad(energy / plugged.factor, (0, 1))
        return outside.gather(1, self.vehicle.index_select(0, row))

    def move(self, row: torch.Tensor, soc: torch.Tensor, drift: torch.Tensor | None) -> torch.Tensor:
        """State of charge ``[E, V]`` at the start of ``row`` ``[E]``: losses, driving, arrivals.

        Args:
            row: the row that begins.
            soc: at the end of the row before, ``[E, V]``.
            drift: factors of vehicles that are away, ``[E, V]``, NaN for the others; None if there are none.
        """
        multiple, least = self.passage.index_select(0, row).unbind(1)
        if drift is not None:
            drifts = ~(drift.isnan() | self.arrives.index_select(0, row))
            multiple, least = torch.where(drifts, drift, multiple), torch.where(drifts, 0.0, least)
        return (soc * multiple).clamp(min=least).clamp(max=1.0)

    def missing(self, rows: torch.Tensor, soc: torch.Tensor, buildings: int) -> torch.Tensor:
        """kWh that vehicles lack that leave the buildings after ``rows`` ``[H, E]``, ``[H, E, N]``.

        Args:
            rows: of the data, ``[H, E]``.
            soc: the vehicles' charges at the end of these hours, ``[H, E, V]``.
            buildings: number N.
        """
        vehicle = self.leaving[rows]
        lacking = (self.required[rows] - soc.gather(2, vehicle)).clamp(min=0.0) * self.capacity_kwh[vehicle]
        return lacking.new_zeros(*rows.shape, buildings).index_add(2, self.building, lacking)


def _of_vehicles(at: np.ndarray, values: list[Floats]) -> Floats:
    """Chargers' values ``[C]`` as those of the vehicles at them, ``[T, len(values), V]``; zero where there is no charger."""
    return np.stack([np.append(value, 0.0)[at] for value in values], 1)


def _efficiencies(chargers: Chargers, most_in: Floats, most_out: Floats) -> list[Pieces]:
    """Efficiency of charging at a power in kW for each charger, then of discharging."""
    curves = []
    for given, most in ((chargers.charge_efficiency, most_in), (chargers.discharge_efficiency, most_out)):
        for curve, constant, power in zip(given.each(), chargers.efficiency, most, strict=True):
            if not curve.size:
                curves.append(Pieces.constant(constant))
                continue
            first, last = float(curve[0, 0]), float(curve[0, -1])
            pieces = Pieces.extrapolated(curve).held(below=first, above=last)
            curves.append(pieces.scaled(power) if power > 0.0 else Pieces.constant(pieces.at(0.0)))
    return curves or [Pieces.constant(1.0)]  # vehicles without any charger look at it, in vain
