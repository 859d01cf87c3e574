"""RLlib's multi-agent env runner with metrics that cost once a sample instead of once an agent and step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

from rllib_citylearn.algorithm.exploration_state import EXPLORATION, identity, of_runner
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.sampled_counts import SampledCounts
from rllib_citylearn.env.metrics import log_episode


class CommunityEnvRunner(MultiAgentEnvRunner):
    """Counts in plain integers while it samples and logs the sums when metrics are fetched.

    RLlib logs four values an agent and step, which for 17 buildings costs more than the networks. Episodes also report
    their KPIs and the means of their reward terms here, and the team's return, which RLlib's own return is N times.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.counts = SampledCounts()
        super().__init__(**kwargs)

    def _increase_sampled_metrics(self, num_steps: int, next_obs: dict[str, Any], episode: Any) -> int:
        self.counts.add(num_steps, len(next_obs), int(episode.is_done))
        if episode.is_done:
            log_episode(self.metrics, _last_info(episode))
        return num_steps

    def get_metrics(self) -> Any:
        """RLlib's metrics, with the counts since the last call."""
        self.counts.log(self.metrics)
        return super().get_metrics()

    def last_infos(self, episodes: int) -> list[Mapping[str, Any]]:
        """Play whole episodes without exploration noise; the info of the last step of each."""
        infos = [_last_info(episode) for episode in self.sample(num_episodes=episodes, explore=False, force_reset=True)]
        self.get_metrics()  # RLlib's runner keeps finished episodes until somebody asks
        return infos[:episodes]

    def get_state(self, components: Any = None, *, not_components: Any = None, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state, and where the exploration noise stands."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **kwargs)
        if self.env is not None and self._check_component(EXPLORATION, components, not_components):
            state[EXPLORATION] = {"runner": identity(self), "noise": self.module[COMMUNITY].exploration_state()}
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``get_state``."""
        super().set_state(state)
        exploration = of_runner(self, state)
        if self.env is not None and exploration is not None:
            self.module[COMMUNITY].set_exploration_state(exploration["noise"])


def _last_info(episode: Any) -> Mapping[str, Any]:
    info: Mapping[str, Any] = next(iter(episode.agent_episodes.values())).get_infos(-1)
    return info
