"""Commands that train on a cluster, watched from outside while its machines are lost."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rllib_citylearn.errors import CheckpointError
from rllib_citylearn.export.checkpoint import read_run, verify_checkpoint
from tests.cluster.network import Cluster, ClusterNode

CLI = [sys.executable, "-m", "rllib_citylearn.cli.main"]
LIMIT_S = 240.0


class Watched:
    """A command on the cluster whose output is read as it comes."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self._log = process, log

    @property
    def output(self) -> str:
        return self._log.read_text()

    def wait_for(self, pattern: str, *, after: int = 0, limit_s: float = LIMIT_S) -> int:
        """Where the output that matches ``pattern`` ends; fails with all of it if the command ends or takes too long."""
        deadline = time.monotonic() + limit_s
        while True:
            found = re.compile(pattern).search(self.output, after)
            if found:
                return found.end()
            assert self.process.poll() is None, f"ended before {pattern!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"no {pattern!r} within {limit_s:g} s:\n{self.output}"
            time.sleep(0.2)

    def ended(self, limit_s: float = LIMIT_S) -> int:
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {limit_s:g} s:\n{self.output}")


def watched(cluster: Cluster, command: Sequence[str], log: Path, *, job: bool = False) -> Watched:
    """Run a command on the head, or as a job of the cluster's."""
    with log.open("w") as file:
        head = cluster.head
        if job:
            command = [str(Path(sys.executable).parent / "ray"), "job", "submit", "--", *command]
        # Or `ray` would keep what the job says until it has ended.
        env = {"PYTHONUNBUFFERED": "1"} | ({"RAY_ADDRESS": cluster.jobs_address} if job else {})
        process = head.popen(command, env, stdout=file)
    return Watched(process, log)


def learner_of(cluster: Cluster, run: Watched) -> ClusterNode:
    """The node that the run said last its learner is on."""
    address = re.findall(r"the learner is on ([\d.]+)\.", run.output)[-1]
    return next(node for node in cluster.workers if node.address == address)


def updates(run: Watched) -> list[int]:
    """Gradient steps in the lines of progress."""
    return [int(found.replace(",", "")) for found in re.findall(r"updates +([\d,]+)  training", run.output)]


def left_whole(folder: Path) -> None:
    """A run's folder has what training leaves."""
    verify_checkpoint(folder / "last")
    verify_checkpoint(folder / "best")
    assert (folder / "bundle" / "policy.onnx").is_file()
    assert (folder / "report.html").is_file()


def wait_for_files(folder: Path, pattern: str, limit_s: float = LIMIT_S) -> None:
    deadline = time.monotonic() + limit_s
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline, f"no {pattern} in {folder}"
        time.sleep(0.2)


def newest(run: Path) -> dict[str, Any]:
    """How far a run had come at its last whole checkpoint."""
    for folder in sorted(run.glob("checkpoint_*"), reverse=True):
        try:
            verify_checkpoint(folder / "last")
        except CheckpointError:
            continue
        found: dict[str, Any] = read_run(folder / "last")["progress"]
        return found
    pytest.fail(f"no whole checkpoint in {run}")


def write(path: Path, values: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(values))
    return str(path)


def training(preset: str, cluster: Cluster, runs: Path, *more: str) -> list[str]:
    return [*CLI, "train", preset, "--address", cluster.address, "--runs", str(runs), "--name", "run", *more]


def line_with(*nodes: ClusterNode) -> str:
    addresses = ", ".join(sorted(re.escape(node.address) for node in nodes))
    return rf"Runners sample on {addresses};.*\n"
