"""Searches from the command line: two trials on a short window, an end in the middle, and what is left."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.cli.main import main
from rllib_citylearn.export.checkpoint import verify_checkpoint
from rllib_citylearn.tuning.outcome import Outcome, TrialRow
from tests.tiny import tiny, tiny_data

STEPS = 480
SEARCH = {
    "name": "two",
    "preset": "p.yaml",
    "space": {"training.actor_lr": {"loguniform": [1.0e-4, 1.0e-2]}, "model.hidden": {"choice": [8, 16]}},
    "trials": 2,
    "scheduler": {"name": "asha", "grace_minutes": 4.0, "reduction": 2.0},  # which stops nobody before they end
}


@pytest.fixture(scope="module")
def folder(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a preset on a short window; searches go beside it."""
    made = tmp_path_factory.mktemp("searches")
    (made / "short").mkdir()
    preset = tiny(
        tiny_data(challenge_2022, made / "short"),
        stop={"minutes": 5, "env_steps": STEPS},
        validation={"starts": [700], "episode_steps": 48, "every_minutes": 0.01},
    )
    (made / "p.yaml").write_text(yaml.safe_dump(preset))
    return made


def write(folder: Path, name: str, **given: Any) -> str:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump({**SEARCH, "name": name, **given}))
    return str(folder / f"{name}.yaml")


@pytest.fixture(scope="module")
def searched(folder: Path, ray_session: None) -> Path:
    """The folder of a search of two trials."""
    assert (
        main(["tune", write(folder, "two"), "--runs", str(folder / "runs"), "--name", "two", "--json", str(folder / "j")])
        == 0
    )
    return folder / "runs" / "two"


