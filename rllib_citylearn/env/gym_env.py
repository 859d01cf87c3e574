"""A community as a plain gymnasium environment: one agent that sees and sets everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from ray.rllib.env.env_context import EnvContext

from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.views import CENTRAL


class CommunityGymEnv(gym.Env[npt.NDArray[np.float32], npt.NDArray[np.float32]]):
    """The central view of ``CityLearnMultiAgentEnv`` for single-agent algorithms, RLlib's and other libraries'.

    The observation is a ``CentralBox`` (calendar, weather and prices once, then what each building has), the action a
    ``Box(-1, 1)`` with every building's actions, which stand for CityLearn's limits. The reward is the team reward; episodes
    are truncated, never terminated. ``info`` has ``building_rewards`` by building, ``district_reward``, ``terms`` and, in
    the last step, ``episode``.

    Args:
        config: see ``CommunityEnvConfig``; ``central_agent`` is meant and need not be said.

    Attributes:
        community: the environment behind it.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        central = {**(config or {}), "central_agent": True}
        if isinstance(config, EnvContext):  # RLlib's mapping, which also says in which runner this is
            central = config.copy_with_overrides(env_config=central)
        self.community = CityLearnMultiAgentEnv(central)
        self.observation_space = self.community.observation_spaces[CENTRAL]
        self.action_space = self.community.action_spaces[CENTRAL]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[npt.NDArray[np.float32], dict[str, Any]]:
        """Start an episode. ``options={"start": step}`` chooses the data's time step to start at."""
        super().reset(seed=seed)
        observations, infos = self.community.reset(seed=seed, options=options)
        return observations[CENTRAL], infos[CENTRAL]

    def step(self, action: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One time step.

        Args:
            action: float ``[a]`` in [-1, 1]; values outside are clipped.
        """
        observations, rewards, _, truncated, infos = self.community.step({CENTRAL: action})
        return observations[CENTRAL], rewards[CENTRAL], False, truncated["__all__"], infos[CENTRAL]

    def close(self) -> None:
        """Release CityLearn."""
        self.community.close()
