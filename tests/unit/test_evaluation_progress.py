"""What a person sees while controllers run."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from rllib_citylearn.evaluation import progress
from rllib_citylearn.evaluation.progress import Progress, duration


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that is set by writing its only element, in seconds."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def run(stream: io.StringIO, clock: list[float]) -> None:
    """Two runs of 1,000 steps at 10 and 5 steps a second, for 40 s."""
    shown = Progress(stream, ["bau", "net-zero"])
    start = clock[0]
    for second in range(41):
        clock[0] = start + second
        shown.update(0, 10 * second, 1000)
        shown.update(1, 5 * second, 1000)
    shown.close()


def test_a_log_gets_a_line_every_ten_seconds_with_the_time_left(clock: list[float]) -> None:
    stream = io.StringIO()
    run(stream, clock)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert "bau 400/1,000, 1 min 00 s left" in lines[-1]
    assert "net-zero 195/1,000" in lines[-1]


def test_a_terminal_has_one_line_that_is_wiped_at_the_end(clock: list[float]) -> None:
    stream = Terminal()
    run(stream, clock)
    text = stream.getvalue()
    assert "\n" not in text
    *_, shown, wiped, empty = text.split("\r")
    assert "1 min 00 s left" in shown
    assert wiped.strip() == empty == ""
    assert len(wiped) >= len(shown.rstrip())


def test_a_stage_has_its_own_steps_and_time_and_is_shown_as_it_begins(clock: list[float]) -> None:
    stream = Terminal()
    shown = Progress(stream, ["bau"])
    start = clock[0]
    for second in range(21):
        clock[0] = start + second
        shown.update(0, 50 * second, 1000)
    clock[0] += 0.1
    shown.update(0, 0, 1000, "CSV files")
    assert stream.getvalue().split("\r")[-1].rstrip() == "bau, CSV files 0/1,000"
    clock[0] += 10
    shown.update(0, 100, 1000, "CSV files")
    assert stream.getvalue().split("\r")[-1].rstrip() == "bau, CSV files 100/1,000, 1 min 30 s left"
    clock[0] += 0.1
    shown.update(0, 0, 0, "CSV of KPIs")
    assert stream.getvalue().split("\r")[-1].rstrip() == "bau, CSV of KPIs"
    shown.close()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (125, "2 min 05 s"), (3599.6, "1 h 00 min"), (4200, "1 h 10 min")],
)
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_naming_the_command_and_the_tools_loads_no_simulator() -> None:
    code = (
        "import sys, rllib_citylearn.cli.evaluate, rllib_citylearn.evaluation, rllib_citylearn.baselines\n"
        "print(sorted({'torch', 'citylearn', 'ray', 'matplotlib', 'pandas', 'onnxruntime'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
