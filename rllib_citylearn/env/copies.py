"""Buildings that a community has several times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from rllib_citylearn.errors import ConfigError


def with_copies(description: Mapping[str, Any], names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """A schema in which every building that ``names`` repeats is there as often, with its data and devices.

    What CityLearn draws building by building, as the curves of batteries, a copy has of its own.

    Args:
        description: the schema.
        names: of buildings in it, repeated ones as often as they are wanted.

    Returns:
        the schema, and the names of the copies in it.

    Raises:
        ConfigError: a repeated building has chargers, whose vehicles would have to be in two places.
    """
    buildings = dict(description["buildings"])
    copies = [(name, number) for name, count in Counter(names).items() for number in range(2, count + 1)]
    for name, number in copies:
        if buildings[name].get("chargers"):
            raise ConfigError(
                f"A community was to have {name} several times, but its chargers wait for vehicles that there are once; "
                "draw no more buildings (random_buildings) than there are to draw from."
            )
        buildings[_copy(name, number)] = deepcopy(buildings[name])
    return {**description, "buildings": buildings}, [_copy(*copy) for copy in copies]


def _copy(name: str, number: int) -> str:
    return f"{name}_copy_{number}"
