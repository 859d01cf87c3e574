"""What the local server does with signals, whenever they arrive. Ray is left out: only who is told what, and when."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from serve import launch
from serve.settings import Settings, settings
from tests.bundles import observations, small_community, write_small_bundle
from tests.servers import free_port


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@contextmanager
def limit() -> Iterator[None]:
    """Stop the server after a while in which nothing did."""
    timer = threading.Timer(30.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@pytest.fixture
def ray_free(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_close_ray", "_start", "_wait_until_ready", "_announce", "_stop"):
        monkeypatch.setattr(launch, name, lambda *_: None)


@pytest.mark.usefixtures("ray_free")
def test_a_roll_that_changes_too_much_is_refused_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, bias in (("old", 0.0), ("new", 0.7)):
        write_small_bundle(tmp_path / name, name=name, bias=bias)
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text(json.dumps({"observations": observations(small_community(), 0)}))
    deployed: list[str] = []

    def configuration(serving: str) -> Settings:
        district = {
            "versions": {name: str(tmp_path / name) for name in ("old", "new")},
            "serving": serving,
            "recorded": str(recorded),
            "largest_change": 0.01,
        }
        return settings({"communities": {"district": district}})

    wanted = [configuration(serving) for serving in ("old", "new")]

    def deploy(_serve: Any, now: Settings, _replicas: tuple[int, int]) -> None:
        deployed.append(now.served["district"].serving)
        os.kill(os.getpid(), signal.SIGHUP)

    def roll(*arguments: Any) -> None:
        try:
            rolled(*arguments)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    rolled = launch._roll
    monkeypatch.setattr(launch, "_deploy", deploy)
    monkeypatch.setattr(launch, "_roll", roll)
    with limit():
        launch.serve_locally(lambda: wanted[len(deployed)], "127.0.0.1", free_port(), haproxy=False)
    assert deployed == ["old"]
    assert "Version new of district acts otherwise than version old" in capsys.readouterr().err


@pytest.mark.usefixtures("ray_free")
def test_a_hangup_while_it_starts_or_rolls_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = []
    for k in range(4):
        write_small_bundle(tmp_path / str(k), name=str(k))
        wanted.append(Settings(bundle=str(tmp_path / str(k))))
    deployed: list[str] = []

    def deploy(_serve: Any, now: Settings, _replicas: tuple[int, int]) -> None:
        # The settings that are deployed have been read: whoever hangs up now has changed them since.
        deployed.append(Path(str(now.bundle)).name)
        os.kill(os.getpid(), signal.SIGHUP if len(deployed) < 4 else signal.SIGTERM)

    monkeypatch.setattr(launch, "_deploy", deploy)
    with limit():
        launch.serve_locally(lambda: wanted[len(deployed)], "127.0.0.1", free_port(), haproxy=False)
    assert deployed == ["0", "1", "2", "3"]


def test_a_second_interrupt_ends_a_step_that_hangs_and_a_third_no_clean_up() -> None:
    signals = launch._Signals()
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(launch._StopError):
        os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(launch._StopError):
        signals.check()
