"""The HTTP endpoint as an ASGI application. It knows nothing of Ray: any ASGI server can run it."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from serve import routes
from serve.answers import Answerer
from serve.loading import load_communities
from serve.logs import Few
from serve.metrics import CONTENT_TYPE, Metrics
from serve.models import Model, ServedCommunity
from serve.openapi import document
from serve.pages import docs_page, front_page
from serve.problems import ProblemError
from serve.rates import Rates
from serve.requests import (
    JSON,
    ClientDisconnectedError,
    Headers,
    Receive,
    Scope,
    Send,
    headers_of,
    read_body,
    request_id,
    require_json,
    require_time,
)
from serve.routes import Match
from serve.settings import DEFAULT, Settings
from serve.tokens import Tokens
from serve.tracing import Tracer

PROBLEM = "application/problem+json"
HTML = "text/html; charset=utf-8"

_SAFE = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
# The pages carry their own styles and script, and load nothing.
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"
)

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"})
"""Methods that logs and spans name; clients may invent others without end."""

_SLOW_S = 0.5
"""A body that takes longer is a slow client's."""

_SLOW_BODIES = 2
"""As many of them as ``limits.concurrent`` times this wait beside the requests in progress; others count among those."""

_LOGGED_FAILURES = 20
"""Refused requests that are logged in a second; metrics count all of them."""

log = logging.getLogger(__name__)


