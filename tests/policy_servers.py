"""Policy servers for tests of clients: the application on a loopback port, and servers that misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from serve.asgi import PolicyApp
from serve.settings import settings


def policy_app(bundle: Path, **others: Any) -> PolicyApp:
    """The application with one bundle, as ``default``; ``others`` are further settings."""
    app = PolicyApp()
    app.use(*app.prepare(settings({"bundle": str(bundle), **others})))
    return app


@contextmanager
def serving(app: Any, port: int = 0) -> Iterator[str]:
    """URL of an ASGI application that a thread serves on the loopback address."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        deadline = time.monotonic() + 20.0
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server took too long to start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20.0)


Handler = Callable[[socket.socket, bytes], None]
"""Does something with a connection, knowing the request that came."""


@contextmanager
def raw_server(*handlers: Handler) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives the first connection to the first handler and so on, the last to all further ones.

    Yields:
        Its URL, and the requests that came.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()
    requests: list[bytes] = []

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            requests.append(b"")
            threading.Thread(target=handle, args=(connection, len(requests) - 1), daemon=True).start()

    def handle(connection: socket.socket, index: int) -> None:
        with connection:
            connection.settimeout(10.0)
            try:
                requests[index] = read_request(connection)
                handlers[min(index, len(handlers) - 1)](connection, requests[index])
            except OSError:
                return  # the client left

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        stop.set()
        thread.join(5.0)
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    """A whole request with the body that its content-length promises."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.partition(b":")[2] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0]):
        body += received(connection)
    return head + b"\r\n\r\n" + body


def received(connection: socket.socket) -> bytes:
    """What came; an error if the client left."""
    part = connection.recv(65536)
    if not part:
        raise ConnectionError("the client left")
    return part


def response(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    """A response of JSON, by its first line; ``length`` is what it says of its length."""
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {size}\r\nconnection: close\r\n\r\n"
    return head.encode() + body
