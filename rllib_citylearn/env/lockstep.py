"""E copies of a run's communities, all in the same hour of their episodes, as one batch of arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.members import member_count, members, require_equal_chargers, unlike
from rllib_citylearn.env.metrics import INFO_KPIS, INFO_TERMS
from rllib_citylearn.env.reward import TERMS
from rllib_citylearn.env.spaces import PlaceBox
from rllib_citylearn.env.vector_env import CommunityVectorEnv, VectorStep
from rllib_citylearn.env.views import OwnView
from rllib_citylearn.errors import ConfigError

Singles = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


def lockstep_fault(config: CommunityEnvConfig) -> str:
    """What keeps this config's communities from being played as one batch, in words; empty if nothing does."""
    used = {
        "padded without communities, random_buildings or random_fleet": config.padded and not unlike(config),
        "central_agent": config.central_agent,
        "team_share": config.team_share != 1.0,
    }
    found = [name for name, is_used in used.items() if is_used]
    return f"env_config has {', '.join(found)}" if found else ""


def community_count(config: CommunityEnvConfig, copies: int) -> int:
    """Number K of communities that ``copies`` of them play: the variants of each, or the one of the data.

    Raises:
        ConfigError: fewer copies than that.
    """
    count = member_count(config)
    if copies < count:
        listed = "" if config.communities is None else f"{len(config.communities)} communities and "
        each = "variant" if config.communities is None else "variant of each community"
        raise ConfigError(
            f"env_config has {listed}variants={max(1, config.variants)}, but num_envs_per_env_runner is {copies}, and every "
            f"{each} is played by copies of its own; set num_envs_per_env_runner to {count} or more."
        )
    return count


