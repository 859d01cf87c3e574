"""The comparison with a peer: its table, and scripts that say what they lack."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import compare
from benchmarks.peers.compare import BEGIN, END, page, run_all, table
from benchmarks.peers.rules import dispatched, nearest, still
from benchmarks.peers.run import Result
from benchmarks.peers.spread_ours import model_config
from rllib_citylearn.errors import UserError
from rllib_citylearn.files import write_json
from rllib_citylearn.modules.config import CommunityModuleConfig

ROOT = Path(__file__).parents[2]


RULES = {"a rule": -24.5}


def result(name: str, seed: int, team_return: float) -> Result:
    """A made-up run."""
    return Result(
        name=name,
        seed=seed,
        steps=1_000,
        team_return=team_return,
        error=0.1,
        wall_seconds=20.0,
        cpu_seconds=10.0 + seed,
        command=f"python -m {name} --seed {seed}",
        versions={"torch": "9.9"},
    )


def cells(text: str, name: str) -> list[str]:
    """The row of a competitor."""
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_table_shows_each_competitors_figures_best_first():
    runs = [result("low", 1, -30.0), result("high", 0, -10.0), result("low", 0, -20.0), result("high", 1, -12.0)]
    text = table(runs, RULES)
    assert text.index("| high |") < text.index("| low |") < text.index("| a rule |")
    low = cells(text, "low")
    assert [float(cell) for cell in low[1:4]] == [-25.0, -30.0, -20.0]
    assert float(low[4]) == pytest.approx(np.std([-20.0, -30.0], ddof=1), abs=0.01)
    assert low[-1] == "-20.00, -30.00"  # in the order of the seeds
    assert cells(text, "a rule")[1] == "-24.50"
    assert "`python -m low --seed 0`" in text
    assert "torch 9.9" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_one_seed_has_no_spread():
    assert cells(table([result("only", 0, -10.0)], RULES), "only")[4] == ""


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [result("a", 0, -1.0), result("b", 1, -1.0)],
        [result("a", 0, -1.0), replace(result("b", 0, -1.0), steps=2_000)],
        [result("a", 0, -1.0), result("b", 0, -1.0), result("b", 1, -1.0)],
    ],
)
def test_unequal_runs_are_not_compared(runs):
    with pytest.raises(UserError, match="same seeds and steps"):
        table(runs, RULES)


def test_only_the_table_of_the_page_is_replaced():
    text = page(f"before\n{BEGIN}old\n{END}after\n", "new\n")
    assert text == f"before\n{BEGIN}new\n{END}after\n"
    shown = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
    assert page(shown, shown.split(BEGIN)[1].split(END)[0]) == shown


@pytest.mark.parametrize("script", ["spread_benchmarl", "spread_ours"])
def test_a_script_says_what_is_not_installed(script):
    hidden = f"import sys; sys.modules.update(benchmarl=None, mpe2=None); sys.argv = ['{script}']; "
    code = hidden + f"import runpy; runpy.run_module('benchmarks.peers.{script}', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Not installed here" in done.stderr
    assert "benchmarks/peers/requirements.txt" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("coordinator", [True, False])
def test_our_settings_are_those_that_the_networks_know(coordinator):
    settings = CommunityModuleConfig.from_dict(model_config(coordinator, 1_000))
    assert (settings.coordinator != "none") == coordinator
    assert settings.noise_anneal_steps == 500


def test_runs_that_are_there_are_not_made_again_and_failures_are_named(tmp_path, monkeypatch):
    there = result("there", 0, -3.0)
    write_json(tmp_path / "there-7-0.json", asdict(there))
    monkeypatch.setattr(compare, "COMPETITORS", {"there": ("benchmarks.peers.nowhere",)})
    assert run_all(tmp_path, peer_python="nowhere", seeds=[0], steps=7, competitors=["there"]) == [there]
    with pytest.raises(UserError, match=r"benchmarks\.peers\.nowhere --seed 1 --steps 7 .*ended with status 1"):
        run_all(tmp_path, peer_python="nowhere", seeds=[0, 1], steps=7, competitors=["there"])


def moves(actions: np.ndarray) -> np.ndarray:
    """Actions ``[1, 3, 5]`` to pushes east and north, ``[3, 2]``."""
    return (actions[..., [2, 4]] - actions[..., [1, 3]])[0]


def test_dispatched_agents_share_no_landmark():
    # Three agents in one place, the landmarks east, north and west of it: the nearest is the same for all of them.
    ways = np.array([[0.5, 0.0], [0.0, 0.6], [-0.7, 0.0]], np.float32)
    observations = np.zeros((1, 3, 18), np.float32)
    observations[..., 4:10] = ways.reshape(-1)
    assert {tuple(np.sign(way)) for way in moves(dispatched(observations))} == {tuple(np.sign(way)) for way in ways}
    assert np.array_equal(np.sign(moves(nearest(observations))), np.sign(ways[[0, 0, 0]]))
    assert not moves(still(observations)).any()
