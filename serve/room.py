"""Whether a container has room for a server, looked at before anything is started."""

from __future__ import annotations

from rllib_citylearn.errors import ConfigError

LEAST_BYTES = 768 * 2**20
"""Memory with which a server does not become ready; idle it holds some 100 MiB more (docs/images.md)."""

LEAST_TASKS = 256
"""Processes and threads with which a server does not become ready; idle it has 300 on two cores."""


def require_room(memory: int | None, tasks: int | None) -> None:
    """Say that there is too little: one process or another would be killed, or wait for ever, mostly without a word.

    Args:
        memory: limit in bytes; None for none.
        tasks: limit of processes and threads; None for none.

    Raises:
        ConfigError: a server can't become ready in it.
    """
    if memory is not None and memory <= LEAST_BYTES:
        raise ConfigError(
            f"The memory limit is {memory / 2**20:.0f} MiB, in which Ray and a replica have no room; give 1.5 GiB "
            "(`--memory 1536m`, or resources.limits.memory of the container)."
        )
    if tasks is not None and tasks <= LEAST_TASKS:
        raise ConfigError(
            f"No more than {tasks} processes and threads are allowed, and Ray alone has more; allow 1024 "
            "(`--pids-limit 1024`, or the kubelet's podPidsLimit)."
        )
