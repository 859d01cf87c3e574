"""What runners count while they sample: plain integers, logged once when metrics are fetched."""

from __future__ import annotations

from typing import Any

from ray.rllib.utils.metrics import (
    NUM_AGENT_STEPS_SAMPLED,
    NUM_AGENT_STEPS_SAMPLED_LIFETIME,
    NUM_ENV_STEPS_SAMPLED,
    NUM_ENV_STEPS_SAMPLED_LIFETIME,
    NUM_EPISODES,
    NUM_EPISODES_LIFETIME,
    NUM_MODULE_STEPS_SAMPLED,
    NUM_MODULE_STEPS_SAMPLED_LIFETIME,
)

from rllib_citylearn.algorithm.names import COMMUNITY


class SampledCounts:
    """Steps and episodes since the last call of ``log``, under RLlib's names; agents are counted together.

    Attributes:
        env_steps_ever: steps since the runner started.
    """

    def __init__(self) -> None:
        self.env_steps_ever = 0
        self._env_steps = self._agent_steps = self._episodes = 0

    def add(self, env_steps: int, agent_steps: int, episodes: int) -> None:
        """Count on."""
        self.env_steps_ever += env_steps
        self._env_steps += env_steps
        self._agent_steps += agent_steps
        self._episodes += episodes

    def log(self, metrics: Any) -> None:
        """Hand the sums to RLlib's ``MetricsLogger`` and start from zero."""
        if not self._env_steps:
            return
        for per_call, lifetime, value in (
            (NUM_ENV_STEPS_SAMPLED, NUM_ENV_STEPS_SAMPLED_LIFETIME, self._env_steps),
            ((NUM_AGENT_STEPS_SAMPLED, COMMUNITY), (NUM_AGENT_STEPS_SAMPLED_LIFETIME, COMMUNITY), self._agent_steps),
            ((NUM_MODULE_STEPS_SAMPLED, COMMUNITY), (NUM_MODULE_STEPS_SAMPLED_LIFETIME, COMMUNITY), self._agent_steps),
            (NUM_EPISODES, NUM_EPISODES_LIFETIME, self._episodes),
        ):
            metrics.log_value(per_call, value, reduce="sum")
            throughput = lifetime == NUM_ENV_STEPS_SAMPLED_LIFETIME
            metrics.log_value(lifetime, value, reduce="lifetime_sum", with_throughput=throughput)
        self._env_steps = self._agent_steps = self._episodes = 0
