"""How fast the engine is, beside CityLearn in the same process on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.no_control import no_control
from rllib_citylearn.env.reward import RewardTables, RewardWeights, TeamReward
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.simulator.community import FastCommunity
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.tiling import tiled, tiled_reward

COMMUNITIES = (1, 16, 64, 256, 1024)
COPIES = (1, 10, 100)
SCALING_COMMUNITIES = 16
ROUNDS = 5
WINDOW_STEPS = 2000
"""Steps of the data that are read: enough to keep the tables out of the caches."""


@dataclass(frozen=True)
class EngineSpeed:
    """Throughput with E parallel communities.

    Attributes:
        communities: E.
        env_steps_per_s: hours of one community simulated a second, with observations and reward.
        ratio: over CityLearn with its default reward.
        ratio_to_lean: over CityLearn with a reward that makes it build no observations for itself.
    """

    communities: int
    env_steps_per_s: float
    ratio: float
    ratio_to_lean: float


@dataclass(frozen=True)
class Scaling:
    """Cost of a building in a community of N.

    Attributes:
        buildings: N.
        us_per_building_step: microseconds for one hour of one building.
    """

    buildings: int
    us_per_building_step: float


@dataclass(frozen=True)
class EngineBenchmark:
    """What ``bench engine`` measured.

    Attributes:
        data: the data set.
        buildings: number of buildings.
        citylearn_env_steps_per_s: CityLearn with its default reward.
        citylearn_lean_env_steps_per_s: CityLearn with a reward that declares that it reads next to nothing.
        engine: speed by number of communities.
        scaling: cost by number of buildings.
        scaling_communities: communities behind ``scaling``.
    """

    data: str
    buildings: int
    citylearn_env_steps_per_s: float
    citylearn_lean_env_steps_per_s: float
    engine: tuple[EngineSpeed, ...]
    scaling: tuple[Scaling, ...]
    scaling_communities: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def benchmark_engine(
    schema: Path,
    *,
    seconds: float = 2.0,
    communities: Sequence[int] = COMMUNITIES,
    copies: Sequence[int] = COPIES,
    say: Callable[[str], None] = lambda line: None,
) -> EngineBenchmark:
    """Measure throughput and scaling with uniformly random actions.

    Every figure is the best of some rounds, which is what the machine does when nothing else disturbs it; CityLearn's are
    taken in the same way.

    Args:
        schema: folder of the data set.
        seconds: time for each figure.
        communities: how many parallel communities to measure.
        copies: how often the community is copied to measure scaling.
        say: called with what is being measured.
    """
    if not seconds > 0:
        raise ConfigError(f"Each figure is to take {seconds:g} s; give a number above 0.")
    env = make_citylearn_env(schema)
    first, last = env.episode_time_steps[0]
    env = make_citylearn_env(schema, window=(first, min(last, first + WINDOW_STEPS)))
    features = community_features(env)
    reward = TeamReward(no_control(env), RewardWeights()).tables
    description = CommunityDescription.read(env, features)
    say("CityLearn with its default reward ...")
    stock = _citylearn_speed(env, seconds, default_reward=True)
    say("CityLearn with a reward that reads nothing ...")
    lean = _citylearn_speed(env, seconds, default_reward=False)
    speeds = []
    for count in communities:
        say(f"The fast engine with {count} communities ...")
        rate = count / _seconds_a_step(description, reward, count, seconds)
        speeds.append(EngineSpeed(count, rate, rate / stock, rate / lean))
    scaling = []
    if description.dynamics is None:
        for times in copies:
            buildings = times * len(features.agents)
            say(f"The fast engine with {buildings} buildings ...")
            step = _seconds_a_step(tiled(description, times), tiled_reward(reward, times), SCALING_COMMUNITIES, seconds)
            scaling.append(Scaling(buildings, 1e6 * step / (SCALING_COMMUNITIES * buildings)))
    return EngineBenchmark(
        data=schema.name,
        buildings=len(features.agents),
        citylearn_env_steps_per_s=stock,
        citylearn_lean_env_steps_per_s=lean,
        engine=tuple(speeds),
        scaling=tuple(scaling),
        scaling_communities=SCALING_COMMUNITIES,
    )


def _citylearn_speed(env: Any, seconds: float, *, default_reward: bool) -> float:
    """Environment steps a second of CityLearn."""
    quiet = env.reward_function
    if default_reward:
        from citylearn.reward_function import RewardFunction

        # It declares no observations, so that CityLearn builds all of them once more for it.
        env.reward_function = RewardFunction(env.get_metadata())
    random = np.random.default_rng(0)
    best = 0.0
    try:
        for _ in range(ROUNDS):
            env.reset()
            actions = [[list(random.uniform(space.low, space.high)) for space in env.action_space] for _ in range(64)]
            steps, start = 0, time.perf_counter()
            while time.perf_counter() - start < seconds / ROUNDS and not env.terminated:
                env.step(actions[steps % len(actions)])
                steps += 1
            best = max(best, steps / (time.perf_counter() - start))
    finally:
        env.reward_function = quiet
    return best


def _seconds_a_step(description: CommunityDescription, reward: RewardTables, communities: int, seconds: float) -> float:
    """Seconds for one call of ``step``, all communities together."""
    community = FastCommunity(description, communities, reward=reward)
    random = np.random.default_rng(0)
    actions = random.uniform(-1.0, 1.0, (8, communities, *description.features.action_mask.shape))
    rows = random.integers(0, community.rows // 2, communities)
    most = community.rows - int(rows.max()) - 1
    best = np.inf
    for _ in range(ROUNDS):
        spent, steps = 0.0, 0
        while spent < seconds / ROUNDS:
            community.reset(rows=rows)
            block = min(most, 64)
            start = time.perf_counter()
            for i in range(block):
                community.step(actions[i % 8])
            spent += time.perf_counter() - start
            steps += block
        best = min(best, spent / steps)
    return float(best)
