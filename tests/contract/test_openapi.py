"""The OpenAPI document is valid, is of the routes that there are, and what is answered conforms to it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis

from rllib_citylearn.export import PolicyRuntime
from serve import routes
from serve.asgi import PolicyApp
from serve.openapi import document
from tests.bundles import observations
from tests.contract.asking import ACTIONS, HINTS, answer, app_of, ask, by_name, own, post

BODIES = {"400", "401", "404", "408", "413", "415", "422", "429", "503", "504"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of each operation."""
    return [(path, method, content) for path, item in document()["paths"].items() for method, content in item.items()]


def schema_of(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of the document with what it refers to, to validate with."""
    return {**schema, "components": document()["components"]}


def described(path: str) -> str:
    """The document's path that a request's path is of."""
    for pattern in document()["paths"]:
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern)), path):
            return str(pattern)
    raise AssertionError(f"{path} is not in the document")


def require_conforming(response: httpx.Response) -> None:
    """The response has a status, a media type and a body that the document has for it."""
    operation = document()["paths"][described(response.request.url.path)][response.request.method.lower()]
    (media, content), *others = operation["responses"][str(response.status_code)]["content"].items()
    assert others == []
    assert response.headers["content-type"].partition(";")[0] == media
    body = response.json() if media.endswith("json") else response.text
    jsonschema.Draft202012Validator(schema_of(content["schema"])).validate(body)


def test_the_document_is_a_valid_one_of_openapi_3_1(app: PolicyApp) -> None:
    served = ask(app, "GET", "/openapi.json")
    assert served.headers["content-type"] == "application/json"
    assert served.json() == json.loads(json.dumps(document()))
    assert served.json()["openapi"].startswith("3.1.")
    schema = schemathesis.openapi.from_dict(served.json())
    schema.validate()
    assert schema.specification.version == served.json()["openapi"]
    for content in document()["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(content)


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    names = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document()))
    assert set(names) == set(document()["components"]["schemas"])


def test_the_document_has_every_route_and_every_route_is_in_it() -> None:
    found: dict[str, set[str]] = {}
    for path, method, _ in operations():
        found.setdefault(path.replace("/versions/{version}", ""), set()).add(method.upper())
    assert found == {route.pattern: set(route.methods) - {"HEAD"} for route in routes.ALL}
    for path, method, _ in operations():
        url = path.format(community="a", version="b", building="c")
        matched = routes.match(url, method.upper())
        assert matched.route.pattern == path.replace("/versions/{version}", "")
        assert (matched.version == "b") == ("{version}" in path)


def test_parameters_and_statuses_are_those_that_can_be() -> None:
    for path, method, content in operations():
        route = routes.match(path.format(community="a", version="b", building="c"), method.upper()).route
        named = [parameter["name"] for parameter in content["parameters"] if parameter["in"] == "path"]
        assert named == re.findall(r"\{(\w+)\}", path)
        statuses = set(content["responses"])
        assert {"200", "405", "500"} <= statuses
        assert ("401" in statuses) == (not route.open)
        assert ("requestBody" in content) == (method == "post")
        assert (statuses >= BODIES) == (method == "post")
        assert (content.get("security") == []) == route.open
        for status, response in content["responses"].items():
            assert response["description"]
            assert status == "200" or list(response["content"]) == ["application/problem+json"]


def test_every_status_of_the_server_is_a_documented_one(app: PolicyApp, bundles: Path, tmp_path: Path) -> None:
    """Those that do not need time, one way or the other for every route."""
    (tmp_path / "tokens").write_text("a aaaaaaaaaaaaaaaaaaaa\n")
    guarded = app_of({"bundle": str(bundles / "plain"), "tokens": str(tmp_path / "tokens"), "metrics_need_token": True})
    small = app_of({"bundle": str(bundles / "plain"), "limits": {"body_bytes": 5}})
    slow = app_of({"bundle": str(bundles / "plain"), "limits": {"requests_per_second": 0.001}})
    seen = set()
    for server in (app, guarded, small, slow, PolicyApp()):
        for path, method, _ in operations():
            for name in ("default", "nowhere"):
                url = path.format(community=name, version="current", building="Building_1")
                for options in (
                    {"content": b"{}"},
                    {"content": b"["},
                    {"content": b" " * 9},
                    {"content": b"{}", "headers": {"content-type": "text/csv"}},
                    {"content": b"{}", "headers": {"x-deadline": "1"}},
                    {"content": b"{}", "headers": {"x-deadline": "soon"}},
                ):
                    response = ask(server, method.upper(), url, **(options if method == "post" else {}))  # type: ignore[arg-type]
                    require_conforming(response)
                    seen.add(response.status_code)
    assert seen == {200, 400, 401, 404, 413, 415, 422, 429, 503, 504}


def test_answers_conform_and_so_does_what_is_answered(bundles: Path, plain: PolicyRuntime) -> None:
    """All forms of bodies that fit, to policies with and without memory and hints: both sides conform to the document."""
    rows: list[Any] = observations(plain.community, 0)
    hot = [rows[0], None, [3, 1e9]]
    named = by_name(plain, rows)
    for name in ("plain", "remembering", "without-hints"):
        app = app_of(bundles / name)
        state = answer(app, ACTIONS, observations=rows).get("state")
        foreign = answer(app, own("Building_1"), observation=rows[0]).get("state")
        states = [state, None] if state else None
        whole: list[dict[str, Any]] = [
            {"observations": rows, "state": state},
            {"observations": hot, "state": foreign},
            {"observations": [rows, hot], "state": states},
        ]
        full = [
            *whole,
            {"observations": named, "common": {"hour": 3}, "state": None},
            {"observations": [named, {"Building_1": named["Building_1"]}], "sequence": True, "state": state},
            {"observations": [rows, hot], "sequence": False},
            {"observations": by_name(plain, hot), "common": None},
        ]
        single: list[dict[str, Any]] = [
            {"observation": rows[1], "hint": None, "state": None},
            {"observation": named["Building_2"], "state": foreign},
            {"observation": rows[1], "hint": [0.5] * (0 if name == "without-hints" else 3)},
        ]
        asked = [(ACTIONS, body) for body in full] + [("/predict", body) for body in whole]
        asked += [(own("Building_2"), body) for body in single]
        asked += [(HINTS, body) for body in full if not body.get("sequence") and name != "without-hints"]
        for url, body in asked:
            response = post(app, url, body)
            assert response.status_code == 200, response.text
            require_conforming(response)
            wanted = document()["paths"][described(url)]["post"]["requestBody"]["content"]["application/json"]["schema"]
            jsonschema.Draft202012Validator(schema_of(wanted)).validate(body)


@pytest.mark.parametrize("path", ["plain", "remembering"])
def test_the_examples_in_the_document_lead_to_something(bundles: Path, path: str) -> None:
    """With the example of every parameter, every operation that has no body is answered."""
    app = app_of(bundles / path)
    for url, method, content in operations():
        examples = {each["name"]: each["example"] for each in content["parameters"] if each["in"] == "path"}
        if method == "get":
            response = ask(app, "GET", url.format(**examples))
            assert response.status_code == 200
            require_conforming(response)
