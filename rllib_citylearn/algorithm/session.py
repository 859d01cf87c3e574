"""What a run needs around it: a local Ray, and signals that end it in order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.local_ray import quiet, start_local_ray


@contextmanager
def ray_session(preset: Preset) -> Iterator[None]:
    """A local Ray with room for every runner and learner, unless the caller has connected to one already."""
    # Training and validation runners take turns, so that they share the cores; Ray has to count them one by one.
    config = preset.config()
    with local_session(config.num_env_runners + config.evaluation_num_env_runners + config.num_learners + 1):
        yield


@contextmanager
def local_session(cpus: int) -> Iterator[None]:
    """A local Ray that counts so many cores, unless the caller has connected to one already.

    Raises:
        UserError: it did not start.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    start_local_ray(cpus, 500 * 2**20)
    quiet()
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask for an orderly end; a second one ends at once."""
    received: list[int] = []

    def note(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
