"""How agents see a community: each its own building, each a row of the joint grid, or one agent everything.

A view stands between the arrays of ``CommunityVectorEnv`` (E = 1) and the dictionaries of agents. Where episodes play in
several communities, ``k`` says in which one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.feature_table import ACTIONS, FEATURES, Feature
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.spaces import CentralBox, FeatureBox, PaddedBox
from rllib_citylearn.errors import ConfigError

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

CENTRAL = "community"
"""Name of the agent that sees and sets everything."""


class View(Protocol):
    """Agents of communities.

    Attributes:
        observation_spaces, action_spaces: by agent, of every agent that there can be.
        physical: whether actions are in CityLearn's units (True) or in [-1, 1], which stands for CityLearn's limits.
    """

    observation_spaces: dict[str, gym.spaces.Box]
    action_spaces: dict[str, gym.spaces.Box]
    physical: bool

    def agents(self, k: int) -> list[str]:
        """Names of the agents in community ``k``."""
        ...

    def observe(self, k: int, joint: Singles) -> dict[str, Singles]:
        """Each agent's observation out of joint ones ``[N, D]``."""
        ...

    def joint_actions(self, k: int, actions: Mapping[str, Doubles]) -> Doubles:
        """Joint actions ``[N, A]`` from each agent's own."""
        ...

    def own_actions(self, k: int, joint: Doubles) -> dict[str, Singles]:
        """The inverse: each agent's action out of joint ones ``[N, A]``."""
        ...

    def action_names(self, k: int, agent: str) -> tuple[str, ...]:
        """What the components of an agent's action are."""
        ...


class OwnView:
    """One agent a building; it sees and sets what its building has, in CityLearn's units."""

    physical = True

    def __init__(self, community: CommunityFeatures) -> None:
        self._community = community
        self._names = [agent.name for agent in community.agents]
        self.observation_spaces = {name: FeatureBox(community, index) for index, name in enumerate(self._names)}
        self.action_spaces = {
            agent.name: gym.spaces.Box(np.array(agent.action_low, np.float32), np.array(agent.action_high, np.float32))
            for agent in community.agents
        }

    def agents(self, k: int) -> list[str]:
        """See ``View.agents``."""
        return list(self._names)

    def observe(self, k: int, joint: Singles) -> dict[str, Singles]:
        """See ``View.observe``."""
        return dict(zip(self._names, self._community.own_columns(joint), strict=True))

    def joint_actions(self, k: int, actions: Mapping[str, Doubles]) -> Doubles:
        """See ``View.joint_actions``."""
        return self._community.joint_actions([actions[name].tolist() for name in self._names])

    def own_actions(self, k: int, joint: Doubles) -> dict[str, Singles]:
        """See ``View.own_actions``."""
        rows = self._community.own_actions(joint)
        return {name: np.array(row, np.float32) for name, row in zip(self._names, rows, strict=True)}

    def action_names(self, k: int, agent: str) -> tuple[str, ...]:
        """See ``View.action_names``."""
        return self._community.agents[self._names.index(agent)].actions


class PaddedView:
    """One agent a building; all see the same columns and set the same actions, in [-1, 1], so that one policy fits all.

    Args:
        communities: their feature tables, all with the same ranges.
        features: names of the features that agents see; None is those that any of the communities has.
        actions: names of the actions that agents set; None is those that any of the communities has.
        slots: whether agents are the places ``building_1``, ``building_2``, ... that buildings of different communities take
            in turn, instead of the buildings of the one community.
        alike: whether the buildings of that community have the same columns in all episodes.

    Raises:
        ConfigError: a community has features or actions that are not among those named.
    """

    physical = False

    def __init__(
        self,
        communities: Sequence[CommunityFeatures],
        *,
        features: Sequence[str] | None = None,
        actions: Sequence[str] | None = None,
        slots: bool,
        alike: bool = True,
    ) -> None:
        self.features = merged_features(communities, features)
        columns = [column for feature in self.features for column in feature.columns]
        used = {name for community in communities for name in community.actions}
        self._actions = _among("actions", ACTIONS, used, actions)
        self._columns_at = [np.array([columns.index(c) for c in table.columns], int) for table in communities]
        self._actions_at = [np.array([self._actions.index(a) for a in table.actions], int) for table in communities]
        self._width = len(columns)
        largest = max(communities, key=lambda table: len(table.agents))
        self._names = [f"building_{i}" if slots else agent.name for i, agent in enumerate(largest.agents, start=1)]
        self._sizes = [len(table.agents) for table in communities]
        mask = np.full((len(self._names), self._width), slots or not alike)
        if alike and not slots:
            mask[:, self._columns_at[0]] = communities[0].observation_mask
        self.observation_spaces = {n: PaddedBox(self.features, mask[i]) for i, n in enumerate(self._names)}
        self.action_spaces = {n: gym.spaces.Box(-1.0, 1.0, (len(self._actions),), np.float32) for n in self._names}

    def agents(self, k: int) -> list[str]:
        """See ``View.agents``; the first ones, as many as the community has buildings."""
        return self._names[: self._sizes[k]]

    def observe(self, k: int, joint: Singles) -> dict[str, Singles]:
        """See ``View.observe``."""
        rows = np.zeros((len(joint), self._width), np.float32)
        rows[:, self._columns_at[k]] = joint
        return dict(zip(self.agents(k), rows, strict=True))

    def joint_actions(self, k: int, actions: Mapping[str, Doubles]) -> Doubles:
        """See ``View.joint_actions``."""
        return np.stack([actions[name] for name in self.agents(k)])[:, self._actions_at[k]]

    def own_actions(self, k: int, joint: Doubles) -> dict[str, Singles]:
        """See ``View.own_actions``; zero where the community lacks an action."""
        rows = np.zeros((len(joint), len(self._actions)), np.float32)
        rows[:, self._actions_at[k]] = joint
        return dict(zip(self.agents(k), rows, strict=True))

    def action_names(self, k: int, agent: str) -> tuple[str, ...]:
        """See ``View.action_names``."""
        return self._actions


