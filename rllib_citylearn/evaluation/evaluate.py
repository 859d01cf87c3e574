"""Scoring controllers side by side: each runs on either engine, and CityLearn computes its KPIs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from rllib_citylearn.env.config import FAST, check_engine
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.citylearn_ui import check_ui_folder, policy_folders
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.jobs import Job, run_jobs
from rllib_citylearn.evaluation.specs import ControllerSpec


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
    trajectories: bool = True,
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
        ui_folder: where the CSV files that CityLearn UI shows are written, in a folder a controller; None writes none.
        trajectories: whether results keep whole trajectories, as large as half a gigabyte for a year of 1,000 buildings;
            tables and reports don't need them.

    Returns:
        One evaluation a spec, in their order.

    Raises:
        ConfigError: nothing to evaluate, equal names, an unknown engine, or not even one process.
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
        Job(
            spec,
            str(path),
            engine,
            None if buildings is None else tuple(buildings),
            window,
            seed,
            folder.resolve().name if data is None else data,
            trajectory=trajectories,
            ui_folder=None if ui_folder is None else ui_folder / name,
        )
        for spec, name in zip(specs, policy_folders(names), strict=True)
    ]
    return run_jobs(jobs, processes=workers, progress=progress)
