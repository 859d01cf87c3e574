"""The learners' benchmark in small: figures that belong together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rllib_citylearn.algorithm.learner_benchmark import benchmark_learner, cases
from rllib_citylearn.algorithm.learner_cases import Case, update_of
from rllib_citylearn.cli.bench import learner_table
from rllib_citylearn.cli.main import main
from rllib_citylearn.errors import ConfigError
from tests.small_data import short


def test_figures_belong_together(tmp_path: Path) -> None:
    groups = cases(3, hidden=(8,), more_buildings=(4,), model_horizon=0)
    result = benchmark_learner(tmp_path, groups, seconds=0.001)
    assert [(one.buildings, one.hidden, one.device) for one in result.cases] == [(3, 8, "cpu")] * 6 + [(4, 8, "cpu")] * 3
    published, thrifty, shared, *_ = result.cases
    for plain in (published, thrifty):
        assert result.ratio_to_plain[plain.name] == plain.ms_per_update / shared.ms_per_update
    assert len(result.ratio_to_plain) == 4, "two for each number of buildings that has them"
    assert all(0 < one.ms_per_update <= one.full_ms for one in result.cases), "full steps are the longer ones"
    assert all(one.gpu is None for one in result.cases)
    assert set(result.to_dict()["cases"][0]) >= {"name", "buildings", "hidden", "device", "ms_per_update"}
    assert learner_table(result).count("\n") == 3 + 8 + 2 + 4


@pytest.mark.slow
def test_simulated_hours_are_measured_on_the_data(challenge_2022: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    short(challenge_2022, folder, ("Building_1", "Building_10"))
    result = benchmark_learner(folder, cases(3, hidden=(8,), more_buildings=(), model_horizon=2)[-1:], seconds=0.001)
    assert [(one.name, one.buildings) for one in result.cases] == [("2 simulated hours", 2)]
    assert result.ratio_to_plain == {}


def test_every_second_update_is_one_of_the_policy(tmp_path: Path) -> None:
    update, _ = update_of(Case("one", 2, 8), "cpu", tmp_path)
    norms = [update()["community"]["gradients_actor_global_norm"].peek() for _ in range(4)]
    assert [norm > 0 for norm in norms] == [True, False, True, False]


def test_no_time_and_devices_that_are_not_there_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        benchmark_learner(tmp_path, [], seconds=0)
    with pytest.raises(ConfigError, match="'cpu' or 'cuda'"):
        benchmark_learner(tmp_path, [], device="mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no GPU on this machine"):
        benchmark_learner(tmp_path, [], device="cuda")


@pytest.mark.gpu
def test_a_gpu_says_what_it_does(tmp_path: Path) -> None:
    result = benchmark_learner(tmp_path, [[Case("one", 3, 16)]], device="cuda", seconds=0.1)
    gpu = result.cases[0].gpu
    assert gpu is not None
    assert 0 < gpu.kernels_ms <= gpu.stream_ms
    assert 0 < gpu.device_share <= 1


def test_help_names_all_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("engine", "runner", "learner"))
