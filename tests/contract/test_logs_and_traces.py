"""Logs are lines of JSON with the ids of requests; spans go to a collector, under those of the callers."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from rllib_citylearn.errors import ConfigError
from serve.asgi import PolicyApp
from serve.logs import JsonLines
from serve.policy import PolicyServer
from serve.settings import settings
from serve.tracing import Tracer
from tests.contract.asking import ACTIONS, app_of, ask, post, raw

COLLECTOR = "http://127.0.0.1:9/v1/traces"


def lines(text: str) -> list[dict[str, Any]]:
    """Each line of a log as the object that it is."""
    return [json.loads(line) for line in text.splitlines()]


def logged(bundle: Path, capfd: pytest.CaptureFixture[str], **config: Any) -> PolicyApp:
    """A replica's application, with logs as in production; what starting it wrote is dropped."""
    logging.getLogger("serve").handlers.clear()
    server = PolicyServer()
    asyncio.run(server.reconfigure({"bundle": str(bundle), **config}))
    start = lines(capfd.readouterr().err)
    assert [line["message"].partition(":")[0] for line in start] == ["default"]
    return server.__serve_build_asgi_app__()


def test_each_request_is_a_line_with_its_id(bundles: Path, capfd: pytest.CaptureFixture[str]) -> None:
    app = logged(bundles / "plain", capfd, access_log=True)
    example = ask(app, "GET", "/example", headers={"x-request-id": "one"}).content
    post(app, "/predict", example, headers={"x-request-id": "two"})
    post(app, ACTIONS, b"{", headers={"x-request-id": "three"})
    response = ask(app, "BREW\u20ac".encode().hex(), "/nothing?secret=1", headers={"x-request-id": "a\nb"})
    written = lines(capfd.readouterr().err)
    assert [(line["request"], line["method"], line["path"], line["status"]) for line in written] == [
        ("one", "GET", "/example", 200),
        ("two", "POST", "/predict", 200),
        ("three", "POST", "/v1/communities/{community}/actions", 400),
        (response.headers["x-request-id"], "other", "other", 404),
    ]
    for line in written:
        assert set(line) == {"time", "level", "logger", "message", "request", "method", "path", "status", "ms"}
        assert (line["level"], line["logger"], line["message"]) == ("INFO", "serve.asgi", "request")
        assert line["time"].endswith("+00:00")
        assert 0 < line["ms"] < 10_000


