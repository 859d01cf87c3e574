"""Paths, methods, media types, sizes of bodies, ids of requests, and headers that every response has."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serve import routes
from serve.asgi import PolicyApp
from serve.routes import Route
from tests.bundles import write_small_bundle
from tests.contract.asking import ACTIONS, app_of, ask, post, raw, receiving, require_problem

LIMIT = 20_000
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]


@pytest.fixture
def small(bundles: Path) -> PolicyApp:
    """A server that takes small bodies only."""
    return app_of({"bundle": str(bundles / "plain"), "limits": {"body_bytes": LIMIT}})


def url_of(route: Route) -> str:
    """A path of the route that there is."""
    return route.pattern.format(community="default", building="Building_1")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("route", routes.ALL, ids=lambda route: route.pattern)
def test_a_method_is_answered_or_405_with_the_allowed_ones(app: PolicyApp, route: Route, method: str) -> None:
    response = ask(app, method, url_of(route), content=b"{}" if method == "POST" else b"")
    if method in route.methods:
        assert response.status_code == (422 if method == "POST" else 200)
        return
    assert (response.status_code, response.headers["allow"]) == (405, ", ".join(route.methods))
    if method != "HEAD":
        assert method in require_problem(response, 405)["detail"]


@pytest.mark.parametrize("route", [route for route in routes.ALL if "HEAD" in route.methods], ids=lambda r: r.pattern)
def test_head_is_get_without_a_body(app: PolicyApp, route: Route) -> None:
    head, get = ask(app, "HEAD", url_of(route)), ask(app, "GET", url_of(route))
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    if route is not routes.METRICS:  # which counts the request before
        assert head.headers["content-length"] == str(len(get.content))


@pytest.mark.parametrize(
    "url",
    [
        "/predict/",
        "/Predict",
        "/metrics/x",
        "//predict",
        "/%2e%2e/etc/passwd",
        "/\u00fc",
        "/v1",
        "/v1/communities/",
        "/v1/communities/a/b",
        "/v1/communities//actions",
        f"/v1/communities/{'x' * 201}",
        "/v1/communities/default/versions//actions",
        "/v1/communities/default/buildings//action",
        "/v1/communities/default/buildings/a%2Fb/action",
    ],
)
def test_an_unknown_path_is_404(app: PolicyApp, url: str) -> None:
    assert "/docs" in require_problem(ask(app, "GET", f"http://test{url}"), 404)["detail"]


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("/v1/communities/elsewhere", "there are default"),
        ("/v1/communities/default%0a", "there are default"),
        ("/v1/communities/default/versions/old", "there are current"),
        ("/v1/communities/elsewhere/versions/current/example", "there are default"),
    ],
)
def test_unknown_names_in_a_path_are_404_with_those_that_there_are(app: PolicyApp, url: str, there: str) -> None:
    assert there in require_problem(ask(app, "GET", url), 404)["detail"]


def test_an_unknown_building_is_404_with_those_that_there_are(app: PolicyApp) -> None:
    for name in ("Building_3", "building_1", "%F0%9F%8F%A0"):
        problem = require_problem(post(app, f"/v1/communities/default/buildings/{name}/action", {"observation": []}), 404)
        assert "there are Building_1, Building_2, Building_10" in problem["detail"]


def test_paths_are_decoded_once(app: PolicyApp) -> None:
    assert ask(app, "GET", "/v1/communities/d%65fault").status_code == 200
    require_problem(ask(app, "GET", "/v1/communities/d%2565fault"), 404)


def test_a_route_prefix_is_no_part_of_the_path(app: PolicyApp) -> None:
    for url in ("/district/ready", "/district/v1/communities/default", "/district"):
        assert ask(app, "GET", url, root_path="/district").status_code == 200


@pytest.mark.parametrize("kind", [None, "application/json", "Application/JSON; charset=utf-8"])
def test_json_by_any_of_its_names_is_taken(app: PolicyApp, kind: str | None) -> None:
    content = ask(app, "GET", "/example").content
    headers = {} if kind is None else {"content-type": kind}
    assert ask(app, "POST", "/predict", content=content, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"content-type": "text/plain"}, {"content-encoding": "gzip"}, {"content-type": "\u00fc"}]
)
def test_other_media_are_refused(app: PolicyApp, headers: dict[str, str]) -> None:
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    problem = require_problem(ask(app, "POST", ACTIONS, content=b"{}", headers=encoded), 415)
    assert ascii(next(iter(headers.values())))[1:-1] in problem["detail"]


def test_a_body_that_declares_too_much_is_refused_unread(small: PolicyApp) -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError("the body was read")

    status, headers, _ = asyncio.run(raw(small, ACTIONS, never, [(b"content-length", str(LIMIT + 1).encode())]))
    # A connection that closed while the body still came in would take this answer with it.
    assert (status, headers.get("connection")) == (413, None)


def test_a_body_that_grows_too_large_is_not_read_to_its_end(small: PolicyApp) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"[" * 1000

    chunks = endless()
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    status, _, body = asyncio.run(raw(small, ACTIONS, receive))
    assert (status, read) == (413, LIMIT // 1000 + 1)
    assert str(LIMIT) in json.loads(body)["detail"]


def test_a_body_of_the_very_limit_is_read_in_one_piece_or_many(small: PolicyApp) -> None:
    content = ask(small, "GET", "/example").content
    whole = content + b" " * (LIMIT - len(content))
    assert post(small, "/predict", whole).status_code == 200
    require_problem(post(small, "/predict", whole + b" "), 413)
    pieces = [whole[at : at + 777] for at in range(0, LIMIT, 777)]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    status, _, _ = asyncio.run(raw(small, "/predict", receive))
    assert (status, pieces) == (200, [])


@pytest.mark.parametrize("length", ["", "-1", "many", "\u0663", "9" * 5000, "0" * 30])
def test_a_strange_content_length_is_no_server_error(small: PolicyApp, length: str) -> None:
    status, _, _ = asyncio.run(raw(small, ACTIONS, receiving(b"{}"), [(b"content-length", length.encode())]))
    assert 400 <= status < 500


@pytest.mark.parametrize("first", [b"", b'{"observations"'])
def test_a_client_that_leaves_gets_no_answer_and_breaks_nothing(app: PolicyApp, first: bytes) -> None:
    messages = [{"type": "http.disconnect"}]
    if first:
        messages.insert(0, {"type": "http.request", "body": first, "more_body": True})  # type: ignore[dict-item]

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    status, _, _ = asyncio.run(raw(app, ACTIONS, receive))
    assert status == 0
    metrics = ask(app, "GET", "/metrics").text
    assert "citylearn_policy_requests_in_progress 1.0" in metrics, "the one that asks for metrics, and no other"
    assert 'status="0"' not in metrics


@pytest.mark.parametrize("given", ["a", "req-1:2_3.4", "x" * 128, "0b1c5b9e-31d8-4be2-8fbe-94bb3d4b2a3c"])
def test_a_clients_own_id_of_a_request_comes_back(app: PolicyApp, given: str) -> None:
    for url, status in (("/ready", 200), ("/nothing", 404)):
        response = ask(app, "GET", url, headers={"x-request-id": given})
        assert (response.status_code, response.headers["x-request-id"]) == (status, given)


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "\u00e9", "<script>", 'a"b', "a\tb", "{}"])
def test_an_id_that_can_not_stand_in_a_log_is_replaced(app: PolicyApp, given: str) -> None:
    ids = {
        ask(app, "GET", "/x", headers={"x-request-id": given.encode("latin-1")}).headers["x-request-id"] for _ in range(5)
    }
    assert len(ids) == 5, "every request has one of its own"
    assert all(len(one) == 24 and one.isalnum() for one in ids)


def test_every_response_forbids_what_no_response_needs(app: PolicyApp) -> None:
    responses = [ask(app, method, url_of(route)) for route in routes.ALL for method in ("GET", "POST", "BREW")]
    for response in (*responses, ask(app, "GET", "/nothing")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["referrer-policy"] == "no-referrer"
        assert int(response.headers["content-length"]) == len(response.content)


def test_ready_only_with_a_policy_and_alive_without(tmp_path: Path) -> None:
    app = PolicyApp()
    for route in routes.ALL:
        response = ask(app, route.methods[0], url_of(route))
        if route in (routes.HEALTH, routes.METRICS, routes.OPENAPI, routes.DOCS, routes.PAGE):
            assert response.status_code == 200
        else:
            require_problem(response, 503)
            assert response.headers["retry-after"] == "1"
    write_small_bundle(tmp_path / "bundle")
    app = app_of(tmp_path / "bundle")
    assert ask(app, "GET", "/health").json() == {"status": "alive"}
    assert ask(app, "GET", "/ready").json() == {"status": "ready", "communities": ["default"]}


def test_a_failure_of_the_server_is_500_without_internals(
    app: PolicyApp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret path")

    example = ask(app, "GET", "/example").json()
    monkeypatch.setattr(app.communities["default"].models["current"].runtime, "predict", fail)
    with caplog.at_level(logging.INFO, "serve"):
        response = post(app, "/predict", example, headers={"x-request-id": "mine"})
    assert "secret" not in response.text
    require_problem(response, 500)
    assert "secret path" in caplog.text
    assert caplog.records[-1].facts == {"request": "mine", "method": "POST", "path": "/predict"}  # type: ignore[attr-defined]
    assert ask(app, "GET", "/ready").status_code == 200


def test_websockets_are_closed_and_lifespans_answered(app: PolicyApp) -> None:
    async def talk(scope: dict[str, Any], *kinds: str) -> list[str]:
        messages, sent = list(kinds), []

        async def receive() -> dict[str, Any]:
            return {"type": messages.pop(0)}

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await app(scope, receive, send)
        return sent

    assert asyncio.run(talk({"type": "websocket"})) == ["websocket.close"]
    complete = asyncio.run(talk({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown"))
    assert complete == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