def test_two_trials_leave_a_table_pictures_and_a_preset(searched: Path, folder: Path) -> None:
    found = json.loads((folder / "j").read_text())
    assert found == json.loads((searched / "results.json").read_text())
    assert len(found["trials"]) == 2
    assert [trial["status"] for trial in found["trials"]] == ["ended", "ended"]
    values = [trial["metrics"]["best_objective"] for trial in found["trials"]]
    assert values == sorted(values)
    start = next(trial for trial in found["trials"] if trial["trial"] == found["preset"])
    assert start["values"] == {"training.actor_lr": 3e-4, "model.hidden": 16}
    with (searched / "trials.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["trial"] for row in table] == [trial["trial"] for trial in found["trials"]]
    assert [float(row["best_objective"]) for row in table] == pytest.approx(values)
    assert {file.name for file in (searched / "figures").iterdir()} >= {"curves.png", "parallel.png"}


def test_the_best_preset_is_ready_to_train_with_the_best_values(searched: Path) -> None:
    best = Preset.read(searched / "best.yaml")
    found = json.loads((searched / "results.json").read_text())["trials"][0]
    assert best.training["actor_lr"] == found["values"]["training.actor_lr"]
    assert best.model.hidden == found["values"]["model.hidden"]
    assert best.stop.env_steps == STEPS


def test_both_policies_are_judged_by_the_same_evaluation(searched: Path) -> None:
    judged = json.loads((searched / "results.json").read_text())["judged"]
    labels = scores(searched / "report.json")
    assert judged["best_score"] == labels["best"]
    assert judged["preset_score"] == labels.get("preset", labels["best"])
    for name in labels.keys() & {"best", "preset"}:
        verify_checkpoint(searched / name / "last")
        assert (searched / name / "bundle" / "policy.onnx").is_file()


def scores(report: Path) -> dict[str, float]:
    """Scores in a report, by policy."""
    found: dict[str, float] = {}

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if "policy" in value and "score" in value and isinstance(value["score"], float):
                found[str(value["policy"])] = value["score"]
            for one in value.values():
                look(one)
        elif isinstance(value, list):
            for one in value:
                look(one)

    look(json.loads(report.read_text()))
    return found


def test_a_folder_that_is_there_is_left_alone(searched: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (searched / "results.json").read_bytes()
    assert main(["tune", write(folder, "two"), "--runs", str(folder / "runs"), "--name", "two"]) == 2
    assert "There is something at" in capsys.readouterr().err
    assert (searched / "results.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--resume", "nowhere"], "There is no search at nowhere"),
        ([], "Give a search"),
        (["--resume", "{searched}", "--trials", "3"], "goes on with a search as it was begun; leave out trials"),
        (["{search}", "--continue"], "--continue goes on with what has the same name; give --name"),
        (["{search}", "--minutes", "0"], "--minutes is 0; give a number above 0"),
        (["{search}", "--minutes", "inf"], "--minutes is inf; give a number above 0"),
        (["{search}", "--trials", "1000000"], "trials is 1000000; expected 1 to 10,000"),
        (["{search}", "--name", "x" * 300], "can't be a folder"),
        (["{search}", "--storage", "~nobody-here/x"], "this machine knows no such user"),
        (["{search}", "--set", "model.hiden=3"], "fixed: model has no key 'hiden'. Did you mean 'hidden'"),
        pytest.param(
            ["{search}", "--tracker", "wandb"],
            "wandb is not installed",
            marks=pytest.mark.skipif(find_spec("wandb") is not None, reason="wandb is installed"),
        ),
        (["{search}", "--set", "runners.num_env_runners=40"], "A trial takes 41 CPU"),
    ],
)
def test_what_can_not_be_searched_is_said_at_once(
    searched: Path, folder: Path, options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    search = write(folder, "refused")
    given = [option.format(searched=searched, search=search) for option in options]
    assert main(["tune", *given, "--runs", str(folder / "runs")]) == 2
    assert sentence in capsys.readouterr().err


def ended(results: Path) -> bool:
    """Whether the trial that reported these had ended; its last line may be on its way."""
    lines = [line for line in results.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return bool(lines) and bool(json.loads(lines[-1])["done"])


def test_runs_that_can_not_be_kept_are_refused_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    search = write(folder, "nowhere")
    assert main(["tune", search, "--runs", search]) == 2
    assert "Runs can't be stored in" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_an_ended_search_goes_on_without_repeating_a_trial(folder: Path, end: signal.Signals) -> None:
    """When two of six trials have ended: as a machine that is taken away ends it, and as one that is lost."""
    name = f"four-{end.name}"
    search = write(folder, name, trials=6)
    runs = folder / "runs"
    output = folder / f"{name}.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-m", "rllib_citylearn.cli.main", "tune"]
    with output.open("w") as log:
        begun = subprocess.Popen(
            [*command, search, "--name", name, "--runs", str(runs)], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 180.0
        while sum(map(ended, (runs / name / "trials").glob("*/result.json"))) < 2:
            assert begun.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        begun.send_signal(end)
        assert begun.wait(90) == (0 if end == signal.SIGTERM else -end), output.read_text()
    assert ("tune --resume" in output.read_text()) == (end == signal.SIGTERM)
    results = list((runs / name / "trials").glob("*/result.json"))
    before = {path.parent.name: path.read_text() for path in results}
    finished = {path.parent.name for path in results if ended(path)}
    assert len(finished) >= 2
    assert main(["tune", "--resume", str(runs / name)]) == 0
    found = json.loads((runs / name / "results.json").read_text())
    assert [trial["status"] for trial in found["trials"]] == ["ended"] * 6
    for trial in finished:
        assert (runs / name / "trials" / trial / "result.json").read_text() == before[trial], "a finished trial ran again"


def test_a_search_that_ended_before_its_first_trial_begins_when_it_goes_on(searched: Path, folder: Path) -> None:
    """Tune had written how trials are made, and nothing of any trial."""
    runs = folder / "runs"
    shutil.copytree(searched, runs / "early", ignore=shutil.ignore_patterns("best*", "preset", "figures", "results.json"))
    for path in (runs / "early" / "trials").iterdir():
        if path.name != "tuner.pkl":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert main(["tune", "--resume", str(runs / "early")]) == 0
    found = json.loads((runs / "early" / "results.json").read_text())
    assert [trial["status"] for trial in found["trials"]] == ["ended"] * 2


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("trials/tuner.pkl", b"", "can't be read"),
        ("trials/tuner.pkl", None, "can't be read"),
        ("trials/experiment_state*", b"", "can't be read"),
        ("trials/experiment_state*", None, "can't be read"),
        ("search.json", b'{"search": ', "can't be read"),
        ("search.json", b"{}", "does not describe a search"),
        ("search.json", b"[]", "does not describe a run"),
    ],
)
def test_state_that_was_cut_short_is_said_in_a_sentence(
    searched: Path, tmp_path: Path, file: str, content: bytes | None, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(searched, tmp_path / "cut")
    for path in (tmp_path / "cut").glob(file):
        path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    assert main(["tune", "--resume", str(tmp_path / "cut")]) == 2
    assert sentence in capsys.readouterr().err


def test_the_best_is_the_lowest_that_left_a_policy() -> None:
    def row(name: str, value: float | None, checkpoint: object) -> TrialRow:
        metrics = {} if value is None else {"score": value}
        return TrialRow(name, {"seed": name}, "ended", metrics, checkpoint=checkpoint)

    trials = [row("a", 0.8, 1), row("b", None, 1), row("c", 0.5, None), row("d", 0.7, 1), row("e", float("nan"), 1)]
    outcome = Outcome.of(trials, "score", {"seed": "a"}, interrupted=False)
    assert [one.name for one in outcome.rows][:3] == ["c", "d", "a"]
    assert outcome.best is not None
    assert outcome.best.name == "d"
    assert outcome.reference is not None
    assert outcome.reference.name == "a"
