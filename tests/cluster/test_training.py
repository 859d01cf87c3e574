"""Training and searches on a cluster of three nodes, some of which are lost on the way."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rllib_citylearn.export.checkpoint import verify_checkpoint
from tests.cluster.network import Cluster, ClusterNode, running_cluster, why_not
from tests.small_data import short

pytestmark = pytest.mark.cluster

CLI = [sys.executable, "-m", "rllib_citylearn.cli.main"]
LIMIT_S = 240.0

PRESET: dict[str, Any] = {
    "name": "tiny",
    "model": {"hidden": 16, "hint_size": 4, "coordinator_width": 8},
    "training": {
        "warmup_steps": 100,
        "critic_warmup_updates": 0,
        "train_batch_size_per_learner": 16,
        "replay_capacity": 5000,
        "updates_per_env_step": 0.05,
    },
    "runners": {"num_env_runners": 3, "num_envs_per_env_runner": 4, "rollout_fragment_length": 10},
    "stop": {"minutes": 30},
    "validation": {"starts": [700], "episode_steps": 48, "every_minutes": 0.05},
    "report": {"baselines": ["no-control"], "window": [700, 900], "processes": 1},
}


@pytest.fixture(scope="module")
def roomy() -> Iterator[Cluster]:
    """A head and two workers with two cores each, so that two of the three have room for a run."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be made here: {reason}")
    with running_cluster(cpus=2) as made:
        yield made


@pytest.fixture(scope="module")
def preset(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = short(challenge_2022, tmp_path_factory.mktemp("short"), ("Building_1", "Building_10"))
    environment = {"dataset": str(folder), "window": [700, 900], "episode_steps": 24, "random_start": True}
    return {**PRESET, "environment": environment}


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


def write(path: Path, values: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(values))
    return str(path)


def training(preset: str, cluster: Cluster, runs: Path, *more: str) -> list[str]:
    return [*CLI, "train", preset, "--address", cluster.address, "--runs", str(runs), "--name", "run", *more]


def line_with(*nodes: ClusterNode) -> str:
    addresses = ", ".join(sorted(re.escape(node.address) for node in nodes))
    return rf"Runners sample on {addresses};.*\n"


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_worker_that_is_lost_is_done_without_and_used_again_when_it_is_back(
    roomy: Cluster, preset: dict[str, Any], tmp_path: Path
) -> None:
    run = watched(
        roomy, training(write(tmp_path / "p.yaml", preset), roomy, tmp_path, "--minutes", "1.6"), tmp_path / "log", job=True
    )
    came = run.wait_for(r"Runners sample on .*; the learner is on ([\d.]+)\.\n")
    learner = re.findall(r"the learner is on ([\d.]+)\.", run.output)[0]
    came = run.wait_for(line_with(*roomy.nodes))
    lost = next(node for node in roomy.workers if node.address != learner)
    lost.kill()
    rest = [node for node in roomy.nodes if node is not lost]
    came = run.wait_for(line_with(*rest), after=came)
    run.wait_for(r"% .* steps/s\n", after=came)
    lost.start()
    run.wait_for(line_with(*roomy.nodes), after=came)
    assert run.ended() == 0, run.output
    assert "Training ended after its 1.6 minutes." in run.output
    verify_checkpoint(tmp_path / "run" / "last")
    assert (tmp_path / "run" / "bundle" / "policy.onnx").is_file()
