"""Ports and waiting, for tests that start servers."""

from __future__ import annotations

import random
import socket
import subprocess
import time
import urllib.request

import pytest


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens at now.

    Not one of those that the system gives away: Ray, which starts before the server that is to listen, may be given it.
    """
    for port in random.SystemRandom().sample(range(10_000, 20_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    pytest.fail("none of a hundred ports from 10000 to 20000 is free")


def wait_until_ready(server: subprocess.Popen[str], port: int, timeout_s: float = 90.0) -> None:
    """Wait until ``/ready`` answers; fails with the server's output if it ends or takes too long."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        assert server.poll() is None, server.communicate()[0]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"the server was not ready within {timeout_s:g} s")
