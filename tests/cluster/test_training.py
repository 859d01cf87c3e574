"""Training and searches on a cluster of three nodes, some of which are lost on the way."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from rllib_citylearn.algorithm.progress import Progress
from rllib_citylearn.errors import CheckpointError
from rllib_citylearn.export.checkpoint import read_run, verify_checkpoint
from rllib_citylearn.files import cache_folder
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
def roomy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head that does no work, as in production, and three workers with two cores each."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no cluster can be made here: {reason}")
    # One cache for all nodes, with the kernels that are compiled already: half a minute of both cores a node.
    cache = tmp_path_factory.mktemp("cache")
    (cache_folder() / "kernels").mkdir(parents=True, exist_ok=True)
    (cache / "kernels").symlink_to(cache_folder() / "kernels")
    with running_cluster(3, cpus=2, env={"RLLIB_CITYLEARN_CACHE": str(cache)}, started=False) as made:
        made.head.cpus = 0
        for node in made.nodes:
            node.start()
        made.wait_for_nodes(4)
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


def test_a_worker_that_is_lost_is_done_without_and_used_again_when_it_is_back(
    roomy: Cluster, preset: dict[str, Any], tmp_path: Path
) -> None:
    """Five runners and the learner take all six cores, so that nobody moves in where the lost ones were."""
    full = {**preset, "runners": {**preset["runners"], "num_env_runners": 5}}
    command = training(write(tmp_path / "p.yaml", full), roomy, tmp_path, "--minutes", "1.5")
    run = watched(roomy, command, tmp_path / "log", job=True)
    came = run.wait_for(line_with(*roomy.workers))
    learner = learner_of(roomy, run)
    lost = next(node for node in roomy.workers if node is not learner)
    lost.kill()
    rest = [node for node in roomy.workers if node is not lost]
    came = run.wait_for(line_with(*rest), after=came)
    came = run.wait_for(r"% .* steps/s\n", after=came)
    lost.start()
    run.wait_for(line_with(*roomy.workers), after=came)
    assert run.ended() == 0, run.output
    assert "Training ended after its 1.5 minutes." in run.output
    assert "learner was lost" not in run.output
    left_whole(tmp_path / "run")


def test_a_learner_whose_machine_is_lost_goes_on_from_its_last_checkpoint(
    roomy: Cluster, preset: dict[str, Any], tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    two = {**preset, "runners": {**preset["runners"], "num_env_runners": 2}}
    options = ("--storage", storage.as_uri(), "--minutes", "2.0")
    run = watched(roomy, training(write(tmp_path / "p.yaml", two), roomy, tmp_path, *options), tmp_path / "log")
    came = run.wait_for(r"Runners sample on ")
    wait_for_files(storage / "run", "start-*/run/checkpoint_*/last/SHA256SUMS")
    lost = learner_of(roomy, run)
    lost.kill()
    came = run.wait_for(r"the run goes on from its last checkpoint", after=came)
    run.wait_for(r"% .* steps/s\n", after=came)
    assert learner_of(roomy, run) is not lost
    lost.start()
    assert run.ended() == 0, run.output
    left_whole(tmp_path / "run")
    assert (storage / "run" / "bundle" / "policy.onnx").is_file()


def test_a_driver_that_is_killed_loses_no_more_than_a_checkpoints_interval(
    roomy: Cluster, preset: dict[str, Any], tmp_path: Path
) -> None:
    storage = tmp_path / "storage"
    command = training(write(tmp_path / "p.yaml", preset), roomy, tmp_path, "--storage", str(storage), "--continue")
    run = watched(roomy, [*command, "--minutes", "10"], tmp_path / "log")
    run.wait_for(r"Runners sample on ")
    wait_for_files(storage / "run", "start-*/run/checkpoint_*/last/SHA256SUMS")
    run.process.kill()
    run.process.wait()
    stopped = Progress.from_dict(newest(storage / "run" / "start-000" / "run"))
    shutil.rmtree(tmp_path / "run")  # the machine where the command ran is gone, too
    again = watched(roomy, [*command, "--minutes", str(stopped.seconds / 60.0 + 0.3)], tmp_path / "again")
    assert again.ended() == 0, again.output
    assert 0 < stopped.updates <= updates(again)[0]
    shares = [int(found) for found in re.findall(r"^ *(\d+)% ", run.output, re.MULTILINE)]
    assert shares[-1] * 6.0 - stopped.seconds <= 60.0 + 10.0, "a minute between checkpoints; a percent is six seconds"
    left_whole(tmp_path / "run")


def test_a_search_whose_node_dies_finishes_all_trials(roomy: Cluster, preset: dict[str, Any], tmp_path: Path) -> None:
    write(tmp_path / "p.yaml", {**preset, "runners": {**preset["runners"], "num_env_runners": 0}})
    search = {
        "name": "search",
        "preset": "p.yaml",
        "space": {"training.actor_lr": {"loguniform": [1.0e-4, 1.0e-2]}},
        "fixed": {"stop.minutes": 0.6},
        "trials": 8,
    }
    file = write(tmp_path / "search.yaml", search)
    command = [*CLI, "tune", file, "--address", roomy.address, "--runs", str(tmp_path), "--name", "run"]
    run = watched(roomy, command, tmp_path / "log")
    run.wait_for(r"6 running")
    lost = roomy.workers[0]
    lost.kill()
    run.wait_for(r"it goes on from its last checkpoint")
    lost.start()
    assert run.ended(420.0) == 0, run.output
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [trial["status"] for trial in found["trials"]] == ["ended"] * 8
