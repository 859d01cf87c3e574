"""The runners' benchmark in small: figures that belong together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rllib_citylearn.algorithm import runner_benchmark
from rllib_citylearn.cli.main import main
from rllib_citylearn.errors import ConfigError
from tests.small_data import short


@pytest.mark.slow
def test_figures_belong_together(challenge_2022: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    short(challenge_2022, folder, ("Building_1", "Building_10"))
    monkeypatch.setattr(runner_benchmark, "STOCK_FRAGMENT_HOURS", 4)
    assert (
        main(["bench", "runner", "--data", str(folder), "--seconds", "0.1", "--json", str(tmp_path / "figures.json")]) == 0
    )
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert {"env_steps_per_s", "stock_env_steps_per_s", "ratio"} <= set(figures)
    assert (figures["buildings"], figures["hidden"], figures["threads"]) == (2, 128, 1)
    fast, *stock = figures["runners"]
    assert figures["ratio"] == pytest.approx(fast["env_steps_per_s"] / max(one["env_steps_per_s"] for one in stock))
    for one in figures["runners"]:
        parts = [one[f"{part}_ms"] for part in ("forward", "engine", "rows", "rest")]
        assert min(parts) > 0
        assert sum(parts) == pytest.approx(1e3 * one["communities"] / one["env_steps_per_s"])


def test_no_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        runner_benchmark.benchmark_runner(tmp_path, seconds=0)
