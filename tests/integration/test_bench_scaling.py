"""The scaling benchmark in small: figures that belong together, and numbers of runners that make no sense."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rllib_citylearn.algorithm.scaling_benchmark import case_preset, require_memory, runner_counts
from rllib_citylearn.cli.main import main
from rllib_citylearn.errors import ConfigError
from tests.small_data import short

HOURS, COPIES = 6, 64
ROW = {
    "runners",
    "env_steps_per_s",
    "train_env_steps_per_s",
    "driver_us_per_step",
    "bytes_per_step",
    "weight_bytes_per_round",
    "cores_busy",
}


@pytest.fixture
def preset(challenge_2022: Path, tmp_path: Path) -> Path:
    """Of two buildings that see plain features, in which nobody simulates on."""
    folder = tmp_path / "data"
    folder.mkdir()
    short(challenge_2022, folder, ("Building_1", "Building_10"))
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
        "runners": {"num_envs_per_env_runner": COPIES, "rollout_fragment_length": HOURS},
    }
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.usefixtures("ray_session")
def test_figures_belong_together(preset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert main(["bench", "scaling", str(preset), "--runners", "0,1", "--seconds", "0.3", "--json", str(file)]) == 0
    figures = json.loads(file.read_text())
    assert (figures["preset"], figures["fragment"], figures["copies"], figures["nodes"]) == ("small", HOURS, COPIES, 1)
    alone, one = figures["scaling"]
    assert set(alone) >= ROW
    assert (alone["runners"], one["runners"]) == (0, 1)
    assert alone["bytes_per_step"] == alone["weight_bytes_per_round"] == 0
    for case in figures["scaling"]:
        assert case["env_steps_per_s"] > case["train_env_steps_per_s"] > 0
        assert 0 < case["add_us_per_step"] < case["driver_us_per_step"]
        # An update for every 20 steps, but for what is owed at either end of the measurement.
        assert case["updates_per_s"] / case["train_env_steps_per_s"] == pytest.approx(0.05, rel=0.2)
        assert 0 < case["learning_share"] < 1
        assert case["cores_busy"] > 0
    assert one["driver_us_per_step"] < alone["driver_us_per_step"]  # it does not play
    assert one["bytes_per_step"] == pytest.approx(needed_bytes(preset), rel=0.05)
    assert len(capsys.readouterr().out.splitlines()) == 4 + 2


def needed_bytes(preset: Path) -> float:
    """Of the arrays of a fragment, for an environment step; metrics and Ray's own come on top."""
    from rllib_citylearn.algorithm.names import COMMUNITY
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
    from rllib_citylearn.modules.layout import JointLayout

    runner = CommunityVectorRunner(config=case_preset(Preset.read(preset), 0).config(), worker_index=0, num_workers=0)
    n, d = JointLayout(*runner.get_spaces()[COMMUNITY]).observation_mask.shape
    runner.stop()
    singles = n * d * (HOURS + 1) / HOURS + n + n + 1  # observations before and after, actions, rewards, the district's
    return 4 * singles + 1


@pytest.mark.parametrize("text", ["", "two", "1,-2", "1.5", "1,,2", "1,2,1", "5000"])
def test_numbers_of_runners_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"--runners is '.*\.$"):
        runner_counts(text)


def test_more_runners_than_the_memory_holds_are_refused() -> None:
    require_memory((0, 1))
    with pytest.raises(ConfigError, match="--address"):
        require_memory((1, 100_000))


def test_no_time_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "scaling", "--seconds", "0"]) == 2
    assert "above 0" in capsys.readouterr().err


@pytest.mark.usefixtures("ray_session")
def test_more_runners_than_a_cluster_has_cores_are_refused(preset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "scaling", str(preset), "--address", "auto", "--runners", "1,50"]) == 2
    assert "take 51 cores" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_a_cluster_is_measured_from_within(preset: Path, tmp_path: Path) -> None:
    """The algorithm and its runners are processes of one placement group, with data that the run holds ready."""
    file = tmp_path / "figures.json"
    arguments = ["--address", "auto", "--runners", "1", "--seconds", "0.3", "--json", str(file)]
    assert main(["bench", "scaling", str(preset), *arguments]) == 0
    figures = json.loads(file.read_text())
    (case,) = figures["scaling"]
    assert figures["cores"] == 3  # that the session counts
    assert case["bytes_per_step"] == pytest.approx(needed_bytes(preset), rel=0.05)
    assert case["cores_busy"] > 0
