"""How long an update takes: cooperative MADDPG's learner beside a plain MADDPG in the same process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from rllib_citylearn.algorithm.gpu_share import GpuShare, gpu_share
from rllib_citylearn.algorithm.learner_cases import BATCH, COLUMNS, Case, Update, update_of
from rllib_citylearn.errors import ConfigError

BUILDINGS = 17
HIDDEN = (128, 256)
MORE_BUILDINGS = (68, 272)
MODEL_HORIZON = 24
_ROUNDS = 3


@dataclass(frozen=True)
class UpdateSpeed:
    """An update of one learner: batch in numpy, losses, gradients, clipping, optimisers, targets.

    Attributes:
        name: what was measured.
        buildings: number N.
        hidden: width of the layers.
        device: ``cpu`` or ``cuda``.
        ms_per_update: wall time; ours is the mean of a step of the critics alone and a full one, as training makes them in
            turn with ``policy_delay`` 2.
        full_ms: of a full step; plain MADDPG has no other.
        cpu_ms_per_update: time of the process's own on the CPU, which other processes hardly touch.
        gpu: on a GPU, its part of it.
    """

    name: str
    buildings: int
    hidden: int
    device: str
    ms_per_update: float
    full_ms: float
    cpu_ms_per_update: float
    gpu: GpuShare | None


@dataclass(frozen=True)
class LearnerBenchmark:
    """What ``bench learner`` measured.

    Attributes:
        batch: rows of a batch.
        columns: numbers that a building sees.
        threads: of torch.
        device: name of the device.
        ratio_to_plain: time of plain MADDPG's updates over ours with shared actors and coordinator, by its name.
        cases: each learner.
    """

    batch: int
    columns: int
    threads: int
    device: str
    ratio_to_plain: dict[str, float]
    cases: tuple[UpdateSpeed, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def cases(
    buildings: int = BUILDINGS,
    hidden: Sequence[int] = HIDDEN,
    more_buildings: Sequence[int] = MORE_BUILDINGS,
    model_horizon: int = MODEL_HORIZON,
) -> list[list[Case]]:
    """What is measured, in groups that are measured in turn.

    Args:
        buildings: number N.
        hidden: widths; the first one is that of the larger communities and of simulated hours.
        more_buildings: numbers of buildings of larger communities; the smallest has a plain MADDPG beside it, whose cost
            grows with their square.
        model_horizon: simulated hours of the last case; 0 leaves it out.
    """
    groups = []
    for width in hidden:
        group = _plain(buildings, width)
        for actors in ("shared", "separate"):
            for coordinator in ("attention+mean-field", "none"):
                name = f"{actors} actors, coordinator {coordinator}, hidden {width}"
                group.append(Case(name, buildings, width, actors, coordinator))
        groups.append(group)
    for number in more_buildings:
        group = [Case(f"{number} buildings", number, hidden[0])]
        if number == min(more_buildings):
            group = _plain(number, hidden[0]) + group
        groups.append(group)
    if model_horizon:
        groups.append([Case(f"{model_horizon} simulated hours", buildings, hidden[0], model_horizon=model_horizon)])
    return groups


def _plain(buildings: int, hidden: int) -> list[Case]:
    """Plain MADDPG as published, where every agent draws a batch of its own, and with one batch for all."""
    return [
        Case(f"plain MADDPG, {batches}, {buildings} buildings, hidden {hidden}", buildings, hidden, plain=number)
        for batches, number in (("a batch an agent", buildings), ("one batch", 1))
    ]


def benchmark_learner(
    data: Path,
    groups: Sequence[Sequence[Case]],
    *,
    device: str = "cpu",
    seconds: float = 4.0,
    say: Callable[[str], None] = lambda line: None,
) -> LearnerBenchmark:
    """Measure all cases.

    The cases of a group take turns, so that whatever else the machine does disturbs all of them. Figures are those of the
    best round, which is what the machine does when nothing else does.

    Args:
        data: folder of the data set for simulated hours, as many buildings as it has.
        groups: of ``cases``.
        device: ``cpu`` or ``cuda``.
        seconds: time for each case, at least three rounds.
        say: called with what is being measured.

    Raises:
        ConfigError: no time, or no such device.
    """
    if not seconds > 0:
        raise ConfigError(f"Each learner is to take {seconds:g} s; give a number above 0.")
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"The device is {device!r}; learners are measured on 'cpu' or 'cuda'.")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "torch finds no GPU on this machine; measure with --device cpu, or install a torch build for the GPU."
        )
    found: list[UpdateSpeed] = []
    ratios: dict[str, float] = {}
    for group in groups:
        speeds = _measure(group, data, device, seconds, say)
        found += speeds
        plain = [speed for case, speed in zip(group, speeds, strict=True) if case.plain]
        for case, speed in zip(group, speeds, strict=True):
            if not case.plain and _is_default(case):
                ratios |= {other.name: other.ms_per_update / speed.ms_per_update for other in plain}
    return LearnerBenchmark(
        batch=BATCH,
        columns=COLUMNS,
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if device == "cuda" else "cpu",
        ratio_to_plain=ratios,
        cases=tuple(found),
    )


def _is_default(case: Case) -> bool:
    return case.actors == "shared" and case.coordinator != "none"


def _measure(
    group: Sequence[Case], data: Path, device: str, seconds: float, say: Callable[[str], None]
) -> list[UpdateSpeed]:
    """The cases of one group, round by round."""
    say(f"{'; '.join(case.name for case in group)} ...")
    updates, buildings = zip(*(update_of(case, device, data) for case in group), strict=True)
    for update in updates:
        for _ in range(2):
            update()
    # [case][round]: wall and CPU seconds of a full step and of the one after it.
    taken: list[list[tuple[float, float, float, float]]] = [[] for _ in group]
    begun = time.perf_counter()
    while len(taken[0]) < _ROUNDS or time.perf_counter() - begun < seconds * len(group):
        for rounds, update in zip(taken, updates, strict=True):
            rounds.append((*_timed(update, device), *_timed(update, device)))
    return [
        _speed(replace(case, buildings=number), rounds, device, gpu_share(update) if device == "cuda" else None)
        for case, number, rounds, update in zip(group, buildings, taken, updates, strict=True)
    ]


def _timed(update: Update, device: str) -> tuple[float, float]:
    """Wall and CPU seconds of an update, which begins and ends with an idle device."""
    if device == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    update()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def _speed(
    case: Case, rounds: Sequence[tuple[float, float, float, float]], device: str, gpu: GpuShare | None
) -> UpdateSpeed:
    wall, cpu, wall_after, cpu_after = (1e3 * min(part) for part in zip(*rounds, strict=True))
    return UpdateSpeed(
        name=case.name,
        buildings=case.buildings,
        hidden=case.hidden,
        device=device,
        ms_per_update=min(wall, wall_after) if case.plain else (wall + wall_after) / 2,
        full_ms=min(wall, wall_after) if case.plain else wall,
        cpu_ms_per_update=min(cpu, cpu_after) if case.plain else (cpu + cpu_after) / 2,
        gpu=gpu,
    )
