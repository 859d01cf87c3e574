"""Kernels are compiled once a machine, which is announced, and loaded from the cache afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ANNOUNCED = "Compiling the fast engine"
PROGRAM = "from rllib_citylearn.simulator.community import load_kernels; load_kernels()"


def load(cache: Path) -> tuple[str, float]:
    """What a new process says while it loads the kernels, and how long it takes in seconds."""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "RLLIB_CITYLEARN_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stderr, time.monotonic() - start


@pytest.mark.slow
def test_compiled_once_and_said_so(tmp_path: Path) -> None:
    said, compiling = load(tmp_path)
    assert said.count(ANNOUNCED) == 1
    assert list(tmp_path.glob("kernels/*/**/*.nbc")), "no compiled code was kept"
    said, loading = load(tmp_path)
    assert ANNOUNCED not in said
    assert loading < compiling / 2


def test_where_nothing_can_be_kept_it_says_so_and_goes_on(tmp_path: Path) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file where a folder should be")
    program = "from rllib_citylearn.simulator.kernels.cache import kernel_cache\nwith kernel_cache(): pass"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "RLLIB_CITYLEARN_CACHE": str(blocked)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "can't be kept" in done.stderr
    assert "RLLIB_CITYLEARN_CACHE" in done.stderr
