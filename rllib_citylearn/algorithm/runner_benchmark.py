"""How fast runners fill the replay: the vector runner on the compiled engine beside RLlib's own on CityLearn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.env_runner import CommunityEnvRunner
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.replay import JointReplay
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CITYLEARN, FAST
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.layout import JointLayout

COMMUNITIES = 64
HIDDEN = 128
FRAGMENT_HOURS = 56
EPISODE_HOURS = 3 * FRAGMENT_HOURS
STOCK_FRAGMENT_HOURS = 28
STOCK_COPIES = (1, 4)
CAPACITY = 50_000


@dataclass(frozen=True)
class RunnerSpeed:
    """One runner, from the forward pass to the rows in the replay.

    Attributes:
        engine: what simulates.
        communities: copies E on the runner.
        env_steps_per_s: hours of one community a second.
        forward_ms: of a step of all copies, what the networks took.
        engine_ms: what simulating took, with observations and reward.
        rows_ms: what writing into the replay took.
        rest_ms: everything else: resets, metrics, copies of arrays.
    """

    engine: str
    communities: int
    env_steps_per_s: float
    forward_ms: float
    engine_ms: float
    rows_ms: float
    rest_ms: float


@dataclass(frozen=True)
class RunnerBenchmark:
    """What ``bench runner`` measured.

    Attributes:
        data: the data set.
        buildings: number N.
        columns: numbers D that a building sees, memory features among them.
        hidden: width of the actor's layers.
        threads: threads of torch.
        env_steps_per_s: of the vector runner.
        stock_env_steps_per_s: of RLlib's runner with the joint connectors, with the number of copies that is fastest.
        ratio: of the two.
        runners: each runner apart.
    """

    data: str
    buildings: int
    columns: int
    hidden: int
    threads: int
    env_steps_per_s: float
    stock_env_steps_per_s: float
    ratio: float
    runners: tuple[RunnerSpeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def benchmark_runner(
    data: Path,
    *,
    seconds: float = 6.0,
    communities: int = COMMUNITIES,
    hidden: int = HIDDEN,
    say: Callable[[str], None] = lambda line: None,
) -> RunnerBenchmark:
    """Measure both runners in this process, with exploration noise and memory features, in random weeks of the data.

    A round is a whole episode of the vector runner (three fragments, with its end and the next start), or a fragment of
    RLlib's. Figures are those of the best round, which is what the machine does when nothing else disturbs it.

    Args:
        data: folder of the data set.
        seconds: time for each runner, at least three rounds.
        communities: copies on the vector runner.
        hidden: width of the actor's layers.
        say: called with what is being measured.

    Raises:
        ConfigError: no time.
    """
    if not seconds > 0:
        raise ConfigError(f"Each runner is to take {seconds:g} s; give a number above 0.")
    say(f"The vector runner with {communities} communities ...")
    runner = _runner(CommunityVectorRunner, data, FAST, communities, hidden, FRAGMENT_HOURS)
    fast = _speed(runner, FAST, seconds, samples=EPISODE_HOURS // FRAGMENT_HOURS)
    layout = JointLayout(*runner.get_spaces()[COMMUNITY])
    runner.stop()
    stock = []
    for copies in STOCK_COPIES:
        say(f"RLlib's runner on CityLearn with {copies} copies ...")
        runner = _runner(CommunityEnvRunner, data, CITYLEARN, copies, hidden, STOCK_FRAGMENT_HOURS)
        stock.append(_speed(runner, CITYLEARN, seconds, samples=1))
        runner.stop()
    best = max(speed.env_steps_per_s for speed in stock)
    return RunnerBenchmark(
        data=data.name,
        buildings=len(layout.agents),
        columns=layout.observation_mask.shape[1],
        hidden=hidden,
        threads=torch.get_num_threads(),
        env_steps_per_s=fast.env_steps_per_s,
        stock_env_steps_per_s=best,
        ratio=fast.env_steps_per_s / best,
        runners=(fast, *stock),
    )


def _runner(kind: type, data: Path, engine: str, copies: int, hidden: int, hours: int) -> Any:
    """A runner outside of any algorithm."""
    env_config = {
        "dataset": str(data),
        "engine": engine,
        "memory": True,
        "random_start": True,
        "episode_steps": EPISODE_HOURS,
    }
    config = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=copies, rollout_fragment_length=hours)
        .rl_module(model_config={"hidden": hidden})
        .debugging(seed=0, log_level="ERROR")
    )
    return kind(config=config, worker_index=0, num_workers=0)


class _Watch:
    """Adds up the seconds that a function takes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.seconds = 0.0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        begun = time.perf_counter()
        result = self._function(*args, **kwargs)
        self.seconds += time.perf_counter() - begun
        return result


def _speed(runner: Any, engine: str, seconds: float, samples: int) -> RunnerSpeed:
    """The best of rounds of ``samples`` samples each."""
    replay = JointReplay(CAPACITY, JointLayout(*runner.get_spaces()[COMMUNITY]), seed=0)
    module = runner.module[COMMUNITY]
    watches = [_Watch(module._forward_exploration), _Watch(runner.env.step), _Watch(replay.add)]
    module._forward_exploration, runner.env.step, add = watches
    rounds: list[tuple[float, int, list[float]]] = []
    begun = time.perf_counter()
    while len(rounds) < 4 or time.perf_counter() - begun < seconds:
        before = [watch.seconds for watch in watches]
        steps, started = 0, time.perf_counter()
        for _ in range(samples):
            steps += add(runner.sample())
            runner.get_metrics()
        total = time.perf_counter() - started
        rounds.append((total, steps, [watch.seconds - was for watch, was in zip(watches, before, strict=True)]))
    # The first round compiles, and touches the replay's pages for the first time.
    total, steps, parts = min(rounds[1:], key=lambda one: one[0] / one[1])
    calls = steps / runner.num_envs
    forward, simulated, rows = (1e3 * part / calls for part in parts)
    return RunnerSpeed(
        engine=engine,
        communities=runner.num_envs,
        env_steps_per_s=steps / total,
        forward_ms=forward,
        engine_ms=simulated,
        rows_ms=rows,
        rest_ms=1e3 * (total - sum(parts)) / calls,
    )
