"""Ray's HAProxy configuration with its doors closed, by what HAProxy itself makes of it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from rllib_citylearn.errors import UserError
from serve import haproxy
from serve.haproxy import _ANSWERS, _program, answer, closed
from tests.servers import free_port

PATHS = """\
global
    stats socket {folder}/admin.sock mode 666 level admin expose-fd listeners
    maxconn 100
defaults
    mode http
    timeout connect 1s
    timeout client 60s
    timeout server 5s
    errorfile 502 {folder}/500.http
    errorfile 503 {folder}/500.http
    errorfile 504 {folder}/500.http
frontend prometheus
    bind :{metrics}
    mode http
    http-request return status 200 content-type text/plain string "metrics"
frontend http_frontend
    bind 127.0.0.1:{port}
    {route}
    default_backend default_backend
backend default_backend
    http-request return status 404 content-type text/plain lf-string "Path not found."
backend policy
    server replica 127.0.0.1:{nobody}
listen stats
    bind *:{stats}
    stats enable
"""


def program() -> str:
    try:
        return _program()
    except UserError as error:
        pytest.skip(str(error))


@contextmanager
def proxy(folder: Path, route: str) -> Iterator[str]:
    for status in _ANSWERS:
        (folder / f"{status}.http").write_text(answer(status), newline="")
    port, metrics, stats, nobody = (free_port() for _ in range(4))
    text = PATHS.format(folder=folder, port=port, metrics=metrics, stats=stats, nobody=nobody, route=route)
    configuration = folder / "haproxy.cfg"
    configuration.write_text(closed(text, folder))
    process = subprocess.Popen([program(), "-db", "-f", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10.0
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def require_unavailable(response: httpx.Response) -> None:
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == 503


@pytest.mark.parametrize("route", ["", "use_backend policy"])
def test_without_a_replica_or_an_application_clients_are_told_to_come_back(tmp_path: Path, route: str) -> None:
    with proxy(tmp_path, route) as url:
        require_unavailable(httpx.get(f"{url}/v1/models"))


def test_a_path_of_no_application_is_not_found_where_there_are_some(tmp_path: Path) -> None:
    with proxy(tmp_path, "use_backend policy if { path_beg /district }") as url:
        assert httpx.get(f"{url}/elsewhere").status_code == 404


def test_a_head_that_does_not_arrive_ends_its_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haproxy, "_REQUEST_S", 1)
    with (
        proxy(tmp_path, "use_backend policy") as url,
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10.0) as silent,
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), 10.0) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\nhost:")
        assert slow.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert silent.recv(65536)[:13] in (b"", b"HTTP/1.1 408 ")


@pytest.mark.parametrize("status", _ANSWERS)
def test_answers_are_whole(status: int) -> None:
    head, _, body = answer(status).partition("\r\n\r\n")
    fields = dict(line.split(": ") for line in head.split("\r\n")[1:])
    assert int(fields["content-length"]) == len(body.encode())
    assert head.split()[1] == str(json.loads(body)["status"])


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    text = PATHS.format(folder=tmp_path, port=1, metrics=2, stats=3, nobody=4, route="use_backend policy")
    once = closed(text, tmp_path)
    assert closed(once, tmp_path) == once
    assert "bind 127.0.0.1:2\n" in once
    assert "bind 127.0.0.1:3\n" in once
    assert "mode 600" in once
    assert once.count("timeout http-request 10s") == 1


def test_a_configuration_of_another_form_is_refused(tmp_path: Path) -> None:
    text = PATHS.format(folder=tmp_path, port=1, metrics=2, stats=3, nobody=4, route="")
    with pytest.raises(UserError, match="'listen stats' without a bind line that is known"):
        closed(text.replace("bind *:3", "bind unix@/tmp/x"), tmp_path)
