"""The examples do what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def test_the_sweep_prints_a_line_a_share_and_nothing_gained_without_control(challenge_2022: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "sweep_a_rule.py"), "--data", str(challenge_2022), "--steps", "200"],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    rows = [[float(cell) for cell in line.split()] for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == [round(0.1 * i, 1) for i in range(16)]
    assert rows[0][1:] == [1.0] * 5
    best = min(rows, key=lambda row: row[1])
    assert 0.5 < best[1] < rows[0][1], "some share helps"


@pytest.mark.slow
def test_ppo_learns_one_policy_and_is_judged_on_unseen_buildings(challenge_2022: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(EXAMPLES / "ppo_shared_policy.py"), "--data", str(challenge_2022)),
            *("--iterations", "2", "--steps", "48"),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    rows = [[float(cell) for cell in line.split()] for line in done.stdout.splitlines()[1:]]
    assert [row[:2] for row in rows] == [[1, 288], [2, 576]]
    assert all(0.3 < score < 5 for row in rows for score in row[2:])
    assert len({row[3] for row in rows}) == 2, "the policy has changed"
