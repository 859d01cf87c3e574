"""Checkpoints say whom they were trained on, and refuse others by name; presets of resumed runs likewise."""

from __future__ import annotations

import copy
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from rllib_citylearn.algorithm.community_record import CommunityRecord, Record, differences, record_of_layout
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.algorithm.progress import Progress
from rllib_citylearn.algorithm.resuming import Stopped, read_stopped, require_resumable
from rllib_citylearn.errors import CheckpointError, ConfigError
from rllib_citylearn.modules.layout import JointLayout

RECORD: Record = {
    "Building_1": {"columns": ["month", "soc"], "actions": ["electrical_storage"]},
    "Building_2": {"columns": ["month"], "actions": []},
}


def changed(**edits: object) -> Record:
    record = {name: dict(entry) for name, entry in copy.deepcopy(dict(RECORD)).items()}
    for where, value in edits.items():
        record["Building_1"][where] = value  # type: ignore[assignment]
    return record


def test_the_same_community_is_taken() -> None:
    assert differences(RECORD, copy.deepcopy(RECORD)) == ""
    CommunityRecord([RECORD]).set_state(CommunityRecord([RECORD]).get_state())


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (changed(columns=["month"]), ["columns soc", "not here"]),
        (changed(columns=["month", "soc", "load"]), ["columns load", "does not know"]),
        (changed(actions=["dhw_storage"]), ["actions electrical_storage", "actions dhw_storage"]),
        ({"Building_1": RECORD["Building_1"]}, ["buildings Building_2", "not here"]),
        ({**RECORD, "Building_9": RECORD["Building_2"]}, ["Building_9 are here"]),
        (dict(reversed(RECORD.items())), ["another order"]),
        (changed(columns=["soc", "month"]), ["another order"]),
    ],
)
def test_another_community_is_refused_by_name(ours: Record, words: list[str]) -> None:
    with pytest.raises(CheckpointError) as raised:
        CommunityRecord([ours]).set_state(CommunityRecord([RECORD]).get_state())
    assert [word for word in words if word not in str(raised.value)] == [], str(raised.value)


def test_every_community_counts() -> None:
    state = CommunityRecord([RECORD, changed(columns=["month"])]).get_state()
    CommunityRecord([RECORD, changed(columns=["month"])]).set_state(state)
    with pytest.raises(CheckpointError, match=r"over 2 communities, but this one has 1"):
        CommunityRecord([RECORD]).set_state(state)
    with pytest.raises(CheckpointError, match=r"of community 1 does not fit this run's data: here are the columns soc"):
        CommunityRecord([RECORD, RECORD]).set_state(state)


def test_environments_without_names_are_compared_by_size() -> None:
    def layout(columns: int) -> JointLayout:
        box = gym.spaces.Box(-1, 1, (columns,), np.float32)
        return JointLayout(gym.spaces.Dict({"a": box}), gym.spaces.Dict({"a": gym.spaces.Box(-1, 1, (1,), np.float32)}))

    assert differences(record_of_layout(layout(3)), record_of_layout(layout(3))) == ""
    assert "columns 2" in differences(record_of_layout(layout(3)), record_of_layout(layout(2)))


BASE = {"name": "x", "validation": {"starts": [0, 24]}, "training": {"actor_lr": 1.0e-3}}


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"actor_lr": 1.0e-4}},
        {"runners": {"num_env_runners": 1, "num_learners": 2}},
        {"stop": {"minutes": 99, "target_score": 0.7}},
        {"validation": {"starts": [0, 24], "every_minutes": 5}},
        {"environment": {"dataset": "elsewhere"}},
        {"report": {"baselines": []}},
    ],
)
def test_learning_runners_and_limits_may_change_when_a_run_goes_on(change: dict[str, object]) -> None:
    stopped = Stopped(Path("runs/x"), Preset.from_dict(BASE), {}, Progress())
    require_resumable(stopped, Preset.from_dict({**BASE, **change}))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"seed": 1}, "seed"),
        ({"name": "y"}, "name"),
        ({"model": {"hidden": 32}}, "model.hidden"),
        ({"environment": {"memory": True}}, "environment.memory"),
        ({"environment": {"buildings": "1-3"}}, "environment.buildings"),
        ({"validation": {"starts": [0, 48]}}, "validation.starts"),
    ],
)
def test_what_would_be_another_run_is_refused(change: dict[str, object], key: str) -> None:
    stopped = Stopped(Path("runs/x"), Preset.from_dict(BASE), {}, Progress())
    with pytest.raises(ConfigError, match=f"{key} can't change"):
        require_resumable(stopped, Preset.from_dict({**BASE, **change}))


def test_a_folder_without_a_run_and_a_run_that_was_never_saved_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no run at"):
        read_stopped(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(CheckpointError, match="before it was saved"):
        read_stopped(tmp_path)
