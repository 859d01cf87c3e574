"""E episodes of a community at once, in arrays: what fast learning and the dictionary environment are built on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.building import Site, build_citylearn
from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.env.config import FAST, CommunityEnvConfig
from rllib_citylearn.env.engines import Engine, make_engine
from rllib_citylearn.env.forecast_noise import ForecastNoise
from rllib_citylearn.env.measurements import NET_MEAN
from rllib_citylearn.env.net_memory import NetMemory
from rllib_citylearn.env.no_control import no_control
from rllib_citylearn.env.reward import TERMS, RewardBuffers, RewardWeights, TeamReward
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.simulator.comfort import simulates_temperature
from rllib_citylearn.simulator.reward_layout import COMFORT
from rllib_citylearn.simulator.support import check_supported

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class VectorStep:
    """One hour of E communities. The arrays are overwritten by the next call.

    Attributes:
        observations: what the buildings see next, float32 ``[E, N, D]``; of episodes that ended, the last observation.
        rewards: the team reward and its parts.
        truncated: which episodes ended, bool ``[E]``; none ever terminates, the communities go on living.
        episodes: KPIs of the episodes that ended, by community: relative to no control (lower is better), and ``score``.
        episode_terms: their unweighted reward terms, averaged over the hours.
    """

    observations: npt.NDArray[np.float32]
    rewards: RewardBuffers
    truncated: npt.NDArray[np.bool_]
    episodes: Mapping[int, Mapping[str, float]]
    episode_terms: Mapping[int, Mapping[str, float]]


class CommunityVectorEnv:
    """E communities on one of the engines, each in an episode of its own.

    Episodes that end are not started again by themselves: call ``reset`` with their numbers.

    Args:
        config: the community, its episodes and its reward. How agents see it (``padded``, ``central_agent``) is nothing to
            arrays, and of several ``variants`` this is one.
        communities: number E.
        turn: which of ``config.starts`` comes first; several runners take turns with them.
        turns: how many runners take turns.
        instance: numbers that tell this environment from others, for what ``random_buildings``, ``load_scaling`` and
            ``load_shift_weeks`` draw.
        site: the config's data, if they have been looked up before.
    """

    def __init__(
        self,
        config: CommunityEnvConfig,
        communities: int = 1,
        *,
        turn: int = 0,
        turns: int = 1,
        instance: Sequence[int] = (),
        site: Site | None = None,
    ) -> None:
        if config.communities is not None:
            raise ConfigError("A vector environment is of one community; build one for each of config.each().")
        self.config = config
        self.citylearn, ranges = build_citylearn(config, site or Site.of(config), instance)
        if config.engine == FAST:
            self.citylearn.reset()
            check_supported(self.citylearn)  # before anything takes its time
        self.communities = communities
        self.features = community_features(
            self.citylearn, ranges, memory=config.memory, beside=config.features or (), actions_beside=config.actions or ()
        )
        self.first_step, self._last = self.citylearn.episode_time_steps[0]
        self.reward = TeamReward(no_control(self.citylearn), RewardWeights.from_dict(config.reward_weights))
        self.episode_steps = self._checked_episode_steps()
        self.latest_start = self._last - 1 - self.episode_steps
        for start in config.starts or ():
            self.require_start(start)
        self.engine: Engine = make_engine(
            config.engine, self.citylearn, self.features, self.reward, communities, self.episode_steps
        )
        self._has_comfort = any(simulates_temperature(building) for building in self.citylearn.buildings)
        remembers = NET_MEAN in self.features.memory
        self._net_memory = NetMemory(self.features, self.reward.tables.reference_net, communities) if remembers else None
        self._noise = ForecastNoise(self.features, communities, config.forecast_noise) if config.forecast_noise else None
        self._random = np.random.default_rng()
        self._lowest_soc = np.array([b.electrical_storage.initial_soc for b in self.citylearn.buildings])
        self._turn, self._first_turn, self._turns = turn, turn, turns
        self._episodes = 0
        shape = (communities, len(TERMS))
        self._start = np.zeros(communities, np.int64)
        self._elapsed = np.zeros(communities, np.int64)
        self._saved, self._uncontrolled = np.zeros(shape), np.zeros(shape)
        self._load, self._peak = np.zeros(communities), np.zeros(communities)

    def _checked_episode_steps(self) -> int:
        # The last hour of a window can't be simulated, and CityLearn shows its outcome only one hour later.
        available = self._last - self.first_step - 1
        steps = available if self.config.episode_steps is None else self.config.episode_steps
        if not 1 <= steps <= available:
            raise ConfigError(
                f"episode_steps is {steps}, but the window {self.first_step}..{self._last} allows 1 to {available}; "
                "shorten the episode or widen the window."
            )
        return steps

    def reset(
        self,
        communities: Sequence[int] | Rows | None = None,
        *,
        starts: Sequence[int] | Rows | None = None,
        seed: int | None = None,
    ) -> npt.NDArray[np.float32]:
        """Start episodes.

        Args:
            communities: which of the E; None starts all.
            starts: time steps of the data at which they start; None chooses them as the config says.
            seed: of the random numbers from here on.

        Returns:
            observations ``[E, N, D]`` of all communities.

        Raises:
            ConfigError: a start at which no episode of this length fits.
        """
        if seed is not None:
            self.seed(seed)
        which = np.arange(self.communities) if communities is None else np.asarray(communities, np.int64)
        chosen = [self._choose_start() for _ in which] if starts is None else [int(start) for start in starts]
        for start in chosen:
            self.require_start(start)
        soc = None
        if self.config.random_initial_soc:
            soc = self._random.uniform(self._lowest_soc, 1.0, (len(which), len(self._lowest_soc)))
        # CityLearn seeds the drift of vehicles with its random seed plus the number of the episode, counted from one.
        seeds = int(self.citylearn.random_seed) + self._episodes + 1 + np.arange(len(which))
        self._episodes += len(which)
        self._start[which] = chosen
        self._elapsed[which] = 0
        self._saved[which] = self._uncontrolled[which] = 0.0
        self._load[which], self._peak[which] = 0.0, -np.inf
        self.engine.reset(which, self._start[which] - self.first_step, seeds, soc)
        if self._net_memory is not None:
            self._net_memory.start(which, self._start[which] - self.first_step, self.engine.shown_net_kwh()[which])
            self._net_memory.write(self.engine.observations, which)
        if self._noise is not None:
            self._noise.start(self.engine.observations, which, self._random)
        return self.engine.observations

    def seed(self, seed: int | Sequence[int]) -> None:
        """Make whatever follows the same as after the same seed before: the turns of starts and vehicles' drift, too."""
        self._random = np.random.default_rng(seed)
        self._turn, self._episodes = self._first_turn, 0

    def random_state(self) -> dict[str, Any]:
        """Where the random numbers, the turns of starts and the count of episodes stand."""
        return {"random": self._random.bit_generator.state, "turn": self._turn, "episodes": self._episodes}

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """The inverse of ``random_state``: the episodes started from here on are those that would have followed then."""
        self._random.bit_generator.state = state["random"]
        self._turn, self._episodes = int(state["turn"]), int(state["episodes"])

    def step(self, actions: npt.NDArray[Any], *, physical: bool = False) -> VectorStep:
        """One hour of all communities.

        Args:
            actions: ``[E, N, A]`` in [-1, 1], which stands for CityLearn's limits; in CityLearn's units if ``physical``.

        Raises:
            EngineError: actions of another shape or that are no numbers.
            ConfigError: an episode has ended and was not reset.
        """
        if (self._elapsed >= self.episode_steps).any():
            ended = np.flatnonzero(self._elapsed >= self.episode_steps).tolist()
            raise ConfigError(f"The episodes of the communities {ended} have ended; reset them before the next step.")
        self.engine.step(actions, physical=physical)
        if self._net_memory is not None:
            self._net_memory.update(self.engine.shown_net_kwh())
            self._net_memory.write(self.engine.observations)
        if self._noise is not None:
            self._noise.step(self.engine.observations, self._random)
        rewards = self.engine.rewards
        self._elapsed += 1
        self._saved += rewards.terms
        self._uncontrolled += rewards.uncontrolled
        district = self.engine.net_kwh.sum(1, dtype=np.float64)
        self._load += district
        np.maximum(self._peak, district, out=self._peak)
        truncated = self._elapsed >= self.episode_steps
        ended = np.flatnonzero(truncated).tolist()
        return VectorStep(
            observations=self.engine.observations,
            rewards=rewards,
            truncated=truncated,
            episodes={e: self._episode_kpis(e) for e in ended},
            episode_terms={e: dict(zip(TERMS, (self._saved[e] / self.episode_steps).tolist(), strict=True)) for e in ended},
        )

    def net_history_kwh(self) -> npt.NDArray[np.float32]:
        """Net loads that buildings remember, the latest last, ``[E, 24, N]``; no hours where no feature shows their mean."""
        if self._net_memory is None:
            return np.zeros((self.communities, 0, len(self.features.agents)), np.float32)
        return self._net_memory.history_kwh()

    def _choose_start(self) -> int:
        """The time step of the data at which the next episode starts."""
        if self.config.starts:
            start = int(self.config.starts[self._turn % len(self.config.starts)])
            self._turn += self._turns
            return start
        if self.config.random_start:
            return int(self._random.integers(self.first_step, self.latest_start + 1))
        return int(self.first_step)

    def require_start(self, start: int) -> None:
        """Refuse a time step at which no episode can start.

        Raises:
            ConfigError: says which ones can.
        """
        if not self.first_step <= start <= self.latest_start:
            raise ConfigError(
                f"An episode of {self.episode_steps} steps can start at the steps {self.first_step} to {self.latest_start}, "
                f"not at {start}."
            )

    def _episode_kpis(self, e: int) -> dict[str, float]:
        """KPIs of an episode relative to no control, and their score: the mean of cost, carbon and grid.

        Like CityLearn's, but over this episode alone; the load factor is that of the whole episode, not of a month.
        ``departure`` is the charge that vehicles lacked and ``appliance`` the energy of cycles that were given up, relative
        to no control too; ``discomfort`` are degC outside the comfort band, on average over hours and buildings. Each only
        where there is such a thing; nor has a KPI, or the score, an episode in which the community without control has
        nothing to divide by, as a few sunny hours without any import.
        """
        saved, uncontrolled = self._saved[e], self._uncontrolled[e]
        kpis = {
            name: float(1.0 - saved[i] / uncontrolled[i])
            for i, name in enumerate(TERMS)
            if i != COMFORT and uncontrolled[i] > 0
        }
        steps = int(self._elapsed[e])
        if self._has_comfort:
            kpis["discomfort"] = float((uncontrolled[COMFORT] - saved[COMFORT]) / steps)
        kpis["load_factor"] = self.reward.load_factor_ratio(
            int(self._start[e]), steps, float(self._load[e]) / steps, float(self._peak[e])
        )
        if {"cost", "carbon", "ramping"} <= kpis.keys():
            grid = (kpis["ramping"] + kpis["load_factor"]) / 2.0
            kpis["score"] = (kpis["cost"] + kpis["carbon"] + grid) / 3.0
        return kpis

    def close(self) -> None:
        """Release CityLearn."""
        self.citylearn.close()
