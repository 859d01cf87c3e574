"""Running controllers through a community, here or in several processes."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, Protocol, TextIO, TypeVar

from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.errors import UserError
from rllib_citylearn.evaluation.business_as_usual import BusinessAsUsual
from rllib_citylearn.evaluation.citylearn_ui import check_device_names, write_citylearn_csv
from rllib_citylearn.evaluation.comfort import comfort_of
from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.departures import departures_served
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.kpis import evaluate_env
from rllib_citylearn.evaluation.progress import Progress, Report
from rllib_citylearn.evaluation.rollout import rollout
from rllib_citylearn.evaluation.score import score_kpis
from rllib_citylearn.evaluation.specs import ControllerSpec
from rllib_citylearn.evaluation.totals import totals_of

Result = TypeVar("Result", covariant=True)


class Runnable(Protocol[Result]):
    """What can be run here or in another process."""

    @property
    def engine(self) -> str:
        """What simulates."""
        ...

    @property
    def title(self) -> str:
        """What progress calls it."""
        ...

    def run(self, report: Report, business_as_usual: BusinessAsUsual) -> Result:
        """Do it."""
        ...


@dataclass(frozen=True)
class Job:
    """One controller on one community.

    Attributes:
        spec: the controller.
        schema: path of the data set's ``schema.json``, or of its folder.
        engine: what simulates.
        buildings: names of the buildings to keep; None keeps all.
        window: first and last time step, both included; None runs all of the data.
        seed: replaces the schema's random seed; None leaves it.
        data: JSON-ready description of the data set for the result.
        trajectory: whether the result keeps the whole trajectory: half a gigabyte for a year of 1,000 buildings.
        label: what progress calls it; None takes the controller's name.
        ui_folder: where the CSV files that CityLearn UI shows are written; None writes none.
    """

    spec: ControllerSpec
    schema: str
    engine: str
    buildings: tuple[str, ...] | None
    window: tuple[int, int] | None
    seed: int | None
    data: Any
    trajectory: bool = False
    label: str | None = None
    ui_folder: Path | None = None

    @property
    def title(self) -> str:
        """What progress calls it."""
        return self.label or self.spec.name

    def run(self, report: Report, business_as_usual: BusinessAsUsual) -> Evaluation:
        """Simulate and judge.

        Args:
            report: told how far it is.
            business_as_usual: the reference of CityLearn's CSV files, shared by jobs.
        """
        controller = self.spec.make()
        env = make_citylearn_env(self.schema, buildings=self.buildings, window=self.window, random_seed=self.seed)
        if self.ui_folder is not None:
            check_device_names(env)
        trajectory = rollout(controller, env, engine=self.engine, report=report)
        kpis = evaluate_env(env)
        if self.ui_folder is not None:
            write_citylearn_csv(env, self.ui_folder, business_as_usual=business_as_usual, report=report)
        return Evaluation(
            policy=self.spec.name,
            data=self.data,
            engine=self.engine,
            seed=int(env.random_seed),
            score=score_kpis(kpis.district),
            kpis=kpis.district,
            building_kpis=kpis.buildings,
            totals=totals_of(trajectory),
            no_control=totals_of(trajectory, trajectory.no_control_net_kwh),
            course=Course.of(trajectory),
            kept=trajectory if self.trajectory else None,
            departures=departures_served(env),
            comfort=comfort_of(env, kpis.district),
        )


@dataclass(frozen=True)
class Refusal:
    """A controller that can't control a community.

    Attributes:
        policy: the controller's name.
        reason: why, in words.
        error: what it raised.
    """

    policy: str
    reason: str
    error: UserError


@dataclass(frozen=True)
class Attempt:
    """A job whose refusal is a result like any other, so that the others go on."""

    job: Job

    @property
    def engine(self) -> str:
        """What simulates."""
        return self.job.engine

    @property
    def title(self) -> str:
        """What progress calls it."""
        return self.job.title

    def run(self, report: Report, business_as_usual: BusinessAsUsual) -> Evaluation | Refusal:
        """See ``Job.run``."""
        try:
            return self.job.run(report, business_as_usual)
        except UserError as error:
            return Refusal(self.job.spec.name, str(error), error)


def run_jobs(jobs: Sequence[Runnable[Result]], *, processes: int, progress: TextIO | None) -> list[Result]:
    """Run jobs, one after the other or several at once in processes of their own.

    Args:
        jobs: what to run; the slowest are best put first where several run at once.
        processes: how many at once.
        progress: where to show progress; None shows none.

    Returns:
        Their results, in the same order.

    Raises:
        UserError: whatever stops one of them; the others are stopped too.
    """
    shown = Progress(progress, [job.title for job in jobs]) if progress is not None else None
    workers = min(len(jobs), processes)
    try:
        return _run_here(jobs, shown) if workers == 1 else _run_apart(jobs, workers, shown)
    finally:
        if shown is not None:
            shown.close()


def _run_here(jobs: Sequence[Runnable[Result]], shown: Progress | None) -> list[Result]:
    results = []
    references: dict[str, BusinessAsUsual] = {}
    for number, job in enumerate(jobs):

        def report(step: int, total: int, stage: str = "", number: int = number) -> None:
            if shown is not None:
                shown.update(number, step, total, stage)

        results.append(job.run(report, references.setdefault(job.engine, BusinessAsUsual(job.engine))))
        gc.collect()  # environments refer to themselves; the next one would be built beside the last
        if shown is not None:
            shown.finish(number)
    return results


def _run_apart(jobs: Sequence[Runnable[Result]], workers: int, shown: Progress | None) -> list[Result]:
    context = multiprocessing.get_context("spawn")
    messages, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(messages, stop)) as pool:
        futures = [pool.submit(_run_in_worker, number, job) for number, job in enumerate(jobs)]
        pending: set[Future[Result]] = set(futures)
        try:
            while pending:
                done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                _show_messages(messages, shown)
                for future in done:
                    future.result()
                    if shown is not None:
                        shown.finish(futures.index(future))
        except BrokenProcessPool as error:
            raise UserError(
                "A process that evaluated a controller was ended from outside, most often because memory ran out; "
                "evaluate fewer controllers at a time (--processes 1) or fewer buildings."
            ) from error
        except BaseException:
            # The others may still have minutes to go for results that nobody will see.
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [future.result() for future in futures]


def _show_messages(messages: Any, shown: Progress | None) -> None:
    while True:
        try:
            number, step, total, stage = messages.get_nowait()
        except Empty:
            return
        if shown is not None:
            shown.update(number, step, total, stage)


class _StoppedError(Exception):
    """Another controller failed, so this one need not go on."""


_worker: dict[str, Any] = {}
"""A worker's line to its parent, the queue of its messages and the event that stops it, and what its jobs share."""


def _start_worker(messages: Any, stop: Any) -> None:
    # Ctrl-C reaches the whole process group; the parent answers it and stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Read when CityLearn imports torch: its thermal models are small, threads cost them more than they give.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A stopped worker ends without waiting for somebody to read its last messages.
    messages.cancel_join_thread()
    _worker.update(messages=messages, stop=stop, references={})


def _run_in_worker(number: int, job: Runnable[Result]) -> Result:
    last = time.monotonic()

    def report(step: int, total: int, stage: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= 0.25 or step == total:
            last = time.monotonic()
            if _worker["stop"].is_set():
                raise _StoppedError
            _worker["messages"].put((number, step, total, stage))

    references: dict[str, BusinessAsUsual] = _worker["references"]
    result = job.run(report, references.setdefault(job.engine, BusinessAsUsual(job.engine)))
    gc.collect()  # see ``_run_here``
    return result
