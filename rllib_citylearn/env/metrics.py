"""Episodes' KPIs and reward terms as RLlib metrics, for any of its algorithms.

    config.callbacks(CommunityMetrics)

``result["env_runners"]["kpis"]`` and ``["terms"]`` then hold means over the latest episodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.rllib.callbacks.callbacks import RLlibCallback

KPIS, TERMS = "kpis", "terms"
"""Under which metrics stand."""

INFO_KPIS, INFO_TERMS = "episode", "episode_terms"
"""Keys of an episode's last info."""

WINDOW = 20
"""Number of latest episodes over which is averaged."""


def log_episode(metrics: Any, info: Mapping[str, Any]) -> None:
    """Log what the last info of an episode says.

    Args:
        metrics: RLlib's ``MetricsLogger``.
        info: of any agent.
    """
    for key, group in ((INFO_KPIS, KPIS), (INFO_TERMS, TERMS)):
        for name, value in info.get(key, {}).items():
            metrics.log_value((group, name), value, window=WINDOW)


class CommunityMetrics(RLlibCallback):
    """Logs each episode's KPIs relative to no control and the means of its reward terms."""

    def on_episode_end(self, *, episode: Any, metrics_logger: Any, **kwargs: Any) -> None:
        """RLlib's hook."""
        agents = getattr(episode, "agent_episodes", None)  # an episode of a single agent has none
        of_one = episode if agents is None else next(iter(agents.values()))
        log_episode(metrics_logger, of_one.get_infos(-1))
