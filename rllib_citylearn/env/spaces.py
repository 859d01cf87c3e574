"""Observation spaces that know what their numbers mean."""

from __future__ import annotations

from collections.abc import Sequence

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.feature_table import Feature
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


class PaddedBox(gym.spaces.Box):
    """A row of the joint grid: a ``Box(-1, 1, [D])`` that is the same for every building, whatever it has.

    Args:
        features: every feature that any building has, in the table's order, with their ranges.
        mask: bool ``[D]``: columns that can differ from zero. Where the building in this place differs from episode to
            episode, any of them can.
    """

    def __init__(self, features: Sequence[Feature], mask: npt.NDArray[np.bool_]) -> None:
        self.features = tuple(features)
        self.mask = mask
        super().__init__(-1.0, 1.0, mask.shape, np.float32)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the components, in order."""
        return tuple(column for feature in self.features for column in feature.columns)


class PlaceBox(PaddedBox):
    """What is seen from a place that a building of each of several communities takes: a row of their joint grid.

    Args:
        communities: their feature tables, all with the same columns and actions.
        index: the place; communities with fewer buildings leave it empty.

    Attributes:
        action_mask: bool ``[A]``: actions that a building in this place can have.
    """

    def __init__(self, communities: Sequence[CommunityFeatures], index: int) -> None:
        self.communities = tuple(communities)
        self.index = index
        taken = [table for table in communities if index < len(table.agents)]
        self.action_mask = np.any([table.action_mask[index] for table in taken], 0)
        super().__init__(communities[0].features, np.any([table.observation_mask[index] for table in taken], 0))


class CentralBox(gym.spaces.Box):
    """What a single agent sees of the whole community: a ``Box(-1, 1, [d])``.

    Args:
        community: the community's feature table.
        columns: names of the components in order: those that all buildings share by their name in the table, those of one
            building as ``Building_1/electrical_storage_soc``.
    """

    def __init__(self, community: CommunityFeatures, columns: Sequence[str]) -> None:
        self.community = community
        self.columns = tuple(columns)
        super().__init__(-1.0, 1.0, (len(self.columns),), np.float32)


def fault_of(space: gym.spaces.Box, value: object) -> str:
    """What keeps ``value`` out of ``space``, by the names of its columns where it has any; empty if nothing does."""
    if not isinstance(value, np.ndarray) or value.dtype != space.dtype:
        return f"is {getattr(value, 'dtype', type(value).__name__)}, its space {space.dtype}"
    if value.shape != space.shape:
        return f"has the shape {value.shape}, its space {space.shape}"
    if space.contains(value):
        return ""
    columns = getattr(space, "columns", range(len(value)))
    outside = ~((value >= space.low) & (value <= space.high))
    return f"leaves its space in {', '.join(str(c) for c, out in zip(columns, outside, strict=True) if out)}"
