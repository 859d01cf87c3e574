"""Runs that go wrong, are stopped and go on."""

from __future__ import annotations

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from rllib_citylearn.algorithm import training
from rllib_citylearn.algorithm.learner import CooperativeMADDPGLearner
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.resuming import read_stopped
from rllib_citylearn.algorithm.training import train
from rllib_citylearn.cli.main import main
from rllib_citylearn.env.lockstep import LockstepCommunities
from rllib_citylearn.errors import CheckpointError, TrainingError
from rllib_citylearn.export.checkpoint import load_module, verify_checkpoint
from tests.tiny import TRAINING, tiny, tiny_data


@pytest.fixture(scope="module")
def values(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = tiny_data(challenge_2022, tmp_path_factory.mktemp("short"))
    return tiny(data, training={**TRAINING, "updates_per_env_step": 0.1}, stop={"minutes": 5, "env_steps": 1200})


def weights_of(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.detach().cpu().numpy() for name, value in state.items()}


@pytest.fixture
def nan_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    """The critics' loss turns NaN after some gradient steps."""
    sound = CooperativeMADDPGLearner._critic_loss

    def planted(self: Any, *args: Any) -> torch.Tensor:
        loss = sound(self, *args)
        return loss * float("nan") if self._gradient_steps >= 60 else loss

    monkeypatch.setattr(CooperativeMADDPGLearner, "_critic_loss", planted)


@pytest.fixture
def nan_reward(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environments' rewards turn NaN after some hours."""
    sound, played = LockstepCommunities.step, []

    def planted(self: Any, actions: Any) -> Any:
        played.append(1)
        hour = sound(self, actions)
        return replace(hour, building_rewards=hour.building_rewards * np.nan) if len(played) > 150 else hour

    monkeypatch.setattr(LockstepCommunities, "step", planted)


@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize(("plant", "word"), [("nan_loss", "loss is nan"), ("nan_reward", "building_rewards")])
def test_what_turns_nan_stops_the_run_and_names_the_last_good_checkpoint(
    plant: str, word: str, values: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: Any
) -> None:
    request.getfixturevalue(plant)
    monkeypatch.setattr(training, "CHECKPOINT_EVERY_S", 0.0)
    monkeypatch.setattr(training, "SAVING_SHARE", 0.99)
    result = train(Preset.from_dict(values), tmp_path / "run", {"name": "tiny"}, lambda line: None)
    assert result.fault is not None
    assert word in result.fault
    saved = json.loads((tmp_path / "run" / "last" / "run.json").read_text())["progress"]["updates"]
    assert saved > 0
    assert f"The last good checkpoint is {tmp_path / 'run' / 'last'} ({saved:,} updates)" in result.fault
    assert "--resume" in result.fault
    verify_checkpoint(tmp_path / "run" / "last")
    module = load_module(tmp_path / "run" / "last")
    assert all(torch.isfinite(parameter).all() for parameter in module.parameters())


@pytest.mark.usefixtures("ray_session")
def test_weights_that_are_no_numbers_are_never_handed_on(values: dict[str, Any]) -> None:
    algorithm = Preset.from_dict(values).config().build_algo()
    try:
        algorithm.train()
        with torch.no_grad():
            next(iter(algorithm.learner_group._learner.community.critics[0].parameters())).view(-1)[0] = float("inf")
        algorithm.learner_group._learner.compute_loss_for_module = lambda **_: torch.zeros((), requires_grad=True)
        with pytest.raises(TrainingError, match="no longer finite"):
            algorithm.train()
    finally:
        algorithm.stop()


@pytest.mark.usefixtures("ray_session")
def test_a_checkpoint_of_other_data_is_refused_by_its_columns(values: dict[str, Any], tmp_path: Path) -> None:
    algorithm = Preset.from_dict(values).config().build_algo()
    algorithm.save_to_path(str(tmp_path / "checkpoint"))
    algorithm.stop()
    for change, word in (({"memory": True}, "columns"), ({"buildings": ["Building_1"]}, "Building_10")):
        other = Preset.from_dict({**values, "environment": {**values["environment"], **change}}).config().build_algo()
        before = weights_of(other.learner_group._learner.community.state_dict())
        with pytest.raises(CheckpointError, match=word):
            other.restore_from_path(str(tmp_path / "checkpoint"))
        after = weights_of(other.learner_group._learner.community.state_dict())
        assert all(np.array_equal(before[name], after[name]) for name in before), "nothing was restored"
        other.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_a_run_that_goes_wrong_still_reports_its_best_and_exits_with_1(
    values: dict[str, Any], tmp_path: Path, nan_loss: None, capsys: pytest.CaptureFixture[str]
) -> None:
    validation = {"starts": [710, 760], "episode_steps": 24, "every_minutes": 0.01}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({**values, "validation": validation}))
    assert main(["train", str(tmp_path / "x.yaml"), "--runs", str(tmp_path / "runs"), "--name", "a"]) == 1
    printed = capsys.readouterr()
    assert "The last good checkpoint is" in printed.err
    report = json.loads((tmp_path / "runs" / "a" / "report.json").read_text())
    assert "loss is nan" in report["training"]["fault"]
    assert {row["policy"] for row in report["communities"][0]["contenders"]} == {"policy", "no-control"}


@pytest.mark.slow
def test_a_run_stopped_by_sigterm_goes_on_where_it_was(values: dict[str, Any], tmp_path: Path, ray_session: None) -> None:
    validation = {"starts": [710, 760], "episode_steps": 24, "every_minutes": 0.02}
    preset = {**values, "validation": validation, "stop": {"minutes": 10}}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(preset))
    folder = tmp_path / "runs" / "a"
    command = [sys.executable, "-m", "rllib_citylearn.cli.main", "train"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    process = subprocess.Popen(
        [*command, str(tmp_path / "x.yaml"), "--runs", str(folder.parent), "--name", "a"], env=environment
    )
    deadline = time.monotonic() + 180
    while not (folder / "progress.csv").is_file() or len((folder / "progress.csv").read_text().splitlines()) < 6:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=180) == 0
    stopped = read_stopped(folder)
    assert stopped.progress.updates > 0
    rows_before = (folder / "progress.csv").read_text().splitlines()

    # What was saved is what a run goes on from: weights, replay, counters, history.
    algorithm = stopped.preset.config().build_algo()
    algorithm.restore_from_path(str(folder / "last"))
    restored = weights_of(algorithm.learner_group._learner.community.state_dict())
    saved = weights_of(load_module(folder / "last").state_dict())
    assert saved.keys() <= restored.keys()
    assert all(np.array_equal(value, restored[name]) for name, value in saved.items())
    assert algorithm.replay.added == stopped.progress.env_steps
    assert algorithm._updates == stopped.progress.updates
    algorithm.stop()

    more = stopped.progress.seconds / 60.0 + 0.05
    values = {**stopped.preset.to_dict(), "stop": {"minutes": more}, "runners": {"num_env_runners": 1}}
    train(Preset.from_dict(values), folder, stopped.description, lambda line: None, stopped=stopped)
    after = (folder / "progress.csv").read_text().splitlines()
    assert after[: len(rows_before)] == rows_before
    rows = list(csv.DictReader(after))
    assert len(rows) > len(rows_before) - 1
    for column in ("env_steps", "updates", "seconds"):
        assert all(np.diff([float(row[column]) for row in rows]) >= 0), column
    final = read_stopped(folder).progress
    assert final.validations > stopped.progress.validations
    assert final.best is not None
    assert stopped.progress.best is not None
    assert final.best.objective <= stopped.progress.best.objective
    assert main(["train", "--resume", str(folder), "--seed", "4"]) == 2


@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("full", ["last", "best"])
def test_a_full_disk_ends_no_run_and_is_said(
    values: dict[str, Any], tmp_path: Path, full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = training.save_checkpoint

    def save_elsewhere(algorithm: Any, path: Path, *arguments: Any, **others: Any) -> None:
        if path.name == full:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(algorithm, path, *arguments, **others)

    monkeypatch.setattr(training, "save_checkpoint", save_elsewhere)
    preset = Preset.from_dict({**values, "validation": {"starts": [700], "episode_steps": 48, "every_minutes": 0.01}})
    said: list[str] = []
    result = train(preset, tmp_path / "run", {}, said.append)
    assert any(
        f"{full} could not be written (No space left on device); what was there before stays" in line for line in said
    )
    assert result.progress.env_steps >= 1200
    verify_checkpoint(result.best)
    if full == "last":
        assert result.fault is not None
        assert "The end of the run could not be saved. The last good checkpoint is" in result.fault
        assert result.best.name == "best"
    else:
        assert result.fault is None
        assert result.best.name == "last", "a policy that was not kept is no best one"
