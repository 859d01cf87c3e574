"""Limits on the rate of requests: a bucket of tokens for each caller (the "token bucket" of RFC 2697's kin)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from http import HTTPStatus

from serve.problems import ProblemError

_BURST_S = 2.0
"""A caller that was silent may send what belongs to so many seconds at once."""


_ROUNDING = 1e-6
"""What sums of fractions may lack of a whole request: who waited as told is let through."""


class Rates:
    """How much each caller may still send.

    Args:
        per_second: requests that a caller may send.
        clock: seconds that never go back.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._most = max(1.0, per_second * _BURST_S)
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, caller: str) -> None:
        """One request of ``caller``: a token's name, so there are as many callers as tokens.

        Raises:
            ProblemError: 429 with Retry-After, the seconds until there is room.
        """
        now = self._clock()
        left, then = self._left.get(caller, (self._most, now))
        left = min(self._most, left + (now - then) * self._rate)
        if left < 1.0 - _ROUNDING:
            self._left[caller] = (left, now)
            wait = math.ceil((1.0 - left) / self._rate)
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"More than {self._rate:g} requests a second came from this caller; try again in {wait} s.",
                {"retry-after": str(wait)},
            )
        self._left[caller] = (left - 1.0, now)
