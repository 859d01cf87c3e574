"""What Linux's control groups allow this container at most."""

from __future__ import annotations

from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def memory_limit(groups: Path = _GROUPS) -> int | None:
    """Bytes that this container may hold; None where nothing limits it."""
    return _least(groups / "memory.max", groups / "memory" / "memory.limit_in_bytes")


def task_limit(groups: Path = _GROUPS) -> int | None:
    """Processes and threads that this container may have; None where nothing limits them."""
    return _least(groups / "pids.max", groups / "pids" / "pids.max")


def _least(*files: Path) -> int | None:
    """Of what stands in the files of both versions of control groups; a word there is no limit."""
    limits = [file.read_text().strip() for file in files if file.is_file()]
    return min((int(limit) for limit in limits if limit.isdecimal()), default=None)
