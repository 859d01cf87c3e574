"""Washing machines of CityLearn 2.x, run by its rule, against CityLearn 3's appliances on the upgraded files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from rllib_citylearn.datasets import check_folder, upgrade_folder
from rllib_citylearn.datasets.washing_machines import has_washing_machines
from tests.datasets_toy import write_current

HOURS = 400
Rows = list[Mapping[str, str]]


def window_of(row: Mapping[str, str]) -> tuple[int, int]:
    return int(row["wm_start_time_step"]), int(row["wm_end_time_step"])


def consumption_in_2x(rows: Rows, commands: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """What a machine drew: one cycle a window, started by the first command while the window is open."""
    drawn = np.zeros(len(rows), np.float32)
    started = False
    for t, row in enumerate(rows):
        first, last = window_of(row)
        if window_of(rows[max(t - 1, 0)]) != (first, last):
            started = False
        if commands[t] and not started and first != -1 and first <= t <= last:
            started = True
            for offset, kwh in enumerate(json.loads(row["load_profile"])):
                if t + offset < len(drawn):
                    drawn[t + offset] += kwh
    return drawn


def consumption_now(folder: Path, appliance: Mapping[str, Any], commands: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """What CityLearn's appliance draws."""
    import pandas as pd
    from citylearn.base import EpisodeTracker
    from citylearn.data import DeferrableApplianceSimulation
    from citylearn.energy_model import DeferrableAppliance

    tracker = EpisodeTracker(0, len(commands) - 1)
    tracker.next_episode(len(commands), False, False, 0)
    simulation = DeferrableApplianceSimulation.from_dataframes(
        cycle_profiles=pd.read_csv(folder / appliance["cycle_profiles_file"]),
        flexibility_schedule=pd.read_csv(folder / appliance["flexibility_schedule_file"]),
    )
    machine = DeferrableAppliance(simulation, name="m", episode_tracker=tracker, seconds_per_time_step=3600)
    machine.reset()
    for t, command in enumerate(commands):
        machine.start_cycle(float(command))
        if t + 1 < len(commands):
            machine.next_time_step()
    return np.array(machine.electricity_consumption, np.float32)


def with_machine(folder: Path, rows: Rows, name: str = "Machine_1.csv") -> Path:
    """A data set with a washing machine in it."""
    write_current(folder)
    description = json.loads((folder / "schema.json").read_text())
    machine = {"type": "citylearn.energy_model.WashingMachine", "washing_machine_energy_simulation": name}
    description["buildings"]["Building_1"]["washing_machines"] = {"washing_machine_1": machine}
    description["buildings"]["Building_1"]["inactive_actions"] = ["washing_machine"]
    description["observations"] |= {"washing_machine_start_time_step": {"active": True, "shared_in_central_agent": True}}
    description["actions"] |= {"washing_machine": {"active": True}}
    (folder / "schema.json").write_text(json.dumps(description))
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, ["day_type", "hour", "wm_start_time_step", "wm_end_time_step", "load_profile"])
        writer.writeheader()
        writer.writerows({"day_type": 1, "hour": t % 24 + 1, **row} for t, row in enumerate(rows))
    return folder


def machine_rows(windows: Mapping[tuple[int, int], str], hours: int = HOURS) -> Rows:
    rows: Rows = []
    for t in range(hours):
        given = [(w, profile) for w, profile in windows.items() if w[0] <= t <= w[1]]
        (first, last), profile = given[0] if given else ((-1, -1), "-1")
        rows.append({"wm_start_time_step": str(first), "wm_end_time_step": str(last), "load_profile": profile})
    return rows


def drawn_windows(rng: np.random.Generator, hours: int = HOURS) -> dict[tuple[int, int], str]:
    windows, t = {}, int(rng.integers(0, 5))
    while t < hours - 12:
        last = t + int(rng.integers(0, 5))
        profile = rng.uniform(0.0, 4.0, rng.integers(1, 5)).round(3).tolist()
        windows[t, last] = json.dumps(profile)
        t = last + len(profile) + int(rng.integers(0, 6))
    return windows


