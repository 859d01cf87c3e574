"""Where the CSV files for CityLearn UI go, and what is refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rllib_citylearn.baselines import make_baseline
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.env.config import FAST
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation import BaselineSpec, evaluate, evaluate_env, rollout
from rllib_citylearn.evaluation.business_as_usual import BusinessAsUsual
from rllib_citylearn.evaluation.citylearn_ui import check_device_names, check_ui_folder, policy_folders, write_citylearn_csv

HOURS = 12
ONE_BUILDING = {
    "exported_data_building_3_battery_ep0.csv",
    "exported_data_building_3_ep0.csv",
    "exported_data_business_as_usual_ep0.csv",
    "exported_data_community_ep0.csv",
    "exported_data_pricing_ep0.csv",
    "exported_kpis.csv",
}


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.csv")}


@pytest.fixture
def finished(challenge_2022: Path) -> Any:
    """An environment at the end of half a day."""
    env = make_citylearn_env(challenge_2022, buildings=["Building_3"], window=(0, HOURS))
    rollout(make_baseline("net-zero"), env)
    return env


@pytest.fixture
def usual() -> BusinessAsUsual:
    """The reference, on the fast engine."""
    return BusinessAsUsual(FAST)


@pytest.fixture(autouse=True)
def nothing_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run in an empty folder, and see that it and the place that CityLearn takes by itself stay as they are."""
    import citylearn

    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    around = Path(citylearn.__file__).parents[1]
    before = names_in(around), names_in(around / "citylearn")
    yield
    assert names_in(here) == set()
    assert (names_in(around), names_in(around / "citylearn")) == before


def test_an_export_is_whole_and_leaves_the_environment_alone(finished: Any, usual: BusinessAsUsual, tmp_path: Path) -> None:
    kpis, settings = evaluate_env(finished), (finished.render_output_root, finished.render_session_name)
    stages: list[tuple[str, int, int]] = []
    target = tmp_path / "deep" / "down" / "net-zero"
    written = write_citylearn_csv(
        finished,
        target,
        business_as_usual=usual,
        report=lambda step, total, stage="": stages.append((stage, step, total)),
    )
    assert written == target
    assert names_in(target) == ONE_BUILDING
    assert names_in(target.parent) == {"net-zero"}
    assert evaluate_env(finished) == kpis
    assert (finished.render_output_root, finished.render_session_name) == settings
    assert [one for one in stages if one[0] == "business as usual"][-1] == ("business as usual", HOURS, HOURS)
    assert [one[1] for one in stages if one[0] == "CSV files"] == list(range(HOURS))
    assert stages[-1][0] == "CSV of KPIs"
    # CityLearn's reference is the same, whoever simulates it.
    before = contents(target)
    finished.reset()
    rollout(make_baseline("net-zero"), finished)
    assert contents(write_citylearn_csv(finished, target)) == before


