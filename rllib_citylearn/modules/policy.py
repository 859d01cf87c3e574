"""Coordinator and actor: everything that acting needs."""

from __future__ import annotations

from torch import Tensor, nn

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.guard import departure_guard
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.modules.networks import Actor, Coordinator, DistrictMeans, zero_absent
from rllib_citylearn.modules.rule import starting_rule


class Policy(nn.Module):
    """Joint observations to joint actions, with hints between them unless there is no coordinator.

    Args:
        layout: the community's joint arrays.
        config: sizes and kinds of the networks.

    Attributes:
        hint_size: H; 0 without a coordinator.
        buildings: the number N that separate actors are made for; None if any will do.
    """

    def __init__(self, layout: JointLayout, config: CommunityModuleConfig) -> None:
        super().__init__()
        buildings, observation_size = layout.observation_mask.shape
        self.buildings = buildings if config.actors == "separate" else None
        self.coordinator = coordinator(observation_size, config)
        self.hint_size = 0 if self.coordinator is None else self.coordinator.hint_size
        self.actor = Actor(
            observation_size,
            self.hint_size,
            layout.action_mask.shape[1],
            config.hidden,
            starting_rule(layout, config.rule),
            departure_guard(layout, config.guard),
            config.reach,
            self.buildings,
        )

    def hints(self, observations: Tensor, present: Tensor | None = None) -> Tensor:
        """Observations ``[B, N, D]`` to hints ``[B, N, H]``."""
        if self.coordinator is None:
            return observations[..., :0]
        hints: Tensor = self.coordinator(observations, present)
        return hints

    def forward(self, observations: Tensor, present: Tensor | None = None, kept: Tensor | None = None) -> Tensor:
        """Observations ``[B, N, D]`` to actions ``[B, N, A]`` within [-1, 1], zero for absent buildings.

        Args:
            observations: encoded.
            present: bool ``[B, N]``: which buildings are there; None is all.
            kept: ``[B, 1, 1]``, 0 in rows whose hints are left out; None leaves out none.

        Raises:
            ConfigError: separate actors are asked for another number of buildings than their own.
        """
        if self.buildings not in (None, observations.shape[-2]):
            raise ConfigError(
                f"This policy has separate actors for {self.buildings} buildings, but {observations.shape[-2]} are given; "
                "train with actors='shared' for communities of other sizes."
            )
        observations = zero_absent(observations, present)
        hints = self.hints(observations, present)
        return zero_absent(self.actor(observations, hints if kept is None else hints * kept), present)


def coordinator(observation_size: int, config: CommunityModuleConfig) -> Coordinator | DistrictMeans | None:
    """What gives buildings their hints from ``observation_size`` columns, if anything does."""
    if config.coordinator == "none":
        return None
    if config.coordinator == "means":
        return DistrictMeans(observation_size)
    return Coordinator(observation_size, config.hint_size, config.coordinator_width, config.heads, config.coordinator)