def upgraded(folder: Path, target: Path) -> tuple[Path, dict[str, Any]]:
    upgrade_folder(folder, target, random_seed=0)
    description = check_folder(target)
    assert not has_washing_machines(description)
    return target, description


@pytest.mark.parametrize("seed", range(4))
def test_the_same_commands_draw_the_same_energy_as_in_2x(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    rows = machine_rows(drawn_windows(rng))
    folder, description = upgraded(with_machine(tmp_path / "old", rows), tmp_path / "new")
    (appliance,) = description["buildings"]["Building_1"]["deferrable_appliances"].values()
    for share in (0.05, 0.5, 1.0):
        commands = rng.random(HOURS) < share
        expected = consumption_in_2x(rows, commands)
        assert expected.any()
        np.testing.assert_array_equal(consumption_now(folder, appliance, commands), expected)


def test_the_official_machine_draws_the_same_energy_as_in_2x(shared_datasets: Path, tmp_path: Path) -> None:
    source = shared_datasets / "citylearn_challenge_2022_phase_all_plus_evs"
    folder, description = upgraded(source, tmp_path / "new")
    (appliance,) = description["buildings"]["Building_1"]["deferrable_appliances"].values()
    with (source / "Washing_Machine_1.csv").open() as file:
        rows: Rows = list(csv.DictReader(file))[:1200]
    commands = np.random.default_rng(0).random(len(rows)) < 0.3
    expected = consumption_in_2x(rows, commands)
    assert np.count_nonzero(expected) > 50
    np.testing.assert_array_equal(consumption_now(folder, appliance, commands), expected)
    # All else is taken as it is.
    old = json.loads((source / "schema.json").read_text())
    assert description["buildings"]["Building_2"] == old["buildings"]["Building_2"]
    assert {name for name in old["observations"] if "washing" not in name} <= set(description["observations"])
    assert (folder / "weather.csv").read_bytes() == (source / "weather.csv").read_bytes()


def test_names_follow_the_machine_into_the_schema(tmp_path: Path) -> None:
    _, description = upgraded(with_machine(tmp_path / "old", machine_rows({(3, 5): "[1.0]"})), tmp_path / "new")
    assert description["actions"]["deferrable_appliance"] == {"active": True}
    assert description["observations"]["deferrable_appliance_can_start"] == {"active": True, "shared_in_central_agent": True}
    assert description["buildings"]["Building_1"]["inactive_actions"] == ["deferrable_appliance"]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (machine_rows({(3, 9): "[1.0, 2.0, 3.0]", (10, 12): "[1.0]"}), "still runs when the next may start, at 10"),
        (machine_rows({(3, 5): "[1.0, -2.0]"}), "negative or no numbers"),
        (machine_rows({(3, 5): "7.0"}), "no list of numbers"),
        (machine_rows({(3, 5): "__import__('os')"}), "no list of numbers"),
        ([{**row, "wm_start_time_step": "noon"} for row in machine_rows({(3, 5): "[1.0]"})], "'noon' for a time step"),
        (
            [
                {**row, "load_profile": f"[{t}.0]"} if row["load_profile"] != "-1" else row
                for t, row in enumerate(machine_rows({(3, 5): "[1.0]"}))
            ],
            "depends on when it starts",
        ),
    ],
)
def test_a_machine_that_no_appliance_can_stand_for_is_left_out_with_a_warning(
    rows: Rows, reason: str, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match=f"washing_machine_1 of Building_1 is left out.*{reason}"):
        _, description = upgraded(with_machine(tmp_path / "old", rows), tmp_path / "new")
    assert "deferrable_appliances" not in description["buildings"]["Building_1"]
    assert not [name for name in (*description["observations"], *description["actions"]) if "deferrable" in name]
