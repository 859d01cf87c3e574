"""A step that hangs ends the server all the same, with a sentence: one that neither answers nor ends helps nobody."""

from __future__ import annotations

import os
import sys
import threading
import time

from serve.processes import kill_descendants

_STATUS = 2


class Watchdog:
    """Ends this process, and all that it has started, when a step takes longer than it may.

    Its thread is there before Ray is, which may leave no room for another.
    """

    def __init__(self) -> None:
        self._deadline: tuple[float, str] | None = None
        self._changed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def within(self, seconds: float, sentence: str) -> None:
        """From now on ``seconds`` are left, after which ``sentence`` is said and everything ended."""
        self._deadline = time.monotonic() + seconds, sentence
        self._changed.set()

    def off(self) -> None:
        """Nothing is due any more."""
        self._deadline = None
        self._changed.set()

    def _watch(self) -> None:
        while True:
            due = self._deadline
            if due is not None and time.monotonic() >= due[0]:
                break
            self._changed.wait(None if due is None else due[0] - time.monotonic())
            self._changed.clear()
        print(f"rllib-citylearn serve: {due[1]}", file=sys.stderr, flush=True)
        kill_descendants(os.getpid())
        os._exit(_STATUS)
