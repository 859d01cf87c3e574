"""The scaling benchmark on several nodes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster.network import Cluster
from tests.small_data import short

pytestmark = pytest.mark.cluster


def test_runners_are_spread_over_nodes_that_fetch_the_data(challenge_2022: Path, tmp_path: Path, cluster: Cluster) -> None:
    """The algorithm takes one of three nodes with a core each, its runners the others."""
    folder = tmp_path / "data"
    folder.mkdir()
    short(challenge_2022, folder, ("Building_1", "Building_10"), steps=200)
    preset = tmp_path / "small.yaml"
    values = {
        "name": "small",
        "environment": {"dataset": str(folder), "episode_steps": 24, "random_start": True},
        "model": {"hidden": 16},
        "training": {
            "train_batch_size_per_learner": 16,
            "updates_per_env_step": 0.05,
            "warmup_steps": 100,
            "replay_capacity": 5000,
        },
        "runners": {"num_envs_per_env_runner": 64, "rollout_fragment_length": 6},
    }
    preset.write_text(yaml.safe_dump(values))
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "rllib_citylearn.cli.main", "bench", "scaling", str(preset), "--runners", "2"]
    process = cluster.run([*command, "--seconds", "0.5", "--address", cluster.address, "--json", str(file)])
    try:
        said, _ = process.communicate(timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, said
    figures = json.loads(file.read_text())
    assert (figures["nodes"], figures["cores"]) == (3, 3)
    (case,) = figures["scaling"]
    assert case["runner_nodes"] == 2
    assert case["bytes_per_step"] > 0
    assert case["cores_busy"] > 0
