"""KPIs as they were when the golden files were made (``tests/golden/make.py`` says with what)."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.datasets import folder_sha256
from tests.golden.make import CASES, HERE, Case, differences, kpis_of

DYNAMICS = 1e-4
"""Of temperatures that a neural network computes, on another processor too."""


def golden(case: Case) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((HERE / f"{case.name}.json").read_text())
    return content


@pytest.fixture
def folder(request: pytest.FixtureRequest, case: Case, shared_datasets: Path) -> Path:
    if "evs" in case.data:
        found: Path = request.getfixturevalue("ev_data")
        return found
    return shared_datasets / case.data


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_kpis_are_the_golden_ones(case: Case, folder: Path, shared_datasets: Path) -> None:
    content = golden(case)
    assert content["versions"]["citylearn"] == version("citylearn")
    assert content["data_sha256"] == folder_sha256(shared_datasets / case.data)
    tolerance = DYNAMICS if "2023" in case.data else 1e-9
    assert differences(kpis_of(case, "fast", folder), content["result"], tolerance) == []


def test_there_is_a_file_for_every_case_and_no_other() -> None:
    assert {path.stem for path in HERE.glob("*.json")} == {case.name for case in CASES}
    for case in CASES:
        content = golden(case)
        assert content["engine"] == "citylearn"
        assert content["case"] == json.loads(json.dumps(case.__dict__))


def test_a_difference_is_found_wherever_it_is() -> None:
    result = golden(CASES[0])["result"]
    changed = json.loads(json.dumps(result))
    name = next(iter(changed["buildings"]))
    changed["buildings"][name]["cost_total"] += 1e-6
    (line,) = differences(changed, result, 1e-9)
    assert name in line
    assert "cost_total" in line
    assert differences(changed, result, 1e-4) == []