class PolicyApp:
    """Answers requests with the policies of communities; ``/docs`` describes them.

    Inference runs on the event loop's thread: it takes well under a millisecond for a community, less than handing it to
    another thread and back, and so a replica never computes on more than one core.

    Attributes:
        metrics: what is counted.
        names_requests: whether answers say the id that a request came with; else somebody else does.
    """

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.names_requests = True
        self._settings = Settings(bundle="")
        self._communities: Mapping[str, ServedCommunity] = {}
        self._answerer = Answerer(self.metrics, 1)
        self._tokens: Tokens | None = None
        self._rates: Rates | None = None
        self._tracer: Tracer | None = None
        self._refusal: str | None = None
        self._in_progress = self._slow = 0
        self._failures = Few(_LOGGED_FAILURES)

    @property
    def communities(self) -> Mapping[str, ServedCommunity]:
        """What is served, by name; empty before the first configuration."""
        return self._communities

    def prepare(self, settings: Settings) -> tuple[Settings, dict[str, ServedCommunity], Tokens | None, Tracer | None]:
        """Everything that a configuration needs, verified; may be called in another thread, and changes nothing.

        Raises:
            BundleError: a policy is damaged or acts too differently.
            ConfigError: a file can't be read, or an extra is missing.
        """
        communities = load_communities(settings, self._communities)
        tokens = Tokens(Path(settings.tokens)) if settings.tokens is not None else None
        tracer = self._tracer
        if settings.traces is None:
            tracer = None
        elif tracer is None or tracer.endpoint != settings.traces:
            tracer = Tracer(settings.traces)
        return settings, communities, tokens, tracer

    def use(
        self,
        settings: Settings,
        communities: Mapping[str, ServedCommunity],
        tokens: Tokens | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """Answer with what ``prepare`` gave, from the next request on."""
        rate = settings.limits.requests_per_second
        if rate is None or rate != self._settings.limits.requests_per_second:
            self._rates = None if rate is None else Rates(rate)
        self._settings = settings
        self._communities = communities
        self._answerer = Answerer(self.metrics, settings.limits.batch)
        self._tokens = tokens
        if self._tracer is not None and self._tracer is not tracer:
            # It may wait for its collector, which requests must not.
            threading.Thread(target=self._tracer.close, name="close-tracer", daemon=True).start()
        self._tracer = tracer
        self._refusal = None
        self.metrics.set_communities(communities.values())

    def refuse(self, why: str) -> None:
        """A configuration could not be used; what is served stays, and says so."""
        self._refusal = why
        self.metrics.refused()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        method = scope["method"]
        given = headers_of(scope)
        identity = request_id(given)
        pattern = routes.pattern_of(path)
        tracer = self._tracer  # another may take its place meanwhile
        shown_method = method if method in _METHODS else "other"
        span = None if tracer is None else tracer.start(shown_method, pattern, given, identity)
        self._in_progress += 1
        self.metrics.begin()
        status = 0
        headers: dict[str, str] = {}
        try:
            content_type, body = await self._answer(path, method, given, receive)
            status = HTTPStatus.OK
        except ClientDisconnectedError:
            return
        except ProblemError as problem:
            status, content_type, body, headers = problem.status, PROBLEM, problem.body(identity), problem.headers
        except Exception:
            log.exception(
                "a request failed", extra={"facts": {"request": identity, "method": shown_method, "path": pattern}}
            )
            failure = ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed; its log says why. Try again later.")
            status, content_type, body = failure.status, PROBLEM, failure.body(identity)
        finally:
            self._in_progress -= 1
            timed = time.perf_counter() - started if method == "POST" else None
            self.metrics.end(pattern, int(status), timed)
            if span is not None and tracer is not None:
                tracer.end(span, int(status))
            self._log(identity, shown_method, pattern, int(status), started)
        headers |= _SAFE
        if self.names_requests or given.get("x-request-id") != identity:
            headers["x-request-id"] = identity
        if status != HTTPStatus.NO_CONTENT:  # which has none of these
            headers |= {"content-type": content_type, "content-length": str(len(body))}
        if content_type == HTML:
            headers["content-security-policy"] = _PAGE_POLICY
        headers |= self._cors(given)
        encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": int(status), "headers": encoded})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})

    def _log(self, identity: str, method: str, pattern: str, status: int, started: float) -> None:
        failed = status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.INTERNAL_SERVER_ERROR  # of which more is logged
        if not (self._settings.access_log or (failed and self._failures.written())):
            return
        facts = {
            "request": identity,
            "method": method,
            "path": pattern,
            "status": status,
            "ms": round(1e3 * (time.perf_counter() - started), 3),
        }
        log.info("request", extra={"facts": facts})

    def _cors(self, given: Headers) -> dict[str, str]:
        origin, allowed = given.get("origin"), self._settings.cors_origins
        if not allowed:
            return {}
        if origin is None or not ("*" in allowed or origin in allowed):
            return {"vary": "origin"}
        return {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": "x-request-id, retry-after",
            "vary": "origin",
        }

    async def _answer(self, path: str, method: str, given: Headers, receive: Receive) -> tuple[str, bytes]:
        """Content type and body of a successful answer."""
        if method == "OPTIONS" and self._settings.cors_origins and "access-control-request-method" in given:
            raise _preflight(path)
        found = routes.match(path, method)
        caller = self._admit(found, given)
        if found.route in (routes.HEALTH, routes.METRICS, routes.OPENAPI, routes.DOCS, routes.PAGE):
            return self._about_itself(found)
        if not self._communities:
            raise _busy("No policy is loaded yet; try again in a second.")
        if method != "POST":
            return JSON, msgspec.json.encode(self._about_models(found))
        if self._in_progress > self._settings.limits.concurrent:
            raise _busy(f"{self._settings.limits.concurrent} requests are in progress; try again in a second.")
        require_time(given)
        if self._rates is not None:
            self._rates.take(caller)
        require_json(given)
        with self._arriving():
            body = await read_body(given, receive, self._settings.limits)
        require_time(given)
        return JSON, msgspec.json.encode(self._about_observations(found, body))

    @contextmanager
    def _arriving(self) -> Iterator[None]:
        """While a body arrives. One that takes long is not in progress, or slow clients would keep the others out."""
        aside = False

        def set_aside() -> None:
            nonlocal aside
            if self._slow < _SLOW_BODIES * self._settings.limits.concurrent:
                aside = True
                self._slow += 1
                self._in_progress -= 1

        later = asyncio.get_running_loop().call_later(_SLOW_S, set_aside)
        try:
            yield
        finally:
            later.cancel()
            if aside:
                self._slow -= 1
                self._in_progress += 1

    def _admit(self, found: Match, given: Headers) -> str:
        """Name of the caller's token; refuses callers without one where tokens are asked for."""
        if self._tokens is None or found.route.open:
            return ""
        if found.route is routes.METRICS and not self._settings.metrics_need_token:
            return ""
        return self._tokens.holder(given.get("authorization"))

    def _about_itself(self, found: Match) -> tuple[str, bytes]:
        if found.route is routes.METRICS:
            return CONTENT_TYPE, self.metrics.text()
        if found.route is routes.OPENAPI:
            return JSON, msgspec.json.encode(document())
        if found.route is routes.DOCS:
            return HTML, docs_page(document()).encode()
        if found.route is routes.PAGE:
            return HTML, front_page().encode()
        return JSON, b'{"status":"alive"}'

    def _about_models(self, found: Match) -> Any:
        if found.route is routes.READY:
            # Open to everybody: that something was refused, not which file it was.
            refused = {} if self._refusal is None else {"refused_configuration": True}
            return {"status": "ready", "communities": sorted(self._communities)} | refused
        if found.route is routes.COMMUNITIES:
            return {"communities": [_summary(community) for community in self._communities.values()]}
        if found.route is routes.MODELS:
            models = [_described(c, model) for c in self._communities.values() for model in c.models.values()]
            return {"models": models} | self._refused()
        _, model = self._choose(found)
        if found.route is routes.COMMUNITY:
            return {"name": found.community, "model": model.facts, **model.bundle.manifest.community.to_dict()}
        example = model.runtime.example()
        return {"observations": example if found.route is routes.EXAMPLE else model.named.named(example)}

    def _about_observations(self, found: Match, body: bytes) -> Any:
        community, model = self._choose(found)
        if found.route is routes.PREDICT:
            return self._answerer.predict(community, model, body)
        if found.route is routes.HINTS:
            return self._answerer.hints(community, model, body)
        if found.route is routes.ACTION:
            if found.building not in model.runtime.building_names:
                names = ", ".join(model.runtime.building_names)
                raise ProblemError(
                    HTTPStatus.NOT_FOUND, f"There is no such building in {community.name}; there are {names}."
                )
            return self._answerer.action(community, model, found.building, body)
        return self._answerer.actions(community, model, body)

    def _choose(self, found: Match) -> tuple[ServedCommunity, Model]:
        """The community of a path and the version that answers."""
        name = found.community
        if found.route in (routes.PREDICT, routes.EXAMPLE):
            name = DEFAULT if DEFAULT in self._communities or len(self._communities) > 1 else next(iter(self._communities))
        community = self._communities.get(name)
        if community is None:
            names = ", ".join(self._communities)
            raise ProblemError(HTTPStatus.NOT_FOUND, f"There is no such community; there are {names}.")
        if found.version is None:
            # Only answers to observations are shared with a canary.
            return community, community.choose() if "POST" in found.route.methods else community.models[community.serving]
        if found.version not in community.models:
            labels = ", ".join(community.models)
            raise ProblemError(HTTPStatus.NOT_FOUND, f"{community.name} has no such version; there are {labels}.")
        return community, community.models[found.version]

    def _refused(self) -> dict[str, str]:
        return {} if self._refusal is None else {"refused_configuration": self._refusal}


def _summary(community: ServedCommunity) -> dict[str, Any]:
    canary = community.canary
    return {
        "name": community.name,
        "buildings": list(community.models[community.serving].runtime.building_names),
        "versions": list(community.models),
        "serving": community.serving,
        "canary": None if canary is None else {"version": canary.version, "share": canary.share},
    }


def _described(community: ServedCommunity, model: Model) -> dict[str, Any]:
    manifest = model.bundle.manifest
    training = manifest.training
    return {
        "community": community.name,
        **model.facts,
        "created": manifest.created,
        "serving": model.label == community.serving,
        "hint_size": manifest.hint_size,
        "kpis": {name: value for name, value in manifest.kpis.items() if value is None or math.isfinite(value)},
        "trained_by": training.get("command"),
        "data": training.get("data"),
        "check": model.check,
    }


def _busy(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"retry-after": "1"})


def _preflight(path: str) -> ProblemError:
    """A browser asks what it may send; there is nothing to say but the headers."""
    headers = {
        "access-control-allow-methods": ", ".join(routes.find(path).route.methods),
        "access-control-allow-headers": "authorization, content-type, x-request-id, x-deadline",
        "access-control-max-age": "600",
    }
    return ProblemError(HTTPStatus.NO_CONTENT, "", headers)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Nothing to start or stop; the protocol wants an answer all the same."""
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