def test_an_episode_under_way_is_refused(challenge_2022: Path, tmp_path: Path) -> None:
    env = make_citylearn_env(challenge_2022, buildings=["Building_3"], window=(0, HOURS))
    env.reset()
    env.step([[0.0]])
    with pytest.raises(ConfigError, match=rf"stands at step 1 of {HOURS}"):
        write_citylearn_csv(env, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_an_earlier_export_is_replaced_and_nothing_else(finished: Any, usual: BusinessAsUsual, tmp_path: Path) -> None:
    folder = tmp_path / "net-zero"
    folder.mkdir()
    (folder / "exported_data_building_9_ep4.csv").write_text("of another community")
    write_citylearn_csv(finished, folder, business_as_usual=usual)
    assert names_in(folder) == ONE_BUILDING
    (folder / "thesis.txt").write_text("years of work")
    before = contents(folder)
    for refuse in (lambda: write_citylearn_csv(finished, folder), lambda: check_ui_folder(tmp_path, ["net-zero"])):
        with pytest.raises(ConfigError, match=r"would replace .*net-zero, but .*thesis\.txt is none of them"):
            refuse()
    assert contents(folder) == before
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_a_failure_leaves_what_was_there(
    finished: Any, usual: BusinessAsUsual, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from citylearn.exporter import EpisodeExporter

    folder = write_citylearn_csv(finished, tmp_path / "net-zero", business_as_usual=usual)
    before = contents(folder)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EpisodeExporter, "export_final_kpis", fail)
    with pytest.raises(ConfigError, match=r"can't be written to .*No space left on device"):
        write_citylearn_csv(finished, folder, business_as_usual=usual)
    assert contents(folder) == before
    assert names_in(tmp_path) == {"here", "net-zero"}


def test_a_schema_that_asks_for_another_format_still_gives_csv(
    finished: Any, usual: BusinessAsUsual, tmp_path: Path
) -> None:
    finished.render_file_format = "parquet"
    assert names_in(write_citylearn_csv(finished, tmp_path / "x", business_as_usual=usual)) == ONE_BUILDING
    assert finished.render_file_format == "parquet"


@pytest.mark.parametrize("name", ["../../elsewhere", "a/b", "/tmp/x"])
def test_names_that_are_paths_are_refused(finished: Any, name: str, tmp_path: Path) -> None:
    finished.buildings[0].name = name
    with pytest.raises(ConfigError, match=re.escape(repr(name))):
        check_device_names(finished)
    with pytest.raises(ConfigError, match="is a path"):
        write_citylearn_csv(finished, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_folders_of_policies_are_plain_and_different() -> None:
    policies = [
        "bau",
        "runs/quick 1/bundle",
        "runs/quick_1/bundle",
        "BAU",
        "../..",
        "...",
        "/",
        "ä",
        "a" * 999,
        ".hidden",
        "a_2",
    ]
    folders = policy_folders(policies)
    assert folders[:4] == ["bau", "runs_quick_1_bundle", "runs_quick_1_bundle_2", "BAU_2"]
    assert len({name.lower() for name in folders}) == len(policies)
    for name in folders:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)
        assert len(name) < 220


@pytest.mark.parametrize("place", ["file", "file/below", "n" * 300, "/proc/nowhere"], ids=lambda name: name[:9])
def test_unusable_places_are_refused_before_anything_runs(
    place: str, tmp_path: Path, challenge_2022: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("years of work")
    module = sys.modules["rllib_citylearn.evaluation.jobs"]
    monkeypatch.setattr(module, "rollout", lambda *_, **__: pytest.fail("it was simulated"))
    with pytest.raises(ConfigError, match=r"is a file|can't be written"):
        evaluate([BaselineSpec("bau")], challenge_2022, window=(0, HOURS), ui_folder=tmp_path / place)
    assert (tmp_path / "file").read_text() == "years of work"


def test_an_evaluation_writes_a_folder_a_policy_and_simulates_the_reference_once(
    challenge_2022: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated: list[Any] = []
    simulate = BusinessAsUsual._simulate

    def counting(self: BusinessAsUsual, *args: Any) -> Any:
        simulated.append(args)
        return simulate(self, *args)

    monkeypatch.setattr(BusinessAsUsual, "_simulate", counting)
    specs = [BaselineSpec(name) for name in ("bau", "no-control", "net-zero")]
    options: dict[str, Any] = {"buildings": ["Building_3"], "window": (0, HOURS)}
    with_files = evaluate(specs, challenge_2022, **options, ui_folder=tmp_path / "ui")
    assert len(simulated) == 1
    assert names_in(tmp_path / "ui") == {"bau", "no-control", "net-zero"}
    assert all(names_in(path) == ONE_BUILDING for path in (tmp_path / "ui").iterdir())
    without = evaluate(specs, challenge_2022, **options)
    assert [one.to_dict() for one in with_files] == [one.to_dict() for one in without]
    assert len(simulated) == 1
    # What is shared between policies is what each would have got alone.
    evaluate(specs[2:], challenge_2022, **options, ui_folder=tmp_path / "alone")
    assert len(simulated) == 2
    assert contents(tmp_path / "alone" / "net-zero") == contents(tmp_path / "ui" / "net-zero")
    assert contents(tmp_path / "ui" / "bau") != contents(tmp_path / "ui" / "net-zero")
    # Where nothing but batteries is controlled, the reference is what the baseline of that name does.
    district = pd.read_csv(tmp_path / "ui" / "bau" / "exported_kpis.csv", index_col="KPI")["District"]
    for name in ("cost_total_{}_eur", "emissions_total_{}_kgco2"):
        assert district[f"district_{name.format('control')}"] == district[f"district_{name.format('business_as_usual')}"] > 0


def test_the_reference_is_of_the_community_at_hand(challenge_2022: Path, usual: BusinessAsUsual, tmp_path: Path) -> None:
    files = []
    for building in ("Building_3", "Building_7", "Building_3"):
        env = make_citylearn_env(challenge_2022, buildings=[building], window=(0, HOURS))
        rollout(make_baseline("no-control"), env)
        folder = write_citylearn_csv(env, tmp_path / "x", business_as_usual=usual)
        files.append((folder / "exported_data_business_as_usual_ep0.csv").read_text())
    assert files[0] == files[2] != files[1]


@pytest.mark.slow
def test_processes_of_their_own_write_the_same_files(challenge_2022: Path, tmp_path: Path) -> None:
    specs = [BaselineSpec("bau"), BaselineSpec("no-control")]
    for processes in (1, 2):
        evaluate(
            specs,
            challenge_2022,
            buildings=["Building_3"],
            window=(0, HOURS),
            processes=processes,
            ui_folder=tmp_path / str(processes),
        )
    assert contents(tmp_path / "1") == contents(tmp_path / "2")
    assert len(contents(tmp_path / "1")) == 2 * len(ONE_BUILDING)
