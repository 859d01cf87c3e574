"""Both clients against the real application, and against servers that break, babble and dawdle on a real port."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rllib_citylearn.client import AsyncPolicyClient, PolicyClient, PolicyRequestError
from rllib_citylearn.export import BuildingRuntime, PolicyRuntime, read_bundle
from serve.asgi import PolicyApp
from tests.bundles import observations, write_small_bundle
from tests.contract.asking import with_thermostats
from tests.policy_clients import DESCRIPTION, MODEL, NAMED, Awaited
from tests.policy_servers import Handler, policy_app, raw_server, response, serving

TOKEN = "a-token-of-some-length"
REST = [[0.0], [0.0, 0.0], [None]]
GOOD = response(json.dumps({"actions": NAMED, "model": MODEL, "state": "after"}).encode())
DESCRIBED = response(json.dumps(DESCRIPTION).encode())

both = pytest.mark.parametrize("kind", ["sync", "async"])


def client_at(kind: str, url: str, **options: Any) -> Any:
    """A client of either kind at a real port; with time enough for a busy machine."""
    given = {"timeout_s": 30.0, "attempt_timeout_s": 30.0, **options}
    return PolicyClient(url, **given) if kind == "sync" else OneLoop(AsyncPolicyClient(url, **given))


class OneLoop(Awaited):
    """All calls in one event loop, as connections belong to it."""

    def __init__(self, client: AsyncPolicyClient) -> None:
        super().__init__(client)
        object.__setattr__(self, "runner", asyncio.Runner())

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.client, name)
        if not asyncio.iscoroutinefunction(value):
            return value
        return lambda *args, **kwargs: self.runner.run(value(*args, **kwargs))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    write_small_bundle(path, memory=True)
    return path


@pytest.fixture(scope="module")
def app(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> PolicyApp:
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text(f"tests {TOKEN}\n")
    return policy_app(bundle, tokens=str(tokens))


@pytest.fixture(scope="module")
def url(app: PolicyApp) -> Iterator[str]:
    with serving(app) as url:
        yield url


@both
def test_actions_and_states_are_the_runtimes(kind: str, url: str, bundle: Path) -> None:
    runtime = PolicyRuntime(read_bundle(bundle))
    client = client_at(kind, url, token=TOKEN)
    states = None
    for seed in range(30):
        rows: list[Any] = observations(runtime.community, seed)
        if seed % 5 == 4:
            rows[seed % 3] = None
        expected = runtime.predict([rows], states)
        states = expected.states
        wanted = with_thermostats(rows, expected.values[0])
        named = {
            agent.name: None if row is None else dict(zip(agent.features, row, strict=True))
            for agent, row in zip(runtime.community.agents, rows, strict=True)
        }
        if seed % 2:
            found = client.act(rows)
            assert found.actions == wanted
        else:
            found = client.act(named)
            assert [list(row.values()) for row in found.actions.values()] == wanted
            assert tuple(found.actions) == runtime.building_names
        assert client.state == states[0]
        assert (found.fallback, found.attempts, found.model.sha256) == (False, 1, runtime.sha256)
        assert set(found.degraded) == {
            agent.name for agent, row in zip(runtime.community.agents, rows, strict=True) if row is None
        }
    client.close()


@both
def test_a_memory_survives_a_restart_of_the_client(kind: str, url: str, bundle: Path) -> None:
    community = read_bundle(bundle).manifest.community
    one, other = client_at(kind, url, token=TOKEN), client_at(kind, url, token=TOKEN)
    for seed in range(3):
        one.act(observations(community, seed))
    other.state = one.state
    rows = observations(community, 3)
    assert other.act(rows).actions == one.act(rows).actions
    other.reset()
    assert other.act(rows).actions != one.act(rows).actions
    one.close()
    other.close()


@both
def test_what_a_server_tells_of_itself(kind: str, url: str, bundle: Path) -> None:
    runtime = PolicyRuntime(read_bundle(bundle))
    client = client_at(kind, url, token=TOKEN)
    community = client.community()
    assert [b.name for b in community.buildings] == list(runtime.building_names)
    assert [b.actions for b in community.buildings] == [agent.actions for agent in runtime.community.agents]
    assert [b.features for b in community.buildings] == [agent.features for agent in runtime.community.agents]
    assert [b.action_high for b in community.buildings] == [agent.action_high for agent in runtime.community.agents]
    assert community.model.sha256 == runtime.sha256
    assert community.features["hour"]["unit"] == "h"
    example = client.example()
    assert [list(row.values()) for row in example.values()] == runtime.example()
    assert not client.act(example).fallback
    assert [model["version"] for model in client.models()] == ["current"]
    assert client.ready() is True
    client.close()
    stranger = client_at(kind, url, community="elsewhere")
    assert stranger.ready() is False
    stranger.close()
    unknown = client_at(kind, url, token="not-the-token-that-it-takes")
    with pytest.raises(PolicyRequestError, match="401"):
        unknown.ready()
    unknown.close()


@both
def test_buildings_act_for_themselves_with_hints(kind: str, url: str, bundle: Path) -> None:
    """Each with its own memory: together they do what the server does for all at once."""
    read = read_bundle(bundle)
    names = [agent.name for agent in read.manifest.community.agents]
    gateways = {name: BuildingRuntime(read, name) for name in names}
    states: dict[str, Any] = dict.fromkeys(names)
    coordinator, whole = client_at(kind, url, token=TOKEN), client_at(kind, url, token=TOKEN)
    for seed in range(5):
        rows = observations(read.manifest.community, seed)
        hints = coordinator.hints(rows).hints
        expected = whole.act(rows).actions
        for name, row, hint, actions in zip(names, rows, hints, expected, strict=True):
            mine, states[name] = gateways[name].act(row, hint, states[name])
            assert mine == pytest.approx(actions, abs=1e-5)
    assert coordinator.state == whole.state
    coordinator.close()
    whole.close()


@both
def test_refusals_reach_the_user_in_the_servers_words(kind: str, url: str) -> None:
    client = client_at(kind, url, token=TOKEN)
    rows = [list(row.values()) for row in client.example().values()]
    cases: list[tuple[int, str, Any]] = [
        (422, r"observations\[0\] \(Building_1\) has 1 values", [[1.0], None, None]),
        (422, "unknown building 'Nobody'", {"Nobody": {}}),
        (422, r"\(Building_1, hour\) is nan", [[float("nan"), *rows[0][1:]], None, None]),
    ]
    for status, words, observed in cases:
        with pytest.raises(PolicyRequestError, match=words) as caught:
            client.act(observed)
        assert caught.value.status == status
    client.state = "not a state"
    with pytest.raises(PolicyRequestError, match="state is not what the last answer gave"):
        client.act(rows)
    client.close()
    for options, status in (({"token": "another-token-of-nobody"}, 401), ({"token": TOKEN, "community": "elsewhere"}, 404)):
        stranger = client_at(kind, url, **options)
        with pytest.raises(PolicyRequestError) as caught:
            stranger.act(rows)
        assert caught.value.status == status
        assert "token-of" not in str(caught.value)
        stranger.close()


def test_in_process_without_a_port(app: PolicyApp, bundle: Path) -> None:
    runtime = PolicyRuntime(read_bundle(bundle))

    async def ask() -> list[Any]:
        transport = httpx.ASGITransport(app=app)
        clients = [AsyncPolicyClient("http://app", token=TOKEN, timeout_s=60.0, transport=transport) for _ in range(8)]
        rows = [observations(runtime.community, seed) for seed in range(8)]
        return await asyncio.gather(*(client.act(row) for client, row in zip(clients, rows, strict=True)))

    found = asyncio.run(ask())
    assert [one.actions for one in found] == [runtime.actions(observations(runtime.community, seed)) for seed in range(8)]
    assert len({one.request_id for one in found}) == 8


@both
def test_a_busy_server_is_asked_again_when_it_has_room(kind: str, bundle: Path) -> None:
    app = policy_app(bundle, limits={"requests_per_second": 1.0})
    with serving(app) as url:
        client = client_at(kind, url)
        rows = PolicyRuntime(read_bundle(bundle)).example()
        found = [client.act(rows) for _ in range(4)]
        client.close()
    assert not any(one.fallback for one in found)
    assert max(one.attempts for one in found) >= 2


@both
def test_a_server_that_comes_back_is_found_again(kind: str, app: PolicyApp) -> None:
    with serving(app) as url:
        client = client_at(kind, url, token=TOKEN, attempts=2)
        rows = [list(row.values()) for row in client.example().values()]
        assert not client.act(rows).fallback
        state = client.state
    away = client.act(rows)
    assert (away.fallback, away.attempts, away.actions, client.state) == (True, 2, REST, state)
    assert client.ready() is False
    with serving(app, port=int(url.rpartition(":")[2])):
        back = client.act(rows)
        assert (back.fallback, client.state != state) == (False, True)
        client.close()


def halfway(connection: socket.socket, request: bytes) -> None:
    """Promises more than it sends."""
    connection.sendall(GOOD[: len(GOOD) // 2])


def reset(connection: socket.socket, request: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def nothing(connection: socket.socket, request: bytes) -> None:
    return


def no_http(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")


def a_page(connection: socket.socket, request: bytes) -> None:
    connection.sendall(response(b"<html>Please log in</html>"))


def no_gzip(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope")


def silence(connection: socket.socket, request: bytes) -> None:
    time.sleep(30.0)


def dripping_headers(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nx-dots: ")
    for _ in range(300):
        connection.sendall(b".")
        time.sleep(0.1)


def dripping_body(connection: socket.socket, request: bytes) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(300):
        connection.sendall(b" ")
        time.sleep(0.1)


def good(connection: socket.socket, request: bytes) -> None:
    connection.sendall(DESCRIBED if request.startswith(b"GET") else GOOD)


def header(request: bytes, name: bytes) -> bytes:
    (value,) = [line.partition(b":")[2].strip() for line in request.splitlines() if line.lower().startswith(name + b":")]
    return value


@both
@pytest.mark.parametrize("bad", [halfway, reset, nothing, no_http, a_page, no_gzip], ids=lambda handler: handler.__name__)
def test_a_broken_answer_is_asked_for_again(kind: str, bad: Handler) -> None:
    with raw_server(good, bad, bad, good) as (url, requests):
        client = client_at(kind, url)
        client.state = "before"
        client.community()
        found = client.act({"Building_1": {"hour": 1}})
        client.close()
    assert (found.actions, found.fallback, found.attempts, client.state) == (NAMED, False, 3, "after")
    posts = [request for request in requests if request.startswith(b"POST")]
    assert len({header(request, b"x-request-id") for request in posts}) == 1
    assert len({request.partition(b"\r\n\r\n")[2] for request in posts}) == 1, "the same observations and state"


@both
@pytest.mark.parametrize("slow", [silence, dripping_headers, dripping_body], ids=lambda handler: handler.__name__)
def test_a_slow_answer_ends_in_the_fallback_at_the_deadline(kind: str, slow: Handler) -> None:
    with raw_server(slow) as (url, requests):
        client = client_at(kind, url, timeout_s=1.5, attempt_timeout_s=1.0, fallback=lambda _: REST)
        client.state = "before"
        started = time.monotonic()
        found = client.act([[1.0], None, None])
        took = time.monotonic() - started
        client.close()
    assert (found.actions, found.fallback, client.state) == (REST, True, "before")
    assert "no whole answer within" in found.reason
    assert 1.0 <= took < 10.0, "far below the half a minute that the server takes"
    assert requests


@both
def test_one_attempt_that_hangs_does_not_take_the_whole_time(kind: str) -> None:
    with raw_server(silence, good) as (url, _):
        client = client_at(kind, url, timeout_s=30.0, attempt_timeout_s=2.0, fallback=lambda _: None)
        found = client.act({"Building_1": {"hour": 1}})
        client.close()
    assert not found.fallback
    assert found.attempts >= 2


def test_a_call_that_is_cancelled_leaves_the_client_as_it_was() -> None:
    async def cancelled(url: str) -> tuple[str | None, Any]:
        async with AsyncPolicyClient(url, timeout_s=30.0, attempt_timeout_s=30.0) as client:
            client.state = "before"
            await client.community()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(client.act({"Building_1": {"hour": 1}}), 0.3)
            return client.state, await client.act({"Building_1": {"hour": 1}})

    with raw_server(good, silence, good) as (url, _):
        state, found = asyncio.run(cancelled(url))
    assert (state, found.actions, found.fallback) == ("before", NAMED, False)
