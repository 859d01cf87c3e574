"""CityLearn's own download against a local server that answers as its repository does, or goes wrong."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rllib_citylearn.datasets import check_folder, folder_sha256, resolve
from rllib_citylearn.datasets import download as downloading
from rllib_citylearn.errors import DatasetError
from tests.datasets_toy import write_current, write_old

pytest.importorskip("citylearn")

NAME = "some_district"


class Store:
    """What the server has: path -> body; None goes quiet after the head of the answer."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes | None] = {}
        self.url = ""

    def publish(self, folder: Path) -> None:
        listing = []
        for path in sorted(folder.iterdir()):
            self.bodies[f"/raw/{path.name}"] = path.read_bytes()
            entry = {"type": "file", "name": path.name, "path": f"data/datasets/{NAME}/{path.name}"}
            listing.append({**entry, "download_url": f"{self.url}/raw/{path.name}"})
        self.bodies[f"/contents/data/datasets/{NAME}"] = json.dumps(listing).encode()


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    content = Store()
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path not in content.bodies:
                self.send_error(404)
                return
            body = content.bodies[path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body) if body is not None else 10))
            self.end_headers()
            if body is None:
                stop.wait(20)
            else:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    content.url = f"http://127.0.0.1:{server.server_address[1]}"
    from citylearn.data import DataSet

    monkeypatch.setattr(DataSet, "GITHUB_API_CONTENT_URL", f"{content.url}/contents")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("CITYLEARN_OFFLINE", raising=False)
    monkeypatch.delenv("CITYLEARN_LOCAL_DATASETS_PATH", raising=False)
    yield content
    stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_set_that_only_citylearn_has_is_fetched_and_cached(store: Store, tmp_path: Path) -> None:
    published = write_current(tmp_path / "published")
    store.publish(published)
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    source = resolve(NAME, cache=tmp_path / "cache")
    assert (root.level, list(root.handlers)) == before
    assert (source.origin, source.version) == ("citylearn", "citylearn 3.0.2")
    assert source.sha256 == folder_sha256(published)
    store.bodies.clear()
    cached = resolve(NAME, cache=tmp_path / "cache")
    assert (cached.origin, cached.version, cached.sha256) == ("cache", "citylearn 3.0.2", source.sha256)


def test_a_download_in_an_older_format_is_upgraded(store: Store, tmp_path: Path) -> None:
    old = write_old(tmp_path / "published")
    description = json.loads((old / "schema.json").read_text())
    (old / "schema.json").write_text(json.dumps({**description, "random_seed": 3}))
    store.publish(old)
    source = resolve(NAME, cache=tmp_path / "cache")
    assert (source.origin, source.version) == ("citylearn", "citylearn 3.0.2, upgraded")
    assert check_folder(source.folder)["random_seed"] == 3
    assert resolve(NAME, cache=tmp_path / "cache").version == source.version


def _lose_a_file(store: Store) -> None:
    del store.bodies["/raw/weather.csv"]


def _cut_a_file(store: Store) -> None:
    body = store.bodies["/raw/weather.csv"]
    assert body is not None
    store.bodies["/raw/weather.csv"] = body[: len(body) // 2]


def _lose_the_listing(store: Store) -> None:
    del store.bodies[f"/contents/data/datasets/{NAME}"]


def _garble_the_listing(store: Store) -> None:
    store.bodies[f"/contents/data/datasets/{NAME}"] = b"<html>"


def _be_in_the_old_format(store: Store) -> None:
    store.bodies["/raw/schema.json"] = json.dumps(
        {"observations": {"x_predicted_6h": {}}, "actions": {}, "buildings": {}}
    ).encode()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_lose_a_file, "404"),
        (_cut_a_file, "weather.csv is damaged"),
        (_lose_the_listing, "404"),
        (_garble_the_listing, "did not give it"),
        (_be_in_the_old_format, "no whole number for a 'random_seed'"),
    ],
)
def test_a_bad_download_leaves_nothing_behind(store: Store, tmp_path: Path, damage: object, message: str) -> None:
    store.publish(write_current(tmp_path / "published"))
    assert callable(damage)
    damage(store)
    with pytest.raises(DatasetError, match=message):
        resolve(NAME, cache=tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache" / "datasets").iterdir() if not p.name.endswith(".lock")] == []


def test_a_quiet_server_is_given_up_on(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "_READ_SECONDS", 0.5)
    store.bodies[f"/contents/data/datasets/{NAME}"] = None
    began = time.monotonic()
    with pytest.raises(DatasetError, match="timed out"):
        resolve(NAME, cache=tmp_path / "cache")
    assert time.monotonic() - began < 10


def test_a_name_server_that_does_not_answer_costs_seconds(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(write_old(tmp_path / "published"))
    answer = threading.Event()
    monkeypatch.setattr(downloading, "_RESOLVE_SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer.wait(30))
    began = time.monotonic()
    with pytest.raises(DatasetError, match="is not reachable"):
        resolve(NAME, cache=tmp_path / "cache")
    answer.set()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("value", ["1", "true", "True", "yes"])
def test_citylearn_offline_is_honoured(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    store.publish(write_current(tmp_path / "published"))
    monkeypatch.setenv("CITYLEARN_OFFLINE", value)
    with pytest.raises(DatasetError, match="CITYLEARN_OFFLINE is set"):
        resolve(NAME, cache=tmp_path / "cache")


@pytest.mark.parametrize(
    ("no_proxy", "host"), [("", "proxy.example"), ("api.example", "api.example"), ("other.example", "proxy.example")]
)
def test_behind_a_proxy_the_proxy_has_to_be_reachable(monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str) -> None:
    for variable in ("HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("https_proxy", "http://user:word@proxy.example:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert downloading._first_host("api.example") == host
