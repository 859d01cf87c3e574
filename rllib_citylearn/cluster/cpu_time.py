"""How much the processes of a Ray compute, on all of its nodes."""

from __future__ import annotations

import os
import time
from typing import Any

_LIMIT_S = 60.0


class CpuMeter:
    """Reads the CPU seconds that Ray's processes have used: its daemons', all workers' and the driver's.

    On every node an actor that asks for no core looks at the node's raylet, which is its parent, and at all others that the
    raylet has started. Work of other jobs on the same Ray counts, too; the head's global control store does not. This
    process has to be connected to Ray.
    """

    def __init__(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # A driver is none of a raylet's processes, but a task that builds an algorithm is.
        self._outside = ray.get_runtime_context().worker.mode == ray.SCRIPT_MODE
        self._meters: list[Any] = [
            ray.remote(num_cpus=0)(_NodeMeter)
            .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
            .remote()
            for node in ray.nodes()
            if node["Alive"]
        ]
        self.seconds()  # returns when all of them have started

    def seconds(self) -> float:
        """CPU seconds so far, of all processes together."""
        import ray

        theirs: list[float] = ray.get([meter.seconds.remote() for meter in self._meters], timeout=_LIMIT_S)
        return sum(theirs) + (time.process_time() if self._outside else 0.0)

    def close(self) -> None:
        """End the actors."""
        import ray

        for meter in self._meters:
            ray.kill(meter)


class _NodeMeter:
    """On one node, an actor."""

    def seconds(self) -> float:
        """CPU seconds so far of the raylet that started this process, and of all that it has started."""
        import psutil  # Ray's own

        used = 0.0
        raylet = psutil.Process(os.getppid())
        for process in [raylet, *raylet.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            used += times.user + times.system
        return used
