"""Replicas that follow the load: how busy a thread is, and how many replicas that asks for."""

from __future__ import annotations

import math
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from rllib_citylearn.errors import ConfigError
from serve.autoscaling import ANSWERS, BUSY, BusyReplicas, BusyThread


def asked(
    busy: list[float],
    replicas: int | None = None,
    target: float = 0.6,
    answers: list[float] | None = None,
    waiting: int = 0,
    wanted: int | None = None,
) -> int:
    count = len(busy) if replicas is None else replicas
    told = [1.0] * len(busy) if answers is None else answers
    context: Any = SimpleNamespace(
        aggregated_metrics={BUSY: dict(enumerate(busy)), ANSWERS: dict(enumerate(told))},
        current_num_replicas=count,
        target_num_replicas=count if wanted is None else wanted,
        total_num_requests=waiting,
    )
    return BusyReplicas(target)(context)[0]


@pytest.mark.parametrize("target", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("busy", [[0.0], [0.05], [0.59], [0.61], [1.0], [1.0, 0.2], [0.3] * 5, [1.0] * 7, [0.01] * 8])
def test_with_the_replicas_asked_for_none_is_busier_than_the_target_and_with_one_less_all_would_be(
    busy: list[float], target: float
) -> None:
    count, work = asked(busy, target=target), sum(busy)
    assert work / count <= target + 1e-5
    assert count == 1 or work / (count - 1) > target


def test_a_replica_that_has_said_nothing_yet_counts_as_the_others() -> None:
    assert asked([0.9, 0.9], replicas=3) == math.ceil(3 * 0.9 / 0.6)
    assert asked([], replicas=4) == 4


def test_without_requests_no_replica_is_asked_for() -> None:
    assert asked([0.05, 0.01], answers=[0.0, 0.0]) == 0
    assert asked([0.05, 0.01], answers=[0.0, 0.5]) == 1
    assert asked([0.05, 0.01], answers=[0.0, 0.0], waiting=1) == 1


def test_where_there_is_none_serve_decides() -> None:
    assert asked([], replicas=0) == 0
    assert asked([], replicas=0, wanted=1) == 1


@pytest.mark.parametrize("target", [0.0, 1.0, -1.0, 2.0])
def test_a_target_that_makes_no_sense_is_refused(target: float) -> None:
    with pytest.raises(ConfigError, match="give a share within"):
        BusyReplicas(target)


def test_a_thread_that_computes_is_busy_and_one_that_sleeps_is_not() -> None:
    def compute(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sum(range(1000))

    meter = BusyThread()
    compute(0.5)
    computing = meter.share()
    other = threading.Thread(target=compute, args=(0.5,))
    other.start()
    time.sleep(0.5)
    other.join()
    sleeping = meter.share()
    assert 0.7 < computing <= 1.0
    assert sleeping < 0.3
