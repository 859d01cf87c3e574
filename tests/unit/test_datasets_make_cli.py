"""``rllib-citylearn datasets add-vehicles`` and ``synthesize``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rllib_citylearn.cli.main import main
from rllib_citylearn.datasets import folder_sha256


def call(*arguments: object) -> int:
    return main(["datasets", *map(str, arguments)])


def test_a_community_is_made_and_vehicles_are_added(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    homes, laid = tmp_path / "homes", tmp_path / "laid"
    assert call("synthesize", "--buildings", 4, "--days", 3, "--seed", 7, "--pv-share", 1, "--out", homes) == 0
    assert capsys.readouterr().out == f"4 buildings, 3 days: {homes}\n"
    options = ("--seed", 2, "--chargers-per-building", 2, "--building-share", 0.5, "--v2g-share", 0)
    assert call("add-vehicles", homes, "--out", laid, *options, "--json", "-") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["chargers"], result["vehicles"]) == (4, 4)
    assert (result["spec"]["seed"], result["spec"]["v2g_share"]) == (2, 0.0)
    assert result["source"]["sha256"] == folder_sha256(homes)
    assert result["sha256"] == folder_sha256(laid)
    assert len(list(laid.glob("charger_*.csv"))) == 4


def test_a_fleet_file_makes_the_same_fleet_again(tmp_path: Path) -> None:
    call("synthesize", "--buildings", 2, "--days", 3, "--out", tmp_path / "homes")
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"charger_powers_kw": [[22, 1]], "building_share": 1.0}))
    assert call("add-vehicles", tmp_path / "homes", "--out", tmp_path / "a", "--spec", spec, "--seed", 3) == 0
    assert call("add-vehicles", tmp_path / "homes", "--out", tmp_path / "b", "--spec", tmp_path / "a" / "fleet.json") == 0
    assert folder_sha256(tmp_path / "a") == folder_sha256(tmp_path / "b")


def test_mistakes_are_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    homes, broken = tmp_path / "homes", tmp_path / "broken.json"
    call("synthesize", "--buildings", 2, "--days", 2, "--out", homes)
    broken.write_text("[1]")
    for arguments, message in (
        (("synthesize", "--out", homes), "is there already; choose another folder"),
        (("synthesize", "--buildings", 0, "--out", tmp_path / "x"), "buildings is 0"),
        (("add-vehicles", tmp_path / "nothing", "--out", tmp_path / "x"), "nothing"),
        (("add-vehicles", homes, "--out", tmp_path / "x", "--v2g-share", -1), "v2g_share is -1.0"),
        (("add-vehicles", homes, "--out", tmp_path / "x", "--chargers-per-building", 9), "from 1 to 4"),
        (("add-vehicles", homes, "--out", tmp_path / "x", "--spec", broken), "holds no fields of FleetSpec"),
        (("add-vehicles", homes, "--out", tmp_path / "x", "--spec", tmp_path / "no.json"), "can't be read"),
        (("add-vehicles", homes, "--out", homes, "--force"), "lies in the data set"),
    ):
        capsys.readouterr()
        assert call(*arguments) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
