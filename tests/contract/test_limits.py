"""Limits: rates, requests at a time, time for a body, deadlines, sizes of batches."""

from __future__ import annotations

import asyncio
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.export import PolicyRuntime
from serve import asgi
from serve.asgi import PolicyApp
from serve.problems import ProblemError
from serve.rates import Rates
from tests.contract.asking import ACTIONS, HINTS, answer, app_of, ask, own, post, raw, receiving, require_problem, roll


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def taken(rates: Rates, caller: str) -> int | None:
    """None if the request is let through, else the seconds that the caller is told to wait."""
    try:
        rates.take(caller)
    except ProblemError as error:
        problem = error
    else:
        return None
    assert problem.status == 429
    assert f"try again in {problem.headers['retry-after']} s" in problem.detail
    return int(problem.headers["retry-after"])


@pytest.mark.parametrize("rate", [0.05, 0.5, 1.0, 3.0, 100.0])
def test_no_caller_gets_more_than_its_rate_over_any_time(rate: float) -> None:
    """In every window of s seconds at most a burst and s times the rate, at whatever times requests come."""
    chance = random.Random(1)
    clock = Clock()
    rates = Rates(rate, clock)
    passed: dict[str, list[float]] = {"a": [], "b": []}
    refused = 0
    for _ in range(2000):
        clock.now += chance.expovariate(20 * rate)
        caller = chance.choice("ab")
        if taken(rates, caller) is None:
            passed[caller].append(clock.now)
        else:
            refused += 1
    assert refused
    burst = max(1.0, 2.0 * rate)
    for times in passed.values():
        assert len(times) > 0.8 * rate * (clock.now - 100.0)
        for i in range(len(times)):
            for j in range(i, min(len(times), i + 100)):
                assert j - i + 1 <= burst + rate * (times[j] - times[i]) + 1e-6


@pytest.mark.parametrize("rate", [0.03, 0.1, 1 / 3, 0.7, 1.0, 3.0, 7.0, 1000.0])
def test_who_waits_as_told_is_let_through(rate: float) -> None:
    clock = Clock()
    rates = Rates(rate, clock)
    for _ in range(200):
        wait = taken(rates, "a")
        if wait is None:
            clock.now += random.Random(rate).random() / rate / 10
            continue
        assert wait >= 1
        clock.now += wait
        assert taken(rates, "a") is None


def test_callers_do_not_take_each_others_share() -> None:
    rates = Rates(1.0, Clock())
    assert [taken(rates, "a") for _ in range(3)] == [None, None, 1]
    assert [taken(rates, "b") for _ in range(3)] == [None, None, 1]


def test_a_rate_holds_for_posts_of_each_token(bundles: Path, tmp_path: Path, plain: PolicyRuntime) -> None:
    (tmp_path / "tokens").write_text("a aaaaaaaaaaaaaaaaaaaa\nb bbbbbbbbbbbbbbbbbbbb\n")
    config = {
        "bundle": str(bundles / "plain"),
        "tokens": str(tmp_path / "tokens"),
        "limits": {"requests_per_second": 0.001},
    }
    app = app_of(config)
    body = {"observations": plain.example()}

    def ask_as(letter: str) -> Any:
        return post(app, "/predict", body, headers={"authorization": f"Bearer {letter * 20}"})

    assert ask_as("a").status_code == 200
    response = ask_as("a")
    require_problem(response, 429)
    assert 900 <= int(response.headers["retry-after"]) <= 1000
    assert ask_as("b").status_code == 200
    require_problem(post(app, "/predict", body), 401)
    assert ask(app, "GET", "/v1/models", headers={"authorization": f"Bearer {'a' * 20}"}).status_code == 200
    roll(app, config)
    require_problem(ask_as("a"), 429)
    roll(app, config | {"limits": {}})
    assert ask_as("a").status_code == 200


@pytest.mark.parametrize("most", [1, 3])
def test_more_requests_at_a_time_than_allowed_are_503_until_there_is_room(bundles: Path, most: int) -> None:
    app = app_of({"bundle": str(bundles / "plain"), "limits": {"concurrent": most}})
    example = ask(app, "GET", "/example").content

    async def run() -> None:
        release = asyncio.Event()

        async def slow() -> dict[str, Any]:
            await release.wait()
            return {"type": "http.request", "body": example}

        async def never() -> dict[str, Any]:
            raise AssertionError("its body was read")

        held = [asyncio.create_task(raw(app, "/predict", slow)) for _ in range(most)]
        await asyncio.sleep(0)
        status, headers, body = await raw(app, "/predict", never)
        assert (status, headers["retry-after"]) == (503, "1")
        assert f"{most} requests are in progress" in json.loads(body)["detail"]
        for url in ("/health", "/ready", "/metrics", "/v1/models"):
            assert (await raw(app, url, never, method="GET"))[0] == 200, "only observations are limited"
        release.set()
        assert [status for status, _, _ in await asyncio.gather(*held)] == [200] * most
        assert (await raw(app, "/predict", receiving(example)))[0] == 200

    asyncio.run(run())


