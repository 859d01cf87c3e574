"""The fast engine: CityLearn's physics, compiled.

``CommunityDescription`` is what a community is, read from a live CityLearn environment; ``FastCommunity`` simulates E
copies of it at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.simulator.community import FastCommunity
    from rllib_citylearn.simulator.description import CommunityDescription

_HOME = {
    "CommunityDescription": "rllib_citylearn.simulator.description",
    "FastCommunity": "rllib_citylearn.simulator.community",
}

__all__ = ["CommunityDescription", "FastCommunity"]

__getattr__ = lazy_names(__name__, _HOME)
