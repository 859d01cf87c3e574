"""The fast engine: CityLearn's physics, compiled.

``CommunityDescription`` is what a community is, read from a live CityLearn environment; ``FastCommunity`` simulates E
copies of it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rllib_citylearn.simulator.community import FastCommunity
    from rllib_citylearn.simulator.description import CommunityDescription

_HOME = {
    "CommunityDescription": "rllib_citylearn.simulator.description",
    "FastCommunity": "rllib_citylearn.simulator.community",
}

__all__ = ["CommunityDescription", "FastCommunity"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
