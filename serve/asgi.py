"""The HTTP endpoint as an ASGI application. It knows nothing of Ray: any ASGI server can run it."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

import msgspec

from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export.runtime import PolicyRuntime
from serve.metrics import CONTENT_TYPE, Metrics
from serve.problems import ProblemError
from serve.schemas import Actions, read_request

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"
PROBLEM = "application/problem+json"
METHODS = {
    "/predict": ("POST",),
    "/example": ("GET", "HEAD"),
    "/health": ("GET", "HEAD"),
    "/ready": ("GET", "HEAD"),
    "/metrics": ("GET", "HEAD"),
}

log = logging.getLogger(__name__)


class ClientDisconnectedError(Exception):
    """The client closed the connection before its request was complete; there is nobody to answer."""


class PolicyApp:
    """Routes requests to a policy.

    ====================  ====================================================================================
    ``POST /predict``     ``{"observations": [[...], ...]}`` -> ``{"actions": [[...], ...]}``, or a batch of both;
                          a policy with memory also answers ``"memory"``, to be sent with the next observations
    ``GET /example``      a body for ``/predict`` that fits the policy
    ``GET /health``       200 while the process answers
    ``GET /ready``        200 once a policy is loaded and has run, 503 before
    ``GET /metrics``      Prometheus metrics of this replica
    ====================  ====================================================================================

    Inference runs on the event loop's thread: it takes well under a millisecond for a community, less than handing it to
    another thread and back, and so a replica never computes on more than one core.

    Args:
        max_body_bytes: largest request body, in bytes; a larger one is refused unread.
    """

    def __init__(self, max_body_bytes: int) -> None:
        self.max_body_bytes = max_body_bytes
        self._policy: PolicyRuntime | None = None
        self._metrics = Metrics()

    def load(self, policy: PolicyRuntime) -> None:
        """Answer with ``policy`` from the next request on."""
        self._metrics.set_model(policy.manifest.name, policy.sha256)
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        started = time.perf_counter()
        headers: dict[str, str] = {}
        try:
            content_type, body = await self._route(scope, receive, path)
            status = HTTPStatus.OK
        except ClientDisconnectedError:
            return
        except ProblemError as problem:
            status, content_type, body, headers = problem.status, PROBLEM, problem.body(), problem.headers
        except Exception:
            log.exception("%s %s failed", scope["method"], path if path in METHODS else "(unknown path)")
            failure = ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed; its log says why. Try again later.")
            status, content_type, body = failure.status, PROBLEM, failure.body()
        headers |= {"content-type": content_type, "content-length": str(len(body)), "cache-control": "no-store"}
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        if path == "/predict":
            self._metrics.observe_predict(time.perf_counter() - started)
        self._metrics.count_request(path if path in METHODS else "other", int(status))
        await send({"type": "http.response.start", "status": int(status), "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _route(self, scope: Scope, receive: Receive, path: str) -> tuple[str, bytes]:
        """Content type and body of a successful answer."""
        if path not in METHODS:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"There is nothing at this path; there are {', '.join(METHODS)}.")
        if scope["method"] not in METHODS[path]:
            allowed = ", ".join(METHODS[path])
            detail = f"{path} does not take the method {ascii(scope['method'])[1:-1][:20]}; use {allowed}."
            raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"allow": allowed})
        if path == "/health":
            return JSON, b'{"status":"alive"}'
        if path == "/metrics":
            return CONTENT_TYPE, self._metrics.text()
        policy = self._policy
        if policy is None:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, "No policy is loaded yet; try again in a second.", {"retry-after": "1"}
            )
        if path == "/ready":
            return JSON, msgspec.json.encode({"status": "ready", "name": policy.manifest.name, "sha256": policy.sha256})
        if path == "/example":
            return JSON, msgspec.json.encode({"observations": policy.example()})
        return JSON, self._predict(policy, await self._read_body(scope, receive))

    def _predict(self, policy: PolicyRuntime, body: bytes) -> bytes:
        request = read_request(body, policy.community)
        try:
            actions, memories = policy.predict(request.batch, request.memories)
        except FeatureError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        for rows in request.batch:
            self._metrics.count_clipped(policy.clipped(rows))
        answer = Actions(actions if request.nested else actions[0])
        if memories:
            answer.memory = memories if request.nested else memories[0]
        return msgspec.json.encode(answer)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        _require_json(headers)
        if (length := headers.get("content-length", "")).isdecimal() and int(length[:18]) > self.max_body_bytes:
            raise self._too_large()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            body += message.get("body", b"")
            if len(body) > self.max_body_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    def _too_large(self) -> ProblemError:
        return ProblemError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The body is larger than {self.max_body_bytes} bytes; send fewer observations in one request.",
            {"connection": "close"},
        )


def _require_json(headers: dict[str, str]) -> None:
    """Refuse what says that it is not JSON. No content type at all is taken for JSON."""
    media_type = headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if media_type != JSON:
        detail = f"The body's content-type is {ascii(media_type)[:60]}; send JSON with 'content-type: {JSON}'."
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"accept-post": JSON})
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        detail = f"The body's content-encoding is {ascii(encoding)[:60]}; send it uncompressed."
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"accept-encoding": "identity"})


async def _lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start or stop; the protocol wants an answer all the same."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
