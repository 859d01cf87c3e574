"""What hours of a community give."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rllib_citylearn.simulator.differentiable.reward import Rewards


@dataclass(frozen=True)
class Outcome:
    """What an hour gave, or what H hours gave, with them in front; what the buildings see then is in the state that follows.

    Attributes:
        net_kwh, cost, emissions: as ``FastCommunity``'s, ``[E, N]``.
        battery_energy_kwh: taken from (> 0) or given to the building, ``[E, N]``.
        charger_energy_kwh: drawn from (> 0) or given to the building, ``[E, C]``.
        appliance_energy_kwh: drawn by deferrable appliances, ``[E, Q]``.
        missing_kwh: what vehicles that leave the buildings lack of their required charge, ``[E, N]``.
        given_up_kwh: of appliances' cycles that wait after their last possible start, ``[E, N]``.
        temperature_c: indoor, degC, ``[E, N]``, the data's in buildings without a model; without buildings where none has
            one.
        discomfort_c: degC between that and the comfort band, likewise.
        rewards: None without reward tables.
    """

    net_kwh: torch.Tensor
    cost: torch.Tensor
    emissions: torch.Tensor
    battery_energy_kwh: torch.Tensor
    charger_energy_kwh: torch.Tensor
    appliance_energy_kwh: torch.Tensor
    missing_kwh: torch.Tensor
    given_up_kwh: torch.Tensor
    temperature_c: torch.Tensor
    discomfort_c: torch.Tensor
    rewards: Rewards | None

    def hour(self, h: int) -> Outcome:
        """Hour ``h`` of several."""
        rewards = None if self.rewards is None else Rewards(**{k: value[h] for k, value in vars(self.rewards).items()})
        return Outcome(**{k: value[h] for k, value in vars(self).items() if k != "rewards"}, rewards=rewards)


@dataclass(frozen=True)
class PhysicalHour:
    """What the physics of an hour gives, before it is priced and rewarded; vehicles' charge is that at its end, and
    cycles are given up by appliances, ``[E, Q]``."""

    net_kwh: torch.Tensor
    battery_energy_kwh: torch.Tensor
    charger_energy_kwh: torch.Tensor
    vehicle_soc: torch.Tensor
    appliance_energy_kwh: torch.Tensor
    given_up_kwh: torch.Tensor
    temperature_c: torch.Tensor
