"""The HTTP contract, driven in process without Ray: what fits is answered, what does not is refused in a sentence."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from rllib_citylearn.errors import BundleError, ConfigError
from rllib_citylearn.export import PolicyRuntime, read_bundle
from serve.asgi import METHODS, PolicyApp
from serve.policy import PolicyServer
from tests.bundles import observations, write_small_bundle

LIMIT = 20_000


@pytest.fixture(scope="module", params=[True, False], ids=["hints", "no-hints"])
def path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "bundle"
    write_small_bundle(path, hints=request.param)
    return path


@pytest.fixture(scope="module")
def policy(path: Path) -> PolicyRuntime:
    return PolicyRuntime(read_bundle(path))


@pytest.fixture
def app(policy: PolicyRuntime) -> PolicyApp:
    app = PolicyApp(max_body_bytes=LIMIT)
    app.load(policy)
    return app


def ask(app: PolicyApp, method: str, url: str, root_path: str = "", **options: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, url, **options)

    return asyncio.run(send())


def predict(app: PolicyApp, body: bytes | str) -> httpx.Response:
    return ask(app, "POST", "/predict", content=body, headers={"content-type": "application/json"})


def rows(policy: PolicyRuntime) -> list[list[Any]]:
    return observations(policy.community, 0)


def body_with(place: tuple[int, ...], value: str) -> Callable[[list[Any]], str]:
    """A request whose entry at ``place`` is the JSON text ``value``."""

    def build(observed: list[Any]) -> str:
        target: Any = observed
        for index in place[:-1]:
            target = target[index]
        target[place[-1]] = "HERE"
        return json.dumps({"observations": observed}).replace('"HERE"', value)

    return build


def test_actions_are_the_runtimes(app: PolicyApp, policy: PolicyRuntime) -> None:
    for seed in range(5):
        observed = observations(policy.community, seed)
        response = predict(app, json.dumps({"observations": observed}))
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.json() == {"actions": policy.actions(observed)}


@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_batch_is_answered_in_its_own_nesting(app: PolicyApp, policy: PolicyRuntime, size: int) -> None:
    batch = [observations(policy.community, seed) for seed in range(size)]
    response = predict(app, json.dumps({"observations": batch}))
    assert response.json() == {"actions": policy.batch_actions(batch)}


def test_the_example_is_a_request_that_fits(app: PolicyApp) -> None:
    example = ask(app, "GET", "/example")
    answer = predict(app, example.content)
    assert answer.status_code == 200
    assert [len(row) for row in answer.json()["actions"]] == [1, 2, 1]


@pytest.mark.parametrize("kind", [None, "application/json", "Application/JSON; charset=utf-8"])
def test_json_by_any_of_its_names_is_taken(app: PolicyApp, kind: str | None) -> None:
    content = ask(app, "GET", "/example").content
    headers = {} if kind is None else {"content-type": kind}
    assert ask(app, "POST", "/predict", content=content, headers=headers).status_code == 200


BAD_OBSERVATIONS: dict[str, tuple[Callable[[list[Any]], str], int, list[str]]] = {
    "too few buildings": (
        lambda r: json.dumps({"observations": r[:2]}),
        422,
        ["2 rows", "expected 3", "Building_1, Building_2, Building_10"],
    ),
    "too many buildings": (lambda r: json.dumps({"observations": [*r, [1.0]]}), 422, ["4 rows", "expected 3"]),
    "no buildings": (lambda _: '{"observations": []}', 422, ["0 rows", "expected 3", "Building_10"]),
    "a row too short": (body_with((1,), "[1, 2]"), 422, ["observations[1]", "Building_2", "2 values", "dhw_storage_soc"]),
    "a row too long": (body_with((2,), "[1, 2, 3]"), 422, ["observations[2]", "Building_10", "outdoor_dry_bulb"]),
    "an empty row": (body_with((0,), "[]"), 422, ["observations[0]", "Building_1", "0 values"]),
    "a number for a row": (body_with((2,), "5"), 422, ["observations[2]", "Building_10", "is 5"]),
    "an object for a row": (body_with((2,), "{}"), 422, ["observations[2]", "Building_10", "an object"]),
    "text for a number": (body_with((1, 2), '"0.5"'), 422, ["observations[1][2]", "Building_2", "dhw_storage_soc", "'0.5'"]),
    "null for a number": (body_with((1, 2), "null"), 422, ["observations[1][2]", "dhw_storage_soc", "null"]),
    "true for a number": (body_with((1, 2), "true"), 422, ["observations[1][2]", "dhw_storage_soc", "True"]),
    "a list for a number": (body_with((1, 2), "[1]"), 422, ["observations[1][2]", "dhw_storage_soc", "a list"]),
    "NaN": (body_with((0, 2), "NaN"), 422, ["observations[0][2]", "Building_1", "non_shiftable_load", "nan"]),
    "Infinity": (body_with((0, 2), "Infinity"), 422, ["observations[0][2]", "non_shiftable_load", "inf"]),
    "-Infinity": (body_with((0, 2), "-Infinity"), 422, ["observations[0][2]", "non_shiftable_load", "-inf"]),
    "a number beyond floats": (body_with((0, 2), "1e999"), 422, ["observations[0][2]", "non_shiftable_load", "inf"]),
    "an integer beyond floats": (body_with((0, 2), "9" * 400), 422, ["observations[0][2]", "non_shiftable_load"]),
    "an integer beyond parsers": (body_with((0, 2), "9" * 5000), 400, ["not valid JSON", "out of range"]),
    "half a surrogate pair": (body_with((0, 2), r'"\ud800"'), 422, ["observations[0][2]", r"\ud800"]),
    "a text for the list": (lambda _: '{"observations": "all"}', 422, ["observations", "'all'", "3 rows"]),
    "null for the list": (lambda _: '{"observations": null}', 422, ["observations", "null"]),
    "an object for the list": (lambda _: '{"observations": {"Building_1": []}}', 422, ["observations", "an object"]),
    "a bad place in a batch": (
        lambda r: json.dumps({"observations": [r, [r[0], r[1], ["cold", 1]]]}),
        422,
        ["observations[1][2][0]", "Building_10", "hour", "'cold'"],
    ),
    "a batch that is not one throughout": (lambda r: json.dumps({"observations": [r, 3]}), 422, ["observations[1]", "is 3"]),
    "deeper nesting": (lambda r: json.dumps({"observations": [[r]]}), 422, ["observations[0]", "1 rows", "expected 3"]),
    "no field": (lambda _: "{}", 422, ["no field 'observations'"]),
    "a misspelt field": (lambda r: json.dumps({"observation": r}), 422, ["no field 'observations'"]),
    "a field too many": (lambda r: json.dumps({"observations": r, "hint": 1}), 422, ["unknown field 'hint'"]),
    "a list": (json.dumps, 422, ["not a JSON object", "observations"]),
    "null": (lambda _: "null", 422, ["not a JSON object", "observations"]),
    "nothing": (lambda _: "", 400, ["empty", "observations"]),
    "blanks": (lambda _: " \n ", 400, ["empty"]),
    "cut short": (lambda r: json.dumps({"observations": r})[:-3], 400, ["not valid JSON"]),
    "no JSON": (lambda _: "observations=1", 400, ["not valid JSON"]),
    "endless nesting": (lambda _: '{"observations": ' + "[" * 15_000, 400, ["not valid JSON", "recursion"]),
}


@pytest.mark.parametrize("name", BAD_OBSERVATIONS)
def test_a_bad_body_is_refused_with_its_place(app: PolicyApp, policy: PolicyRuntime, name: str) -> None:
    build, status, named = BAD_OBSERVATIONS[name]
    problem = require_problem(predict(app, build(rows(policy))), status)
    assert [part for part in named if part not in problem["detail"]] == []


def require_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The response is a problem of RFC 9457 with that status, in one short sentence or two, and without internals."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json")
    problem: dict[str, Any] = response.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    assert "Traceback" not in response.text
    assert len(problem["detail"]) < 1000
    return problem


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"observations": "\xff"}', b"\x00" * 10, '{"\x00": 1}'.encode("utf-16")])
def test_bytes_that_are_no_utf8_json_are_refused(app: PolicyApp, content: bytes) -> None:
    assert predict(app, content).status_code in (400, 422)
    require_problem(predict(app, content), predict(app, content).status_code)


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {"content-encoding": "gzip"}])
def test_other_media_are_refused(app: PolicyApp, headers: dict[str, str]) -> None:
    problem = require_problem(ask(app, "POST", "/predict", content=b"{}", headers=headers), 415)
    assert next(iter(headers.values())) in problem["detail"]


@pytest.mark.parametrize("url", ["/", "/predict/", "/Predict", "/metrics/x", "//predict", "/%2e%2e/etc/passwd", "/\u00fc"])
def test_an_unknown_path_is_404(app: PolicyApp, url: str) -> None:
    assert "/predict" in require_problem(ask(app, "GET", f"http://test{url}"), 404)["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
@pytest.mark.parametrize("url", METHODS)
def test_a_method_is_answered_or_405_with_the_allowed_ones(app: PolicyApp, url: str, method: str) -> None:
    response = ask(app, method, url, content=b"{}" if method == "POST" else b"")
    if method in METHODS[url]:
        assert response.status_code != 405
        return
    assert response.headers["allow"] == ", ".join(METHODS[url])
    if method != "HEAD":
        assert method in require_problem(response, 405)["detail"]


def test_head_is_get_without_a_body(app: PolicyApp) -> None:
    head, get = ask(app, "HEAD", "/ready"), ask(app, "GET", "/ready")
    assert head.content == b""
    assert head.headers["content-length"] == str(len(get.content))


def test_a_route_prefix_is_no_part_of_the_path(app: PolicyApp) -> None:
    assert ask(app, "GET", "/district/ready", root_path="/district").status_code == 200


def test_a_body_that_declares_too_much_is_refused_unread(app: PolicyApp) -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError("the body was read")

    status, _ = asyncio.run(raw_request(app, [(b"content-length", str(LIMIT + 1).encode())], never))
    assert status == 413


def test_a_body_that_grows_too_large_is_not_read_to_its_end(app: PolicyApp) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"[" * 1000

    chunks = endless()
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    status, body = asyncio.run(raw_request(app, [], receive))
    assert (status, read) == (413, LIMIT // 1000 + 1)
    assert str(LIMIT) in json.loads(body)["detail"]


def test_a_body_of_the_very_limit_is_read(app: PolicyApp) -> None:
    content = ask(app, "GET", "/example").content
    assert predict(app, content + b" " * (LIMIT - len(content))).status_code == 200
    require_problem(predict(app, content + b" " * (LIMIT + 1 - len(content))), 413)


@pytest.mark.parametrize("length", ["", "-1", "many", "\u0663", "9" * 5000])
def test_a_strange_content_length_is_no_server_error(app: PolicyApp, length: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    status, _ = asyncio.run(raw_request(app, [(b"content-length", length.encode())], receive))
    assert 400 <= status < 500


def test_a_client_that_leaves_gets_no_answer_and_breaks_nothing(app: PolicyApp) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    status, _ = asyncio.run(raw_request(app, [], receive))
    assert status == 0


async def raw_request(app: PolicyApp, headers: list[tuple[bytes, bytes]], receive: Any) -> tuple[int, bytes]:
    """``POST /predict`` at the level of ASGI messages; status 0 where nothing was answered."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": "POST", "path": "/predict", "headers": headers}, receive, send)
    return (sent[0]["status"] if sent else 0), b"".join(message.get("body", b"") for message in sent)


