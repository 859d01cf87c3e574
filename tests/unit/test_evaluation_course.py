"""What is kept of an episode: enough for every table and picture, and little."""

from __future__ import annotations

import gc
import pickle
import weakref
from dataclasses import fields, replace
from typing import ClassVar

import numpy as np
import pytest

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.days import peak_day
from rllib_citylearn.evaluation.jobs import run_jobs
from rllib_citylearn.evaluation.report.assemble import document_of
from rllib_citylearn.evaluation.report.markdown import to_markdown
from rllib_citylearn.evaluation.report.setting import Setting
from rllib_citylearn.evaluation.stretches import TERMS, Stretches
from tests.made_up import Town, evaluation, no_control


def test_the_district_and_its_hardest_day_are_the_trajectorys() -> None:
    path = Town(vehicles=3, minutes=15).trajectory(keep=0.6)
    course = Course.of(path)
    np.testing.assert_allclose(course.net_kw, 4.0 * path.net_electricity_consumption_kwh.sum(1))
    np.testing.assert_allclose(course.no_control_kw, 4.0 * path.no_control_net_kwh.sum(1))
    days = peak_day(path.no_control_net_kwh.sum(1), path.hour, 96)
    assert course.shown_day == days
    np.testing.assert_array_equal(course.day.soc, path.soc[days.first : days.end])
    np.testing.assert_array_equal(course.soc_before, path.soc[days.first - 1])
    for name, values in path.actions.items():
        np.testing.assert_array_equal(course.day.actions[name], values[days.first : days.end])


def test_a_buildings_terms_are_those_of_a_community_of_its_own() -> None:
    path = Town(days=70, no_bill=(1,)).trajectory(keep=0.6)
    terms = Course.of(path).building_terms
    assert terms.shape == (3, len(TERMS))
    for n in range(3):
        np.testing.assert_array_equal(terms[n], Stretches.of(path.part(buildings=slice(n, n + 1))).terms()[0])
    whole = Course.of(path.part(buildings=slice(0, 1)))
    np.testing.assert_array_equal(whole.building_terms[0], whole.stretches.terms()[0])


def test_an_evaluation_without_its_trajectory_is_small_and_holds_on_to_nothing() -> None:
    town = Town(days=365, buildings=40)
    course = Course.of(town.trajectory())
    whole = sum(getattr(town.trajectory(), name).nbytes for name in ("soc", "price", "carbon", "charging_kwh"))
    assert len(pickle.dumps(course)) < 0.1 * whole
    held = [getattr(course, field.name) for field in fields(course)] + [
        getattr(course.day, field.name) for field in fields(course.day)
    ]
    for array in held:
        if isinstance(array, np.ndarray):
            assert array.base is None or array.base.nbytes <= 2 * array.nbytes, "a view of a whole year"


def test_reports_need_no_trajectory_and_asking_for_one_says_why() -> None:
    town = Town(days=61, vehicles=10)
    full = [no_control(town), evaluation("runs/a", town, keep=0.7)]
    slim = [replace(one, kept=None) for one in full]
    setting = Setting("it", "made_up", {})
    assert to_markdown(document_of(Comparison.of(full), setting)) == to_markdown(document_of(Comparison.of(slim), setting))
    assert full[1].trajectory.steps == 61 * 24
    with pytest.raises(ConfigError, match="trajectory of runs/a was not kept"):
        _ = slim[1].trajectory


class _Simulated:
    """Refers to itself, as CityLearn's environments do."""

    def __init__(self) -> None:
        self.own = self


class _Simulating:
    """A job that makes one, and says how many of the ones before are still there."""

    engine, title = "fast", "a job"
    made: ClassVar[list[weakref.ref[_Simulated]]] = []

    def run(self, report: object, business_as_usual: object) -> int:
        left = sum(one() is not None for one in self.made)
        self.made.append(weakref.ref(_Simulated()))
        return left


def test_an_environment_is_gone_before_the_next_is_built() -> None:
    gc.disable()
    try:
        assert run_jobs([_Simulating() for _ in range(3)], processes=1, progress=None) == [0, 0, 0]
    finally:
        gc.enable()
