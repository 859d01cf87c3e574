"""Successive halving goes on with what it knew when a search was interrupted, and never stops the preset's own trial."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.fs
import pytest

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.tuning.schedulers import scheduler
from rllib_citylearn.tuning.search import SchedulerConfig, Search, SearchConfig

MINUTES = (0.4, 0.8, 1.2, 1.6, 2.4, 3.2)


@pytest.fixture
def search() -> Search:
    preset = Preset.from_dict({"name": "x", "validation": {"starts": [0]}, "stop": {"minutes": 3.2}})
    config = SearchConfig(
        name="s",
        preset="x.yaml",
        space={"training.actor_lr": {"loguniform": [1.0e-4, 1.0e-2]}},
        scheduler=SchedulerConfig("asha", grace_minutes=0.8, reduction=2.0),
        metric="objective",
    )
    return Search.of(config, preset)


class Trial:
    """A trial as schedulers know it, with the file of results that Tune writes for it."""

    def __init__(self, name: str, folder: Path, config: dict[str, Any], results: list[dict[str, Any]]) -> None:
        self.trial_id, self.config, self.results = name, config, results
        path = folder / name
        path.mkdir(exist_ok=True)
        local = pyarrow.fs.LocalFileSystem()
        self.storage = SimpleNamespace(trial_dir_name=name, trial_fs_path=str(path), storage_filesystem=local)

    def reported(self, count: int, cut: str = "") -> None:
        lines = [json.dumps(result) for result in self.results[:count]]
        text = "".join(line + "\n" for line in lines) + cut
        (Path(self.storage.trial_fs_path) / "result.json").write_text(text)


def trials(folder: Path, search: Search, *, seed: int = 0) -> list[Trial]:
    """Eight whose objectives fall at random; the first has the preset's own values."""
    draw = random.Random(seed)
    made = []
    for number in range(8):
        value = 0.8
        results = []
        for minutes in MINUTES:
            value -= 0.04 * draw.random()
            results.append({"minutes": minutes, "objective": value})
        config = search.start if number == 0 else {"training.actor_lr": 1e-4 * (number + 1)}
        made.append(Trial(f"t{number}", folder, config, results))
    return made


def begun(search: Search, given: list[Trial]) -> Any:
    asha = scheduler(search)
    asha.set_search_properties(metric="objective", mode="min")
    for trial in given:
        asha.on_trial_add(None, trial)
    return asha


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cut", ["", '{"minutes": 0.8, "obj'])
def test_a_search_that_goes_on_decides_as_one_that_was_not_interrupted(
    search: Search, tmp_path: Path, seed: int, cut: str
) -> None:
    """Three trials reported all they had, the fourth the beginning, when the search was interrupted."""
    given = trials(tmp_path, search, seed=seed)
    whole = begun(search, given)
    counts = [6, 6, 6, 3, 0, 0, 0, 0]
    for trial, count in zip(given, counts, strict=True):
        trial.reported(count, cut)
        for result in trial.results[:count]:
            whole.on_trial_result(None, trial, result)
    resumed = begun(search, given)  # Tune makes a scheduler anew, and gives it every trial that there was
    later = [(trial, result) for trial, count in zip(given, counts, strict=True) for result in trial.results[count:]]
    wanted = [whole.on_trial_result(None, trial, result) for trial, result in later]
    assert [resumed.on_trial_result(None, trial, result) for trial, result in later] == wanted
    assert set(wanted) == {"CONTINUE", "STOP"}


def test_the_presets_own_trial_is_never_stopped(search: Search, tmp_path: Path) -> None:
    given = trials(tmp_path, search)
    asha = begun(search, given)
    for trial in given[1:]:
        for result in trial.results:
            asha.on_trial_result(None, trial, result)
    worst = [asha.on_trial_result(None, given[0], {**result, "objective": 9.0}) for result in given[0].results]
    assert worst == ["CONTINUE"] * len(MINUTES)
    twin = Trial("twin", tmp_path, {"training.actor_lr": 5e-3}, [])
    asha.on_trial_add(None, twin)
    assert asha.on_trial_result(None, twin, {"minutes": 0.9, "objective": 9.0}) == "STOP"


@pytest.mark.parametrize("name", ["none", "asha", "pbt"])
def test_state_is_written_as_soon_as_a_trial_has_ended(search: Search, name: str) -> None:
    class Controller:
        def __init__(self) -> None:
            self.finished, self.written = [False] * 3, list[bool]()

        def get_trials(self) -> list[Any]:
            return [SimpleNamespace(status="RUNNING", is_finished=lambda done=done: done) for done in self.finished]

        def checkpoint(self, *, force: bool) -> None:
            self.written.append(force)

    controller, asked = (
        Controller(),
        scheduler(replace(search, config=replace(search.config, scheduler=SchedulerConfig(name)))),
    )
    counts = []
    for finished in ([False] * 3, [True, False, False], [True, False, False], [True, True, True], [True, True, True]):
        controller.finished = finished
        asked.choose_trial_to_run(controller)
        counts.append(len(controller.written))
    assert counts == [0, 1, 1, 2, 2]
    assert all(controller.written)
