"""Questions to a server in process, without Ray, and what every answer has to keep to."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from rllib_citylearn.export import PolicyRuntime, read_bundle
from serve.asgi import PolicyApp
from serve.models import Model
from serve.settings import settings

ACTIONS = "/v1/communities/default/actions"
HINTS = "/v1/communities/default/hints"


def app_of(config: Mapping[str, Any] | Path) -> PolicyApp:
    """An application that serves what a configuration says, or one bundle."""
    app = PolicyApp()
    roll(app, {"bundle": str(config)} if isinstance(config, Path) else config)
    return app


def roll(app: PolicyApp, config: Mapping[str, Any]) -> None:
    """Let an application serve something else."""
    app.use(*app.prepare(settings(dict(config))))


def own(name: str) -> str:
    """Where a building that acts for itself asks."""
    return f"/v1/communities/default/buildings/{name}/action"


def model_of(app: PolicyApp, community: str = "default", version: str = "current") -> Model:
    """A version at work."""
    return app.communities[community].models[version]


def runtime_of(path: Path) -> PolicyRuntime:
    """The policy of a bundle, to compare with."""
    return PolicyRuntime(read_bundle(path))


async def ask_async(app: PolicyApp, method: str, url: str, root_path: str = "", **options: Any) -> httpx.Response:
    """A request's response."""
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, url, **options)


def ask(app: PolicyApp, method: str, url: str, root_path: str = "", **options: Any) -> httpx.Response:
    """A request's response, for tests that have no event loop."""
    return asyncio.run(ask_async(app, method, url, root_path, **options))


def post(app: PolicyApp, url: str, body: Any, **options: Any) -> httpx.Response:
    """The response to a body: bytes or text as they are, anything else as JSON."""
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    headers = {"content-type": "application/json", **options.pop("headers", {})}
    return ask(app, "POST", url, content=content, headers=headers, **options)


def answer(app: PolicyApp, url: str, **body: Any) -> dict[str, Any]:
    """The content of an answer to a body that fits."""
    response = post(app, url, body)
    assert response.status_code == 200, response.text
    content: dict[str, Any] = response.json()
    return content


def require_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The response is a problem of RFC 9457 with that status, in short sentences of ASCII, and without internals."""
    assert (response.status_code, response.headers["content-type"]) == (status, "application/problem+json"), response.text
    problem: dict[str, Any] = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert (problem["type"], problem["status"]) == ("about:blank", status)
    assert problem["instance"] == f"urn:request:{response.headers['x-request-id']}"
    assert "Traceback" not in response.text
    assert re.fullmatch(r"[ -~]{10,1000}", problem["detail"]), problem["detail"]
    assert problem["detail"].endswith((".", "..."))
    return problem


async def raw(
    app: PolicyApp,
    url: str,
    receive: Any,
    headers: Sequence[tuple[bytes, bytes]] = (),
    method: str = "POST",
) -> tuple[int, dict[str, str], bytes]:
    """A request at the level of ASGI messages: status (0 where nothing was answered), headers and body."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "method": method, "path": url, "headers": list(headers)}, receive, send)
    if not sent:
        return 0, {}, b""
    given = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], given, b"".join(message.get("body", b"") for message in sent)


def receiving(body: bytes) -> Any:
    """An ASGI ``receive`` that gives a whole body at once."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def with_thermostats(rows: Sequence[Any], actions: Sequence[Sequence[float]]) -> list[list[Any]]:
    """The runtime's actions as they are answered: the third building's cooling device is left alone where it is silent."""
    return [*map(list, actions[:2]), [None] if rows[2] is None else list(actions[2])]


def by_name(runtime: PolicyRuntime, rows: Sequence[Sequence[Any] | None]) -> dict[str, Any]:
    """Rows as observations by name."""
    return {
        agent.name: None if row is None else dict(zip(agent.features, row, strict=True))
        for agent, row in zip(runtime.community.agents, rows, strict=True)
    }


def actions_by_name(runtime: PolicyRuntime, actions: Sequence[Sequence[float]]) -> dict[str, dict[str, float]]:
    """Rows of actions as they are answered by name."""
    return {
        agent.name: dict(zip(agent.actions, row, strict=True))
        for agent, row in zip(runtime.community.agents, actions, strict=True)
    }
