"""Observation spaces that know what their numbers mean."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from rllib_citylearn.env.features import CommunityFeatures


class FeatureBox(gym.spaces.Box):
    """The encoded observation of one building: a ``Box(-1, 1, [d_i])`` that carries its feature table.

    Spaces travel from the environment to every runner and learner, so the table needs no channel of its own: whoever has
    the space can name a column, find it on the community's joint grid, or turn it back into physical units.

    Args:
        community: the feature table of the whole community.
        index: the building's row in it.
    """

    def __init__(self, community: CommunityFeatures, index: int) -> None:
        self.community = community
        self.index = index
        super().__init__(-1.0, 1.0, (len(community.agent_columns(index)),), np.float32)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the components, in order."""
        return self.community.agent_columns(self.index)
