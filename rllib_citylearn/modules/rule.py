"""The rule that an actor corrects: charge with what the building exports, discharge what it imports.

Residual policy learning (Silver et al. 2018, "Residual Policy Learning"; Johannink et al. 2019): the actor's output is added
to a simple controller's, so that an untrained policy already behaves sensibly and learning starts from there. The rule
reads nothing but the building's own meter, so execution stays decentralised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rllib_citylearn.modules.layout import JointLayout

_NEEDED = ("non_shiftable_load", "solar_generation", "electrical_storage_nominal_power")


class NetZeroRule(nn.Module):
    """Battery request that would bring the building's own net load to zero, as a share of nominal power.

    ``forward`` maps encoded observations ``[..., D]`` to actions ``[..., A]``; every action but the battery's is zero.

    Args:
        layout: a layout whose community has the columns that the rule reads (see ``applies``).
    """

    def __init__(self, layout: JointLayout) -> None:
        super().__init__()
        community = layout.community
        if community is None or not self.applies(layout):
            raise ValueError("NetZeroRule needs a community with batteries whose load and generation are observed.")
        self._columns = [community.columns.index(name) for name in _NEEDED]
        features = [community.feature(name) for name in _NEEDED]
        self._lows = [feature.low for feature in features]
        self._halves = [(feature.high - feature.low) / 2.0 for feature in features]
        battery = torch.zeros(len(community.actions))
        battery[community.actions.index("electrical_storage")] = 1.0
        self.battery: Tensor
        self.register_buffer("battery", battery, persistent=False)

    @staticmethod
    def applies(layout: JointLayout) -> bool:
        """Whether the rule can be used: a feature table, and every building with a battery has the columns it reads."""
        community = layout.community
        if community is None or "electrical_storage" not in community.actions:
            return False
        if not all(name in community.columns for name in _NEEDED):
            return False
        batteries = layout.action_mask[:, community.actions.index("electrical_storage")]
        needed = layout.observation_mask[:, [community.columns.index(name) for name in _NEEDED]]
        return bool(needed[batteries].all())

    def forward(self, observations: Tensor) -> Tensor:
        load, generation, power = (
            low + (observations[..., column] + 1.0) * half
            for column, low, half in zip(self._columns, self._lows, self._halves, strict=True)
        )
        # A building without a battery has no power to divide by; its battery column is masked anyway.
        request = (generation - load) / power.clamp(min=1e-3)
        return request.clamp(-1.0, 1.0).unsqueeze(-1) * self.battery
