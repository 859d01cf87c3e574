"""The rules that an actor corrects: a battery that serves its own building, vehicles charged for their drivers, appliances
started at once.

Residual policy learning (Silver et al. 2018, "Residual Policy Learning"; Johannink et al. 2019): the actor's output is added
to a simple controller's, so that an untrained policy already behaves sensibly and learning starts from there. The rules
read nothing but the building's own meters, chargers and appliances, so execution stays decentralised.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from rllib_citylearn.env.appliance_features import APPLIANCES_A_BUILDING, table_name
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.config import RuleName
from rllib_citylearn.modules.layout import JointLayout

_BATTERY = "electrical_storage"
_METERS = ("non_shiftable_load", "solar_generation", "electrical_storage_nominal_power")
_LEVEL = "base_load_mean_24h"
_CHARGER = "electric_vehicle_storage_{k}"
CHARGERS = (1, 2, 3, 4)

_MARGIN = 0.02
"""State of charge beyond what a driver asked for: a departure just below it counts as missed."""

EFFICIENCY = 0.85
"""Charge that arrives in a vehicle for a kWh drawn, on the low side."""


class Physical(nn.Module):
    """Physical values of some features out of encoded observations: ``[..., D]`` to ``[..., len(names)]``.

    Args:
        community: the feature table.
        names: features that are encoded linearly.
    """

    def __init__(self, community: CommunityFeatures, names: Sequence[str]) -> None:
        super().__init__()
        features = [community.feature(name) for name in names]
        self.columns: Tensor
        self.low: Tensor
        self.half_range: Tensor
        self.register_buffer("columns", torch.tensor([community.columns.index(name) for name in names]), persistent=False)
        self.register_buffer("low", torch.tensor([feature.low for feature in features]), persistent=False)
        half = [(feature.high - feature.low) / 2.0 for feature in features]
        self.register_buffer("half_range", torch.tensor(half), persistent=False)

    def forward(self, observations: Tensor) -> Tensor:
        """The inverse of ``Feature.encode``."""
        return self.low + (observations.index_select(-1, self.columns) + 1.0) * self.half_range


class BatteryRule(nn.Module):
    """What a battery would have to draw to bring the building's own net load to a target, as a share of its power.

    The target is zero, or the mean of the building's base load over the last 24 hours. ``forward`` maps encoded
    observations ``[..., D]`` to battery actions ``[...]``.

    Args:
        community: a feature table that has the columns ``needs(name)``.
        name: ``net-zero`` or ``level``.
    """

    action = _BATTERY

    def __init__(self, community: CommunityFeatures, name: RuleName) -> None:
        super().__init__()
        self.physical = Physical(community, self.needs(name))

    @staticmethod
    def needs(name: RuleName) -> tuple[str, ...]:
        """Names of the features that the rule reads."""
        return (*_METERS, _LEVEL) if name == "level" else _METERS

    def forward(self, observations: Tensor) -> Tensor:
        load, generation, power, *target = self.physical(observations).unbind(-1)
        request = generation - load + target[0] if target else generation - load
        # A building without a battery has no power to divide by; its battery column is masked anyway.
        return (request / power.clamp(min=1e-3)).clamp(-1.0, 1.0)


class ChargerRule(nn.Module):
    """Charge a vehicle evenly until it leaves, so that it has what its driver asked for; never discharge it.

    The power that is needed on average, as in scheduling by least laxity: what the vehicle lacks over the hours it stays. It
    is asked for again every hour, so whatever was charged more or less is made up for. ``forward`` maps encoded
    observations ``[..., D]`` to charger actions ``[...]`` within [-1, 1], which stand for the charger's limits: -1 is
    discharging at full power where it can (zero is rest), and rest where it can't.

    Args:
        community: a feature table that has the columns ``needs(k)``.
        k: the charger's position in its building.
    """

    def __init__(self, community: CommunityFeatures, k: int) -> None:
        super().__init__()
        self.action = self.sets(k)
        self.physical = Physical(community, self.needs(k))

    @staticmethod
    def sets(k: int) -> str:
        """Name of the action."""
        return _CHARGER.format(k=k)

    @staticmethod
    def needs(k: int) -> tuple[str, ...]:
        """Names of the features that the rule reads."""
        return (
            f"charger_{k}_connected_state",
            f"connected_at_charger_{k}_soc",
            f"connected_at_charger_{k}_required_soc_departure",
            f"connected_at_charger_{k}_battery_capacity",
            f"connected_at_charger_{k}_departure_time",
            f"charger_{k}_max_charging_power",
            f"charger_{k}_max_discharging_power",
        )

    def forward(self, observations: Tensor) -> Tensor:
        connected, soc, required, capacity, hours, charging, discharging = self.physical(observations).unbind(-1)
        lacking = (required - soc + _MARGIN) / EFFICIENCY * capacity / hours.clamp(min=1.0)
        share = (lacking / charging.clamp(min=1e-3)).clamp(0.0, 1.0) * (connected > 0.5)
        return torch.where(discharging > 0.01, share, 2.0 * share - 1.0)


class ApplianceRule(nn.Module):
    """Start a deferrable appliance's cycle as soon as it may.

    ``forward`` maps encoded observations ``[..., D]`` to actions ``[...]``: 1 where a cycle can start, -1 elsewhere.

    Args:
        community: a feature table that has the columns ``needs(k)``.
        k: the appliance's position in its building.
    """

    def __init__(self, community: CommunityFeatures, k: int) -> None:
        super().__init__()
        self.action = table_name(k, None)
        self.physical = Physical(community, self.needs(k))

    @staticmethod
    def needs(k: int) -> tuple[str, ...]:
        """Names of the features that the rule reads."""
        return (table_name(k, "can_start"),)

    def forward(self, observations: Tensor) -> Tensor:
        (ready,) = self.physical(observations).unbind(-1)
        return torch.where(ready > 0.5, 1.0, -1.0).to(observations.dtype)


class StartingRule(nn.Module):
    """The rules of all devices that have one; every other action is in the middle of its limits.

    ``forward`` maps encoded observations ``[..., D]`` to actions ``[..., A]`` within [-1, 1].

    Args:
        rules: modules from observations ``[..., D]`` to the values ``[...]`` of their ``action``.
        actions: names of the A joint actions.

    Attributes:
        columns: of observations, which the rules read.
    """

    def __init__(self, rules: Sequence[BatteryRule | ChargerRule | ApplianceRule], actions: Sequence[str]) -> None:
        super().__init__()
        self.rules = nn.ModuleList(rules)
        self.columns = frozenset(column for rule in rules for column in rule.physical.columns.tolist())
        place = torch.zeros(len(rules), len(actions))
        place[range(len(rules)), [list(actions).index(rule.action) for rule in rules]] = 1.0
        self.place: Tensor
        self.register_buffer("place", place, persistent=False)

    def forward(self, observations: Tensor) -> Tensor:
        # Not a product of matrices, which autocast would compute in half the bits.
        return (torch.stack([rule(observations) for rule in self.rules], -1).unsqueeze(-1) * self.place).sum(-2)


def starting_rule(layout: JointLayout, name: RuleName) -> StartingRule | None:
    """The rule called ``name`` for a community; None if it is ``none`` or no device can follow one.

    Batteries follow one where every building that has a battery sees its load and generation, chargers where every building
    that has one in this position sees the vehicle and the charger's powers, appliances where it is seen whether they can
    start.

    Raises:
        ConfigError: ``level`` for batteries whose buildings have no memory features.
    """
    community = layout.community
    if community is None or name == "none":
        return None
    rules: list[BatteryRule | ChargerRule | ApplianceRule] = []
    if seen(layout, _BATTERY, _METERS):
        if not seen(layout, _BATTERY, BatteryRule.needs(name)):
            raise ConfigError(
                f"rule is {name!r}, which reads the memory feature {_LEVEL}, but the buildings have no memory; set memory "
                "in env_config to true, or rule to 'net-zero'."
            )
        rules.append(BatteryRule(community, name))
    rules += [ChargerRule(community, k) for k in CHARGERS if seen(layout, ChargerRule.sets(k), ChargerRule.needs(k))]
    appliances = range(1, APPLIANCES_A_BUILDING + 1)
    rules += [ApplianceRule(community, k) for k in appliances if seen(layout, table_name(k, None), ApplianceRule.needs(k))]
    return StartingRule(rules, community.actions) if rules else None


def seen(layout: JointLayout, action: str, names: Sequence[str]) -> bool:
    """Whether any building has ``action``, and all that have it, in whichever community, see the features ``names``."""
    community = layout.community
    if community is None or action not in community.actions or not set(names) <= set(community.columns):
        return False
    a, at = community.actions.index(action), [community.columns.index(name) for name in names]
    return all(table.observation_mask[:, at][table.action_mask[:, a]].all() for table in layout.communities)
