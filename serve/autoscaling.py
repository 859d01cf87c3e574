"""How many replicas there should be: as many as keep each of them busy for some share of the time.

Ray Serve's own policy counts requests that are being answered. Here each takes a millisecond of one thread, and those that
wait for it wait in its socket, where nobody counts them: a replica that can take no more counts one or two. So replicas say
how busy they are instead, and ``target_ongoing_requests`` has no effect.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.errors import ConfigError

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext

BUSY, ANSWERS = "busy", "answers"
"""Names under which a replica says how busy it is, and how many requests its policies answered since it last said so."""


class BusyThread:
    """Measures for what share of the time the calling thread computes, or would if it got a core."""

    def __init__(self) -> None:
        self._before = (time.monotonic(), self._runnable())

    def share(self) -> float:
        """Since the last call, within [0, 1]."""
        now = (time.monotonic(), self._runnable())
        (then, ran), self._before = self._before, now
        return min(max((now[1] - ran) / max(now[0] - then, 1e-6), 0.0), 1.0)

    @staticmethod
    def _runnable() -> float:
        """Seconds that the thread has run or waited for a core."""
        try:
            ran, waited, _ = Path("/proc/thread-self/schedstat").read_text().split()
        except (OSError, ValueError):
            return time.thread_time()  # not Linux: what it waited is not known
        return 1e-9 * (int(ran) + int(waited))


def replicas_for(busy: float, target: float) -> int:
    """As many replicas as share the work of ``busy`` that never rest, so that each is busy for ``target`` of the time."""
    return max(math.ceil(busy / target - 1e-6), 1)


class BusyReplicas:
    """An autoscaling policy for Serve config files, ``policy_function: serve.autoscaling:BusyReplicas``.

    Delays and bounds of ``autoscaling_config`` apply as they do to Serve's own. With a ``min_replicas`` of 0 none is left
    where no policy answered for a while; what looks at health and metrics counts only while it is being answered. Serve
    starts one for the next request of any kind, which waits for it.

    Args:
        target: share of the time that each replica should be busy, within (0, 1).

    Raises:
        ConfigError: another target.
    """

    def __init__(self, target: float = 0.6) -> None:
        if not 0.0 < target < 1.0:
            raise ConfigError(f"The autoscaling policy's 'target' is {target}; give a share within (0, 1).")
        self._target = target

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """The number of replicas that would be busy for the target's share of the time with the work that there is."""
        metrics = context.aggregated_metrics or {}
        busy, answers = metrics.get(BUSY, {}), metrics.get(ANSWERS, {})
        if not context.current_num_replicas or not busy:
            return context.target_num_replicas, {}
        if not any(answers.values()) and not context.total_num_requests:
            return 0, {}  # bounded from below by ``min_replicas``
        # Those that have said nothing yet are counted as the others are.
        work = sum(busy.values()) / len(busy) * max(context.current_num_replicas, 1)
        return replicas_for(work, self._target), {}