def test_without_an_access_log_only_failures_are_written(
    bundles: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app = logged(bundles / "plain", capfd)
    example = ask(app, "GET", "/example").content
    post(app, "/predict", example)
    assert capfd.readouterr().err == ""

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr(app.communities["default"].models["current"].runtime, "predict", fail)
    response = post(app, "/predict", example)
    (line,) = lines(capfd.readouterr().err)
    assert (line["level"], line["request"]) == ("ERROR", response.headers["x-request-id"])
    assert "RuntimeError: two\nlines" in line["traceback"]
    assert "two" not in response.text


def test_anything_that_is_logged_is_one_line_of_json() -> None:
    form = JsonLines()
    for message, args in (("a %s", ('\n\u2028\x00"',)), ("100%", ()), ("\u00e9", ())):
        record = logging.LogRecord("serve.x", logging.WARNING, "", 0, message, args, None)
        text = form.format(record)
        assert "\n" not in text
        assert json.loads(text)["message"] == (message % args if args else message)


def test_two_servers_in_a_process_write_each_line_once(bundles: Path, capfd: pytest.CaptureFixture[str]) -> None:
    app = logged(bundles / "plain", capfd, access_log=True)
    PolicyServer()
    ask(app, "GET", "/ready")
    assert len(lines(capfd.readouterr().err)) == 1


def traced(app: PolicyApp, bundle: Path) -> tuple[Tracer, InMemorySpanExporter]:
    """Let an application send its spans into memory."""
    exporter = InMemorySpanExporter()
    tracer = Tracer(COLLECTOR, exporter)
    wanted, communities, tokens, _ = app.prepare(settings({"bundle": str(bundle)}))
    app.use(wanted, communities, tokens, tracer)
    return tracer, exporter


def test_each_request_is_a_span_under_that_of_its_caller(app: PolicyApp, bundles: Path) -> None:
    tracer, exporter = traced(app, bundles / "plain")
    example = ask(app, "GET", "/v1/communities/default/example").content
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    headers = {"traceparent": f"00-{trace}-{parent}-01", "x-request-id": "mine"}
    post(app, ACTIONS, example, headers=headers)
    post(app, ACTIONS, b"{}", headers={"traceparent": "nonsense"})
    ask(app, "BREW", "/nothing")
    tracer.close()
    spans = exporter.get_finished_spans()
    names = [span.name for span in spans]
    assert names == [
        "GET /v1/communities/{community}/example",
        "POST /v1/communities/{community}/actions",
        "POST /v1/communities/{community}/actions",
        "other other",
    ]
    statuses = [span.attributes["http.response.status_code"] for span in spans]
    assert statuses == [200, 200, 422, 404]
    assert (f"{spans[1].context.trace_id:032x}", f"{spans[1].parent.span_id:016x}") == (trace, parent)
    assert spans[1].attributes["http.request.id"] == "mine"
    assert spans[1].attributes["http.route"] == "/v1/communities/{community}/actions"
    assert [span.parent for span in (spans[0], spans[2], spans[3])] == [None] * 3
    assert {span.kind.name for span in spans} == {"SERVER"}
    assert {span.resource.attributes["service.name"] for span in spans} == {"rllib-citylearn"}


def test_failures_are_errors_in_spans(app: PolicyApp, bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracer, exporter = traced(app, bundles / "plain")

    def fail(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret path")

    example = ask(app, "GET", "/example").content
    monkeypatch.setattr(app.communities["default"].models["current"].runtime, "predict", fail)
    post(app, "/predict", example)
    post(app, "/predict", b"")
    tracer.close()
    spans = exporter.get_finished_spans()
    assert [span.status.status_code.name for span in spans] == ["UNSET", "ERROR", "UNSET"]
    assert [span.attributes["http.response.status_code"] for span in spans] == [200, 500, 400]


def test_a_span_that_began_before_a_new_configuration_ends_all_the_same(
    app: PolicyApp, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what the old tracer holds is sent: it is closed, in another thread."""
    first, _ = traced(app, bundles / "plain")
    ended: list[Any] = []
    end = first.end
    monkeypatch.setattr(first, "end", lambda span, status: (end(span, status), ended.append(span)))
    example = ask(app, "GET", "/example").content

    async def run() -> None:
        release = asyncio.Event()

        async def slow() -> dict[str, Any]:
            await release.wait()
            return {"type": "http.request", "body": example}

        held = asyncio.create_task(raw(app, "/predict", slow))
        await asyncio.sleep(0)
        tracer, second = traced(app, bundles / "plain")
        release.set()
        assert (await held)[0] == 200
        tracer.close()
        assert second.get_finished_spans() == ()

    asyncio.run(run())
    for thread in [thread for thread in threading.enumerate() if thread.name == "close-tracer"]:
        thread.join(10)
    assert [span.name for span in ended] == ["GET /example", "POST /predict"]


def test_tracers_are_kept_while_their_collector_stays(bundles: Path) -> None:
    app = app_of({"bundle": str(bundles / "plain"), "traces": COLLECTOR})
    (_, _, _, first), (_, _, _, other) = (
        app.prepare(settings({"bundle": str(bundles / "plain"), "traces": url})) for url in (COLLECTOR, COLLECTOR + "x")
    )
    (_, _, _, none) = app.prepare(settings({"bundle": str(bundles / "plain")}))
    assert none is None
    assert first is not None
    assert other is not None
    assert first is not other
    assert [first.endpoint, other.endpoint] == [COLLECTOR, COLLECTOR + "x"]
    assert app.prepare(settings({"bundle": str(bundles / "plain"), "traces": COLLECTOR}))[3] is first


def test_traces_without_the_extra_are_refused_in_a_sentence(bundles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"is missing; pip install 'rllib_citylearn\[tracing\]'"):
        app_of({"bundle": str(bundles / "plain"), "traces": COLLECTOR})
