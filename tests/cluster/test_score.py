"""What a policy is worth whose training lost a machine on the way."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.network import Cluster
from tests.cluster.runs import learner_of, line_with, training, watched, write

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SEEDS = (0.702, 0.700, 0.700, 0.696, 0.699, 0.694)
"""Scores of `quick` on one machine that loses nothing (docs/results.md)."""

STEPS = 70_000
"""1,320 updates; those six had 1,010 to 1,720."""

WORST = 0.709
"""What one run in a hundred would exceed that is as those six are: 0.6985 + 3.36 x 0.0029 x sqrt(1 + 1/6), Student's t."""


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_quick_is_worth_as_much_when_a_worker_is_lost_and_comes_back(
    roomy: Cluster, challenge_2022: Path, tmp_path: Path, seed: int
) -> None:
    """A worker's machine is killed with -9 after a minute, and comes back a minute later.

    Five runners and the learner take all six cores, so that nobody moves in where the lost ones were. They play 65 copies
    together, `quick` plays 64; and the run ends after as many steps as `quick` takes, not after minutes, since
    the three machines are one here: a node that starts takes cores from the learner, as no other machine would.
    """
    preset: dict[str, Any] = yaml.safe_load(Path("tune_configs/quick.yaml").read_text())
    preset["environment"]["dataset"] = str(challenge_2022)
    preset["runners"] |= {"num_env_runners": 5, "num_envs_per_env_runner": 13}
    preset["stop"] = {"minutes": 20.0, "env_steps": STEPS}
    preset["report"]["baselines"] = ["no-control"]
    command = training(write(tmp_path / "p.yaml", preset), roomy, tmp_path, "--seed", str(seed))
    run = watched(roomy, command, tmp_path / "log")
    came = run.wait_for(line_with(*roomy.workers))
    time.sleep(60.0)
    lost = next(node for node in roomy.workers if node is not learner_of(roomy, run))
    lost.kill()
    came = run.wait_for(line_with(*[node for node in roomy.workers if node is not lost]), after=came)
    time.sleep(20.0)
    lost.start()
    run.wait_for(line_with(*roomy.workers), after=came)
    assert run.ended(1200.0) == 0, run.output
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    [community] = report["communities"]
    score = next(row["score"] for row in community["contenders"] if row["policy"] == "policy")
    print(f"seed {seed}: S = {score:.4f}; six runs that lost nothing had {min(SEEDS)} to {max(SEEDS)}")
    assert score < WORST
