"""Encoded observations ``[E, N, D]`` (``kernels/observe.py``)."""

from __future__ import annotations

import numpy as np
import torch

from rllib_citylearn.env.measurements import NET_MEAN
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.appliances import shown_places
from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.observations import APPLIANCE, MADE, TANK_SOC, VEHICLE_SOC, EncodedTables

UNPLUGGED = -0.1
"""What CityLearn shows for the charge of a vehicle that is not there."""


class Observer(Constants):
    """Puts what depends on the control beside what is data.

    Args:
        description: the community.
        dtype: of the values.

    Attributes:
        changing: columns that depend on the control, ``[k]``.
        shows_appliances: whether buildings see anything of deferrable appliances.
    """

    def __init__(self, description: CommunityDescription, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        rows, buildings = description.tables.load.shape
        encoded = EncodedTables(description.observations, rows)
        # [T, N, D]: one gather an hour instead of three scatters.
        data = np.repeat(encoded.shared[:, None], buildings, 1)
        data[:, :, encoded.private_at] = encoded.private
        data[:, :, encoded.fixed_at] = encoded.fixed
        order = np.argsort(encoded.state_kind, kind="stable")
        kind = encoded.state_kind[order]
        at, (low, high) = encoded.state_at[order], encoded.state_range[order].T
        mask = encoded.state_mask[:, order] != 0
        if description.net_hours:  # behind all kinds of state
            features = description.features
            column, feature = features.columns.index(NET_MEAN), features.feature(NET_MEAN)
            at, low, high = np.append(at, column), np.append(low, feature.low), np.append(high, feature.high)
            mask = np.append(mask, features.observation_mask[:, column, None] != 0, 1)
        about = kind >= APPLIANCE
        count = len(description.parameters.appliances)
        appliance = shown_places(encoded.appliance_at[:, order[about]], kind[about] - APPLIANCE, count)
        charger = encoded.charger_at[:, order[kind == VEHICLE_SOC]]
        # [T, N, columns]: the vehicle shown; the last is none.
        connected = np.append(description.tables.presence.connected, np.full((rows, 1), -1), 1)
        vehicle = connected[:, charger]

        self.keep("data", data)
        self.keep("changing", at, torch.int64)
        self.keep("scale", mask * (2.0 / (high - low)))
        self.keep("shift", mask * (-2.0 * low / (high - low) - 1.0))
        self.keep(
            "vehicle", np.where(vehicle < 0, len(description.parameters.vehicles), vehicle).reshape(rows, -1), torch.int64
        )
        self.keep("tanks", kind[(kind >= TANK_SOC) & (kind < MADE)] - TANK_SOC, torch.int64)
        self.keep("uses", kind[(kind >= MADE) & (kind < APPLIANCE)] - MADE, torch.int64)
        self.keep("appliance", appliance.reshape(-1), torch.int64)
        self._always = [bool((kind == k).any()) for k in range(VEHICLE_SOC)]
        self._shape = (buildings, charger.shape[1])
        self.shows_appliances = appliance.size > 0

    def data_at(self, rows: torch.Tensor) -> torch.Tensor:
        """Observations at ``rows`` ``[...]`` of the data, ``[..., N, D]``; zero in the columns ``changing``."""
        return self.data.index_select(0, rows.flatten()).unflatten(0, rows.shape)

    def forward(self, row: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Observations ``[E, N, D]`` at ``row`` ``[E]`` with the ``values`` that ``shown`` gives."""
        return self.data.index_select(0, row).index_copy_(2, self.changing, values)

    def shown(
        self,
        row: torch.Tensor,
        battery_soc: torch.Tensor,
        net_kwh: torch.Tensor,
        vehicle_soc: torch.Tensor,
        tank_soc: torch.Tensor,
        made: torch.Tensor,
        appliances: torch.Tensor | None,
        mean_net_kwh: torch.Tensor | None,
    ) -> torch.Tensor:
        """What the buildings see at ``row`` ``[E]`` of how the hour before it ended: the columns
        ``changing``, ``[E, N, k]``.

        Args:
            row: of the data.
            battery_soc, net_kwh: ``[E, N]``.
            vehicle_soc: ``[E, V]``.
            tank_soc, made: ``[E, N, 3]``; not looked at where no building observes them.
            appliances: what ``ApplianceBank.shown`` gives; None where no building observes it.
            mean_net_kwh: over the last 24 hours, ``[E, N]``; None where nobody remembers it.
        """
        # Kinds of state in rising order, as the columns stand.
        parts = [x.unsqueeze(-1) for x, shown in zip((battery_soc, net_kwh), self._always, strict=True) if shown]
        if self._shape[1]:
            with_none = torch.nn.functional.pad(vehicle_soc, (0, 1), value=UNPLUGGED)
            parts.append(with_none.gather(1, self.vehicle.index_select(0, row)).view(-1, *self._shape))
        if len(self.tanks):
            parts.append(tank_soc.index_select(2, self.tanks))
        if len(self.uses):
            parts.append(made.index_select(2, self.uses))
        if appliances is not None:
            parts.append(appliances.index_select(1, self.appliance).unflatten(1, (self._shape[0], -1)))
        if mean_net_kwh is not None:
            parts.append(mean_net_kwh.unsqueeze(-1))
        if not parts:
            return battery_soc.new_zeros(len(row), self._shape[0], 0)
        # Clipping to a feature's range is clipping to [-1, 1] once encoded.
        return torch.addcmul(self.shift, self.scale, torch.cat(parts, -1)).clamp(-1.0, 1.0)
