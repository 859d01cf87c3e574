"""CityLearn as an RLlib ``MultiAgentEnv``: one agent a building, one team reward for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import gymnasium as gym
import numpy as np
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from rllib_citylearn.datasets import resolve
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.no_control import no_control
from rllib_citylearn.env.reward import RewardTerms, RewardWeights, TeamReward
from rllib_citylearn.env.spaces import FeatureBox
from rllib_citylearn.errors import ConfigError


@dataclass(frozen=True)
class CommunityEnvConfig:
    """What ``env_config`` may say.

    Attributes:
        dataset: name of a data set, or path of its folder.
        buildings: names of the buildings to keep; None keeps all.
        window: first and last time step of the data to visit, both included; None is all of it.
        episode_steps: length of an episode in time steps; None is the whole window.
        random_start: start each episode at a random step of the window (True) or at its beginning (False).
        starts: time steps at which episodes start in turn, instead of either; several runners take turns with them.
        random_initial_soc: fill each battery to a random level at the start of an episode, so that a learner sees the same
            hour with full and empty batteries; for training only, since the energy is a gift that the KPIs contain.
        random_seed: CityLearn's seed for what the schema leaves out; None keeps the schema's.
        reward_weights: weights of the reward's terms by name.
        ranges: physical ranges by feature name, as stored with a policy; None fits them to the data.
    """

    dataset: str = "citylearn_challenge_2022_phase_all"
    buildings: Sequence[str] | None = None
    window: tuple[int, int] | None = None
    episode_steps: int | None = None
    random_start: bool = False
    starts: Sequence[int] | None = None
    random_initial_soc: bool = False
    random_seed: int | None = None
    reward_weights: Mapping[str, float] = field(default_factory=lambda: asdict(RewardWeights()))
    ranges: Mapping[str, Sequence[float]] | None = None

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> CommunityEnvConfig:
        """A config from RLlib's ``env_config``; unknown keys are refused."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(config) - known)
        if unknown:
            raise ConfigError(f"env_config has no key {', '.join(map(repr, unknown))}; it knows {', '.join(sorted(known))}.")
        values = dict(config)
        if values.get("window") is not None:
            first, last = values["window"]
            values["window"] = (int(first), int(last))
        return cls(**values)


