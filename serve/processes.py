"""Processes of a server as Linux shows them: which there are, and what they have computed."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path


def descendants(ancestor: int) -> list[int]:
    """Process ids of everything that ``ancestor`` started, directly or not."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(_fields(stat)[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    found = [ancestor]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def kill_descendants(ancestor: int) -> None:
    """End everything that ``ancestor`` started, without asking."""
    for pid in reversed(descendants(ancestor)):
        with suppress(ProcessLookupError):  # it has ended since
            os.kill(pid, signal.SIGKILL)


def processor_seconds(ancestor: int) -> float:
    """Processor time, in seconds, that ``ancestor`` and its living descendants have used so far."""
    ticks = 0
    for pid in (ancestor, *descendants(ancestor)):
        try:
            fields = _fields(Path(f"/proc/{pid}/stat"))
        except (FileNotFoundError, ProcessLookupError):
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _fields(stat: Path) -> list[str]:
    """Those behind the program's name, which may hold blanks itself."""
    return stat.read_text().rpartition(")")[2].split()