def test_mutated_requests_never_fail_the_server(app: PolicyApp, policy: PolicyRuntime) -> None:
    """A few hundred requests with bytes changed, cut, repeated and spliced in: 200 or 4xx, and valid JSON either way."""
    chance = random.Random(2022)
    whole = json.dumps({"observations": rows(policy)}).encode()
    splices = [
        b"NaN",
        b"null",
        b"[",
        b"]",
        b'"',
        b"{",
        b"}",
        b"-",
        b"1e999",
        b"\x00",
        b"\xff",
        b",",
        b":",
        b"9" * 400,
        b"\\u",
    ]
    statuses = set()
    for _ in range(600):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place, length = chance.randrange(len(body) + 1), chance.randint(0, 12)
            body[place : place + length] = chance.choice([b"", chance.choice(splices), chance.randbytes(length)])
        response = predict(app, bytes(body))
        statuses.add(response.status_code)
        response.json()
        if response.status_code != 200:
            require_problem(response, response.status_code)
    assert {400, 422} <= statuses <= {200, 400, 422}


def test_arbitrary_json_never_fails_the_server(app: PolicyApp) -> None:
    chance = random.Random(1)

    def value(depth: int) -> Any:
        leaves: list[Any] = [None, True, 0, -1.5, 1e300, 10**30, "", "x", "\ud800", float("nan"), float("inf")]
        if depth == 0:
            return chance.choice(leaves)
        kind = chance.random()
        if kind < 0.7:
            return [value(depth - 1) for _ in range(chance.choice([0, 1, 2, 3, 4]))]
        return {chance.choice(["observations", "x", "\udc00"]): value(depth - 1)} if kind < 0.8 else chance.choice(leaves)

    for _ in range(400):
        body = json.dumps({"observations": value(3)} if chance.random() < 0.8 else value(3))
        response = predict(app, body)
        assert response.status_code in (200, 400, 422), body


