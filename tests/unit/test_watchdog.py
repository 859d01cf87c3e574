"""What hangs is ended with a sentence, and what it has started with it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import ray

from rllib_citylearn.errors import UserError
from serve import launch

_HANGS = """
import subprocess, sys, time
from serve.watchdog import Watchdog
watchdog = Watchdog()
watchdog.within(60.0, "not this one")
child = subprocess.Popen(["sleep", "300"])
print(child.pid, flush=True)
watchdog.within(0.5, "It took too long.")
{rest}
time.sleep(20.0)
"""


def run(rest: str) -> tuple[subprocess.CompletedProcess[str], float]:
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _HANGS.format(rest=rest)], capture_output=True, text=True, timeout=60.0)
    return done, time.monotonic() - started


def test_a_step_that_hangs_is_ended_with_what_it_started() -> None:
    done, passed = run("")
    assert (done.returncode, done.stderr) == (2, "rllib-citylearn serve: It took too long.\n")
    assert passed < 15.0
    assert not Path(f"/proc/{done.stdout.strip()}/exe").exists()


def test_one_that_is_over_is_not() -> None:
    done, _ = run("watchdog.off(); time.sleep(1.0); child.kill(); sys.exit(7)")
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize(("dead", "said"), [("raylet", True), ("gcs_server", True), ("dashboard", False)])
def test_a_core_that_died_ends_the_server(monkeypatch: pytest.MonkeyPatch, dead: str, said: bool) -> None:
    node = SimpleNamespace(dead_processes=lambda: [(dead, None)])
    monkeypatch.setattr(ray._private.worker, "_global_node", node)
    if said:
        with pytest.raises(UserError, match=f"Ray's {dead} ended"):
            launch._require_ray()
    else:
        launch._require_ray()
