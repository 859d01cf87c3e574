"""What the clients send, when they send it again, what they remember, and what they do without an answer."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from rllib_citylearn import client as package
from rllib_citylearn.client import AsyncPolicyClient, Clipped, DeadlineError, PolicyClient, PolicyRequestError
from rllib_citylearn.client.retries import FIRST_WAIT_S, LONGEST_WAIT_S, backoff_s, retry_after_s
from rllib_citylearn.errors import ConfigError, FeatureError, UserError
from tests.policy_clients import EPOCH, MODEL, NAMED, ROWS, Clock, Outcome, Scripted, answer, make, problem

OBSERVED = {"Building_1": {"hour": 5, "non_shiftable_load": 0.5}, "Building_2": None}
GRID = [[5, 0.5], None, None]
REST = {
    "Building_1": {"electrical_storage": 0.0},
    "Building_2": {"dhw_storage": 0.0, "electrical_storage": 0.0},
    "Building_10": {"cooling_device": None},
}

both = pytest.mark.parametrize("kind", ["sync", "async"])


def sent(request: httpx.Request) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request.content)
    return content


@both
def test_an_answer_is_passed_on_with_all_that_it_says(kind: str) -> None:
    server = Scripted(
        answer(
            degraded={"Building_2": "not heard of: left as without control"},
            clipped_values=70,
            clipped=[{"building": "Building_1", "feature": "hour", "value": 30.0, "low": 1.0, "high": 24.0}],
            forgotten=[0],
            state="memory",
            added_by_a_later_server=1,
        )
    )
    client = make(kind, server, Clock())
    found = client.act(OBSERVED, common={"hour": 7})
    assert found.actions == NAMED
    assert (found.model.name, found.model.version, found.model.sha256) == tuple(MODEL.values())
    assert found.degraded == {"Building_2": "not heard of: left as without control"}
    assert found.clipped == (Clipped("Building_1", "hour", 30.0, 1.0, 24.0),)
    assert (found.clipped_values, found.forgotten, found.fallback, found.reason, found.attempts) == (
        70,
        True,
        False,
        None,
        1,
    )
    assert client.state == "memory"
    (request,) = server.posts
    assert sent(request) == {"observations": OBSERVED, "common": {"hour": 7}}
    assert str(request.url) == "http://policies/v1/communities/default/actions"
    assert request.headers["x-request-id"] == found.request_id
    assert request.headers["content-type"] == "application/json"
    assert float(request.headers["x-deadline"]) == pytest.approx(EPOCH + 1000.0 + 2.0, abs=1e-3)


@both
def test_arrays_in_arrays_out_in_a_fallback_too(kind: str) -> None:
    server = Scripted(answer(ROWS), problem(503))
    client = make(kind, server, Clock())
    observed = [np.array([5.0, 0.5], np.float32), None, (np.int64(3),)]
    assert client.act(observed).actions == ROWS
    assert sent(server.posts[0]) == {"observations": [[5.0, 0.5], None, [3]]}
    assert client.act(np.ones((3, 2))).actions == [[0.0], [0.0, 0.0], [None]]
    assert client.act(OBSERVED).actions == REST


@both
@pytest.mark.parametrize(
    "failure",
    [
        *(problem(status) for status in (408, 429, 500, 502, 503, 504)),
        *(
            httpx.Response(200, content=text)
            for text in (b"", b"<html>", b"[1]", b"{}", b'{"actions": ', b"\xff", b"[" * 100_000)
        ),
        answer(ROWS),
        answer({**NAMED, "Building_1": {"electrical_storage": "full"}}),
        answer({**NAMED, "Building_1": {"electrical_storage": True}}),
        answer({**NAMED, "Building_1": None}),
        httpx.Response(200, content=json.dumps({"actions": {"b": {"a": float("nan")}}, "model": MODEL})),
        httpx.Response(200, content=json.dumps({"actions": {"b": {"a": 1}}, "model": MODEL}).replace("1}", "1e999}")),
        httpx.Response(200, json={"actions": NAMED}),
        answer(state=3),
        answer(degraded=[]),
        answer(clipped=[{}]),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("closed halfway"),
        httpx.DecodingError("no gzip"),
    ],
)
def test_what_may_pass_is_tried_again_with_the_same_request(kind: str, failure: Outcome) -> None:
    server, clock = Scripted(failure, answer(state="after")), Clock()
    client = make(kind, server, clock)
    client.state = "before"
    found = client.act(OBSERVED)
    assert (found.actions, found.fallback, found.attempts, client.state) == (NAMED, False, 2, "after")
    first, second = server.posts
    assert first.content == second.content
    assert sent(first)["state"] == "before"
    assert first.headers["x-request-id"] == second.headers["x-request-id"] == found.request_id
    assert len(clock.slept) == 1
    assert 0.0 <= clock.slept[0] <= FIRST_WAIT_S


@both
@pytest.mark.parametrize("status", [204, 301, 307, 400, 401, 403, 404, 405, 409, 413, 415, 422, 501])
def test_what_would_come_again_is_an_error_at_once(kind: str, status: int) -> None:
    """Also where there would be a fallback: resting for ever would hide that nobody controls."""
    server, clock = Scripted(problem(status, "The body lacks hour.")), Clock()
    client = make(kind, server, clock)
    client.state = "before"
    with pytest.raises(PolicyRequestError, match=r"lacks hour") as caught:
        client.act(OBSERVED)
    assert (caught.value.status, caught.value.detail) == (status, "The body lacks hour.")
    assert caught.value.request_id == server.posts[0].headers["x-request-id"]
    assert isinstance(caught.value, UserError)
    assert (len(server.posts), clock.slept, client.state) == (1, [], "before")


def test_refusals_of_others_than_the_server_are_quoted() -> None:
    said = {
        httpx.Response(403, text="<b>no\n way</b>"): "it says '<b>no way</b>'",
        httpx.Response(403): "without a word",
        httpx.Response(308, headers={"location": "https://policies/"}): "it leads to 'https://policies/'",
        httpx.Response(403, json={"detail": 3}): "it says",
    }
    for response, words in said.items():
        with pytest.raises(PolicyRequestError) as caught:
            make("sync", Scripted(response), Clock()).act(OBSERVED)
        assert words in str(caught.value)


@both
@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_time_and_attempts_end_and_the_state_stays(kind: str, seed: int) -> None:
    """Random failures of random length: no sleep passes the deadline, no attempt is promised time beyond it."""
    chance = random.Random(seed)
    timeout_s, attempt_s, attempts = chance.uniform(0.05, 8.0), chance.uniform(0.05, 4.0), chance.randint(1, 12)
    clock = Clock(seed)
    promised: list[float] = []

    def fail(request: httpx.Request) -> httpx.Response:
        assert clock.now < 1000.0 + timeout_s, "an attempt began after the deadline"
        until = request.headers.get("x-deadline")
        if until is not None:
            promised.append(float(until) - EPOCH)
        seconds = min(attempt_s, 1000.0 + timeout_s - clock.now)
        clock.now += chance.uniform(0.0, seconds)
        if chance.random() < 0.3:
            raise httpx.ReadTimeout("slow")
        wait = {"retry_after": str(chance.choice([0, 1, 3, 100]))} if chance.random() < 0.3 else {}
        return problem(chance.choice([408, 429, 500, 502, 503, 504]), **wait)

    server = Scripted(fail)
    client = make(kind, server, clock, timeout_s=timeout_s, attempt_timeout_s=attempt_s, attempts=attempts)
    client.state = "before"
    found = client.act(OBSERVED)
    assert found.fallback
    assert found.actions == REST
    assert found.model is None
    assert "no usable answer" in found.reason
    assert clock.now <= 1000.0 + timeout_s + 1e-9
    assert 1 <= found.attempts == len(server.posts) <= attempts
    assert len(clock.slept) <= found.attempts - 1 + 1e-9
    assert all(time <= 1000.0 + timeout_s + 1e-3 for time in promised)
    assert {request.headers["x-request-id"] for request in server.posts} == {found.request_id}
    assert {request.content for request in server.posts} == {server.posts[0].content}
    assert client.state == "before"


def test_the_jitter_is_full_and_doubles_up_to_its_end() -> None:
    for failures in range(1, 100):
        most = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (failures - 1))
        assert backoff_s(failures, lambda: 0.0) == 0.0
        assert backoff_s(failures, lambda: 0.5) == pytest.approx(most / 2)
        assert backoff_s(failures, lambda: 1.0 - 1e-9) < most


@both
def test_a_client_waits_as_long_as_it_is_asked_to_and_gives_up_at_once_if_that_is_too_long(kind: str) -> None:
    clock = Clock()
    server = Scripted(problem(429, retry_after="3"), answer())
    assert not make(kind, server, clock).act(OBSERVED).fallback
    assert 3.0 <= clock.slept[0] <= 3.0 + FIRST_WAIT_S
    clock = Clock()
    found = make(kind, Scripted(problem(429, "Too many requests.", retry_after="5"), answer()), clock).act(OBSERVED)
    assert (found.fallback, found.attempts, clock.slept) == (True, 1, [])
    assert "Too many requests" in found.reason


def test_a_retry_after_that_is_no_number_of_seconds_asks_for_nothing() -> None:
    for text in ("", "-1", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"):
        assert retry_after_s({"retry-after": text}) == 0.0
    assert retry_after_s({}) == 0.0
    assert retry_after_s({"retry-after": "2.5"}) == 2.5


@both
def test_a_server_that_fails_inside_gets_one_more_attempt(kind: str) -> None:
    server = Scripted(problem(500, "The server failed."))
    found = make(kind, server, Clock()).act(OBSERVED)
    assert (found.fallback, found.attempts, len(server.posts)) == (True, 2, 2)
    assert found.reason.endswith("status 500 is not tried a third time. The last: status 500, The server failed.")


@both
def test_a_server_whose_clock_is_ahead_is_asked_without_a_deadline(kind: str) -> None:
    def late(request: httpx.Request) -> httpx.Response:
        return problem(504, "The request's deadline is past.") if "x-deadline" in request.headers else answer()

    found = make(kind, Scripted(late), Clock()).act(OBSERVED)
    assert (found.fallback, found.attempts) == (False, 2)


@both
def test_resting_keeps_to_limits_that_zero_is_outside_of(kind: str) -> None:
    server = Scripted(problem(503))
    building = {"name": "B", "features": ["hour"], "actions": ["x", "y"], "action_low": [0.25, -1], "action_high": [1, -0.5]}
    server.description = {"name": "default", "model": MODEL, "features": [], "buildings": [building]}
    client = make(kind, server, Clock())
    assert client.act({"B": {"hour": 1}}).actions == {"B": {"x": 0.25, "y": -0.5}}
    assert client.act([[1]]).actions == [[0.25, -0.5]]
    assert len(server.gets) == 1, "the community is asked for once"


@both
def test_before_the_first_contact_there_is_no_rest(kind: str) -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    server = Scripted(answer())
    client = make(kind, away, Clock())  # type: ignore[arg-type]
    with pytest.raises(DeadlineError, match=r"Call community\(\) once at the start, or give a fallback") as caught:
        client.act(OBSERVED)
    assert caught.value.attempts == 5
    assert client.ready() is False
    for name in ("community", "example", "models"):
        with pytest.raises(DeadlineError, match="refused"):
            getattr(client, name)()
    server.description = {"name": "default"}
    with pytest.raises(DeadlineError, match="lacks its name, buildings or features"):
        make(kind, server, Clock()).act(OBSERVED)


@both
def test_a_fallback_of_ones_own_needs_no_contact(kind: str) -> None:
    seen = []

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    def own(observations: Any) -> Any:
        seen.append(observations)
        return {"Building_1": {"electrical_storage": -0.1}}

    found = make(kind, away, Clock(), fallback=own).act(OBSERVED)  # type: ignore[arg-type]
    assert (found.actions, found.fallback) == ({"Building_1": {"electrical_storage": -0.1}}, True)
    assert seen[0] is OBSERVED


@both
def test_without_a_fallback_the_deadline_is_an_error(kind: str) -> None:
    server = Scripted(problem(503, "No policy is loaded yet; try again in a second.", retry_after="9"))
    client = make(kind, server, Clock(), fallback=None)
    client.state = "before"
    with pytest.raises(DeadlineError, match="No policy is loaded yet") as caught:
        client.act(OBSERVED)
    assert caught.value.request_id == server.posts[0].headers["x-request-id"]
    assert (caught.value.attempts, client.state, server.gets) == (1, "before", [])


@both
def test_the_state_goes_from_answer_to_question_and_can_be_saved(kind: str) -> None:
    server = Scripted(answer(state="one"), problem(503), answer(state="two"), answer())
    client = make(kind, server, Clock(), attempts=1)
    client.act(OBSERVED)
    assert client.act(OBSERVED).fallback
    saved = client.state
    assert saved == "one", "an hour without an answer is missing in the memory"
    client.act(OBSERVED)
    assert [sent(request).get("state") for request in server.posts] == [None, "one", "one"]
    client.act(OBSERVED)
    assert client.state is None, "this policy remembers nothing"
    client.state = saved
    client.act(OBSERVED)
    assert sent(server.posts[-1])["state"] == "one"
    client.reset()
    client.act(OBSERVED)
    assert "state" not in sent(server.posts[-1])
    with pytest.raises(ConfigError, match="The state is a list"):
        client.state = ["one"]


@both
def test_hints_move_the_state_on_and_have_no_fallback(kind: str) -> None:
    hints = {"Building_1": [0.5, 1], "Building_2": [0, 0.25]}
    good = httpx.Response(200, json={"hints": hints, "model": MODEL, "state": "after"})
    rows = httpx.Response(200, json={"hints": [[0.5, 1.0]], "model": MODEL})
    server = Scripted(answer(), good, problem(503), rows)
    client = make(kind, server, Clock(), attempts=2)
    found = client.hints(OBSERVED)
    assert (found.hints, found.attempts, client.state) == (hints, 2, "after")
    assert server.posts[0].url.path == "/v1/communities/default/hints"
    assert client.hints(GRID).hints == [[0.5, 1.0]]
    server.outcomes = [problem(503)]
    with pytest.raises(DeadlineError):
        client.hints(OBSERVED)


@both
def test_a_community_that_has_changed_is_asked_for_anew(kind: str) -> None:
    other = {"Building_1": {"electrical_storage": 0.5, "dhw_storage": 0.5}}
    server = Scripted(answer(), answer(other))
    client = make(kind, server, Clock())
    for _ in range(3):
        client.act(OBSERVED)
    assert len(server.gets) == 2


@both
def test_versions_names_and_tokens_go_where_they_belong(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first-token-of-all\n")
    server = Scripted(answer())
    client = make(kind, server, Clock(), community="a b/c", version="v~2", token_file=file)
    client.act(OBSERVED)
    file.write_text("the-next-token\n")
    client.act(OBSERVED)
    assert server.posts[0].url.raw_path == b"/v1/communities/a%20b%2Fc/versions/v~2/actions"
    assert [request.headers["authorization"] for request in server.posts] == [
        "Bearer first-token-of-all",
        "Bearer the-next-token",
    ]
    file.unlink()
    with pytest.raises(ConfigError, match="token's file can't be read"):
        client.act(OBSERVED)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"url": "policies:8000"}, "give one such as"),
        ({"url": "http://"}, "give one such as"),
        ({"url": "http://a:b:c"}, "give one such as"),
        ({"url": "http://policies/?a=1"}, "without a query"),
        ({"url": "http://user:secret@policies"}, "give a token instead"),
        ({"community": ""}, "community has an empty name"),
        ({"version": ""}, "version has an empty name"),
        ({"timeout_s": 0.0}, "timeout_s is 0.0; give seconds above 0"),
        ({"timeout_s": float("inf")}, "timeout_s is inf"),
        ({"attempt_timeout_s": -1.0}, "attempt_timeout_s is -1.0"),
        ({"attempts": 0}, "attempts is 0; give at least 1"),
        ({"fallback": "idle"}, "fallback is 'idle'"),
        ({"token": ""}, "The token is empty"),
        ({"token": "secret \n"}, "The token is empty, or has blanks"),
        ({"token": "secret", "token_file": "f"}, "give one of them"),
        ({"token_file": "/nowhere/at/all"}, "token's file can't be read"),
    ],
)
def test_options_that_cannot_work_are_said_at_the_start(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PolicyClient(**{"url": "http://policies", **options})
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("observed", [3, "text", None, [[[1.0]]], [{"Building_1": {}}], {"B": {"hour": object()}}, [[1j]]])
def test_observations_that_cannot_be_sent_are_refused_before_anything_is(observed: Any) -> None:
    server = Scripted(answer())
    with pytest.raises(FeatureError, match=r"^observations "):
        make("sync", server, Clock()).act(observed)
    assert server.posts == server.gets == []


def test_no_number_is_left_to_the_server_which_names_the_place() -> None:
    server = Scripted(problem(422, "observations.B.hour is nan."))
    with pytest.raises(PolicyRequestError, match="hour is nan"):
        make("sync", server, Clock()).act({"B": {"hour": float("nan")}})
    assert b"NaN" in server.posts[0].content


@both
def test_an_answer_without_end_is_not_read_to_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sync_client", "async_client"):
        monkeypatch.setattr(f"rllib_citylearn.client.{module}.MOST_BYTES", 1000)
    found = make(kind, Scripted(answer(state="m" * 1000)), Clock(), fallback=lambda _: None).act(OBSERVED)
    assert found.fallback
    assert found.reason.endswith("The last: an answer that does not end.")


def test_a_slow_function_is_left_and_an_error_comes_through() -> None:
    import time

    from rllib_citylearn.client.sync_client import within

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.05, lambda: time.sleep(5.0))
    assert time.monotonic() - started < 2.0
    with pytest.raises(ZeroDivisionError):
        within(5.0, lambda: 1 / 0)
    assert within(5.0, lambda: 3) == 3


def test_the_package_names_what_it_offers_and_imports_no_httpx() -> None:
    assert sorted(package._HOME) == package.__all__
    for name in package.__all__:
        assert getattr(package, name).__name__ == name
    code = (
        "import sys, rllib_citylearn, rllib_citylearn.client as c\n"
        "[getattr(c, name) for name in c.__all__]\n"
        "print(sorted({'httpx', 'torch', 'citylearn', 'onnxruntime', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_httpx_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(ConfigError, match=r"httpx is missing; pip install 'rllib_citylearn\[client\]'"):
        PolicyClient("http://policies")


@pytest.mark.parametrize("fallback", ["rest", None])
def test_calls_that_overlap_are_refused_and_the_first_is_answered(fallback: str | None) -> None:
    server = Scripted(answer(), answer())

    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.05)
        return server(request)

    async def both_at_once() -> list[Any]:
        transport = httpx.MockTransport(slow)
        async with AsyncPolicyClient("http://test", fallback=fallback, transport=transport) as client:  # type: ignore[arg-type]
            first, second = await asyncio.gather(client.act(OBSERVED), client.act(OBSERVED), return_exceptions=True)
            return [first, second, await client.act(OBSERVED)]

    first, second, third = asyncio.run(both_at_once())
    assert not first.fallback
    assert isinstance(second, ConfigError)
    assert "overlap" in str(second)
    assert not third.fallback, "the client is free again"


def test_a_call_that_was_cancelled_leaves_the_client_free() -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60.0)
        raise AssertionError

    async def cancelled() -> None:
        async with AsyncPolicyClient("http://test", fallback=None, transport=httpx.MockTransport(never)) as client:
            for _ in range(2):
                task = asyncio.create_task(client.act(OBSERVED))
                await asyncio.sleep(0.05)
                task.cancel()
                with pytest.raises(asyncio.CancelledError) as kept:
                    await task
                assert kept.traceback, "which holds on to what it came through"

    asyncio.run(cancelled())
