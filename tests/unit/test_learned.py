"""Learning baselines, as far as nothing has to be learnt: names, records, budgets, settings."""

from __future__ import annotations

import errno
import json
import pickle
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.baselines.learned import LEARNED, LearnedSpec, train_learned, trainer
from rllib_citylearn.baselines.learned.budget import Budget
from rllib_citylearn.baselines.learned.community import stretches
from rllib_citylearn.baselines.learned.family import Learnt, Task
from rllib_citylearn.baselines.learned.record import RECORD, read_record, write_record
from rllib_citylearn.errors import CheckpointError, ConfigError, TrainingError
from rllib_citylearn.evaluation.specs import spec_for
from tests.small_data import short


class Family:
    """Learns nothing, and counts how often it is asked to."""

    trained = 0

    def train(self, task: Task, folder: Path, budget: Budget) -> Learnt:
        self.trained += 1
        (folder / "policy.txt").write_text(f"{task.seed}")
        budget.start()
        return Learnt(env_steps=5, updates=3, training_s=1.0, reward="none", policy="the last one")

    def load(self, name: str, folder: Path, record: Any) -> Any:
        return SimpleNamespace(name=name, text=(folder / "policy.txt").read_text(), seed=record["task"]["seed"])


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> Family:
    one = Family()
    for entry in LEARNED.values():
        monkeypatch.setattr(type(entry), "family", lambda self: one)
    return one


@pytest.fixture(scope="module")
def data(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short(challenge_2022, tmp_path_factory.mktemp("short"), ("Building_1", "Building_2"), 100)


@pytest.fixture
def given(data: Path, tmp_path: Path) -> dict[str, Any]:
    return {"schema": data, "seed": 1, "minutes": 0.5, "folder": tmp_path / "learned"}


def test_listing_what_there_is_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'ray', 'citylearn', 'numba'} & set(sys.modules)"
    code = f"import sys; from rllib_citylearn.baselines.learned import LEARNED; print(len(LEARNED), {heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(LEARNED)), "set()"]


def test_no_learning_baseline_is_called_like_a_rule() -> None:
    assert not set(LEARNED) & set(BASELINES)


def test_settings_are_json_and_say_how_to_train() -> None:
    for entry in LEARNED.values():
        assert json.loads(json.dumps(entry.settings)) == entry.settings
        assert entry.settings


def test_an_unknown_name_is_answered_with_the_nearest(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"'rllib-pp0'\. Did you mean 'rllib-ppo'"):
        train_learned("rllib-pp0", **given)


def test_a_training_is_a_folder_with_a_record_and_a_spec_acts_from_it(family: Family, given: dict[str, Any]) -> None:
    folder = train_learned("rllib-ppo", **given)
    record = read_record(folder)
    assert record["task"] | {"versions": {}} == {
        "name": "rllib-ppo",
        "settings": record["task"]["settings"],
        "data": {"name": given["schema"].name, "sha256": record["task"]["data"]["sha256"]},
        "buildings": ["Building_1", "Building_2"],
        "window": [0, 99],
        "seed": 1,
        "random_seed": 2022,
        "minutes": 0.5,
        "versions": {},
        "revision": trainer.REVISION,
    }
    assert record["task"]["settings"] == LEARNED["rllib-ppo"].settings
    assert {"numpy", "torch", "ray", "citylearn"} <= set(record["task"]["versions"])
    assert record["reached"]["env_steps"] == 5
    assert record["reached"]["updates"] == 3
    assert {"training_s", "wall_s", "reward", "policy"} <= set(record["reached"])
    spec = LearnedSpec("rllib-ppo", str(folder))
    assert pickle.loads(pickle.dumps(spec)) == spec
    assert spec.make().text == "1"
    assert spec_for(str(folder)) == spec


def test_the_same_training_is_used_again_and_another_one_refused(family: Family, given: dict[str, Any]) -> None:
    folder = train_learned("rllib-ppo", **given)
    assert train_learned("rllib-ppo", **given, buildings=["Building_2", "Building_1"], window=(0, 99)) == folder
    assert train_learned("rllib-ppo", **given, random_seed=2022) == folder, "the schema's own seed"
    assert family.trained == 1
    for name, changed, told in (
        ("rllib-sac", {}, 'name "rllib-ppo" instead of "rllib-sac"'),
        ("rllib-ppo", {"seed": 2}, "seed 1 instead of 2"),
        ("rllib-ppo", {"minutes": 0.6}, "minutes 0.5 instead of 0.6"),
        ("rllib-ppo", {"window": (0, 50)}, r"window \[0, 99\] instead of \[0, 50\]"),
        ("rllib-ppo", {"buildings": ["Building_2"]}, "buildings"),
        ("rllib-ppo", {"random_seed": 1}, "random_seed 2022 instead of 1"),
    ):
        with pytest.raises(ConfigError, match=f"holds another training: .*{told}"):
            train_learned(name, **{**given, **changed})
    assert family.trained == 1


def test_other_data_are_another_training(
    family: Family, given: dict[str, Any], challenge_2022: Path, tmp_path: Path
) -> None:
    train_learned("rllib-ppo", **given)
    (tmp_path / given["schema"].name).mkdir()
    other = short(challenge_2022, tmp_path / given["schema"].name, ("Building_1", "Building_2"), 100)
    with (other / "weather.csv").open("a") as file:
        file.write("\n")
    with pytest.raises(ConfigError, match="holds another training: data"):
        train_learned("rllib-ppo", **{**given, "schema": other})


