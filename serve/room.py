"""What a container may use at most, looked at before anything is started."""

from __future__ import annotations

from pathlib import Path

from rllib_citylearn.errors import ConfigError

LEAST_BYTES = 768 * 2**20
"""Memory with which a server does not become ready; idle it holds some 100 MiB more (docs/images.md)."""

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where a container sees its own limit: control groups of version 2, and of version 1."""


def memory_limit(files: tuple[Path, ...] = _LIMITS) -> int | None:
    """Bytes that this container may hold; None where nothing limits it."""
    for file in files:
        try:
            text = file.read_text().strip()
        except OSError:
            continue  # the other version's
        if text.isdecimal():
            return int(text)
    return None


def require_memory(limit: int | None) -> None:
    """Say that there is too little: the kernel would kill one process or another, mostly before it can say anything.

    Raises:
        ConfigError: a server can't become ready in it.
    """
    if limit is not None and limit <= LEAST_BYTES:
        raise ConfigError(
            f"The memory limit is {limit / 2**20:.0f} MiB, in which Ray and a replica have no room; give 1.5 GiB "
            "(`--memory 1536m`, or resources.limits.memory of the container)."
        )
