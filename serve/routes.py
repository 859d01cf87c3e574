"""Paths of the API: which pattern a path is of, and what its parts are."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import NamedTuple

from serve.problems import ProblemError

_PART = r"([^/]{1,200})"
_COMMUNITY = r"/v1/communities/" + _PART
_VERSION = r"(?:/versions/" + _PART + r")?"


class Route(NamedTuple):
    """A kind of path.

    Attributes:
        pattern: as it stands in the OpenAPI document and in metrics.
        methods: that it takes.
        open: whether it is answered without a token.
    """

    pattern: str
    methods: tuple[str, ...]
    open: bool = False


class Match(NamedTuple):
    """A path of a known kind and its parts."""

    route: Route
    community: str = ""
    version: str | None = None
    building: str = ""


_GET = ("GET", "HEAD")
_POST = ("POST",)

ACTIONS = Route("/v1/communities/{community}/actions", _POST)
HINTS = Route("/v1/communities/{community}/hints", _POST)
ACTION = Route("/v1/communities/{community}/buildings/{building}/action", _POST)
COMMUNITIES = Route("/v1/communities", _GET)
COMMUNITY = Route("/v1/communities/{community}", _GET)
EXAMPLE_OF = Route("/v1/communities/{community}/example", _GET)
MODELS = Route("/v1/models", _GET)
PREDICT = Route("/predict", _POST)
EXAMPLE = Route("/example", _GET)
HEALTH = Route("/health", _GET, open=True)
READY = Route("/ready", _GET, open=True)
METRICS = Route("/metrics", _GET)
OPENAPI = Route("/openapi.json", _GET, open=True)
DOCS = Route("/docs", _GET, open=True)
PAGE = Route("/", _GET, open=True)

_FIXED = {
    route.pattern: route for route in (COMMUNITIES, MODELS, PREDICT, EXAMPLE, HEALTH, READY, METRICS, OPENAPI, DOCS, PAGE)
}
_WITH_PARTS = (
    (re.compile(f"{_COMMUNITY}{_VERSION}/actions"), ACTIONS),
    (re.compile(f"{_COMMUNITY}{_VERSION}/hints"), HINTS),
    (re.compile(f"{_COMMUNITY}{_VERSION}/buildings/{_PART}/action"), ACTION),
    (re.compile(f"{_COMMUNITY}{_VERSION}/example"), EXAMPLE_OF),
    (re.compile(f"{_COMMUNITY}{_VERSION}"), COMMUNITY),
)

ALL = (*_FIXED.values(), *(route for _, route in _WITH_PARTS))
"""Every route."""


def match(path: str, method: str) -> Match:
    """The route of a path.

    Raises:
        ProblemError: 404 for an unknown path, 405 for a method that the route does not take.
    """
    found = find(path)
    if method not in found.route.methods:
        allowed = ", ".join(found.route.methods)
        detail = f"{found.route.pattern} does not take the method {ascii(method)[1:-1][:20]}; use {allowed}."
        raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"allow": allowed})
    return found


def find(path: str) -> Match:
    """The route of a path, whatever the method.

    Raises:
        ProblemError: 404 for an unknown path.
    """
    route = _FIXED.get(path)
    return Match(route) if route is not None else _with_parts(path)


def pattern_of(path: str) -> str:
    """The pattern that a path is of, for metrics; ``other`` if there is none."""
    if path in _FIXED:
        return path
    return next((route.pattern for pattern, route in _WITH_PARTS if pattern.fullmatch(path)), "other")


def _with_parts(path: str) -> Match:
    for pattern, route in _WITH_PARTS:
        if (found := pattern.fullmatch(path)) is not None:
            community, version, *rest = found.groups()  # ASGI's paths are decoded already
            return Match(route, community, version, *rest)
    raise ProblemError(HTTPStatus.NOT_FOUND, "There is nothing at this path; /docs describes what there is.")
