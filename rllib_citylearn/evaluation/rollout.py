"""Running a controller to the end of a CityLearn environment's data, on either engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.baselines.controller import Controller, Planner
from rllib_citylearn.env.config import FAST, check_engine
from rllib_citylearn.env.feature_table import table_names
from rllib_citylearn.errors import FeatureError
from rllib_citylearn.evaluation.progress import Report
from rllib_citylearn.evaluation.simulation import simulate
from rllib_citylearn.evaluation.trajectory import FloatArray, IntArray, Trajectory

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


def rollout(
    controller: Controller,
    env: CityLearnEnv,
    *,
    engine: str = FAST,
    report: Report | None = None,
) -> Trajectory:
    """Run one episode of ``env`` from its first to its last time step.

    Afterwards ``env`` stands at its end, ready for ``kpis.evaluate_env``, whichever engine simulated.

    Args:
        controller: what sets the devices; it is reset first.
        env: an environment from ``make_citylearn_env``, best a fresh one: controllers may take actions out of it.
        engine: one of ``env.config.ENGINES``.
        report: told how far it is after every step, and before that while a controller plans.

    Raises:
        ConfigError: an unknown engine.
        EngineError: the fast engine can't simulate this community.
        FeatureError: the controller gives another number of actions than asked for, or one that is no finite number.
    """
    check_engine(engine)
    env.reset()
    controller.reset(env)
    if isinstance(controller, Planner):
        controller.prepare(lambda step, total: None if report is None else report(step, total, "planning"))
    simulation = simulate(engine, env)
    buildings = [building.name for building in env.buildings]
    names = [list(row) for row in env.action_names]
    total = int(env.time_steps) - 1
    taken = np.empty((total, sum(len(row) for row in names)))
    step = 0
    while not simulation.done:
        actions = _checked(controller, controller.act(simulation.observe()), buildings, names, step=step)
        simulation.step(actions)
        taken[step] = list(chain.from_iterable(actions))
        step += 1
        if report is not None:
            report(step, total)
    simulation.finish()
    return _trajectory(env, names, taken[:step])


def _checked(
    controller: Controller,
    actions: Sequence[Sequence[float]],
    buildings: Sequence[str],
    names: Sequence[Sequence[str]],
    *,
    step: int,
) -> list[list[float]]:
    """``actions`` as plain numbers, or an error that names the controller, the building and the action."""
    if len(actions) != len(buildings):
        raise FeatureError(
            f"{controller.name} gave actions for {len(actions)} buildings at step {step}, but the community has "
            f"{len(buildings)} ({', '.join(buildings)}); it must give one row for each."
        )
    checked = []
    for building, expected, row in zip(buildings, names, actions, strict=True):
        values = _numbers(row)
        if values is None or len(values) != len(expected):
            raise FeatureError(
                f"{controller.name} gave {building} actions of the shape {np.shape(row)} at step {step}, but the "
                f"building has {len(expected)} ({', '.join(expected) or 'none'}); it must give one number for each."
            )
        for name, value in zip(expected, values, strict=True):
            if not math.isfinite(value):
                raise FeatureError(
                    f"{controller.name} gave {building} the action {name} = {value} at step {step}; "
                    "actions must be finite numbers. Look for a division by zero or diverged weights."
                )
        checked.append(values)
    return checked


def _numbers(row: Sequence[float]) -> list[float] | None:
    """``row`` as plain numbers; None if it is not flat."""
    if isinstance(row, np.ndarray):
        return [float(value) for value in row] if row.ndim == 1 else None
    try:
        return [float(value) for value in row]
    except TypeError:
        return None


def _trajectory(env: CityLearnEnv, names: Sequence[Sequence[str]], taken: FloatArray) -> Trajectory:
    buildings = env.buildings
    steps = len(taken)

    def columns(series: Callable[[Any], Any]) -> FloatArray:
        return np.stack([np.asarray(series(building), np.float64)[:steps] for building in buildings], 1)

    def calendar(name: str) -> IntArray:
        return np.asarray(getattr(buildings[0].energy_simulation, name))[:steps].astype(np.int64)

    tracker = env.episode_tracker
    return Trajectory(
        buildings=tuple(building.name for building in buildings),
        window=(int(tracker.episode_start_time_step), int(tracker.episode_end_time_step)),
        seconds_per_time_step=float(env.seconds_per_time_step),
        net_electricity_consumption_kwh=columns(lambda building: building.net_electricity_consumption),
        no_control_net_kwh=columns(_uncontrolled_net),
        charging_kwh=columns(_charging),
        soc=np.stack([_soc(building, steps) for building in buildings], 1),
        actions=_by_name(names, taken),
        price=columns(lambda building: building.pricing.electricity_pricing),
        carbon=columns(lambda building: building.carbon_intensity.carbon_intensity),
        month=calendar("month"),
        day_type=calendar("day_type"),
        hour=calendar("hour"),
    )


def _uncontrolled_net(building: Any) -> Any:
    """The series that CityLearn's KPIs compare a building with; only buildings with thermal dynamics have the first."""
    with_devices = "net_electricity_consumption_without_storage_and_partial_load"
    if hasattr(type(building), with_devices):
        return getattr(building, with_devices)
    return building.net_electricity_consumption_without_storage


def _charging(building: Any) -> FloatArray:
    """What a building's chargers drew, ``[T]`` kWh."""
    drawn = [np.asarray(charger.electricity_consumption, np.float64) for charger in building.electric_vehicle_chargers or []]
    return np.sum(drawn, 0) if drawn else np.zeros(len(building.net_electricity_consumption))


def _soc(building: Any, steps: int) -> FloatArray:
    """State of charge of a building's battery, ``[T]``; NaN where its capacity is zero."""
    if not building.electrical_storage.capacity:
        return np.full(steps, np.nan)
    return np.asarray(building.electrical_storage.soc, np.float64)[:steps]


def _by_name(names: Sequence[Sequence[str]], taken: FloatArray) -> dict[str, FloatArray]:
    """Actions ``[T, N]`` by name of the feature table, from those of all buildings behind each other."""
    result: dict[str, FloatArray] = {}
    places = ((n, name) for n, row in enumerate(names) for name in table_names(list(row)))
    for column, (n, name) in enumerate(places):
        result.setdefault(name, np.full((len(taken), len(names)), np.nan))[:, n] = taken[:, column]
    return result