class CityLearnMultiAgentEnv(MultiAgentEnv):
    """A community of buildings simulated by CityLearn.

    Observations are encoded by the feature table (``rllib_citylearn.env.features``), float32 within [-1, 1], one
    ``FeatureBox`` a building; actions are CityLearn's own, one ``Box`` a building. The reward is the team reward
    (``rllib_citylearn.env.reward``), the same number for all agents. An episode ends by truncation, never termination: the
    community goes on living, so a learner bootstraps from the last observation. ``info`` of every agent carries

    * ``building_reward``: its own part of the reward; the team reward is the mean of these over buildings plus
    * ``district_reward``: the part that belongs to nobody alone;
    * ``terms``: the unweighted terms by name;
    * ``episode`` (last step only): the episode's KPIs relative to no control (1 = no control, lower is better) and
      their ``score``.

    Args:
        config: see ``CommunityEnvConfig``.
    """

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.config = CommunityEnvConfig.from_dict(config or {})
        source = resolve(self.config.dataset)
        self.citylearn = make_citylearn_env(
            source.folder,
            buildings=self.config.buildings,
            window=self.config.window,
            random_seed=self.config.random_seed,
        )
        if self.citylearn.seconds_per_time_step != 3600:
            raise ConfigError(
                f"The data set has time steps of {self.citylearn.seconds_per_time_step:g} s; rewards and scores are defined "
                "for hours (3600 s)."
            )
        self.features = community_features(self.citylearn, self.config.ranges)
        self._first, self._last = self.citylearn.episode_time_steps[0]
        self.reward = TeamReward(no_control(self.citylearn), RewardWeights.from_dict(self.config.reward_weights))
        self._episode_steps = self._checked_episode_steps()
        self._latest_start = self._last - 1 - self._episode_steps
        for start in self.config.starts or ():
            self._require_start(start)
        self.possible_agents = [agent.name for agent in self.features.agents]
        self.agents = list(self.possible_agents)
        self.observation_spaces = {name: FeatureBox(self.features, index) for index, name in enumerate(self.possible_agents)}
        self.action_spaces = {
            agent.name: gym.spaces.Box(np.array(agent.action_low, np.float32), np.array(agent.action_high, np.float32))
            for agent in self.features.agents
        }
        self._random = np.random.default_rng()
        self._initial_soc = [building.electrical_storage.initial_soc for building in self.citylearn.buildings]
        # RLlib numbers remote runners from 1: each begins with a start of its own and steps over the others'.
        self._turn = max(int(getattr(config, "worker_index", 0)) - 1, 0)
        self._turns = max(int(getattr(config, "num_workers", 0) or 0), 1)
        self._totals: dict[str, tuple[float, float]] = {}

    def _checked_episode_steps(self) -> int:
        # CityLearn repeats the second last observation at the end of its episodes, and shows the outcome of a step only
        # in the next one. It is therefore given one time step more than is used.
        available = self._last - self._first - 1
        steps = available if self.config.episode_steps is None else self.config.episode_steps
        if not 1 <= steps <= available:
            raise ConfigError(
                f"episode_steps is {steps}, but the window {self._first}..{self._last} allows 1 to {available}; "
                "shorten the episode or widen the window."
            )
        return steps

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode. ``options={"start": step}`` chooses the data's time step to start at."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        start = self._choose_start(options)
        if self.config.random_initial_soc:
            for building, lowest in zip(self.citylearn.buildings, self._initial_soc, strict=True):
                building.electrical_storage.initial_soc = float(self._random.uniform(lowest, 1.0))
        self.citylearn.episode_time_steps = [(start, start + self._episode_steps + 1)]
        observations, _ = self.citylearn.reset()
        self._step = start
        self._end = start + self._episode_steps
        self._state = self.reward.start(np.array([start]))
        self._totals = {}
        self._net: list[Any] = []
        self.agents = list(self.possible_agents)
        return self._encoded(observations), {}

    def _choose_start(self, options: dict[str, Any] | None) -> int:
        """The time step of the data at which the next episode starts."""
        if options and "start" in options:
            self._require_start(options["start"])
            return int(options["start"])
        if self.config.starts:
            start = int(self.config.starts[self._turn % len(self.config.starts)])
            self._turn += self._turns
            return start
        if self.config.random_start:
            return int(self._random.integers(self._first, self._latest_start + 1))
        return self._first

    def _require_start(self, start: int) -> None:
        if not self._first <= start <= self._latest_start:
            raise ConfigError(
                f"An episode of {self._episode_steps} steps can start at the steps {self._first} to {self._latest_start}, "
                f"not at {start}."
            )

    def step(
        self, actions: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """Apply every building's action for one time step.

        Args:
            actions: float ``[a_i]`` by agent, within the action space. All buildings have to act.
        """
        observations, *_ = self.citylearn.step([self._checked(name, actions) for name in self.possible_agents])
        # Net loads of the step just made; CityLearn's clock already stands on the next one.
        index = self.citylearn.time_step - 1
        net = np.array([[float(b.net_electricity_consumption[index]) for b in self.citylearn.buildings]])
        terms = self.reward.step(np.array([self._step]), net, self._state)
        self._net.append(net[0])
        self._step += 1
        done = self._step >= self._end
        team = float(terms.team[0])
        infos = self._infos(terms, done)
        rewards = dict.fromkeys(self.possible_agents, team)
        return self._encoded(observations), rewards, {"__all__": False}, {"__all__": done}, infos

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
        return list(np.clip(action, space.low, space.high))

    def _encoded(self, observations: Sequence[Sequence[float]]) -> dict[str, Any]:
        return dict(zip(self.possible_agents, self.features.encode_agents(observations), strict=True))

    def _infos(self, terms: RewardTerms, done: bool) -> dict[str, Any]:
        named = {name: float(value[0]) for name, value in terms.named.items()}
        for name, value in named.items():
            saved, uncontrolled = self._totals.get(name, (0.0, 0.0))
            self._totals[name] = (saved + value, uncontrolled + float(terms.uncontrolled[name][0]))
        shared = {"district_reward": float(terms.district[0]), "terms": named}
        if done:
            shared["episode"] = self._episode_kpis()
        return {
            name: {"building_reward": float(terms.building[0, index]), **shared}
            for index, name in enumerate(self.possible_agents)
        }

    def _episode_kpis(self) -> dict[str, float]:
        """KPIs of the episode relative to no control, and their score: the mean of cost, carbon and grid.

        Like CityLearn's, but over this episode alone; the load factor is that of the whole episode, not of a month.
        """
        kpis = {
            name: 1.0 - saved / uncontrolled if uncontrolled > 0 else 1.0
            for name, (saved, uncontrolled) in self._totals.items()
        }
        kpis["load_factor"] = self.reward.load_factor_ratio(self._end - self._episode_steps, np.array(self._net))
        grid = (kpis["ramping"] + kpis["load_factor"]) / 2.0
        return {**kpis, "score": (kpis["cost"] + kpis["carbon"] + grid) / 3.0}

    def close(self) -> None:
        """CityLearn holds nothing open; here for the interface's sake."""
        self.citylearn.close()
