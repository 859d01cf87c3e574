"""The table that terminals show, and what an evaluation prints."""

from __future__ import annotations

import json

import pytest

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.table import COLUMNS, kpi_table
from tests.made_up import Town, evaluation, no_control

SHORT = ("ramping_average", "electricity_consumption_total")


def test_an_evaluation_prints_the_keys_that_scripts_read() -> None:
    keys = ["policy", "data", "buildings", "engine", "window", "seed", "score", "index5", "kpis"]
    keys += ["share_of_possible", "ev", "comfort", "totals", "no_control_totals"]
    assert list(evaluation("bau").to_dict()) == keys
    without = evaluation("bau", drop=SHORT).to_dict()
    assert list(without) == [*keys, "reason"]
    assert without["score"] is None
    json.dumps(without, allow_nan=False)


def test_the_table_has_a_line_a_controller_best_first() -> None:
    table = kpi_table([no_control(), evaluation("short", drop=SHORT), evaluation("bau")])
    header, *lines = table.splitlines()
    assert all(column.title in header for column in COLUMNS)
    assert [line.split()[0] for line in lines] == ["bau", "no-control", "short", "short:", "Simulated"]
    assert len({len(line) for line in [header, *lines[:3]]}) == 1
    assert lines[0].split()[1] == "0.833"
    assert lines[2].split()[1:3] == ["-", "-"]


def test_the_table_says_what_simulated_and_whose_the_kpis_are() -> None:
    fast, slow = evaluation("net-zero"), evaluation("bau", engine="citylearn")
    assert kpi_table([fast]).endswith("Simulated by the engine fast. The KPIs are CityLearn's own.")
    assert kpi_table([slow]).endswith("Simulated by the engine citylearn. The KPIs are CityLearn's own.")
    assert "by the engines citylearn and fast." in kpi_table([fast, slow])


@pytest.mark.parametrize(
    "evaluations",
    [[], [evaluation("bau"), evaluation("bau")], [evaluation("bau"), no_control(Town(days=10))]],
    ids=["none", "the same twice", "two windows"],
)
def test_what_cannot_stand_in_one_table_is_refused(evaluations: list[Evaluation]) -> None:
    with pytest.raises(ConfigError):
        Comparison.of(evaluations)
