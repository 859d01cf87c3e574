"""The API's description: an OpenAPI 3.1 document."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from serve import routes
from serve.routes import Route

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_STATE = {
    "type": ["string", "null"],
    "description": "What the last answer gave, unchanged; null, or left out, begins without a memory.",
}
_STATES = {"type": ["array", "null"], "items": _STATE, "description": "One for each observation of a batch."}
_ROW = {"type": ["array", "null"], "items": _NUMBER, "description": "One building's measurements; null if it is silent."}
_ROWS = {"type": "array", "items": _ROW, "description": "One row a building, in the order of the community's description."}
_MEASURED = {"type": "object", "additionalProperties": _NUMBER, "description": "Measurements by feature."}
_BY_BUILDING = {
    "type": "object",
    "additionalProperties": {"anyOf": [_MEASURED, {"type": "null"}]},
    "description": "Measurements by building and feature; buildings that are null or left out are silent.",
}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list_of(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": schema}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


_REMARKS = {
    "state": {"anyOf": [_TEXT, _list_of(_TEXT)], "description": "To be sent with the next observations, unchanged."},
    "model": _ref("Model"),
    "forgotten": {**_list_of({"type": "integer"}), "description": "Entries whose state was another policy's."},
    "degraded": {
        "type": "object",
        "additionalProperties": _TEXT,
        "description": "Buildings whose answer is not what the policy would do, with the reason.",
    },
    "clipped_values": {"type": "integer", "description": "How many measurements lay outside their range."},
    "clipped": {**_list_of(_ref("Clipped")), "description": "The first of them."},
}

_VALUES: dict[str, Any] = {"description": "In the form of the observations: by name or as arrays, a batch or a single one."}

_SCHEMAS: dict[str, Any] = {
    "Problem": {
        **_object(
            {
                "type": _TEXT,
                "title": _TEXT,
                "status": {"type": "integer"},
                "detail": {**_TEXT, "description": "What was wrong, what was expected, what to do."},
                "instance": {**_TEXT, "description": "The request's id."},
            },
            "type",
            "title",
            "status",
            "detail",
            "instance",
        ),
        "description": "RFC 9457.",
    },
    "Model": _object({"name": _TEXT, "version": _TEXT, "sha256": _TEXT}, "name", "version", "sha256"),
    "Clipped": _object(
        {"building": _TEXT, "feature": _TEXT, "value": _NUMBER, "low": _NUMBER, "high": _NUMBER},
        "building",
        "feature",
        "value",
        "low",
        "high",
    ),
    "Question": _object(
        {
            "observations": {
                "description": "One observation of the community, or a list of them; by name or as arrays.",
                "anyOf": [_BY_BUILDING, _list_of(_BY_BUILDING), _ROWS, _list_of(_ROWS)],
            },
            "common": {
                "anyOf": [_MEASURED, {"type": "null"}],
                "description": "Measurements of all buildings that have the feature and none of their own: weather, prices, "
                "the time. Only with observations by name.",
            },
            "state": {"anyOf": [_STATE, _STATES]},
            "sequence": {
                "type": "boolean",
                "default": False,
                "description": "The list is consecutive hours of one community, with one state.",
            },
        },
        "observations",
    ),
    "Actions": _object({"actions": _VALUES, **_REMARKS}, "actions", "model"),
    "Hints": _object({"hints": _VALUES, **_REMARKS}, "hints", "model"),
    "OwnQuestion": _object(
        {
            "observation": {"anyOf": [_MEASURED, _list_of(_NUMBER)], "description": "What the building measured."},
            "hint": {"type": ["array", "null"], "items": _NUMBER, "description": "The last that the building got."},
            "state": _STATE,
        },
        "observation",
    ),
    "SimpleQuestion": _object(
        {"observations": {"anyOf": [_ROWS, _list_of(_ROWS)]}, "state": {"anyOf": [_STATE, _STATES]}}, "observations"
    ),
    "SimpleActions": _object({"actions": _list_of({}), "state": {"anyOf": [_TEXT, _list_of(_TEXT)]}}, "actions"),
}

_PARAMETERS: dict[str, Any] = {
    "community": ("A name from /v1/communities.", "default"),
    "version": ("A label from /v1/models. Without it, the serving version or the canary answers.", "current"),
    "building": ("A building's name.", "Building_1"),
}

_PROBLEMS = {
    "400": "The body is not JSON, or a header makes no sense.",
    "401": "No bearer token, or an unknown one.",
    "404": "There is no such path, community, version or building.",
    "405": "The path does not take this method.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not JSON by its content-type, or compressed.",
    "422": "The body does not fit the community; the detail names the place.",
    "429": "Too many requests of this caller; Retry-After says when there is room.",
    "500": "The server failed.",
    "503": "No policy is loaded yet, or too many requests are in progress; Retry-After says when to try again.",
    "504": "The request's deadline is past.",
}
_ANYWHERE = ("405", "500")
_WITH_BODY = ("400", "401", "404", "408", "413", "415", "422", "429", "503", "504")


def _problem(status: str) -> dict[str, Any]:
    return {
        "description": _PROBLEMS[status],
        "content": {"application/problem+json": {"schema": _ref("Problem")}},
    }


def _parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {**_TEXT, "minLength": 1},
            "description": text,
            "example": example,
        }
        for name, (text, example) in _PARAMETERS.items()
        if f"{{{name}}}" in path
    ]


def _post(path: str, summary: str, question: str, answer: str) -> dict[str, Any]:
    deadline = {
        "name": "x-deadline",
        "in": "header",
        "required": False,
        "schema": _NUMBER,
        "description": "Seconds since 1970 (UTC) after which nobody waits for the answer.",
    }
    return {
        "post": {
            "summary": summary,
            "parameters": [*_parameters(path), deadline],
            "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(question)}}},
            "responses": {
                "200": {"description": "The answer.", "content": {"application/json": {"schema": _ref(answer)}}},
                **{status: _problem(status) for status in sorted((*_ANYWHERE, *_WITH_BODY))},
            },
        }
    }


def _get(route: Route, path: str, summary: str, media: str = "application/json") -> dict[str, Any]:
    schema = _TEXT if media.startswith("text/") else {"type": "object"}
    operation = {
        "summary": summary,
        "parameters": _parameters(path),
        "responses": {
            "200": {"description": summary, "content": {media: {"schema": schema}}},
            **{status: _problem(status) for status in sorted((*_ANYWHERE, *_of_get(route)))},
        },
    }
    return {"get": operation | ({"security": []} if route.open else {})}


def _of_get(route: Route) -> tuple[str, ...]:
    """Problems of a route that takes no body."""
    about_server = route in (routes.HEALTH, routes.METRICS, routes.OPENAPI, routes.DOCS, routes.PAGE)
    names_community = "{" in route.pattern or route is routes.EXAMPLE
    problems = {"401": not route.open, "404": names_community, "503": not about_server}
    return tuple(status for status, possible in problems.items() if possible)


def _versions(route: Route) -> tuple[str, str]:
    """A path, and the one of a given version."""
    return route.pattern, route.pattern.replace("{community}", "{community}/versions/{version}")


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    paths: dict[str, Any] = {}
    for path in _versions(routes.ACTIONS):
        paths[path] = _post(path, "Actions of all buildings", "Question", "Actions")
    for path in _versions(routes.HINTS):
        paths[path] = _post(path, "The coordinator's hints, for buildings that act for themselves", "Question", "Hints")
    for path in _versions(routes.ACTION):
        paths[path] = _post(path, "The action of a building that acts for itself", "OwnQuestion", "Actions")
    paths[routes.PREDICT.pattern] = _post(
        routes.PREDICT.pattern,
        "Actions in the simple form, of the only or the default community",
        "SimpleQuestion",
        "SimpleActions",
    )
    for path in _versions(routes.COMMUNITY):
        paths[path] = _get(routes.COMMUNITY, path, "A community: buildings, features with units and ranges, actions")
    for path in _versions(routes.EXAMPLE_OF):
        paths[path] = _get(routes.EXAMPLE_OF, path, "A body for actions that fits")
    for route, summary, media in (
        (routes.COMMUNITIES, "All communities", "application/json"),
        (routes.MODELS, "All versions of their policies, with what they scored", "application/json"),
        (routes.EXAMPLE, "A body for /predict that fits", "application/json"),
        (routes.HEALTH, "Whether the process answers", "application/json"),
        (routes.READY, "Whether policies are loaded", "application/json"),
        (routes.METRICS, "Prometheus metrics of this replica", "text/plain"),
        (routes.OPENAPI, "This document", "application/json"),
        (routes.DOCS, "This document, to read", "text/html"),
        (routes.PAGE, "What is served, to look at", "text/html"),
    ):
        paths[route.pattern] = _get(route, route.pattern, summary, media)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rllib_citylearn policy server",
            "version": _version(),
            "description": "Actions for communities of buildings, hour by hour, by policies trained with rllib_citylearn. "
            "Any replica can answer any request: what a policy remembers travels as `state`.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}, {}],
    }


def _version() -> str:
    try:
        return version("rllib_citylearn")
    except PackageNotFoundError:  # run from a folder, without having been installed
        return "0"
