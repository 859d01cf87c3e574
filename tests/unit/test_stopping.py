"""When a run ends, and what it remembers of itself."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from rllib_citylearn.algorithm.objective import SHORTFALLS, mean_kpis, objective
from rllib_citylearn.algorithm.preset import StopConfig
from rllib_citylearn.algorithm.progress import COLUMNS, Progress, progress_line, progress_row, start_table
from rllib_citylearn.algorithm.stopping import limit_reached, next_save, share_done, validation_says_stop
from rllib_citylearn.errors import ConfigError

RESULT = {
    "env_steps": 100,
    "updates": 7,
    "score": math.nan,
    "team_return": 1.0,
    "env_steps_per_s": 5.0,
    "updates_per_s": 1.0,
    "else": 3,
}


def run_of(*objectives: float, minutes_each: float = 1.0) -> Progress:
    """A run that was validated with these objectives, one validation every so many minutes."""
    progress = Progress()
    for number, value in enumerate(objectives):
        at = {**RESULT, "env_steps": 100 * number, "updates": 10 * number}
        progress = progress.at(60.0 * minutes_each * number, at).validated({"score": value, "objective": value})
    return progress


def test_every_limit_ends_a_run_and_none_before_it_is_reached() -> None:
    stop = StopConfig(minutes=10, env_steps=1000, updates=50)
    before = Progress(seconds=599.9, env_steps=999, updates=49)
    assert limit_reached(stop, before) == ""
    assert 0.98 < share_done(stop, before) < 1.0
    for reached, name in (
        (replace(before, seconds=600.0), "minutes"),
        (replace(before, env_steps=1000), "env_steps"),
        (replace(before, updates=50), "updates"),
    ):
        assert name in limit_reached(stop, reached)
        assert share_done(stop, reached) == 1.0


def test_patience_counts_from_the_best_validation_and_ties_are_no_progress() -> None:
    by_time, by_count = StopConfig(patience_minutes=3), StopConfig(patience_validations=3)
    for objectives, ends in (
        ((0.9,), False),
        ((0.9, 0.8, 0.8, 0.81), False),
        ((0.9, 0.8, 0.8, 0.81, 0.85), True),
        ((0.9, 0.8, 0.8, 0.81, 0.79), False),
    ):
        for stop in (by_time, by_count):
            assert bool(validation_says_stop(stop, run_of(*objectives))) == ends, (objectives, stop)
    assert validation_says_stop(StopConfig(), run_of(*[0.9] * 50)) == ""
    assert validation_says_stop(by_count, Progress()) == ""


def test_a_target_ends_a_run_as_soon_as_it_is_met() -> None:
    stop = StopConfig(target_score=0.75)
    assert not validation_says_stop(stop, run_of(0.9, 0.7501))
    assert "0.7500" in validation_says_stop(stop, run_of(0.9, 0.75))


@pytest.mark.parametrize("cost", [0.0, 0.5, 3.0, 20.0])
def test_saving_takes_at_most_its_share(cost: float) -> None:
    wait = next_save(cost, 60.0, 0.05)
    assert wait >= 60.0
    assert cost / (cost + wait) <= 0.05 + 1e-12


def test_progress_survives_json_and_keeps_the_best() -> None:
    progress = run_of(0.9, 0.8, 0.85)
    assert progress.best is not None
    assert progress.latest is not None
    assert (progress.best.objective, progress.best.updates, progress.latest.objective) == (0.8, 10, 0.85)
    assert Progress.from_dict(json.loads(json.dumps(progress.to_dict()))) == progress
    apart = progress.validated({"score": 1.0, "objective": 1.0}, {"score": 0.5, "objective": 0.5})
    assert apart.best == progress.best
    assert apart.best_held_out is not None
    assert apart.best_held_out.objective == 0.5
    assert "held-out 0.500" in progress_line(0.5, apart, RESULT)


def test_the_table_of_a_killed_run_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for steps in (100, 200, 300, 400):
            table.writerow(progress_row(Progress(env_steps=steps), {**RESULT, "env_steps": steps}))
    start_table(path, Progress(env_steps=200))
    with path.open(newline="") as file:
        assert [row["env_steps"] for row in csv.DictReader(file)] == ["100", "200"]
    start_table(path, Progress())
    assert path.read_text().splitlines() == [",".join(COLUMNS)]


BATTERIES = {"cost": 0.7, "carbon": 0.8, "ramping": 0.9, "load_factor": 0.9, "score": 0.8}


def test_where_nobody_is_served_the_objective_is_the_score() -> None:
    assert objective(BATTERIES) == BATTERIES["score"]
    assert mean_kpis([BATTERIES, {**BATTERIES, "score": 0.6}])["objective"] == pytest.approx(0.7)


@pytest.mark.parametrize("name", SHORTFALLS)
def test_who_serves_nobody_is_never_preferred(name: str) -> None:
    """Charging a fleet that doubles bill and emissions is still better than leaving it empty; likewise the others."""
    empty = {**BATTERIES, "score": 1.0, name: 1.0 if name != "discomfort" else 5.0}
    served = {**BATTERIES, "score": 1.9, name: 0.0}
    assert objective(served) < objective(empty)


def test_a_stretch_without_departures_does_not_hide_those_of_others() -> None:
    means = mean_kpis([BATTERIES, {**BATTERIES, "departure": 0.5}])
    assert "departure" not in means
    assert means["objective"] == pytest.approx(0.8 + 2.0 * 0.5 / 2)
    with pytest.raises(ConfigError, match="no score"):
        mean_kpis([BATTERIES, {"cost": 1.0}])
