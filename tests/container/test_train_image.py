"""The training image: what is in it, and a run of seconds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.container.engine import Engine
from tests.container.serving import WITHOUT_RIGHTS
from tests.small_data import short

OPTIONS = (*WITHOUT_RIGHTS, "--tmpfs=/tmp:rw,nosuid,nodev,size=1g,mode=1777", "--shm-size=512m")


pytestmark = pytest.mark.container


def test_it_explains_itself(engine: Engine, train_image: str) -> None:
    size = engine.inspect(train_image, "image")["Size"]
    print(f"train image: {size / 1e6:.0f} MB")
    assert size <= 3.5e9
    done = engine.once(train_image)
    assert done.returncode == 0
    assert "train" in done.stdout


def test_it_has_the_presets_and_all_that_training_needs(engine: Engine, train_image: str) -> None:
    done = engine.once(train_image, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    listed = engine.once(train_image, "tune_configs", options=["--entrypoint=ls"]).stdout.split()
    assert "quick.yaml" in listed
    build = engine.once(train_image, "-c", "import torch; print(torch.version.cuda)", options=["--entrypoint=python"])
    assert build.stdout.split() == ["None"]


def test_it_trains_and_leaves_a_bundle(engine: Engine, train_image: str, challenge_2022: Path, tmp_path: Path) -> None:
    """With a read-only root; runs and cache are mounted and belong to another group, as a pod's fsGroup does it."""
    tmp_path.chmod(0o755)
    data, runs, cache = (tmp_path / name for name in ("data", "runs", "cache"))
    for folder in (data, runs, cache):
        folder.mkdir()
    short(challenge_2022, data, ("Building_1", "Building_10"))
    for file in data.iterdir():
        if file.is_symlink():
            content = file.read_bytes()
            file.unlink()
            file.write_bytes(content)
        file.chmod(0o644)
    for folder in (runs, cache):
        folder.chmod(0o2775)
        os.chown(folder, 0, 2000)
    preset = {
        "name": "tiny",
        "seed": 1,
        "environment": {"dataset": "/data", "window": [700, 900], "episode_steps": 24, "random_start": True},
        "model": {"hidden": 16, "hint_size": 4, "coordinator_width": 8},
        "training": {
            "warmup_steps": 100,
            "critic_warmup_updates": 0,
            "train_batch_size_per_learner": 16,
            "replay_capacity": 5000,
            "updates_per_env_step": 0.1,
        },
        "runners": {"num_env_runners": 0, "num_envs_per_env_runner": 4, "rollout_fragment_length": 10},
        "stop": {"minutes": 5, "env_steps": 1200},
        "report": {"baselines": ["no-control"], "window": [700, 900], "processes": 1},
    }
    (data / "tiny.yaml").write_text(yaml.safe_dump(preset))
    mounts = [f"--volume={data}:/data:ro", f"--volume={runs}:/work/runs", f"--volume={cache}:/cache"]
    done = engine.once(
        train_image, "train", "/data/tiny.yaml", "--name", "tiny", options=[*OPTIONS, "--group-add=2000", *mounts]
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    report = json.loads((runs / "tiny" / "report.json").read_text())
    assert report
    assert (runs / "tiny" / "bundle" / "manifest.json").is_file()
    assert {path.stat().st_uid for path in (runs / "tiny").iterdir()} == {1001}


@pytest.mark.parametrize("program", ["ray", "wget", "bash"])
def test_it_can_be_a_ray_node(engine: Engine, train_image: str, program: str) -> None:
    done = engine.once(train_image, "-lc", f"command -v {program}", options=["--entrypoint=bash"])
    assert done.returncode == 0, program
