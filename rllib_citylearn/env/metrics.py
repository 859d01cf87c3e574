"""Episodes' KPIs and reward terms as RLlib metrics, for any of its algorithms.

    config.callbacks(CommunityMetrics)

``result["env_runners"]["kpis"]`` and ``["terms"]`` then hold means over the latest episodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ray.rllib.callbacks.callbacks import RLlibCallback

KPIS, TERMS = "kpis", "terms"
"""Under which metrics stand."""

INFO_KPIS, INFO_TERMS = "episode", "episode_terms"
"""Keys of an episode's last info."""

SCORE = "score"
"""The KPI by which policies are compared."""

WINDOW = 20
"""Number of latest episodes over which is averaged."""


def log_episode(metrics: Any, info: Mapping[str, Any], window: int = WINDOW) -> None:
    """Log what the last info of an episode says.

    Args:
        metrics: RLlib's ``MetricsLogger``.
        info: of any agent.
        window: number of latest episodes over which is averaged.
    """
    for key, group in ((INFO_KPIS, KPIS), (INFO_TERMS, TERMS)):
        for name, value in info.get(key, {}).items():
            metrics.log_value((group, name), value, window=window)


def log_communities(metrics: Any, infos: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    """Log the latest episodes of K communities, as many of each, so that means over episodes are means over communities.

    With several communities, ``score_0``, ``score_1``, ... among the KPIs are the scores of each.

    Args:
        metrics: RLlib's ``MetricsLogger``.
        infos: the last infos of the episodes that ended together, by community.
    """
    count = len(infos)
    each = min(max(1, WINDOW // count), *map(len, infos))
    for k, episodes in enumerate(infos):
        for info in episodes[-each:]:
            log_episode(metrics, info, window=WINDOW if count == 1 else each * count)
            if count > 1 and SCORE in info[INFO_KPIS]:
                metrics.log_value((KPIS, f"{SCORE}_{k}"), info[INFO_KPIS][SCORE], window=each)


class CommunityMetrics(RLlibCallback):
    """Logs each episode's KPIs relative to no control and the means of its reward terms."""

    def on_episode_end(self, *, episode: Any, metrics_logger: Any, **kwargs: Any) -> None:
        """RLlib's hook."""
        agents = getattr(episode, "agent_episodes", None)  # an episode of a single agent has none
        of_one = episode if agents is None else next(iter(agents.values()))
        log_episode(metrics_logger, of_one.get_infos(-1))
