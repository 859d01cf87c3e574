"""Observations and actions by name: ``{"Building_1": {"hour": 5, ...}, ...}`` to rows and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export.rows import listed, shown


class NamedRows:
    """Carries one community's observations and actions between names and rows.

    Args:
        community: its feature table.
    """

    def __init__(self, community: CommunityFeatures) -> None:
        self._agents = {agent.name: agent for agent in community.agents}
        self._known = {name for agent in community.agents for name in agent.features}

    def rows(self, named: Any, common: Mapping[str, Any], field: str) -> list[list[Any] | None]:
        """Observations by name to N rows; buildings that are left out, or null, were not heard of.

        Args:
            named: a value from outside, of any type.
            common: measurements that hold for every building that has the feature and none of its own.
            field: what the caller calls it, for the message of an error.

        Raises:
            FeatureError: unknown buildings or features, and missing ones, by name. Values are not looked at.
        """
        if not isinstance(named, dict):
            raise FeatureError(f"{field} is {shown(named)}; expected an object of buildings.")
        unknown = [name for name in named if name not in self._agents]
        if unknown:
            raise FeatureError(f"{field} has the unknown building {shown(unknown[0])}; there are {', '.join(self._agents)}.")
        return [
            None if named.get(name) is None else self.row(agent, named[name], common, f"{field}.{name}")
            for name, agent in self._agents.items()
        ]

    def row(self, agent: AgentFeatures, named: Any, common: Mapping[str, Any], field: str) -> list[Any]:
        """One building's measurements by name to its row.

        Raises:
            FeatureError: unknown or missing features, by name.
        """
        if not isinstance(named, dict):
            raise FeatureError(f"{field} is {shown(named)}; expected an object of {listed(agent.features)}.")
        row = [named[name] if name in named else common.get(name, _MISSING) for name in agent.features]
        if any(value is _MISSING for value in row):
            missing = [name for name, value in zip(agent.features, row, strict=True) if value is _MISSING]
            raise FeatureError(f"{field} lacks {listed(missing)}; expected are {listed(agent.features)}.")
        if len(named) > len(agent.features) or not set(named) <= set(agent.features):
            unknown = next(name for name in named if name not in agent.features)
            raise FeatureError(f"{field} has the unknown feature {shown(unknown)}; known are {listed(agent.features)}.")
        return row

    def common(self, content: Any) -> dict[str, Any]:
        """Measurements that hold for all buildings.

        Raises:
            FeatureError: no object, or features that no building has.
        """
        if content is None:
            return {}
        if not isinstance(content, dict):
            raise FeatureError(f"common is {shown(content)}; expected an object of features.")
        unknown = [name for name in content if name not in self._known]
        if unknown:
            raise FeatureError(f"common has {shown(unknown[0])}, a feature that no building has.")
        return content

    def named(self, rows: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
        """N rows of observations by building and feature."""
        return {
            name: dict(zip(agent.features, row, strict=True))
            for (name, agent), row in zip(self._agents.items(), rows, strict=True)
        }

    def actions(self, rows: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
        """N rows of actions by building and name."""
        return {
            name: dict(zip(agent.actions, row, strict=True))
            for (name, agent), row in zip(self._agents.items(), rows, strict=True)
        }

    def by_building(self, rows: Sequence[Any]) -> dict[str, Any]:
        """N values by building."""
        return dict(zip(self._agents, rows, strict=True))


_MISSING = object()