def test_a_failure_of_the_server_is_500_without_internals(
    app: PolicyApp, policy: PolicyRuntime, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any) -> Any:
        raise RuntimeError("secret path")

    monkeypatch.setattr(policy, "batch_actions", fail)
    response = predict(app, json.dumps({"observations": rows(policy)}))
    assert "secret" not in response.text
    require_problem(response, 500)
    assert "secret path" in caplog.text


def test_ready_only_with_a_policy_and_alive_without(policy: PolicyRuntime) -> None:
    app = PolicyApp(max_body_bytes=LIMIT)
    assert ask(app, "GET", "/health").status_code == 200
    for method, url in (("GET", "/ready"), ("GET", "/example"), ("POST", "/predict")):
        response = ask(app, method, url)
        require_problem(response, 503)
        assert response.headers["retry-after"] == "1"
    app.load(policy)
    assert ask(app, "GET", "/ready").json() == {"status": "ready", "name": "test-policy", "sha256": policy.sha256}


def metric(app: PolicyApp, line: str) -> float:
    values = [entry.rpartition(" ")[2] for entry in ask(app, "GET", "/metrics").text.splitlines() if entry.startswith(line)]
    return float(values[0]) if values else 0.0


def test_metrics_count_what_happened(app: PolicyApp, policy: PolicyRuntime) -> None:
    hot = rows(policy)
    hot[2][1] = 99.0
    for body in ({"observations": hot}, {"observations": [hot, rows(policy)]}, {}):
        predict(app, json.dumps(body))
    for url in ("/x", "/y"):
        ask(app, "GET", url)
    assert metric(app, 'citylearn_policy_requests_total{path="/predict",status="200"}') == 2
    assert metric(app, 'citylearn_policy_requests_total{path="/predict",status="422"}') == 1
    assert metric(app, 'citylearn_policy_requests_total{path="other",status="404"}') == 2
    assert metric(app, "citylearn_policy_predict_seconds_count") == 3
    clipped = 'citylearn_policy_clipped_values_total{building="Building_10",feature="outdoor_dry_bulb_temperature"}'
    assert metric(app, clipped) == 2
    assert metric(app, f'citylearn_policy_model_info{{name="test-policy",sha256="{policy.sha256}"}}') == 1
    assert ask(app, "GET", "/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")


