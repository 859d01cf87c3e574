"""RLlib's multi-agent env runner with metrics that cost once a sample instead of once an agent and step."""

from __future__ import annotations

from typing import Any

from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner
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
from rllib_citylearn.env.metrics import log_episode


class CommunityEnvRunner(MultiAgentEnvRunner):
    """Counts in plain integers while it samples and logs the sums when metrics are fetched.

    RLlib logs four values an agent and step, which for 17 buildings costs more than the networks. Episodes also report
    their KPIs and the means of their reward terms here, and the team's return, which RLlib's own return is N times.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._env_steps = self._agent_steps = self._episodes = 0
        super().__init__(**kwargs)

    def _increase_sampled_metrics(self, num_steps: int, next_obs: dict[str, Any], episode: Any) -> int:
        self._env_steps += num_steps
        self._agent_steps += len(next_obs)
        if episode.is_done:
            self._episodes += 1
            info = next(iter(episode.agent_episodes.values())).get_infos(-1)
            log_episode(self.metrics, info)
        return num_steps

    def get_metrics(self) -> Any:
        """RLlib's metrics, with the counts since the last call."""
        if self._env_steps:
            for per_call, lifetime, value in (
                (NUM_ENV_STEPS_SAMPLED, NUM_ENV_STEPS_SAMPLED_LIFETIME, self._env_steps),
                ((NUM_AGENT_STEPS_SAMPLED, COMMUNITY), (NUM_AGENT_STEPS_SAMPLED_LIFETIME, COMMUNITY), self._agent_steps),
                (
                    (NUM_MODULE_STEPS_SAMPLED, COMMUNITY),
                    (NUM_MODULE_STEPS_SAMPLED_LIFETIME, COMMUNITY),
                    self._agent_steps,
                ),
                (NUM_EPISODES, NUM_EPISODES_LIFETIME, self._episodes),
            ):
                self.metrics.log_value(per_call, value, reduce="sum")
                throughput = lifetime == NUM_ENV_STEPS_SAMPLED_LIFETIME
                self.metrics.log_value(lifetime, value, reduce="lifetime_sum", with_throughput=throughput)
            self._env_steps = self._agent_steps = self._episodes = 0
        return super().get_metrics()
