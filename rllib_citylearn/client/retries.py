"""When a request is sent again, and after how long. Pure decisions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

FIRST_WAIT_S = 0.1
"""Longest wait after the first failure; it doubles with every further one."""

LONGEST_WAIT_S = 2.0
"""Where the doubling ends."""

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses of a server or proxy that may answer a moment later. All others say that the request is wrong."""

SERVER_FAILED = 500
"""A failure inside the server. The same request most often fails again, so it gets one more attempt and no third."""

FAILURES_ALLOWED = 2
"""Responses with ``SERVER_FAILED`` that end a call."""

TOO_LATE = 504
"""The server, or a proxy, finds the deadline past. As the client still has time, their clocks may differ."""


def backoff_s(failures: int, draw: Callable[[], float]) -> float:
    """Seconds until the next attempt: exponential backoff with full jitter.

    Many clients lose a server at the same moment; were their waits alike, they would return at the same moment, too.

    Args:
        failures: of this call so far, at least 1.
        draw: gives uniform numbers within [0, 1).
    """
    return draw() * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30))


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that a response asks to wait, from ``Retry-After``; 0 where it has none, or a date."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


def wait_s(failures: int, headers: Mapping[str, str], draw: Callable[[], float]) -> float:
    """Seconds until the next attempt: what the server asks for at the least, and the backoff, for its jitter, on top."""
    return retry_after_s(headers) + backoff_s(failures, draw)