class CentralView:
    """One agent, ``community``, that sees what all buildings share once, then what each has, and sets everything in [-1, 1].

    Args:
        community: the feature table.
        shared: names of the features that are the same for all buildings (see ``shared_features``).
    """

    physical = False

    def __init__(self, community: CommunityFeatures, shared: Sequence[str]) -> None:
        once = {column for name in shared for column in community.feature(name).columns}
        width = len(community.columns)
        names = [column for column in community.columns if column in once]
        at = [community.columns.index(column) for column in names]
        for n, agent in enumerate(community.agents):
            own = [column for column in community.agent_columns(n) if column not in once]
            names += [f"{agent.name}/{column}" for column in own]
            at += [n * width + community.columns.index(column) for column in own]
        self._at = np.array(at, int)
        self._mask = community.action_mask
        self._action_names = tuple(
            f"{agent.name}/{action}"
            for agent, row in zip(community.agents, community.action_mask, strict=True)
            for action, has in zip(community.actions, row, strict=True)
            if has
        )
        self.observation_spaces: dict[str, gym.spaces.Box] = {CENTRAL: CentralBox(community, names)}
        self.action_spaces = {CENTRAL: gym.spaces.Box(-1.0, 1.0, (len(self._action_names),), np.float32)}

    def agents(self, k: int) -> list[str]:
        """See ``View.agents``."""
        return [CENTRAL]

    def observe(self, k: int, joint: Singles) -> dict[str, Singles]:
        """See ``View.observe``."""
        return {CENTRAL: joint.reshape(-1)[self._at]}

    def joint_actions(self, k: int, actions: Mapping[str, Doubles]) -> Doubles:
        """See ``View.joint_actions``."""
        joint = np.zeros(self._mask.shape)
        joint[self._mask] = actions[CENTRAL]
        return joint

    def own_actions(self, k: int, joint: Doubles) -> dict[str, Singles]:
        """See ``View.own_actions``."""
        return {CENTRAL: joint[self._mask].astype(np.float32)}

    def action_names(self, k: int, agent: str) -> tuple[str, ...]:
        """See ``View.action_names``."""
        return self._action_names


def merged_features(communities: Sequence[CommunityFeatures], names: Sequence[str] | None = None) -> tuple[Feature, ...]:
    """Every feature that any community has, or all those named, in the table's order.

    Raises:
        ConfigError: a feature has another range in one community than in another, so that a number would mean two things;
            or one is not among those named.
    """
    merged: dict[str, Feature] = {}
    for feature in (feature for community in communities for feature in community.features):
        known = merged.setdefault(feature.name, feature)
        if known != feature:
            raise ConfigError(
                f"{feature.name} has the range [{known.low}, {known.high}] in one community and [{feature.low}, "
                f"{feature.high}] in another; build them with the same ranges."
            )
    ranges = communities[0].ranges
    for name in _among("features", FEATURES, merged, names):
        low, high = ranges.get(name, (FEATURES[name].low, FEATURES[name].high))
        merged.setdefault(name, replace(FEATURES[name], low=low, high=high))
    return tuple(merged[name] for name in FEATURES if name in merged)


def _among(what: str, table: Iterable[str], used: Collection[str], names: Sequence[str] | None) -> tuple[str, ...]:
    """``names``, or ``used`` where there are none, in the table's order."""
    lacking = sorted(set(used) - set(names)) if names is not None else []
    if lacking:
        raise ConfigError(
            f"The buildings have the {what} {', '.join(lacking)}, which are not among the {what} of env_config, those that "
            "the policy was trained with. Choose buildings with no other devices, or train with such ones."
        )
    return tuple(name for name in table if name in (used if names is None else names))


_PUBLIC = ("energy_simulation", "weather", "pricing", "carbon_intensity")
_CALENDAR = ("month", "day_type", "hour", "minutes", "daylight_savings_status")


def shared_features(community: CommunityFeatures, buildings: Sequence[Any]) -> list[str]:
    """Features that are the same for all buildings at all times: calendar, weather, prices and carbon intensity.

    Not every data set gives all buildings one weather or one tariff, so their series are compared.

    Args:
        community: the feature table.
        buildings: CityLearn's buildings.
    """
    shared = []
    for feature in community.features:
        if not all(feature.name in agent.features for agent in community.agents):
            continue
        for source in _PUBLIC[0 if feature.name in _CALENDAR else 1 :]:
            series: list[Any] = [getattr(getattr(building, source), feature.name, None) for building in buildings]
            if series[0] is not None:
                if all(np.array_equal(one, series[0]) for one in series[1:]):
                    shared.append(feature.name)
                break
    return shared
