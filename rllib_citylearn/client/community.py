"""What a server says of a community: who is in it, what they see and set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rllib_citylearn.client.answers import Model, model_of, numbers_of, object_of, texts_of
from rllib_citylearn.client.errors import AnswerError
from rllib_citylearn.env.thermostats import DEVICES


@dataclass(frozen=True)
class Building:
    """One building.

    Attributes:
        name: of the building.
        features: names of what it measures, in the order of its row of observations.
        actions: names of what is set, in the order of its row of actions.
        action_low, action_high: limits of the actions, in CityLearn's units.
    """

    name: str
    features: tuple[str, ...]
    actions: tuple[str, ...]
    action_low: tuple[float, ...]
    action_high: tuple[float, ...]


@dataclass(frozen=True)
class Community:
    """A community of N buildings.

    Attributes:
        name: what the server calls it.
        model: the policy that described it.
        buildings: in the order of rows.
        features: what the server says of every feature, by name: ``unit``, ``low``, ``high``, ``meaning``.
    """

    name: str
    model: Model
    buildings: tuple[Building, ...]
    features: Mapping[str, Mapping[str, Any]]

    def rest(self, *, named: bool) -> Any:
        """The action that asks for nothing: zero, or what limits have nearest to it; None for heating and cooling devices.

        Zero would switch those off; None leaves them to their thermostats.

        Args:
            named: whether by building and action, or as one row a building.
        """
        rows = [
            [
                None if name in DEVICES else min(max(0.0, low), high)
                for name, low, high in zip(building.actions, building.action_low, building.action_high, strict=True)
            ]
            for building in self.buildings
        ]
        if not named:
            return rows
        return {
            building.name: dict(zip(building.actions, row, strict=True))
            for building, row in zip(self.buildings, rows, strict=True)
        }

    def is_of(self, actions: Any) -> bool:
        """Whether actions, in either form, are those of this community: the same buildings with the same actions."""
        if isinstance(actions, dict):
            return {name: set(row) for name, row in actions.items()} == {b.name: set(b.actions) for b in self.buildings}
        return [len(row) for row in actions] == [len(building.actions) for building in self.buildings]


def community_of(content: Any) -> Community:
    """A community from the server's description.

    Raises:
        AnswerError: it is something else.
    """
    found = object_of(content, "the community")
    name, buildings, features = found.get("name"), found.get("buildings"), found.get("features")
    if not isinstance(name, str) or not isinstance(buildings, list) or not isinstance(features, list):
        raise AnswerError("the description of the community lacks its name, buildings or features")
    by_name = {}
    for feature in (object_of(entry, "a feature") for entry in features):
        if not isinstance(feature.get("name"), str):
            raise AnswerError("a feature of the community has no name")
        by_name[feature["name"]] = feature
    return Community(name, model_of(found.get("model")), tuple(_building(entry) for entry in buildings), by_name)


def _building(content: Any) -> Building:
    found = object_of(content, "a building")
    if not isinstance(found.get("name"), str):
        raise AnswerError("a building of the community has no name")
    building = Building(
        found["name"],
        texts_of(found.get("features"), "the features of a building"),
        texts_of(found.get("actions"), "the actions of a building"),
        tuple(numbers_of(found.get("action_low"), "limits of actions")),
        tuple(numbers_of(found.get("action_high"), "limits of actions")),
    )
    if not len(building.actions) == len(building.action_low) == len(building.action_high):
        raise AnswerError(f"{building.name} has other numbers of actions than of limits")
    return building
