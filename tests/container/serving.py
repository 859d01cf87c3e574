"""The serve image as it is meant to be run: with nothing that it does not need."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from serve.processes import descendants
from tests.container.engine import Container, Engine

WITHOUT_RIGHTS = (
    "--user=1001:1001",
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=2g",
    "--memory-swap=2g",
    "--pids-limit=1024",
    # Or all containers together would have the weight of one other process of this machine.
    "--cgroup-parent=/",
    "--cpu-shares=65536",
)

TEMPORARY = ("--tmpfs=/tmp:rw,noexec,nosuid,nodev,size=512m,mode=1777", "--shm-size=256m")

PORT = 8000


@dataclass
class Served:
    container: Container
    url: str
    ready_s: float


def mounted(bundle: Path) -> str:
    return f"--volume={bundle}:/bundles/current:ro"


@contextmanager
def served(engine: Engine, image: str, volume: str, *arguments: str, options: Sequence[str] = ()) -> Iterator[Served]:
    """A server that answers, and how long it took to.

    Args:
        engine: runs it.
        image: of the server.
        volume: option that mounts what it serves.
        arguments: the image's own, if none are given.
        options: further ones of ``podman run``.
    """
    with engine.running(image, *arguments, options=[*WITHOUT_RIGHTS, *TEMPORARY, volume, *options]) as container:
        url = f"http://{container.address}:{PORT}"
        yield Served(container, url, wait_until_ready(container, url))


def wait_until_ready(container: Container, url: str, timeout_s: float = 90.0) -> float:
    """Seconds from the start until ``/ready`` says yes."""
    while (passed := time.monotonic() - container.started) < timeout_s:
        try:
            if httpx.get(f"{url}/ready", timeout=5.0).status_code == 200:
                return time.monotonic() - container.started
        except httpx.TransportError:
            assert container.engine.inspect(container.name)["State"]["Running"], container.logs()[-3000:]
        time.sleep(0.1)
    raise AssertionError(f"not ready after {passed:.0f} s:\n{container.logs()[-3000:]}")


def processes(container: Container) -> list[int]:
    """All of a container's, as the machine numbers them."""
    return [container.pid, *descendants(container.pid)]


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def memory_bytes(container: Container) -> int:
    """Memory that a container holds: what its control group counts less file pages that can be dropped.

    That is what Kubernetes compares with a limit.
    """
    lines = Path(f"/proc/{container.pid}/cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            folder, usage, inactive = Path(f"/sys/fs/cgroup/memory{path}"), "memory.usage_in_bytes", "total_inactive_file"
        elif line.startswith("0::") and len(lines) == 1:
            folder, usage, inactive = Path(f"/sys/fs/cgroup{path}"), "memory.current", "inactive_file"
        else:
            continue
        stat = dict(entry.split() for entry in (folder / "memory.stat").read_text().splitlines())
        return int((folder / usage).read_text()) - int(stat[inactive])
    raise AssertionError(f"no control group counts the container's memory: {lines}")


def proportional_bytes(container: Container) -> int:
    """Memory of all its processes, shared pages by their share."""
    total = 0
    for pid in processes(container):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total
