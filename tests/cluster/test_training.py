"""Training and searches on a cluster of three nodes, some of which are lost on the way."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.algorithm.progress import Progress
from tests.cluster.network import Cluster
from tests.cluster.runs import (
    CLI,
    learner_of,
    left_whole,
    line_with,
    newest,
    training,
    updates,
    wait_for_files,
    watched,
    write,
)
from tests.tiny import tiny, tiny_data

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def preset(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny(
        tiny_data(challenge_2022, tmp_path_factory.mktemp("short")),
        runners={"num_env_runners": 3, "num_envs_per_env_runner": 4, "rollout_fragment_length": 10},
        stop={"minutes": 30},
        validation={"starts": [700], "episode_steps": 48, "every_minutes": 0.05},
    )


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
