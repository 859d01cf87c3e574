"""E copies of a run's communities, all in the same hour of their episodes, as one batch of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.building import Site
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.metrics import INFO_KPIS, INFO_TERMS
from rllib_citylearn.env.reward import TERMS
from rllib_citylearn.env.vector_env import CommunityVectorEnv, VectorStep
from rllib_citylearn.env.views import OwnView
from rllib_citylearn.errors import ConfigError

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def lockstep_fault(config: CommunityEnvConfig) -> str:
    """What keeps this config's communities from being played as one batch, in words; empty if nothing does."""
    modes = ("padded", "central_agent", "communities", "random_buildings", "random_fleet")
    used = [mode for mode in modes if getattr(config, mode)]
    if config.team_share != 1.0:
        used.append("team_share")
    return f"env_config has {', '.join(used)}" if used else ""


def community_count(config: CommunityEnvConfig, copies: int) -> int:
    """Number K of communities that ``copies`` of them play: the variants, or the one of the data.

    Raises:
        ConfigError: fewer copies than that.
    """
    count = max(1, config.variants)
    if copies < count:
        raise ConfigError(
            f"env_config has variants={count}, but num_envs_per_env_runner is {copies}, and every variant is played by "
            f"copies of its own; set num_envs_per_env_runner to {count} or more."
        )
    return count


@dataclass(frozen=True)
class LockstepHour:
    """One hour of all copies. The arrays are overwritten by the next.

    Attributes:
        observations: what follows, ``[E, N, D]``.
        building_rewards, district_reward, team_reward: ``[E, N]``, ``[E]``, ``[E]``.
        ended: whether this was the last hour of the episodes.
        steps: what each community's environment said.
    """

    observations: Singles
    building_rewards: Doubles
    district_reward: Doubles
    team_reward: Doubles
    ended: bool
    steps: tuple[VectorStep, ...]


class LockstepCommunities:
    """K communities that differ in what ``load_scaling`` drew, each with its share of E copies.

    All runners of a run have the same communities, so that a learner can have them too: what is drawn depends on a
    community's number alone. Copies start at different steps of the data; with ``config.starts`` they take turns.

    Args:
        config: the community, its episodes and its reward.
        copies: number E, at least K.
        turn, turns: see ``CommunityVectorEnv``.

    Attributes:
        vectors: the K communities.
        slices: which of the E copies belong to each.
        agents: names of the N buildings.
        single_observation_space, single_action_space: what ``CityLearnMultiAgentEnv`` has, as dictionaries by building.
        observations: what the copies see now, ``[E, N, D]``.

    Raises:
        ConfigError: a config whose buildings differ from episode to episode, or fewer copies than communities.
    """

    def __init__(self, config: CommunityEnvConfig, copies: int, *, turn: int = 0, turns: int = 1) -> None:
        fault = lockstep_fault(config)
        if fault:
            raise ConfigError(f"{fault}, which communities in lockstep don't know; leave it out.")
        count = community_count(config, copies)
        site = Site.of(config)
        sizes = [copies // count + (k < copies % count) for k in range(count)]
        self.vectors = [
            CommunityVectorEnv(config, size, turn=turn, turns=turns, instance=(k,), site=site)
            for k, size in enumerate(sizes)
        ]
        ends = np.cumsum(sizes).tolist()
        self.slices = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.num_envs = copies
        self.features = self.vectors[0].features
        self.agents = tuple(agent.name for agent in self.features.agents)
        self.episode_steps = self.vectors[0].episode_steps
        view = OwnView(self.features)
        self.single_observation_space = gym.spaces.Dict(view.observation_spaces)
        self.single_action_space = gym.spaces.Dict(view.action_spaces)
        self.observations: Singles = np.zeros((copies, *self.features.observation_mask.shape), np.float32)
        self.hours_left = 0

    @property
    def unwrapped(self) -> LockstepCommunities:
        """Itself: there are no wrappers."""
        return self

    @property
    def observation_space(self) -> gym.spaces.Dict:
        """Of one copy, as all are alike."""
        return self.single_observation_space

    @property
    def action_space(self) -> gym.spaces.Dict:
        """Of one copy, as all are alike."""
        return self.single_action_space

    def seed(self, seed: int) -> None:
        """Make the episodes that follow the same as after the same seed before."""
        for k, vector in enumerate(self.vectors):
            vector.seed([seed, k])

    def reset(self) -> Singles:
        """Start an episode in all copies; returns ``observations``."""
        self.observations = self._joined([vector.reset() for vector in self.vectors])
        self.hours_left = self.episode_steps
        return self.observations

    def step(self, actions: npt.NDArray[Any]) -> LockstepHour:
        """One hour of all copies; joint actions ``[E, N, A]`` in [-1, 1]."""
        steps = tuple(vector.step(actions[at]) for vector, at in zip(self.vectors, self.slices, strict=True))
        self.hours_left -= 1
        self.observations = self._joined([step.observations for step in steps])
        return LockstepHour(
            observations=self.observations,
            building_rewards=self._joined([step.rewards.building for step in steps]),
            district_reward=self._joined([step.rewards.district for step in steps]),
            team_reward=self._joined([step.rewards.team for step in steps]),
            ended=self.hours_left == 0,
            steps=steps,
        )

    def info(self, hour: LockstepHour, e: int) -> Mapping[str, Any]:
        """What the environment of dictionaries would say of copy ``e`` in its ``info``, once for all buildings."""
        k = next(k for k, at in enumerate(self.slices) if e < at.stop)
        step, i = hour.steps[k], e - self.slices[k].start
        info: dict[str, Any] = {
            "building_rewards": dict(zip(self.agents, step.rewards.building[i].tolist(), strict=True)),
            "district_reward": float(step.rewards.district[i]),
            "terms": dict(zip(TERMS, step.rewards.terms[i].tolist(), strict=True)),
        }
        if i in step.episodes:
            info |= {INFO_KPIS: step.episodes[i], INFO_TERMS: step.episode_terms[i]}
        return info

    @staticmethod
    def _joined(parts: list[Any]) -> Any:
        """The communities' arrays behind one another; a single community's own array, uncopied."""
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def random_state(self) -> list[dict[str, Any]]:
        """Where all random numbers and turns stand, by community."""
        return [vector.random_state() for vector in self.vectors]

    def set_random_state(self, state: list[dict[str, Any]]) -> None:
        """The inverse of ``random_state``; episodes that are played go on, those that start next are as they would be."""
        for vector, own in zip(self.vectors, state, strict=True):
            vector.set_random_state(own)

    def close(self) -> None:
        """Release CityLearn."""
        for vector in self.vectors:
            vector.close()
