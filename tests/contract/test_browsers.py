"""What browsers ask for: leave to call from other pages, and the two pages, which load nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from serve import routes
from serve.asgi import PolicyApp
from serve.openapi import document
from tests.contract.asking import ACTIONS, app_of, ask, post, require_problem

PAGE = "https://dashboard.example"


@pytest.fixture
def shared(bundles: Path) -> PolicyApp:
    """A server that one page may call."""
    return app_of({"bundle": str(bundles / "plain"), "cors_origins": [PAGE, "http://localhost:3000"]})


def cors(response: Any) -> dict[str, str]:
    """Those headers of a response that browsers decide on."""
    return {name: value for name, value in response.headers.items() if name.startswith("access-control-")}


def preflight(app: PolicyApp, url: str, origin: str = PAGE, **headers: str) -> Any:
    """What a browser sends before a request with a body."""
    headers = {"origin": origin, "access-control-request-method": "POST", **headers}
    return ask(app, "OPTIONS", url, headers=headers)


def test_nothing_is_said_to_pages_unless_it_is_configured(app: PolicyApp) -> None:
    for url in ("/ready", "/nothing"):
        response = ask(app, "GET", url, headers={"origin": PAGE})
        assert cors(response) == {}
        assert "vary" not in response.headers
    response = preflight(app, ACTIONS)
    require_problem(response, 405)
    assert cors(response) == {}


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
def test_pages_that_may_call_are_told_so_with_every_response(shared: PolicyApp, origin: str) -> None:
    headers = {"origin": origin}
    responses = [ask(shared, "GET", url, headers=headers) for url in ("/ready", "/nothing", "/docs")]
    responses.append(post(shared, ACTIONS, {}, headers=headers))
    assert [response.status_code for response in responses] == [200, 404, 200, 422]
    for response in responses:
        exposed = {"access-control-allow-origin": origin, "access-control-expose-headers": "x-request-id, retry-after"}
        assert cors(response) == exposed
        assert response.headers["vary"] == "origin"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{PAGE}.evil", PAGE.upper(), f"{PAGE}:444", "*", ""])
def test_other_pages_are_told_nothing(shared: PolicyApp, origin: str) -> None:
    for response in (ask(shared, "GET", "/ready", headers={"origin": origin}), preflight(shared, ACTIONS, origin)):
        assert "access-control-allow-origin" not in response.headers
        assert response.headers["vary"] == "origin", "caches must not give one page what another was told"


def test_a_preflight_says_what_may_be_sent(shared: PolicyApp, bundles: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("a aaaaaaaaaaaaaaaaaaaa\n")
    config = {"bundle": str(bundles / "plain"), "cors_origins": [PAGE], "tokens": str(tmp_path / "tokens")}
    for app in (shared, app_of(config)):
        for route in routes.ALL:
            response = preflight(app, route.pattern.format(community="default", building="Building_1"))
            assert (response.status_code, response.content) == (204, b"")
            assert "content-length" not in response.headers
            assert "content-type" not in response.headers
            assert response.headers["access-control-allow-methods"] == ", ".join(route.methods)
            allowed = response.headers["access-control-allow-headers"].split(", ")
            assert {"authorization", "content-type"} <= set(allowed)
            assert response.headers["access-control-allow-origin"] == PAGE


def test_a_preflight_of_nothing_is_404_and_options_without_one_405(shared: PolicyApp) -> None:
    require_problem(preflight(shared, "/nothing"), 404)
    require_problem(ask(shared, "OPTIONS", ACTIONS, headers={"origin": PAGE}), 405)


def test_all_pages_may_be_allowed(bundles: Path) -> None:
    app = app_of({"bundle": str(bundles / "plain"), "cors_origins": ["*"]})
    for origin in (PAGE, "null", "http://anything:1"):
        assert ask(app, "GET", "/ready", headers={"origin": origin}).headers["access-control-allow-origin"] == origin
    assert cors(ask(app, "GET", "/ready")) == {}
    assert "access-control-allow-credentials" not in preflight(app, ACTIONS).headers


class Links(HTMLParser):
    """What a page refers to, and ids and tags in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "data", "srcset", "poster"):
                self.links.append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)


@pytest.mark.parametrize("url", ["/", "/docs"])
def test_pages_load_nothing_from_elsewhere(app: PolicyApp, url: str) -> None:
    response = ask(app, "GET", url)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"http(?=\W*(?:error|:\s*200))", "", response.text))
    page = Links(response.text)
    assert page.links
    for link in page.links:
        assert re.fullmatch(r"#\w+|docs|openapi\.json|metrics", link), link
        if link.startswith("#"):
            assert link[1:] in page.ids
        else:
            assert ask(app, "GET", f"/{link}").status_code == 200
    assert page.handlers == []
    assert not {"iframe", "object", "embed", "link", "base", "img", "form"} & set(page.tags)
    assert "content-security-policy" not in ask(app, "GET", "/ready").headers


def test_the_docs_show_every_operation_and_schema(app: PolicyApp) -> None:
    text = ask(app, "GET", "/docs").text
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            assert f"<code>{method.upper()} {path}</code> {operation['summary'].replace(chr(39), '&#x27;')}" in text
    assert set(document()["components"]["schemas"]) == set(Links(text).ids)


def test_the_front_page_reads_what_there_is(app: PolicyApp) -> None:
    """Every metric and element that its script names exists."""
    text = ask(app, "GET", "/").text
    post(app, ACTIONS, ask(app, "GET", "/example").content)
    metrics = ask(app, "GET", "/metrics").text
    names = set(re.findall(r"metrics\.(\w+)", text))
    assert len(names) >= 5
    for name in names:
        assert name.removesuffix("_total").removesuffix("_count").removesuffix("_sum") in metrics
    assert {"versions", "numbers", "problem", "token"} <= set(Links(text).ids)
    assert {"v1/models", "metrics"} == set(re.findall(r"get\('([^']+)'\)", text))