def test_what_fails_leaves_nothing(family: Family, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(task: Task, folder: Path, budget: Budget) -> Learnt:
        (folder / "half").write_text("")
        raise TrainingError("no")

    monkeypatch.setattr(family, "train", failing)
    with pytest.raises(TrainingError):
        train_learned("rllib-ppo", **given)
    assert list(given["folder"].parent.iterdir()) == []


def test_a_folder_with_something_else_in_it_is_left_alone(family: Family, given: dict[str, Any]) -> None:
    given["folder"].mkdir()
    train_learned("rllib-ppo", **given)  # an empty one will do
    (given["folder"] / RECORD).unlink()
    with pytest.raises(ConfigError, match="holds no learnt baseline"):
        train_learned("rllib-ppo", **given)
    assert (given["folder"] / "policy.txt").is_file()


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_no_time_is_no_training(minutes: float, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="minutes"):
        train_learned("rllib-ppo", **{**given, "minutes": minutes})


@pytest.mark.parametrize("spoil", ["edit", "add", "remove", "version", "json", "other"])
def test_a_damaged_folder_is_refused(spoil: str, tmp_path: Path) -> None:
    (tmp_path / "policy.txt").write_text("1")
    write_record(tmp_path, {"name": "rllib-ppo"}, {}, None)
    record = tmp_path / RECORD
    match spoil:
        case "edit":
            (tmp_path / "policy.txt").write_text("2")
        case "add":
            (tmp_path / "more.txt").write_text("")
        case "remove":
            (tmp_path / "policy.txt").unlink()
        case "version":
            record.write_text(record.read_text().replace('"format_version": 1', '"format_version": 2'))
        case "json":
            record.write_text(record.read_text()[:-20])
        case "other":
            record.write_text("[]")
    with pytest.raises(CheckpointError):
        LearnedSpec("rllib-ppo", str(tmp_path)).make()


def test_a_spec_of_another_name_is_refused(tmp_path: Path) -> None:
    task = {"name": "rllib-ppo", **dict.fromkeys(("settings", "data", "buildings", "window", "seed", "minutes"))}
    write_record(tmp_path, task, {"env_steps": 1, "updates": 1}, None)
    with pytest.raises(CheckpointError, match="holds rllib-ppo, not rllib-sac"):
        LearnedSpec("rllib-sac", str(tmp_path)).make()
    with pytest.raises(CheckpointError, match="no learnt baseline"):
        LearnedSpec("rllib-sac", str(tmp_path / "nowhere")).make()


def test_a_budget_is_spent_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("rllib_citylearn.baselines.learned.budget.time.monotonic", lambda: now[0])
    told: list[tuple[float, float]] = []
    budget = Budget(0.1, lambda done, total: told.append((done, total)))
    now[0] += 50.0  # building is not counted
    budget.start()
    spent = []
    for _ in range(14):
        now[0] += 0.5
        spent.append(budget.spent())
    assert spent == [False] * 11 + [True] * 3
    assert told[:3] == [(1.0, 6.0), (2.0, 6.0), (3.0, 6.0)]
    assert told[-1] == (6.0, 6.0)
    assert all(done <= total for done, total in told)


@pytest.mark.parametrize("window", [(0, 8759), (0, 99), (100, 1700), (719, 4300)])
def test_stretches_cover_the_window_about_month_by_month(window: tuple[int, int]) -> None:
    starts, hours = stretches(_task(window))
    assert starts[0] == window[0]
    assert starts[-1] + hours <= window[1] - 1
    assert window[1] - 1 - (starts[-1] + hours) <= 2
    assert all(b - a <= hours + hours // 2 for a, b in pairwise(starts))
    if window == (0, 8759):
        assert len(starts) == 12
        assert hours == 728


def test_a_window_without_a_day_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"10\.\.34 has 23 hours"):
        stretches(_task((10, 34)))


def _task(window: tuple[int, int]) -> Task:
    return Task("rllib-ppo", Path(), ("Building_1",), window, 0, None, {}, {})


def test_the_record_of_a_task_does_not_hang_on_where_the_data_lie(data: Path) -> None:
    task = trainer._task("rllib-ppo", data / "schema.json", None, None, 0, 1.0, None)
    assert str(data) not in json.dumps(task.record)


def test_a_damaged_training_in_the_cache_is_made_again(
    family: Family, given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "cache_folder", lambda: tmp_path / "cache")
    task = {key: value for key, value in given.items() if key != "folder"}
    folder = train_learned("rllib-ppo", **task)
    made = (folder / RECORD).stat().st_mtime_ns
    assert train_learned("rllib-ppo", **task) == folder
    assert (folder / RECORD).stat().st_mtime_ns == made
    (folder / RECORD).write_text("{")
    assert train_learned("rllib-ppo", **task) == folder
    assert read_record(folder)["task"]["name"] == "rllib-ppo"
    assert train_learned("rllib-ppo", **{**task, "minutes": 0.7}) != folder


def test_the_rule_that_training_starts_from_is_not_called_learnt() -> None:
    from rllib_citylearn.baselines.learned.ddpg_family import _require_learnt

    result: Any = SimpleNamespace(policy_updates=0, progress=SimpleNamespace(updates=12))
    task: Any = SimpleNamespace(name="independent-ddpg", settings=LEARNED["independent-ddpg"].settings)
    with pytest.raises(TrainingError, match=r"12 updates\) nothing beat the rule it starts from, 'level'"):
        _require_learnt(result, task, Budget(0.1))
    result.policy_updates = 1
    _require_learnt(result, task, Budget(0.1))


def test_a_full_disk_is_said(family: Family, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(trainer, "write_record", full)
    with pytest.raises(ConfigError, match=r"No space left on device.*Make room"):
        train_learned("rllib-ppo", **given)
    assert not given["folder"].exists()
