"""CityLearn's learning agents, made for an environment and from a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.errors import ConfigError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


def agent_class(settings: Mapping[str, Any]) -> type[Any]:
    """The class that a baseline's settings name."""
    found: type[Any] = getattr(import_module(settings["module"]), settings["agent"])
    return found


def fresh_agent(kind: type[Any], env: CityLearnEnv, name: str, seed: int = 0) -> Any:
    """An agent with CityLearn's defaults that has learnt nothing.

    Args:
        kind: the agent's class.
        env: what it is made for.
        name: the baseline's name, for messages.
        seed: of its networks, its random actions and its batches. CityLearn would take the environment's, which also decides
            what batteries the buildings have.

    Raises:
        ConfigError: the agent can't control this community.
    """
    lacking = [b.name for b, row in zip(env.buildings, env.observation_names, strict=True) if _LOAD not in row]
    if lacking:
        raise ConfigError(
            f"{name} needs the observation {_LOAD!r}, which {lacking[0]} does not have; activate it in the data set's "
            "schema, or choose another baseline."
        )
    try:
        agent = kind(env)
    except (AssertionError, ValueError, TypeError, IndexError) as error:
        raise ConfigError(
            f"CityLearn's own code for {name} refuses this data set: {error!r}. Choose another baseline."
        ) from error
    rounds = int(getattr(agent, "iterations", 0))
    if rounds > len(env.buildings):
        # MARLISA's code takes the network of a building by the number of the round in which agents tell each other.
        raise ConfigError(
            f"CityLearn's own code for {name} needs {rounds} buildings or more, and there is {len(env.buildings)}; take "
            "more, or choose another baseline."
        )
    random.seed(seed)  # batches
    np.random.seed(seed)  # which CityLearn draws from, too
    for n, space in enumerate(agent.action_space):
        space.seed(seed + n)
    agent.random_seed = seed  # torch's, too
    agent.set_networks()
    if rounds and len({tuple(p.shape for p in network.parameters()) for network in agent.policy_net}) > 1:
        raise ConfigError(
            f"CityLearn's own code for {name} uses the first buildings' networks for all buildings, and these do not "
            "observe and control the same. Take buildings that are alike, or choose another baseline."
        )
    return agent


_LOAD = "net_electricity_consumption"
