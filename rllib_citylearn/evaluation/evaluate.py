"""Scoring controllers side by side: each runs on either engine, and CityLearn computes its KPIs."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, TextIO

from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.env.config import FAST, check_engine
from rllib_citylearn.errors import ConfigError, UserError
from rllib_citylearn.evaluation.business_as_usual import BusinessAsUsual
from rllib_citylearn.evaluation.citylearn_ui import check_device_names, check_ui_folder, policy_folders, write_citylearn_csv
from rllib_citylearn.evaluation.departures import departures_served
from rllib_citylearn.evaluation.kpis import Kpis, evaluate_env
from rllib_citylearn.evaluation.progress import Progress, Report
from rllib_citylearn.evaluation.rollout import rollout
from rllib_citylearn.evaluation.score import Score, score_kpis
from rllib_citylearn.evaluation.specs import ControllerSpec
from rllib_citylearn.evaluation.trajectory import Trajectory


@dataclass(frozen=True)
class Evaluation:
    """How one controller did.

    Attributes:
        policy: the controller's name.
        data: the data set, as the caller named or described it; JSON-ready.
        engine: what simulated, ``fast`` or ``citylearn``; the KPIs are CityLearn's either way.
        seed: CityLearn's random seed, from which it draws what the schema leaves out.
        score: the scores, or why there are none.
        kpis: the district's KPIs by CityLearn's names; None where CityLearn has no finite value.
        building_kpis: the same by building.
        trajectory: what happened.
        share_of_possible: share of the saving of perfect foresight that was reached; None if that was not evaluated.
        ev: how drivers of electric vehicles were served (``departures.Departures``); None where no vehicle left.
    """

    policy: str
    data: Any
    engine: str
    seed: int
    score: Score
    kpis: Kpis
    building_kpis: Mapping[str, Kpis]
    trajectory: Trajectory
    share_of_possible: float | None = None
    ev: Mapping[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """What ``evaluate --json`` prints; ``reason`` is there only when a score is not."""
        result = {
            "policy": self.policy,
            "data": self.data,
            "buildings": list(self.trajectory.buildings),
            "engine": self.engine,
            "window": list(self.trajectory.window),
            "seed": self.seed,
            "score": self.score.score,
            "index5": self.score.index5,
            "kpis": dict(self.kpis),
            "share_of_possible": self.share_of_possible,
            "ev": None if self.ev is None else dict(self.ev),
        }
        if self.score.reason is not None:
            result["reason"] = self.score.reason
        return result


@dataclass(frozen=True)
class _Job:
    """One controller on one community."""

    spec: ControllerSpec
    schema: str
    engine: str
    buildings: tuple[str, ...] | None
    window: tuple[int, int] | None
    seed: int | None
    data: Any
    ui_folder: Path | None

    def run(self, report: Report, business_as_usual: BusinessAsUsual) -> Evaluation:
        controller = self.spec.make()
        env = make_citylearn_env(self.schema, buildings=self.buildings, window=self.window, random_seed=self.seed)
        if self.ui_folder is not None:
            check_device_names(env)
        trajectory = rollout(controller, env, engine=self.engine, report=report)
        kpis, served = evaluate_env(env), departures_served(env)
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
            trajectory=trajectory,
            ev=None if served is None else served.to_dict(),
        )


def evaluate(
    specs: Sequence[ControllerSpec],
    schema: str | Path,
    *,
    engine: str = FAST,
    buildings: Sequence[str] | None = None,
    window: tuple[int, int] | None = None,
    seed: int | None = None,
    processes: int | None = None,
    data: Any = None,
    progress: TextIO | None = None,
    ui_folder: Path | None = None,
) -> list[Evaluation]:
    """Run and score controllers on one community.

    A year of 17 buildings with batteries takes the fast engine a few seconds a controller (``bau`` about ten, which are its
    own), CityLearn one to two minutes. With more than one process the controllers run in new Python processes, so a script
    that calls this needs ``if __name__ == "__main__":``.

    Args:
        specs: what to evaluate; the names must differ.
        schema: path of a data set's ``schema.json``, or of its folder.
        engine: what simulates: ``fast`` or ``citylearn``. Nothing falls back on the other one.
        buildings: names of the buildings to keep; None keeps all.
        window: first and last time step, both included; None runs all of the data.
        seed: replaces the schema's random seed.
        processes: how many controllers to run at once; None takes as many as there are cores for CityLearn, and one for
            the fast engine, which is often done before another process has started.
        data: JSON-ready description of the data set for the results; None takes the folder's name.
        progress: where to show progress, as ``sys.stderr``; None shows none.
        ui_folder: where to write the CSV files that CityLearn UI opens, in a folder a controller, which takes a year of 17
            buildings half a minute each, and the reference in them as long as ``bau``; None writes none.

    Returns:
        One evaluation a spec, in their order.

    Raises:
        ConfigError: nothing to evaluate, equal names, an unknown engine, not even one process, or no place for files.
        EngineError: the fast engine can't simulate this community.
        UserError: whatever stops one of the controllers; the others are stopped too.
    """
    names = [spec.name for spec in specs]
    if not names or len(set(names)) < len(names):
        raise ConfigError(f"The controllers to evaluate are {names or 'none'}; give at least one, each once.")
    check_engine(engine)
    cores = 1 if engine == FAST else os.cpu_count() or 1
    workers = min(len(specs), cores if processes is None else processes)
    if workers < 1:
        raise ConfigError(f"{processes} processes can't evaluate anything; give at least one.")
    if ui_folder is not None:
        check_ui_folder(ui_folder, names)
    path = Path(schema)
    folder = path if path.is_dir() else path.parent
    jobs = [
        _Job(
            spec,
            str(path),
            engine,
            None if buildings is None else tuple(buildings),
            window,
            seed,
            folder.resolve().name if data is None else data,
            None if ui_folder is None else ui_folder / name,
        )
        for spec, name in zip(specs, policy_folders(names), strict=True)
    ]
    shown = Progress(progress, names) if progress is not None else None
    try:
        return _run_here(jobs, shown) if workers == 1 else _run_apart(jobs, workers, shown)
    finally:
        if shown is not None:
            shown.close()


def _run_here(jobs: Sequence[_Job], shown: Progress | None) -> list[Evaluation]:
    results = []
    business_as_usual = BusinessAsUsual(jobs[0].engine)
    for number, job in enumerate(jobs):

        def report(step: int, total: int, stage: str = "", number: int = number) -> None:
            if shown is not None:
                shown.update(number, step, total, stage)

        results.append(job.run(report, business_as_usual))
        if shown is not None:
            shown.finish(number)
    return results


def _run_apart(jobs: Sequence[_Job], workers: int, shown: Progress | None) -> list[Evaluation]:
    context = multiprocessing.get_context("spawn")
    messages, stop = context.Queue(), context.Event()
    with ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(messages, stop, jobs[0].engine)) as pool:
        futures = [pool.submit(_run_in_worker, number, job) for number, job in enumerate(jobs)]
        pending: set[Future[Evaluation]] = set(futures)
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


def _start_worker(messages: Any, stop: Any, engine: str) -> None:
    # Ctrl-C reaches the whole process group; the parent answers it and stops the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Read when CityLearn imports torch: its thermal models are small, threads cost them more than they give.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A stopped worker ends without waiting for somebody to read its last messages.
    messages.cancel_join_thread()
    _worker.update(messages=messages, stop=stop, business_as_usual=BusinessAsUsual(engine))


def _run_in_worker(number: int, job: _Job) -> Evaluation:
    last = time.monotonic()

    def report(step: int, total: int, stage: str = "") -> None:
        nonlocal last
        if time.monotonic() - last >= 0.25 or step == total:
            last = time.monotonic()
            if _worker["stop"].is_set():
                raise _StoppedError
            _worker["messages"].put((number, step, total, stage))

    return job.run(report, _worker["business_as_usual"])