@dataclass(frozen=True)
class LockstepHour:
    """One hour of all copies. The arrays are overwritten by the next.

    Attributes:
        observations: what follows, ``[E, N, D]``; rows of places that no building takes are zero.
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
    """K communities, each with its share of E copies.

    They differ in what ``load_scaling`` and ``load_shift_weeks`` drew, or, with ``padded``, in their buildings and devices
    too: the entries of ``communities``, what ``random_buildings`` and ``random_fleet`` drew. Rows of the joint arrays are
    then places ``building_1`` to ``building_N`` of the largest community, of which a community takes the first, as many as
    it has buildings; columns are those of all communities together.

    All runners of a run have the same communities, so that a learner can have them too: what is drawn depends on a
    community's number alone. Copies start at different steps of the data; with ``config.starts`` they take turns.

    Args:
        config: the community, its episodes and its reward.
        copies: number E, at least K.
        turn, turns: see ``CommunityVectorEnv``.

    Attributes:
        vectors: the K communities.
        features: the feature table of the first of them; where they are unlike, all have its columns and actions.
        slices: which of the E copies belong to each.
        sizes: number of buildings of each.
        agents: names of the N buildings, or of the places.
        shape, action_shape: ``(N, D)`` and ``(N, A)``.
        present: bool ``[E, N]``, which places hold a building; None where all communities have the same ones.
        action_mask: bool ``[E, N, A]``, which actions they have; ``[N, A]`` where all communities have the same buildings.
        single_observation_space, single_action_space: what ``CityLearnMultiAgentEnv`` has, as dictionaries by building.
        observations: what the copies see now, ``[E, N, D]``.

    Raises:
        ConfigError: a config that can't be played as one batch, fewer copies than communities, or episodes of unequal
            length.
    """

    def __init__(self, config: CommunityEnvConfig, copies: int, *, turn: int = 0, turns: int = 1) -> None:
        fault = lockstep_fault(config)
        if fault:
            raise ConfigError(f"{fault}, which communities in lockstep don't know; leave it out.")
        count = community_count(config, copies)
        played = members(config)
        sizes = [copies // count + (k < copies % count) for k in range(count)]
        self.vectors = [
            CommunityVectorEnv(member.config, size, turn=turn, turns=turns, instance=(k,), site=member.site)
            for k, (member, size) in enumerate(zip(played, sizes, strict=True))
        ]
        tables = [vector.features for vector in self.vectors]
        self.features = tables[0]
        if config.random_fleet is not None and not config.padded:
            require_equal_chargers(played[0], tables)
        self._entries = [member.place for member in played]
        ends = np.cumsum(sizes).tolist()
        self.slices = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
        self.num_envs = copies
        self.episode_steps = self._common_episode_steps()
        self._has_places = unlike(config)
        self.sizes = [len(table.agents) for table in tables]
        self.shape = max(self.sizes), len(tables[0].columns)
        self.action_shape = max(self.sizes), len(tables[0].actions)
        self.present, self.action_mask = self._masks(tables)
        self.agents = self._names(max(range(count), key=self.sizes.__getitem__))
        self._set_spaces(tables)
        self.observations: Singles = np.zeros((copies, *self.shape), np.float32)
        self.hours_left = 0

    def _common_episode_steps(self) -> int:
        lengths = sorted({vector.episode_steps for vector in self.vectors})
        if len(lengths) > 1:
            raise ConfigError(
                f"The communities have episodes of {', '.join(map(str, lengths))} steps, but all are played hour by hour "
                f"together; set episode_steps to {lengths[0]} or fewer."
            )
        return lengths[0]

    def _masks(self, tables: Sequence[CommunityFeatures]) -> tuple[npt.NDArray[np.bool_] | None, npt.NDArray[np.bool_]]:
        """See ``present`` and ``action_mask``."""
        if not self._has_places or len(tables) == 1:
            return None, tables[0].action_mask
        present = np.zeros((self.num_envs, self.shape[0]), bool)
        actions = np.zeros((self.num_envs, *self.action_shape), bool)
        for at, table in zip(self.slices, tables, strict=True):
            present[at, : len(table.agents)] = True
            actions[at, : len(table.agents)] = table.action_mask
        return present, actions

    def _set_spaces(self, tables: Sequence[CommunityFeatures]) -> None:
        if self._has_places:
            observed: dict[str, gym.Space[Any]] = {name: PlaceBox(tables, i) for i, name in enumerate(self.agents)}
            actions = len(tables[0].actions)
            done: dict[str, gym.Space[Any]] = {n: gym.spaces.Box(-1.0, 1.0, (actions,), np.float32) for n in self.agents}
        else:
            view = OwnView(tables[0])
            observed, done = dict(view.observation_spaces), dict(view.action_spaces)
        self.single_observation_space = gym.spaces.Dict(observed)
        self.single_action_space = gym.spaces.Dict(done)

    def _names(self, k: int) -> tuple[str, ...]:
        """Names of the agents in community ``k``."""
        if self._has_places:
            return tuple(f"building_{i}" for i in range(1, self.sizes[k] + 1))
        return tuple(agent.name for agent in self.vectors[k].features.agents)

    def community_of(self, e: int) -> int:
        """Which of the K communities copy ``e`` plays."""
        return next(k for k, at in enumerate(self.slices) if e < at.stop)

    def agents_of(self, e: int) -> tuple[str, ...]:
        """Names of the agents in copy ``e``."""
        return self._names(self.community_of(e))

    @property
    def agent_steps(self) -> int:
        """Agents' steps in an hour of all copies."""
        return sum((at.stop - at.start) * size for at, size in zip(self.slices, self.sizes, strict=True))

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
        parts = zip(self.vectors, self.slices, self.sizes, strict=True)
        steps = tuple(vector.step(actions[at, :size]) for vector, at, size in parts)
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
        k = self.community_of(e)
        step, i = hour.steps[k], e - self.slices[k].start
        info: dict[str, Any] = {
            "building_rewards": dict(zip(self._names(k), step.rewards.building[i].tolist(), strict=True)),
            "district_reward": float(step.rewards.district[i]),
            "terms": dict(zip(TERMS, step.rewards.terms[i].tolist(), strict=True)),
        }
        if self._has_places:
            info |= {"community": self._entries[k], "buildings": [agent.name for agent in self.vectors[k].features.agents]}
        if i in step.episodes:
            info |= {INFO_KPIS: step.episodes[i], INFO_TERMS: step.episode_terms[i]}
        return info

    def _joined(self, parts: list[Any]) -> Any:
        """The communities' arrays behind one another, with empty places; a single community's own array, uncopied."""
        if len(parts) == 1:
            return parts[0]
        if self.present is None or parts[0].ndim == 1:
            return np.concatenate(parts)
        joined = np.zeros((self.num_envs, self.shape[0], *parts[0].shape[2:]), parts[0].dtype)
        for at, part, size in zip(self.slices, parts, self.sizes, strict=True):
            joined[at, :size] = part
        return joined

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