def test_a_changed_configuration_serves_another_policy_and_a_bad_one_keeps_the_old(path: Path, tmp_path: Path) -> None:
    server = PolicyServer()
    app = server.__serve_build_asgi_app__()
    asyncio.run(server.reconfigure({"bundle": str(path)}))
    assert ask(app, "GET", "/ready").json()["name"] == "test-policy"
    write_small_bundle(tmp_path / "next", name="next", bias=0.5)
    asyncio.run(server.reconfigure({"bundle": str(tmp_path / "next"), "max_body_bytes": 10}))
    assert ask(app, "GET", "/ready").json()["name"] == "next"
    assert "citylearn_policy_model_info{" in ask(app, "GET", "/metrics").text
    assert ask(app, "GET", "/metrics").text.count("citylearn_policy_model_info{") == 1
    require_problem(predict(app, '{"observations": []}'), 413)
    (tmp_path / "next" / "actor.onnx").unlink()
    with pytest.raises(BundleError, match=r"actor\.onnx"):
        asyncio.run(server.reconfigure({"bundle": str(tmp_path / "next")}))
    assert ask(app, "GET", "/ready").json()["name"] == "next"


@pytest.mark.parametrize(
    "config", [None, {}, {"bundle": 3}, {"bundle": "b", "bundel": "b"}, {"bundle": "b", "max_body_bytes": 0}]
)
def test_a_wrong_configuration_is_refused(config: Any) -> None:
    with pytest.raises(ConfigError, match=r"bundle|max_body_bytes"):
        asyncio.run(PolicyServer().reconfigure(config))


def test_the_endpoint_needs_neither_torch_nor_citylearn_nor_ray(path: Path) -> None:
    code = (
        "import asyncio, sys; from serve.policy import PolicyServer\n"
        "server = PolicyServer(); asyncio.run(server.reconfigure({'bundle': sys.argv[1]}))\n"
        "print(sorted({'torch', 'citylearn', 'ray', 'gymnasium', 'numba', 'fastapi'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
