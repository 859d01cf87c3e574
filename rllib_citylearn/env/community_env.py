"""A community as an RLlib ``MultiAgentEnv``: one agent a building, or one for all, and one team reward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.metrics import INFO_KPIS, INFO_TERMS
from rllib_citylearn.env.pool import CommunityPool
from rllib_citylearn.env.reward import TERMS, RewardBuffers
from rllib_citylearn.env.vector_env import CommunityVectorEnv, VectorStep
from rllib_citylearn.env.views import CENTRAL
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

    Other ways to see it (``CommunityEnvConfig``):

    * ``padded``: every agent has the same spaces, a ``PaddedBox`` and ``Box(-1, 1)``, so that unlike buildings share one
      policy. Actions in [-1, 1] stand for CityLearn's limits.
    * ``communities``, ``random_buildings`` (both padded): agents are places, ``building_1`` to ``building_N`` of the largest
      community; in an episode the first of them act, as many as its community has buildings. ``info`` says which they are:
      ``community``, its place in ``communities``, and ``building``, a name.
    * ``central_agent``: one agent, ``community``, with a ``CentralBox`` and ``Box(-1, 1)`` over all buildings' actions. Its
      ``info`` has ``building_rewards`` by building in place of ``building_reward``.

    Args:
        config: see ``CommunityEnvConfig``.

    Attributes:
        vector: the community of the current episode, in arrays. Its CityLearn environment, feature table and team reward
            are ``citylearn``, ``features`` and ``reward``; with the engine ``citylearn`` that environment is the one that
            runs.
        view: from its arrays to agents and back.
        member: place of its entry in ``config.communities``.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.config = CommunityEnvConfig.from_dict(config or {})
        worker = max(int(getattr(config, "worker_index", 0)), 0)
        # RLlib numbers remote runners from 1: each begins with a start of its own and steps over the others'.
        turn = max(worker - 1, 0)
        turns = max(int(getattr(config, "num_workers", 0) or 0), 1)
        self.communities = CommunityPool(self.config, turn=turn, turns=turns, instance=(worker,))
        self.view = self.communities.view()
        self.observation_spaces = self.view.observation_spaces
        self.action_spaces = self.view.action_spaces
        self.possible_agents = list(self.observation_spaces)
        self._take(0)

    def _take(self, k: int) -> None:
        """Make community ``k`` the one that plays."""
        self._k = k
        self.vector: CommunityVectorEnv = self.communities.vectors[k]
        self.member = self.communities.members[k]
        self.citylearn = self.vector.citylearn
        self.features = self.vector.features
        self.reward = self.vector.reward
        self.agents = self.view.agents(k)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode; after the same ``seed`` the same episodes follow.

        ``options={"start": step}`` chooses the data's time step to start at.
        """
        starts = [options["start"]] if options and "start" in options else None
        if seed is not None:
            self.communities.seed(seed)
        self._take(self.communities.next())
        observations = self.vector.reset(starts=starts)
        return self.view.observe(self._k, observations[0]), {agent: self._place(n) for n, agent in enumerate(self.agents)}

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """Apply every building's action for one time step.

        Args:
            actions: float ``[a_i]`` by agent; values outside the action space are clipped to it. All agents have to act.
        """
        own = {name: self._checked(name, actions) for name in self.agents}
        joint = self.view.joint_actions(self._k, own)
        result = self.vector.step(joint[None], physical=self.view.physical)
        truncated = {"__all__": bool(result.truncated[0])}
        observed = self.view.observe(self._k, result.observations[0])
        return observed, self._rewards(result.rewards), {"__all__": False}, truncated, self._infos(result)

    def _rewards(self, rewards: RewardBuffers) -> dict[str, float]:
        """The team's reward, each building's own, or a mixture: as ``team_share`` says. Their mean is the team's always."""
        team, share = float(rewards.team[0]), self.config.team_share
        if share == 1.0 or self.config.central_agent:
            return dict.fromkeys(self.agents, team)
        own = (rewards.building[0] + rewards.district[0]).tolist()
        return {name: share * team + (1.0 - share) * part for name, part in zip(self.agents, own, strict=True)}

    def no_control(self) -> dict[str, npt.NDArray[np.float32]]:
        """The actions that leave storage and vehicles alone: zero in CityLearn's units, whatever the agents' units are.

        A heating or cooling device is switched off by it, which is no way to leave it alone.
        """
        if self.view.physical:
            return self.view.own_actions(self._k, np.zeros(self.features.action_mask.shape))
        return self.view.own_actions(self._k, self.features.encode_actions(np.zeros(self.features.action_mask.shape)))

    def _checked(self, name: str, actions: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        if name not in actions:
            raise ConfigError(f"No action was given for {name}; every building acts in every time step.")
        action = np.asarray(actions[name], np.float64).reshape(-1)
        space = self.action_spaces[name]
        if action.shape != space.shape or not np.isfinite(action).all():
            raise ConfigError(
                f"The action of {name} is {action.tolist()}; expected {space.shape[0]} finite numbers "
                f"({', '.join(self.view.action_names(self._k, name))})."
            )
        clipped: npt.NDArray[np.float64] = np.clip(action, space.low, space.high)
        return clipped

    def _place(self, n: int) -> dict[str, Any]:
        """Who agent ``n`` is in this episode, where the name doesn't say."""
        if self.config.communities is None and self.config.random_buildings is None:
            return {}
        return {"community": self.member, "building": self.features.agents[n].name}

    def _infos(self, result: VectorStep) -> dict[str, Any]:
        rewards = result.rewards
        terms = dict(zip(TERMS, rewards.terms[0].tolist(), strict=True))
        shared: dict[str, Any] = {"district_reward": float(rewards.district[0]), "terms": terms}
        if result.episodes:
            shared |= {INFO_KPIS: result.episodes[0], INFO_TERMS: result.episode_terms[0]}
        parts = rewards.building[0].tolist()
        if self.config.central_agent:
            names = (agent.name for agent in self.features.agents)
            return {CENTRAL: {"building_rewards": dict(zip(names, parts, strict=True)), **shared}}
        return {name: {"building_reward": parts[n], **shared, **self._place(n)} for n, name in enumerate(self.agents)}

    def close(self) -> None:
        """Release CityLearn."""
        self.communities.close()
