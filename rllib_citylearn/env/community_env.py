"""A community as an RLlib ``MultiAgentEnv``: one agent a building, one team reward for all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.metrics import INFO_KPIS, INFO_TERMS
from rllib_citylearn.env.reward import TERMS, RewardBuffers
from rllib_citylearn.env.spaces import FeatureBox
from rllib_citylearn.env.vector_env import CommunityVectorEnv, VectorStep
from rllib_citylearn.errors import ConfigError


class CityLearnMultiAgentEnv(MultiAgentEnv):
    """A community of buildings, simulated by either engine (``env_config["engine"]``).

    Observations are encoded by the feature table (``rllib_citylearn.env.features``), float32 within [-1, 1], one
    ``FeatureBox`` a building; actions are CityLearn's own, one ``Box`` a building. The reward is the team reward
    (``rllib_citylearn.env.reward``), the same number for all agents unless ``team_share`` says otherwise. An episode ends by
    truncation, never termination: the community goes on living, so a learner bootstraps from the last observation. ``info``
    of every agent carries

    * ``building_reward``: its own part of the reward; the team reward is the mean of these over buildings plus
    * ``district_reward``: the part that belongs to nobody alone;
    * ``terms``: the unweighted terms by name;
    * ``episode`` (last step only): the episode's KPIs relative to no control (1 = no control, lower is better) and
      their ``score``;
    * ``episode_terms`` (last step only): the unweighted terms, averaged over the episode.

    Args:
        config: see ``CommunityEnvConfig``.

    Attributes:
        vector: the same community in arrays.
        citylearn: CityLearn's environment; with the engine ``citylearn`` it is the one that runs.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.config = CommunityEnvConfig.from_dict(config or {})
        # RLlib numbers remote runners from 1: each begins with a start of its own and steps over the others'.
        turn = max(int(getattr(config, "worker_index", 0)) - 1, 0)
        turns = max(int(getattr(config, "num_workers", 0) or 0), 1)
        self.vector = CommunityVectorEnv(self.config, turn=turn, turns=turns)
        self.citylearn = self.vector.citylearn
        self.features = self.vector.features
        self.reward = self.vector.reward
        self.possible_agents = [agent.name for agent in self.features.agents]
        self.agents = list(self.possible_agents)
        self.observation_spaces = {name: FeatureBox(self.features, index) for index, name in enumerate(self.possible_agents)}
        self.action_spaces = {
            agent.name: gym.spaces.Box(np.array(agent.action_low, np.float32), np.array(agent.action_high, np.float32))
            for agent in self.features.agents
        }

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode. ``options={"start": step}`` chooses the data's time step to start at."""
        starts = [options["start"]] if options and "start" in options else None
        observations = self.vector.reset(starts=starts, seed=seed)
        self.agents = list(self.possible_agents)
        return self._by_agent(observations), {}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """Apply every building's action for one time step.

        Args:
            actions: float ``[a_i]`` by agent, within the action space. All buildings have to act.
        """
        own = [self._checked(name, actions) for name in self.possible_agents]
        result = self.vector.step(self.features.joint_actions(own)[None], physical=True)
        truncated = {"__all__": bool(result.truncated[0])}
        observations = self._by_agent(result.observations)
        return observations, self._rewards(result.rewards), {"__all__": False}, truncated, self._infos(result)

    def _rewards(self, rewards: RewardBuffers) -> dict[str, float]:
        """The team's reward, each building's own, or a mixture: as ``team_share`` says. Their mean is the team's always."""
        team, share = float(rewards.team[0]), self.config.team_share
        if share == 1.0:
            return dict.fromkeys(self.possible_agents, team)
        own = (rewards.building[0] + rewards.district[0]).tolist()
        return {name: share * team + (1.0 - share) * part for name, part in zip(self.possible_agents, own, strict=True)}

    def _checked(self, name: str, actions: Mapping[str, Any]) -> list[float]:
        if name not in actions:
            raise ConfigError(f"No action was given for {name}; every building acts in every time step.")
        action = np.asarray(actions[name], np.float64).reshape(-1)
        space = self.action_spaces[name]
        if action.shape != space.shape or not np.isfinite(action).all():
            raise ConfigError(
                f"The action of {name} is {action.tolist()}; expected {space.shape[0]} finite numbers "
                f"({', '.join(self.features.agents[self.possible_agents.index(name)].actions)})."
            )
        clipped: list[float] = np.clip(action, space.low, space.high).tolist()
        return clipped

    def _by_agent(self, observations: Any) -> dict[str, Any]:
        return dict(zip(self.possible_agents, self.features.own_columns(observations[0]), strict=True))

    def _infos(self, result: VectorStep) -> dict[str, Any]:
        rewards = result.rewards
        terms = dict(zip(TERMS, rewards.terms[0].tolist(), strict=True))
        shared: dict[str, Any] = {"district_reward": float(rewards.district[0]), "terms": terms}
        if result.episodes:
            shared |= {INFO_KPIS: result.episodes[0], INFO_TERMS: result.episode_terms[0]}
        parts = rewards.building[0].tolist()
        return {name: {"building_reward": part, **shared} for name, part in zip(self.possible_agents, parts, strict=True)}

    def close(self) -> None:
        """CityLearn holds nothing open; here for the interface's sake."""
        self.vector.close()
