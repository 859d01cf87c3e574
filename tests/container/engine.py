"""Podman and buildah as root, on machines where they are set up for nobody: settings, building, running, ending."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PROGRAMS = ("podman", "buildah", "runc")

_SETTINGS = """\
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"

[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
log_driver = "k8s-file"
"""
"""Where no systemd runs: it would be asked for cgroups and logs. Limits above this process's own are refused."""

_FILES = 10_300
"""Open files that HAProxy asks for, as Ray sets it up."""

KEEP = "KEEP_IMAGES"
"""Variable of the environment: with any value, images and layers stay for the next run of the tests."""


def why_not() -> str | None:
    """Why containers can't be run here; None if they can."""
    if os.geteuid() != 0:
        return "they need root"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    files = _limit(resource.RLIMIT_NOFILE)
    return f"{files:,} open files are allowed, HAProxy needs {_FILES:,}" if files < _FILES else None


def _limit(kind: int, most: int = 65_536) -> int:
    """What containers are given of what this process may have."""
    _, hard = resource.getrlimit(kind)
    return most if hard == resource.RLIM_INFINITY else min(hard, most)


class Engine:
    """The two programs with settings of their own.

    Args:
        folder: for the settings.
    """

    def __init__(self, folder: Path) -> None:
        settings = folder / "containers.conf"
        limits = {"files": _limit(resource.RLIMIT_NOFILE), "processes": _limit(resource.RLIMIT_NPROC, 4096)}
        settings.write_text(_SETTINGS.format_map(limits))
        self.environment = {**os.environ, "CONTAINERS_CONF": str(settings)}

    def podman(self, *arguments: str, check: bool = True, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run podman; fails with what it said."""
        return self._run(["podman", *arguments], check, timeout_s)

    def build(
        self, tag: str, context: Path, file: Path, *options: str, check: bool = True, timeout_s: float = 1500.0
    ) -> subprocess.CompletedProcess[str]:
        """Build an image with buildah, in Docker's format, which knows health checks."""
        layers = str(KEEP in os.environ).lower()
        build = ["buildah", "bud", "--isolation", "chroot", "--network", "host", "--format", "docker", "--pull-never"]
        return self._run(
            [*build, f"--layers={layers}", *options, "-t", tag, "-f", str(file), str(context)], check, timeout_s
        )

    def exists(self, image: str) -> bool:
        return self.podman("image", "exists", image, check=False).returncode == 0

    def inspect(self, name: str, kind: str = "container") -> dict[str, Any]:
        """What podman knows of a container or an image."""
        (found,) = json.loads(self.podman("inspect", "--type", kind, name).stdout)
        return dict(found)

    def remove_image(self, tag: str) -> None:
        if KEEP not in os.environ:
            self.podman("image", "rm", "--force", tag, check=False)

    def once(self, image: str, *arguments: str, options: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a container until it ends by itself."""
        return self.podman("run", "--rm", *options, image, *arguments, check=False, timeout_s=600.0)

    @contextmanager
    def running(self, image: str, *arguments: str, options: Sequence[str] = ()) -> Iterator[Container]:
        """A container that is removed in the end, whatever it does."""
        name = f"citylearn-test-{uuid.uuid4().hex[:12]}"
        try:
            started = time.monotonic()
            self.podman("run", "--detach", "--name", name, *options, image, *arguments)
            yield Container(self, name, started)
        finally:
            self.podman("rm", "--force", "--time", "0", name, check=False)

    def _run(self, command: list[str], check: bool, timeout_s: float) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=timeout_s)
        if check and done.returncode:
            raise AssertionError(
                f"{' '.join(command)}\nended with {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-6000:]}"
            )
        return done


class Container:
    """One that runs.

    Attributes:
        started: when it was, by the monotonic clock.
    """

    def __init__(self, engine: Engine, name: str, started: float) -> None:
        self.engine, self.name, self.started = engine, name, started

    @property
    def address(self) -> str:
        """Of its own network."""
        networks = self.engine.inspect(self.name)["NetworkSettings"]
        return next(one["IPAddress"] for one in (*networks["Networks"].values(), networks) if one["IPAddress"])

    @property
    def pid(self) -> int:
        """Of its first process, as the machine sees it."""
        return int(self.engine.inspect(self.name)["State"]["Pid"])

    def run(self, *command: str, check: bool = True, timeout_s: float = 120.0) -> subprocess.CompletedProcess[str]:
        """A command inside."""
        return self.engine.podman("exec", self.name, *command, check=check, timeout_s=timeout_s)

    def logs(self) -> str:
        done = self.engine.podman("logs", self.name, check=False)
        return done.stdout + done.stderr

    def wait(self, timeout_s: float) -> int:
        """Its exit status, once it has ended."""
        deadline = time.monotonic() + timeout_s
        while (state := self.engine.inspect(self.name)["State"])["Running"]:
            assert time.monotonic() < deadline, f"it did not end within {timeout_s:g} s:\n{self.logs()[-3000:]}"
            time.sleep(0.2)
        return int(state["ExitCode"])
