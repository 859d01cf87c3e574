"""``rllib-citylearn doctor`` with installations as they might be."""

from __future__ import annotations

import json
import platform
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from rllib_citylearn.cli import doctor
from rllib_citylearn.cli.main import main

ROOT = Path(__file__).parents[2]
FINE = {name: expected.removeprefix(">=") for name, expected in doctor.EXPECTED.items()}


def doctor_finds(monkeypatch: pytest.MonkeyPatch, *options: object, **installed: str | None) -> int:
    """Run the command on an installation that differs from a fine one by ``installed``."""
    monkeypatch.setattr(doctor, "_installed", {**FINE, **installed}.__getitem__)
    return main(["doctor", *map(str, options)])


def test_what_was_tested_together_needs_no_repair(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor_finds(monkeypatch) == 0
    out = capsys.readouterr().out
    assert "WRONG" not in out
    assert "Repair" not in out
    assert [line.split()[1] for line in out.splitlines()] == list(doctor.EXPECTED)


@pytest.mark.parametrize("package", [name for name in doctor.EXPECTED if name not in ("python", "citylearn")])
@pytest.mark.parametrize("installed", [None, "0.0.1", "like"])
def test_any_wrong_package_is_named_and_repaired(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str, installed: str | None
) -> None:
    # a version that only begins with the same digits: 2.60.01 or 2.41
    version = doctor.EXPECTED[package] + "1" if installed == "like" else installed
    assert doctor_finds(monkeypatch, **{package: version}) == 1
    out = capsys.readouterr().out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("WRONG")] == [package]
    python = shlex.quote(sys.executable)
    assert (
        out.splitlines()[-1].strip() == f'{python} -m pip install --constraint constraints.txt --editable ".[train,serve]"'
    )


def test_citylearn_is_repaired_without_its_pins_and_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor_finds(monkeypatch, "--json", "-", citylearn="2.5.0") == 1
    only = json.loads(capsys.readouterr().out)["repair"]
    assert only == [f"{shlex.quote(sys.executable)} -m pip install --no-deps citylearn=={doctor.EXPECTED['citylearn']}"]
    assert doctor_finds(monkeypatch, "--json", "-", citylearn=None, ray="2.9.0") == 1
    both = json.loads(capsys.readouterr().out)["repair"]
    assert len(both) == 2
    assert both[1:] == only


@pytest.mark.parametrize(
    ("python", "status"),
    [("3.9.18", 1), ("3.10.99", 1), ("2.7", 1), ("3.11.0", 0), ("3.11", 0), ("3.13.0rc1", 0), ("4.0.0", 0)],
)
def test_python_is_compared_as_numbers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], python: str, status: int
) -> None:
    assert doctor_finds(monkeypatch, python=python) == status
    assert ("PYTHON=/path/to/python3.11" in capsys.readouterr().out) == bool(status)


def test_a_build_of_the_same_version_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_finds(monkeypatch, torch=doctor.EXPECTED["torch"] + "+cu128") == 0


def test_json_goes_to_a_file_beside_the_table_or_alone_to_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert doctor_finds(monkeypatch, "--json", tmp_path / "doctor.json", msgspec=None) == 1
    assert "WRONG msgspec" in capsys.readouterr().out
    assert doctor_finds(monkeypatch, "--json", "-", msgspec=None) == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "doctor.json").read_text())
    assert printed["fine"] is False
    assert printed["versions"]["msgspec"] == {"installed": None, "expected": doctor.EXPECTED["msgspec"], "fine": False}
    assert len(printed["repair"]) == 1


def test_what_is_expected_is_what_the_project_installs() -> None:
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert doctor.EXPECTED["python"] == project["requires-python"]
    for package, expected in doctor.EXPECTED.items():
        if package != "python":
            assert doctor._fits(pins[package], expected), package


def test_the_lookup_finds_this_python_and_misses_what_is_not_there() -> None:
    assert doctor._installed("python") == platform.python_version()
    assert doctor._installed("no-such-package-anywhere") is None
