"""The team reward of an hour (``kernels/reward.py``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rllib_citylearn.env.reward import RewardTables
from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH
from rllib_citylearn.simulator.reward_layout import (
    APPLIANCE,
    APPLIANCE_SCALE,
    CARBON,
    COMFORT,
    COST,
    DEPARTURE,
    DEPARTURE_SCALE,
    DISCOMFORT,
    ELECTRICITY,
    GIVEN_UP,
    INHERITED_PEAK,
    LOAD_FACTOR,
    LOAD_FACTOR_SCALE,
    MISSING,
    RAMPING,
    RAMPING_SCALE,
)
from rllib_citylearn.simulator.tables import CommunityTables


@dataclass(frozen=True)
class Rewards:
    """Rewards of an hour in E communities (``env.reward.RewardBuffers``, with gradients), or of H hours, which are in front.

    Attributes:
        building: the weighted terms that belong to single buildings, ``[E, N]``.
        district: the weighted terms of the district, ``[E]``.
        team: mean of ``building`` plus ``district``, ``[E]``.
        terms: unweighted, in the order of ``env.reward.TERMS``, ``[E, 8]``.
    """

    building: torch.Tensor
    district: torch.Tensor
    team: torch.Tensor
    terms: torch.Tensor


class TeamReward(Constants):
    """Computes rewards from net loads.

    Args:
        reward: the same tables as the kernels'.
        tables: the community's data.
        dtype: of the values.
    """

    def __init__(self, reward: RewardTables, tables: CommunityTables, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        rows = len(reward.months)  # the last row of the data may be missing: no hour is simulated there
        price, carbon = tables.price[:rows].astype(np.float64), tables.carbon[:rows].astype(np.float64)
        cost, emissions = price * reward.scales[:, 0], carbon * reward.scales[:, 1]
        electricity = np.broadcast_to(reward.scales[:, 2], price.shape)
        weights = reward.weights
        total = weights[COST] * cost + weights[CARBON] * emissions + weights[ELECTRICITY] * electricity
        imported = np.maximum(reward.reference_net, 0.0)
        fresh = np.arange(rows) % HOURS_A_MONTH == 0

        self.keep("hours", np.stack([imported, cost, emissions, electricity, total], 1))  # [T, 5, N]
        self.keep(
            "months", np.concatenate([reward.months[:, :INHERITED_PEAK], np.where(fresh, -np.inf, np.inf)[:, None]], 1)
        )
        self.keep("inherited_peak", np.where(np.append(fresh[1:], False), -np.inf, reward.months[:, INHERITED_PEAK]))
        self.keep("reference_missing", reward.reference_service[:, :, MISSING])
        self.keep("reference_given_up", reward.reference_service[:, :, GIVEN_UP])
        self.keep("reference_discomfort", reward.reference_service[:, :, DISCOMFORT])
        # Without control less with it.
        self.keep("ramping", weights[RAMPING_SCALE] * np.array([-1.0, 1.0]))
        self.keep("load_factor", weights[LOAD_FACTOR_SCALE] * np.array([-1.0, 1.0]))
        self._weights = float(weights[RAMPING]), float(weights[LOAD_FACTOR])
        self._departure = float(weights[DEPARTURE]), float(weights[DEPARTURE_SCALE])
        self._comfort = float(weights[COMFORT])
        self._appliance = float(weights[APPLIANCE]), float(weights[APPLIANCE_SCALE])

    def start(self, row: torch.Tensor) -> torch.Tensor:
        """What is remembered ``[E, 4]`` when an episode starts at ``row`` ``[E]``."""
        before = (row - 1).clamp(min=0)
        load = self.months[before, 0]
        # Row 0 starts a month, too.
        peak = torch.where(row > 0, self.inherited_peak[before], -torch.inf)
        return torch.stack([load, load, peak, peak], 1)

    def forward(
        self,
        rows: torch.Tensor,
        net_kwh: torch.Tensor,
        missing_kwh: torch.Tensor,
        discomfort_c: torch.Tensor,
        given_up_kwh: torch.Tensor,
        memory: torch.Tensor,
    ) -> tuple[Rewards, torch.Tensor]:
        """The rewards of consecutive hours, all at once.

        Args:
            rows: of the data, ``[H, E]``.
            net_kwh: net loads, ``[H, E, N]``.
            missing_kwh: what vehicles lack that leave, ``[H, E, N]``.
            discomfort_c: degC outside the comfort band, ``[H, E, N]``; without buildings where no temperature is simulated.
            given_up_kwh: of appliances' cycles, ``[H, E, N]``.
            memory: the district's load in the hour before, with and without control, then the month's peaks so far,
                ``[E, 4]``.

        Returns:
            rewards with the hours in front, and what is remembered after them.
        """
        hours = self.hours[rows]
        saved = hours[:, :, 0] - net_kwh.clamp(min=0.0)
        cost, carbon, electricity, total = (saved.unsqueeze(2) * hours[:, :, 1:]).mean(3).unbind(2)
        uncontrolled, month = self.months[rows].split((1, 3), 2)
        mean, floor, most = month.split(1, 2)
        load = torch.cat([net_kwh.sum(2, keepdim=True), uncontrolled], 2)  # [H, E, 2]: with and without control
        before, peak = memory.split(2, 1)
        peaks = []
        for now, limit in zip(load.unbind(0), most.unbind(0), strict=True):
            peaks.append(peak.clamp(max=limit))  # a month's first row forgets the peaks
            peak = now.clamp(min=peaks[-1])
        previous = torch.cat([before.unsqueeze(0), load[:-1]])
        # Products and sums, not matrix products, which autocast would round.
        ramping = ((load - previous).clamp(min=0.0) * self.ramping).sum(2)
        load_factor = (_payment(load, torch.stack(peaks), mean, floor) * self.load_factor).sum(2)
        district = self._weights[0] * ramping + self._weights[1] * load_factor
        building = saved * hours[:, :, 4]
        departure = comfort = appliance = torch.zeros_like(cost)
        if len(self.reference_missing):
            weight, scale = self._departure
            served = (self.reference_missing[rows] - missing_kwh) * scale
            building, departure = building + weight * served, served.mean(2)
            total = total + weight * departure
        if discomfort_c.shape[2]:
            warmed = self.reference_discomfort[rows] - discomfort_c
            building, comfort = building + self._comfort * warmed, warmed.mean(2)
            total = total + self._comfort * comfort
        weight, scale = self._appliance
        if scale:  # there are cycles to be given up
            served = (self.reference_given_up[rows] - given_up_kwh) * scale
            building, appliance = building + weight * served, served.mean(2)
            total = total + weight * appliance
        terms = torch.stack([cost, carbon, ramping, load_factor, electricity, departure, comfort, appliance], 2)
        return Rewards(building, district, total + district, terms), torch.cat([load[-1], peak], 1)


def _payment(load: torch.Tensor, peak: torch.Tensor, mean: torch.Tensor, floor: torch.Tensor) -> torch.Tensor:
    """How much phi(peak) = 1 - mean / peak grows when ``load`` follows a running ``peak``; both ``[H, E, 2]``."""
    before = peak.clamp(min=floor)
    after = load.clamp(min=before)
    # A month's first payment starts from zero, not from phi(floor).
    return torch.where(peak == -torch.inf, 1.0, mean / before) - mean / after