def test_those_who_left_make_room(bundles: Path) -> None:
    app = app_of({"bundle": str(bundles / "plain"), "limits": {"concurrent": 1}})
    example = ask(app, "GET", "/example").content

    async def run() -> None:
        async def gone() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def hangs() -> dict[str, Any]:
            await asyncio.sleep(60)
            raise AssertionError

        for _ in range(3):
            assert (await raw(app, "/predict", gone))[0] == 0
            task = asyncio.create_task(raw(app, "/predict", hangs))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (await raw(app, "/predict", receiving(example)))[0] == 200

    asyncio.run(run())


@pytest.mark.parametrize("pause", [0.06, 60.0])
def test_a_body_that_takes_too_long_is_408(bundles: Path, pause: float) -> None:
    """Whether nothing comes or it trickles in: the limit is on the whole body, not on each piece."""
    app = app_of({"bundle": str(bundles / "plain"), "limits": {"body_seconds": 0.1}})
    pieces = 0

    async def receive() -> dict[str, Any]:
        nonlocal pieces
        await asyncio.sleep(pause)
        pieces += 1
        return {"type": "http.request", "body": b" ", "more_body": True}

    status, headers, body = asyncio.run(raw(app, ACTIONS, receive))
    assert (status, headers["connection"]) == (408, "close")
    assert "within 0.1 s" in json.loads(body)["detail"]
    assert pieces <= 1, "a second piece would come after 0.12 s"


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-inf", "1e999", "1e12", "soon", "", "12:00", "2026-01-01", "\u00b2", "x" * 3000]
)
def test_a_deadline_that_is_no_time_is_400(app: PolicyApp, text: str) -> None:
    for url in (ACTIONS, HINTS, own("Building_1"), "/predict"):
        problem = require_problem(post(app, url, {}, headers={"x-deadline": text.encode("latin-1")}), 400)
        assert "seconds since 1970" in problem["detail"]
        assert len(problem["detail"]) < 200


@pytest.mark.parametrize("late", [0.001, 5.0, 1e9, 1e300])
def test_a_deadline_that_is_past_is_504_and_nothing_is_computed(
    app: PolicyApp, plain: PolicyRuntime, late: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError("it was computed")

    monkeypatch.setattr(app.communities["default"].models["current"].runtime, "predict", fail)
    headers = {"x-deadline": repr(time.time() - late)}
    assert "past" in require_problem(post(app, ACTIONS, {"observations": plain.example()}, headers=headers), 504)["detail"]


def test_a_deadline_ahead_is_no_matter(app: PolicyApp, plain: PolicyRuntime) -> None:
    for deadline in (time.time() + 5, time.time() + 60, time.time() + 80_000):
        headers = {"x-deadline": repr(deadline)}
        assert post(app, ACTIONS, {"observations": plain.example()}, headers=headers).status_code == 200


def test_a_deadline_that_passes_while_the_body_comes_is_504(app: PolicyApp) -> None:
    example = ask(app, "GET", "/example").content

    async def slow() -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return {"type": "http.request", "body": example}

    header = (b"x-deadline", repr(time.time() + 0.05).encode())
    assert asyncio.run(raw(app, "/predict", slow, [header]))[0] == 504


def test_a_batch_of_more_than_allowed_is_refused(bundles: Path, plain: PolicyRuntime) -> None:
    app = app_of({"bundle": str(bundles / "plain"), "limits": {"batch": 2}})
    assert len(answer(app, ACTIONS, observations=[plain.example()] * 2)["actions"]) == 2
    for url in (ACTIONS, HINTS, "/predict"):
        problem = require_problem(post(app, url, {"observations": [plain.example()] * 3}), 422)
        assert "3 entries; send at most 2" in problem["detail"]


def test_slow_bodies_do_not_keep_others_out_up_to_a_bound(bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "_SLOW_S", 0.05)
    app = app_of({"bundle": str(bundles / "plain"), "limits": {"concurrent": 4, "body_seconds": 4}})
    example = ask(app, "GET", "/example").content

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.2)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def in_waves() -> tuple[list[int], list[int]]:
        slow, honest = [], []
        for _ in range(4):
            slow += [asyncio.create_task(raw(app, "/predict", drip)) for _ in range(4)]
            await asyncio.sleep(0.5)
            honest.append((await raw(app, "/predict", receiving(example)))[0])
        return honest, [status for status, _, _ in await asyncio.gather(*slow)]

    honest, slow = asyncio.run(in_waves())
    assert honest == [200, 200, 503, 503], "eight are set aside, and the next four are in progress"
    assert slow == [408] * 12 + [503] * 4
    again, _, _ = asyncio.run(raw(app, "/predict", receiving(example)))
    assert again == 200
