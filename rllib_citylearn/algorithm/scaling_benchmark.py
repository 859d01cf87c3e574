"""How training scales with its runners: speeds, the driver's part and bytes, case by case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rllib_citylearn.algorithm.preset import Preset, ValidationConfig
from rllib_citylearn.algorithm.replay.room import memory_bytes
from rllib_citylearn.algorithm.scaling_case import ScalingCase
from rllib_citylearn.errors import ConfigError

RUNNERS = (0, 1, 2, 4, 8)

_MOST = 4096
_RUNNER_BYTES = 600 * 2**20
"""Memory that a runner of a small community takes for itself; torch, Ray and compiled code are most of it."""


@dataclass(frozen=True)
class ScalingBenchmark:
    """What ``bench scaling`` measured.

    Attributes:
        preset: its name.
        fragment: hours that each copy plays in a round.
        copies: of the community on each runner; a round has so many times the fragment's hours of each runner.
        updates_per_env_step: gradient steps that an environment step earns.
        cores: of all nodes.
        nodes: of the cluster, or 1.
        scaling: every case.
    """

    preset: str
    fragment: int
    copies: int
    updates_per_env_step: float
    cores: int
    nodes: int
    scaling: tuple[ScalingCase, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def runner_counts(text: str) -> tuple[int, ...]:
    """The numbers of runners in a text such as ``1,2,4,8``.

    Raises:
        ConfigError: it is none, or has numbers that can't be measured.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--runners is {text!r}; expected numbers of runners with commas between them, such as 1,2,4,8.")
    counts = tuple(map(int, parts))
    if len(set(counts)) < len(counts):
        raise ConfigError(f"--runners is {text!r}, which has a number twice; give each number of runners once.")
    if max(counts) > _MOST:
        raise ConfigError(f"--runners is {text!r}; a number of runners is from 0 to {_MOST:,}.")
    return counts


def require_memory(counts: Sequence[int]) -> None:
    """Refuse more runners than this machine's memory holds; processes that it kills say nothing.

    Raises:
        ConfigError: says how many it holds.
    """
    room = memory_bytes() // _RUNNER_BYTES
    if max(counts) > room:
        raise ConfigError(
            f"--runners asks for {max(counts):,} processes on this machine, whose memory holds about {room:,}; give fewer, "
            "or the --address of a Ray cluster."
        )


def benchmark_scaling(
    preset: Preset,
    counts: Sequence[int],
    measure: Callable[[Preset], ScalingCase],
    *,
    cores: int,
    nodes: int = 1,
    say: Callable[[str], None] = lambda line: None,
) -> ScalingBenchmark:
    """Measure the preset with each number of runners; it is neither validated nor judged.

    Args:
        preset: its data are at hand.
        counts: numbers of runners.
        measure: what measures a case.
        cores: of all nodes.
        nodes: how many there are.
        say: called with what is being measured.
    """
    cases = []
    for count in counts:
        say(f"Runners: {count} ...")
        cases.append(measure(case_preset(preset, count)))
    config = preset.config()
    return ScalingBenchmark(
        preset=preset.name,
        fragment=preset.runners.rollout_fragment_length,
        copies=preset.runners.num_envs_per_env_runner,
        updates_per_env_step=config.updates_per_env_step,
        cores=cores,
        nodes=nodes,
        scaling=tuple(cases),
    )


def case_preset(preset: Preset, runners: int) -> Preset:
    """The preset with another number of runners, and nothing to validate."""
    return replace(preset, runners=replace(preset.runners, num_env_runners=runners), validation=ValidationConfig())
