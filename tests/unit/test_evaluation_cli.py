"""``rllib-citylearn evaluate`` from its arguments to what it prints and writes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from rllib_citylearn.cli.evaluate import add_parser
from rllib_citylearn.errors import ConfigError, EngineError, UserError


def call(*arguments: object) -> int:
    """Run the command line in this process."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["evaluate", *map(str, arguments)])
    status: int = args.run(args)
    return status


def test_one_policy_gives_one_object(challenge_2022: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--buildings", "2,4-5", "--window", "10:40", "--seed", 5, "--json", "-")
    assert call("net-zero", "--data", challenge_2022, *options) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["policy"] == "net-zero"
    assert result["buildings"] == ["Building_2", "Building_4", "Building_5"]
    assert result["window"] == [10, 40]
    assert result["seed"] == 5
    assert result["data"]["name"] == challenge_2022.name
    assert result["score"] != 1.0


def test_a_report_shows_what_stands_beside(challenge_2022: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, folder = tmp_path / "result.json", tmp_path / "report"
    options = ("--buildings", "1", "--window", "0:30", "--processes", 1, "--json", file, "--out", folder)
    assert call("net-zero", "--data", challenge_2022, *options) == 0
    assert json.loads(file.read_text())["policy"] == "net-zero"
    assert capsys.readouterr().out.startswith("policy")
    report = json.loads((folder / "report.json").read_text())
    assert {entry["policy"] for entry in report["communities"][0]["contenders"]} == {"net-zero", "no-control", "bau"}
    assert report["command"].startswith("rllib-citylearn evaluate net-zero --data")
    assert list((folder / "figures").glob("*.png"))


def test_with_perfect_foresight_beside_it_the_share_of_the_possible_is_known(
    challenge_2022: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--data", challenge_2022, "--buildings", "1-2", "--window", "0:60", "--json", "-")
    assert call("net-zero", *options, "--beside", "foresight") == 0
    shared = json.loads(capsys.readouterr().out)
    assert call("foresight", *options) == 0
    bound = json.loads(capsys.readouterr().out)
    assert call("net-zero", *options) == 0
    assert json.loads(capsys.readouterr().out)["share_of_possible"] is None
    assert shared["share_of_possible"] == pytest.approx((1.0 - shared["score"]) / (1.0 - bound["score"]))
    assert bound["share_of_possible"] == 1.0


def test_both_engines_print_the_same_numbers(challenge_2022: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for policy in ("bau", "optimized-rbc"):
        results = []
        for engine in ("fast", "citylearn"):
            options = ("--buildings", "1,3", "--window", "500:620", "--processes", 1, "--engine", engine, "--json", "-")
            assert call(policy, "--data", challenge_2022, *options) == 0
            results.append(json.loads(capsys.readouterr().out))
        fast, slow = results
        assert (fast.pop("engine"), slow.pop("engine")) == ("fast", "citylearn")
        assert fast == slow


def test_the_fast_engine_is_the_default_and_the_table_says_so(
    challenge_2022: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for options, engine in (((), "fast"), (("--engine", "citylearn"), "citylearn")):
        assert call("net-zero", "--data", challenge_2022, "--buildings", 1, "--window", "0:30", *options) == 0
        assert f"Simulated by the engine {engine}. The KPIs are CityLearn's own." in capsys.readouterr().out


def test_what_the_fast_engine_cannot_simulate_is_refused_and_citylearn_offered(
    challenge_2022: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in challenge_2022.iterdir():
        (tmp_path / file.name).symlink_to(file)
    schema = json.loads((challenge_2022 / "schema.json").read_text())
    schema["community_market"] = {"enabled": True}
    (tmp_path / "schema.json").unlink()
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    options = ("--data", tmp_path, "--buildings", "1-2", "--window", "0:30")
    with pytest.raises(EngineError, match=r"a community market.*--engine citylearn"):
        call("net-zero", *options)
    assert call("net-zero", *options, "--engine", "citylearn") == 0
    assert "net-zero" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ("nothing",),
        ("bau", "--buildings", "18"),
        ("bau", "--window", "9:3"),
        ("bau", "--processes", "0"),
        ("bau", "--engine", "turbo"),
        ("bau", "--beside", "net-zero,runs/mine"),
    ],
    ids=["unknown policy", "no such building", "backwards", "no process", "unknown engine", "no baseline beside"],
)
def test_mistakes_are_answered_before_anything_runs(challenge_2022: Path, options: tuple[str, ...]) -> None:
    with pytest.raises(UserError):
        call(*options, "--data", challenge_2022)


def test_csv_files_for_citylearns_dashboard(
    challenge_2022: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, report = tmp_path / "ui", tmp_path / "report"
    options = ("--buildings", "1", "--window", "0:30", "--ui-csv", folder, "--out", report)
    assert call("net-zero", "--data", challenge_2022, *options) == 0
    assert sorted(path.name for path in folder.iterdir()) == ["bau", "net-zero", "no-control"]
    for policy in folder.iterdir():
        assert (policy / "exported_kpis.csv").is_file()
        assert len((policy / "exported_data_building_1_ep0.csv").read_text().splitlines()) == 1 + 30
    assert f"CSV files for CityLearn UI: {folder}" in capsys.readouterr().err
    assert f"--ui-csv {folder}" in json.loads((report / "report.json").read_text())["command"]


def test_a_file_where_the_csv_files_should_go_is_refused_before_the_data_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"thesis\.txt is a file"):
        call("bau", "--data", "no_such_data_set", "--ui-csv", tmp_path / "thesis.txt")


def test_a_file_where_the_report_should_go_is_refused_before_anything_runs(challenge_2022: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="is a file"):
        call("bau", "--data", challenge_2022, "--out", tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
