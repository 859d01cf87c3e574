"""The learning baselines by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from rllib_citylearn.baselines.learned.family import Family
from rllib_citylearn.baselines.learned.settings import INDEPENDENT_DDPG, RLLIB_PPO, RLLIB_SAC
from rllib_citylearn.checks import nearest
from rllib_citylearn.errors import ConfigError

_CITYLEARN = "rllib_citylearn.baselines.learned.citylearn_family"
_RLLIB = "rllib_citylearn.baselines.learned.rllib_family"
_OWN = "this project's reward, a building's own and the district's"
_DDPG = "rllib_citylearn.baselines.learned.ddpg_family"


@dataclass(frozen=True)
class Learned:
    """A learning baseline.

    Attributes:
        summary: what it is, in half a sentence.
        learns_from: whose reward, in words.
        travels: whether it acts on other communities than the one it was trained on.
        home: the module of its ``Family``, which is imported when it is trained or used.
        settings: what it is trained with, JSON-ready; recorded with what was learnt.
    """

    summary: str
    learns_from: str
    travels: bool
    home: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def family(self) -> Family:
        """The code that trains it and acts with what was learnt."""
        family: Family = import_module(self.home).FAMILY
        return family


LEARNED: Mapping[str, Learned] = {
    "citylearn-sac": Learned(
        "CityLearn's SAC, as it ships: networks for each building, on CityLearn's environment",
        "the data set's own reward",
        False,
        _CITYLEARN,
        {"module": "citylearn.agents.sac", "agent": "SAC"},
    ),
    "citylearn-marlisa": Learned(
        "CityLearn's MARLISA, as it ships: SAC whose agents tell each other what they expect to draw",
        "the data set's own reward",
        False,
        _CITYLEARN,
        {"module": "citylearn.agents.marlisa", "agent": "MARLISA"},
    ),
    "rllib-ppo": Learned("RLlib's PPO, one policy for all buildings", _OWN, True, _RLLIB, RLLIB_PPO),
    "rllib-sac": Learned("RLlib's SAC, one policy for all buildings", _OWN, True, _RLLIB, RLLIB_SAC),
    "independent-ddpg": Learned(
        "cooperative MADDPG without what is cooperative: no coordinator, critics that see their own building",
        "this project's team reward",
        True,
        _DDPG,
        INDEPENDENT_DDPG,
    ),
}
"""The learning baselines, by the names that commands and reports use."""


def learned(name: str) -> Learned:
    """The learning baseline called ``name``.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in LEARNED:
        raise ConfigError(f"There is no learning baseline {name!r}.{nearest(name, LEARNED)}")
    return LEARNED[name]


def learned_table() -> str:
    """All learning baselines as a Markdown table, for the documentation."""
    lines = ["| name | what it is | learns from | acts elsewhere |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {entry.summary} | {entry.learns_from} | {'if the features fit' if entry.travels else 'no'} |"
        for name, entry in LEARNED.items()
    ]
    return "\n".join(lines)
