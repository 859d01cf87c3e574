"""The closed loop over HTTP does what the evaluation of the same policy says: the same actions, and so the same KPIs."""

from __future__ import annotations

import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.client import Actions, PolicyClient
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.evaluation import BundleSpec, CommunityKpis, evaluate_env, rollout
from tests.policy_servers import policy_app, serving

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = ROOT / "bundles" / "quick" / "bundle"
EXAMPLE = ROOT / "examples" / "control_loop.py"
HOURS = 200


class RecordingClient(PolicyClient):
    """Keeps what it answers."""

    answers: list[Actions]

    def act(self, observations: Any, **options: Any) -> Actions:
        self.answers.append(super().act(observations, **options))
        return self.answers[-1]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(policy_app(BUNDLE)) as url:
        yield url


def over_http(url: str, data: Path, window: tuple[int, int] | None) -> tuple[list[Actions], CommunityKpis]:
    """What the example's loop sets, and the KPIs it comes to."""
    env = make_citylearn_env(data, window=window)
    with RecordingClient(url, timeout_s=60.0, attempt_timeout_s=60.0) as client:
        client.answers = []
        assert runpy.run_path(str(EXAMPLE))["control"](client, env) == []
    return client.answers, evaluate_env(env)


def require_the_same(url: str, data: Path, window: tuple[int, int] | None) -> int:
    """Both ways, action by action and KPI by KPI; returns the number of hours."""
    answers, kpis = over_http(url, data, window)
    env = make_citylearn_env(data, window=window)
    path = rollout(BundleSpec(str(BUNDLE)).make(), env)
    assert not any(answer.fallback or answer.degraded for answer in answers)
    for name, expected in path.actions.items():
        found = np.array([[answer.actions[building][name] for building in path.buildings] for answer in answers])
        np.testing.assert_array_equal(found, expected)
    assert np.ptp(path.actions["electrical_storage"]) > 0.1, "the policy does something"
    assert kpis == evaluate_env(env)
    assert len(kpis.buildings) == len(path.buildings)
    return len(answers)


def test_the_loop_over_http_is_the_evaluation(url: str, challenge_2022: Path) -> None:
    assert require_the_same(url, challenge_2022, (0, HOURS)) == HOURS


@pytest.mark.slow
def test_a_year_over_http_is_the_evaluation(url: str, challenge_2022: Path) -> None:
    assert require_the_same(url, challenge_2022, None) > 8700


def test_an_hour_without_an_answer_is_one_of_rest(challenge_2022: Path) -> None:
    """The loop goes on through a server that is away for a while, and says so."""
    app = policy_app(BUNDLE)
    asked = 0

    async def away_for_a_while(scope: Any, receive: Any, send: Any) -> None:
        nonlocal asked
        if scope["method"] == "POST":
            asked += 1
            if 5 < asked <= 8:
                await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"1000")]})
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    env = make_citylearn_env(challenge_2022, window=(0, 12))
    with serving(away_for_a_while) as url, PolicyClient(url, timeout_s=60.0, attempt_timeout_s=60.0) as client:
        reasons = runpy.run_path(str(EXAMPLE))["control"](client, env)
    assert len(reasons) == 3
    assert all("status 503" in reason for reason in reasons)
    charged = np.stack([building.electrical_storage.electricity_consumption for building in env.buildings], 1)
    assert not charged[5:8].any(), "at rest"
    assert charged[:5].any()
    assert charged[8:12].any()


def test_the_example_prints_what_the_policy_is_worth(url: str, challenge_2022: Path) -> None:
    command = [sys.executable, str(EXAMPLE), "--url", url, "--data", str(challenge_2022), "--hours", "48"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, cwd=ROOT)
    title, *rows, last = done.stdout.splitlines()
    assert title.split() == ["no", "control", "with", "the", "policy"]
    _, kpis = over_http(url, challenge_2022, (0, 48))
    names = ("cost_total", "carbon_emissions_total", "daily_peak_average", "all_time_peak_average")
    assert [float(row.split()[-1]) for row in rows] == [pytest.approx(kpis.district[name], abs=5e-4) for name in names]
    assert last == "48 of 48 hours were answered."


def test_without_a_server_the_example_says_so_in_a_sentence(challenge_2022: Path) -> None:
    command = [sys.executable, str(EXAMPLE), "--url", "http://127.0.0.1:1", "--data", str(challenge_2022), "--hours", "5"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 1
    assert "gave no usable answer in 5 attempts" in done.stderr
    assert "Traceback" not in done.stderr
