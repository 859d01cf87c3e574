"""Bearer tokens: who is answered, what is open, how the file is read and renewed, and that no token is ever told."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest

from rllib_citylearn.errors import ConfigError
from serve import routes, tokens
from serve.asgi import PolicyApp
from serve.routes import Route
from serve.tokens import Tokens
from tests.contract.asking import app_of, ask, require_problem

FIRST, SECOND = "first-0123456789abcdef", "second-0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two tokens."""
    path = tmp_path / "tokens"
    path.write_text(f"# gateways\n\nnorth {FIRST}\nsouth\t{SECOND}\n")
    return path


@pytest.fixture
def guarded(bundles: Path, file: Path) -> PolicyApp:
    """A server that asks for tokens."""
    return app_of({"bundle": str(bundles / "plain"), "tokens": str(file)})


def url_of(route: Route) -> str:
    """A path of the route that there is."""
    return route.pattern.format(community="default", building="Building_1")


def status(app: PolicyApp, token: str | None, url: str = "/v1/models") -> int:
    """The status with a token, or without any."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return ask(app, "GET", url, headers=headers).status_code


WRONG = [
    None,
    "",
    "Bearer",
    "Bearer ",
    f"Basic {FIRST}",
    FIRST,
    f"Bearer {FIRST}x",
    f"Bearer {FIRST[:-1]}",
    f"Bearer {FIRST.upper()}",
    f"Bearer north {FIRST}",
    f"Bearer {FIRST} {SECOND}",
    "Bearer north",
    "Bearer \u00e9\u00ff",
    f"Token {SECOND}",
    f"Bearer {'x' * 5000}",
]


@pytest.mark.parametrize("header", WRONG, ids=range(len(WRONG)))
def test_without_a_known_token_everything_that_is_not_open_is_401(guarded: PolicyApp, header: str | None) -> None:
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    for route in routes.ALL:
        if route.open or route is routes.METRICS:
            continue
        response = ask(guarded, route.methods[0], url_of(route), headers=headers)
        problem = require_problem(response, 401)
        given = header is not None and header.lower().startswith("bearer ") and header.strip().lower() != "bearer"
        challenge = 'Bearer realm="policies"' + (', error="invalid_token"' if given else "")
        assert response.headers["www-authenticate"] == challenge
        assert not any(secret in response.text + str(response.headers) for secret in (FIRST, SECOND, "0123456789"))
        assert problem["title"] == "Unauthorized"


@pytest.mark.parametrize("header", [f"Bearer {FIRST}", f"bearer {SECOND}", f"BEARER  {FIRST} "])
def test_with_any_of_the_tokens_everything_is_answered(guarded: PolicyApp, header: str) -> None:
    for route in routes.ALL:
        options: dict[str, Any] = {"content": b"{}"} if route.methods == ("POST",) else {}
        response = ask(guarded, route.methods[0], url_of(route), headers={"authorization": header}, **options)
        assert response.status_code == (422 if options else 200)


def test_open_routes_and_metrics_need_no_token(guarded: PolicyApp, bundles: Path, file: Path) -> None:
    opened = [route for route in routes.ALL if route.open]
    assert {route.pattern for route in opened} == {"/health", "/ready", "/openapi.json", "/docs", "/"}
    for route in (*opened, routes.METRICS):
        assert ask(guarded, "GET", url_of(route)).status_code == 200
    closed = app_of({"bundle": str(bundles / "plain"), "tokens": str(file), "metrics_need_token": True})
    assert status(closed, None, "/metrics") == 401
    assert status(closed, FIRST, "/metrics") == 200
    assert all(ask(closed, "GET", url_of(route)).status_code == 200 for route in opened)


GOOD = {
    "windows line ends": "a {}\r\nb {}\r\n",
    "no last line end": "a {}\nb {}",
    "blanks around": "  a   {}  \n\t\n\tb\t{}\n",
    "comments": "# a b c\n  # more\na {}\nb {}\n",
}


@pytest.mark.parametrize("form", GOOD)
def test_forms_of_the_file(bundles: Path, file: Path, form: str) -> None:
    file.write_bytes(GOOD[form].format(FIRST, SECOND).encode())
    app = app_of({"bundle": str(bundles / "plain"), "tokens": str(file)})
    assert [status(app, token) for token in (FIRST, SECOND, None)] == [200, 200, 401]


BAD = {
    "empty": ("", "holds no token"),
    "comments only": ("# a b\n\n", "holds no token"),
    "a token without a name": (f"{FIRST}\n", "Line 1"),
    "three words": (f"# x\na {FIRST} b\n", "Line 2"),
    "a name twice": (f"a {FIRST}\na {SECOND}\n", "Line 2"),
    "a short token": ("a secret-one\n", "line 1 .* shorter than 16"),
    "name and token the wrong way round": (f"{FIRST} north\n", "line 1 .* shorter than 16"),
    "not text": (b"\xff\xfe\x00", "can't be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_of_another_form_is_refused_without_telling_what_it_holds(file: Path, name: str) -> None:
    content, sentence = BAD[name]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError, match=sentence) as caught:
        Tokens(file)
    assert not any(secret in str(caught.value) for secret in (FIRST, SECOND, "secret-one"))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="can't be read"):
            Tokens(path)


def write(path: Path, text: str, age: int) -> None:
    """Renew a file as a mounted secret is: by another file in its place."""
    new = path.with_name("new")
    new.write_text(text)
    os.utime(new, (age, age))
    new.replace(path)


def test_the_file_is_read_again_when_it_changes(
    guarded: PolicyApp, file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """New tokens count and old ones do not; what can't be read leaves them as they were, and the log says so."""
    assert status(guarded, FIRST) == 200
    write(file, "north another-0123456789abcdef\n", 1)
    assert status(guarded, FIRST) == 200, "it is not looked at for each request"
    monkeypatch.setattr(tokens, "_LOOK_EVERY_S", 0.0)
    assert [status(guarded, token) for token in (FIRST, "another-0123456789abcdef")] == [401, 200]
    assert caplog.text == ""
    for broken in (f"{SECOND}\n", "", f"{SECOND} x"):
        write(file, broken, 2)
        caplog.clear()
        assert status(guarded, "another-0123456789abcdef") == 200
        assert "the tokens stay as they were" in caplog.text
        assert SECOND not in caplog.text
    file.unlink()
    assert status(guarded, "another-0123456789abcdef") == 200
    write(file, f"south {SECOND}\n", 3)
    assert [status(guarded, token) for token in (SECOND, "another-0123456789abcdef")] == [200, 401]


def test_an_unchanged_file_is_not_read_again(guarded: PolicyApp, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> Any:
        raise AssertionError("it was read")

    monkeypatch.setattr(tokens, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(Tokens, "_read", fail)
    assert status(guarded, FIRST) == 200


def test_no_token_is_ever_logged(bundles: Path, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of({"bundle": str(bundles / "plain"), "tokens": str(file), "access_log": True})
    with caplog.at_level(logging.DEBUG):
        for token in (FIRST, SECOND, "wrong-0123456789abcdef", None):
            for url in ("/v1/models", "/nothing", f"/v1/communities/{FIRST}", "/metrics"):
                status(app, token, url)
    written = [str(vars(record)) for record in caplog.records if record.name.startswith("serve")]
    assert len(written) == 16
    assert not any("0123456789abcdef" in one for one in written)
