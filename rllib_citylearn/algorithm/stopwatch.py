"""What a function takes, added up over its calls."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Stopwatch:
    """Stands in for a function and adds up what its calls take.

    Args:
        function: is called with what this is called with.

    Attributes:
        seconds: of wall time.
        cpu_seconds: of this process, all of its threads.
        calls: how many there were.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.reset()

    def reset(self) -> None:
        """Forget the calls so far."""
        self.seconds = self.cpu_seconds = 0.0
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        begun, used = time.perf_counter(), time.process_time()
        result = self._function(*args, **kwargs)
        self.seconds += time.perf_counter() - begun
        self.cpu_seconds += time.process_time() - used
        self.calls += 1
        return result
