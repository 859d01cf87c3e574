"""What a GPU has to do with the time that something takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

UPDATES = 20
_BUSY_SECONDS = 2.0


@dataclass(frozen=True)
class GpuShare:
    """Of an update on a GPU.

    Attributes:
        stream_ms: between CUDA events before and after it.
        kernels_ms: during which the GPU computed or copied.
        device_share: of the wall time, what the kernels are.
        utilisation: per cent of the time in which the driver saw a kernel run; None without the package ``pynvml``.
    """

    stream_ms: float
    kernels_ms: float
    device_share: float
    utilisation: int | None


def gpu_share(update: Callable[[], Any]) -> GpuShare:
    """Measure ``UPDATES`` updates in a row, which have been warmed up; needs a GPU."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    started = time.perf_counter()
    begin.record()
    for _ in range(UPDATES):
        update()
    end.record()
    torch.cuda.synchronize()
    wall_ms = 1e3 * (time.perf_counter() - started) / UPDATES
    # Profiled apart, because the profiler itself takes time.
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        for _ in range(UPDATES):
            update()
        torch.cuda.synchronize()
    kernels = sum(event.device_time_total for event in profiled.events() if event.device_type == DeviceType.CUDA)
    kernels_ms = 1e-3 * kernels / UPDATES
    return GpuShare(
        stream_ms=begin.elapsed_time(end) / UPDATES,
        kernels_ms=kernels_ms,
        device_share=kernels_ms / wall_ms,
        utilisation=_utilisation(update) if find_spec("pynvml") else None,
    )


def _utilisation(update: Callable[[], Any]) -> int:
    """The driver looks back over up to a second: keep the GPU at it for longer."""
    started = time.perf_counter()
    while time.perf_counter() - started < _BUSY_SECONDS:
        update()
    seen: int = torch.cuda.utilization()
    return seen
