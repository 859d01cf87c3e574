"""Threads of this process whose sockets belong to a network namespace: what they listen at and connect to is seen there."""

from __future__ import annotations

import ctypes
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000


@contextmanager
def inside(namespace: str, threads: int = 1) -> Iterator[ThreadPoolExecutor]:
    """Threads within a namespace, to submit functions to; the process itself stays where it is."""
    with ThreadPoolExecutor(threads, f"in {namespace}", initializer=_enter, initargs=(namespace,)) as pool:
        yield pool


def _enter(namespace: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    with (Path("/run/netns") / namespace).open() as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)


def listening(pool: ThreadPoolExecutor, address: str, port: int) -> socket.socket:
    """A socket of the pool's namespace that listens; any thread may take connections from it."""
    return pool.submit(socket.create_server, (address, port)).result()


def fetch(
    url: str, *, token: str | None = None, body: bytes | None = None, method: str = "GET", timeout_s: float = 10.0
) -> bytes:
    """What a server answers with 200; an ``OSError`` holds what it says otherwise."""
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    wanted = urllib.request.Request(url, data=body, headers=headers, method=method)
    try:
        with urllib.request.urlopen(wanted, timeout=timeout_s) as response:
            content: bytes = response.read()
    except urllib.error.HTTPError as error:
        raise OSError(f"{url} answers {error.code}: {error.read().decode(errors='replace')}") from error
    return content
