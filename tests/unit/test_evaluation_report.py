"""Tables, figures and reports of made-up episodes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.figures import peak_week
from rllib_citylearn.evaluation.report import write_report
from rllib_citylearn.evaluation.score import INDEX5_WEIGHTS, score_kpis
from rllib_citylearn.evaluation.table import COLUMNS, kpi_table
from rllib_citylearn.evaluation.totals import totals_of
from rllib_citylearn.evaluation.trajectory import Trajectory

PNG = b"\x89PNG\r\n\x1a\n"


def trajectory(days: int = 20, *, seed: int = 0, battery: bool = True, hour_offset: int = 0) -> Trajectory:
    """Random loads of 2 buildings; the first hour is counted 24 where ``hour_offset`` is zero, as in CityLearn's data."""
    rng = np.random.default_rng(seed)
    steps = 24 * days
    reference = rng.normal(1.0, 1.0, (steps, 2))
    hour = (np.arange(steps) + hour_offset + 23) % 24 + 1
    return Trajectory(
        buildings=("Building_1", "Building_2"),
        window=(100, 100 + steps),
        seconds_per_time_step=3600.0,
        net_electricity_consumption_kwh=reference * 0.8,
        no_control_net_kwh=reference,
        charging_kwh=np.zeros((steps, 2)),
        soc=rng.uniform(size=(steps, 2)) if battery else np.full((steps, 2), np.nan),
        actions={"electrical_storage": np.zeros((steps, 2))},
        price=np.full((steps, 2), 0.2),
        carbon=np.full((steps, 2), 0.1),
        month=np.full(steps, 8),
        day_type=(np.arange(steps) // 24) % 7 + 1,
        hour=hour,
    )


def evaluation(policy: str, level: float | None, engine: str = "fast", **options: Any) -> Evaluation:
    """An evaluation whose KPIs are all ``level``."""
    kpis: dict[str, float | None] = dict.fromkeys([*INDEX5_WEIGHTS, "daily_peak_average"], level)
    path = trajectory(**options)
    return Evaluation(
        policy=policy,
        data={"name": "made_up", "sha256": "0" * 64},
        engine=engine,
        seed=2022,
        score=score_kpis(kpis),
        kpis=kpis,
        building_kpis={"Building_1": kpis},
        totals=totals_of(path),
        no_control=totals_of(path, path.no_control_net_kwh),
        trajectory=path,
    )


def strict_json(path: Path) -> Any:
    """A file's JSON; NaN and infinity are refused, which Python's reader lets through otherwise."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(path.read_text(), parse_constant=refuse)


def test_an_evaluation_prints_the_keys_that_scripts_read() -> None:
    keys = ["policy", "data", "buildings", "engine", "window", "seed", "score", "index5", "kpis"]
    keys += ["share_of_possible", "ev", "comfort", "totals", "no_control_totals"]
    assert list(evaluation("bau", 0.8).to_dict()) == keys
    without = evaluation("bau", None).to_dict()
    assert list(without) == [*keys, "reason"]
    assert without["score"] is None
    json.dumps(without, allow_nan=False)


def test_the_table_has_a_line_a_controller_best_first() -> None:
    table = kpi_table([evaluation("no-control", 1.0), evaluation("short", None), evaluation("bau", 0.8)])
    header, *lines = table.splitlines()
    assert all(column.title in header for column in COLUMNS)
    assert [line.split()[0] for line in lines] == ["bau", "no-control", "short", "short:", "Simulated"]
    assert len({len(line) for line in [header, *lines[:3]]}) == 1
    assert lines[0].split()[1:3] == ["0.800", "0.800"]
    assert set(lines[2].split()[1:]) == {"-"}


def test_table_and_report_say_what_simulated_and_whose_the_kpis_are(tmp_path: Path) -> None:
    fast, slow = evaluation("net-zero", 0.8), evaluation("bau", 1.0, engine="citylearn")
    assert kpi_table([fast]).endswith("Simulated by the engine fast. The KPIs are CityLearn's own.")
    assert kpi_table([slow]).endswith("Simulated by the engine citylearn. The KPIs are CityLearn's own.")
    assert "by the engines citylearn and fast." in kpi_table([fast, slow])
    for evaluations, said, unsaid in (([fast], "`fast`", "`citylearn`"), ([slow], "`citylearn`", "`fast`")):
        text = write_report(tmp_path / "r", Comparison.of(evaluations), command="c", data="d").read_text()
        assert f"engine {said}" in text
        assert f"engine {unsaid}" not in text
        assert "CityLearn computed the KPIs" in text
        assert strict_json(tmp_path / "r" / "report.json")["evaluations"][0]["engine"] == said.strip("`")


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("hour_offset", [0, 7])
def test_the_week_is_seven_days_around_the_peak(seed: int, hour_offset: int) -> None:
    path = trajectory(seed=seed, hour_offset=hour_offset)
    week = peak_week(path)
    peak = int(path.no_control_net_kwh.sum(1).argmax())
    assert 0 <= week.first <= peak < week.end <= path.steps
    assert week.end - week.first == 7 * 24
    if 4 * 24 <= peak < path.steps - 5 * 24:
        assert path.hour[week.first] % 24 == 0
        assert (peak - week.first) // 24 == 3


def test_a_short_window_is_shown_whole() -> None:
    week = peak_week(trajectory(days=2))
    assert (week.first, week.end) == (0, 48)


def test_a_report_is_complete_and_can_be_read_back(tmp_path: Path) -> None:
    evaluations = [evaluation("no-control", 1.0), evaluation("runs/a/bundle", 0.7), evaluation("bau", 0.8)]
    text = write_report(
        tmp_path / "report",
        Comparison.of(evaluations),
        command="evaluate it",
        data={"name": "made_up"},
        training={"seeds": [1, 2]},
    ).read_text()
    content = strict_json(tmp_path / "report" / "report.json")
    assert [row["policy"] for row in content["table"]] == ["runs/a/bundle", "bau", "no-control"]
    assert [entry["score"] for entry in content["evaluations"]] == pytest.approx([1.0, 0.7, 0.8])
    assert content["command"] == "evaluate it"
    assert content["training"] == {"seeds": [1, 2]}
    assert "numpy" in content["versions"]
    for word in ("30.0% below no control", "lower is better", "evaluate it", "name: made_up", "seeds: 1, 2"):
        assert word in text
    pictures = sorted(path.name for path in (tmp_path / "report" / "figures").iterdir())
    assert pictures == ["soc_week.png", "week.png"]
    for name in pictures:
        assert f"figures/{name}" in text
        assert (tmp_path / "report" / "figures" / name).read_bytes().startswith(PNG)


def test_what_was_not_measured_is_null_with_a_reason(tmp_path: Path) -> None:
    text = write_report(tmp_path / "r", Comparison.of([evaluation("bau", None)]), command="c", data="d").read_text()
    content = strict_json(tmp_path / "r" / "report.json")
    assert content["table"][0]["score"] is None
    assert "cost_total" in content["evaluations"][0]["reason"]
    assert "bau has no score" in text


def test_without_batteries_there_is_no_picture_of_them(tmp_path: Path) -> None:
    text = write_report(
        tmp_path / "r", Comparison.of([evaluation("bau", 1.0, battery=False)]), command="c", data="d"
    ).read_text()
    assert not (tmp_path / "r" / "figures" / "soc_week.png").exists()
    assert "soc_week" not in text


def test_a_report_replaces_a_report_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "r"
    folder.mkdir()
    (folder / "chapter.txt").write_text("years of work")
    for level in (0.9, 0.8):
        write_report(folder, Comparison.of([evaluation("bau", level)]), command="c", data="d")
        assert strict_json(folder / "report.json")["table"][0]["score"] == pytest.approx(level)
    assert (folder / "chapter.txt").read_text() == "years of work"
    write_report(folder, Comparison.of([evaluation("bau", 0.8, battery=False)]), command="c", data="d")
    assert not (folder / "figures" / "soc_week.png").exists(), "a picture of the report before"


@pytest.mark.parametrize(
    "evaluations",
    [
        [],
        [evaluation("bau", 0.8), evaluation("bau", 0.9)],
        [evaluation("bau", 0.8), evaluation("no-control", 1.0, days=10)],
    ],
    ids=["none", "the same twice", "two windows"],
)
def test_what_cannot_stand_in_one_table_is_refused(tmp_path: Path, evaluations: list[Evaluation]) -> None:
    with pytest.raises(ConfigError):
        write_report(tmp_path / "r", Comparison.of(evaluations), command="c", data="d")
    assert list(tmp_path.iterdir()) == []
