"""Made-up evaluations for tests of tables and reports: loads drawn at random, scored from the loads themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.departures import DepartureTable
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.kpis import Kpis
from rllib_citylearn.evaluation.score import score_kpis
from rllib_citylearn.evaluation.stretches import TERMS, Stretches
from rllib_citylearn.evaluation.totals import totals_of
from rllib_citylearn.evaluation.trajectory import Trajectory

KPI_OF_TERM = {
    "cost": "cost_total",
    "carbon": "carbon_emissions_total",
    "ramping": "ramping_average",
    "1-load factor": "monthly_one_minus_load_factor_average",
}


@dataclass(frozen=True)
class Town:
    """What made-up evaluations are about.

    Attributes:
        days: length of the window.
        buildings: how many.
        minutes: of a time step.
        shift_kw: added to every building's load; far below zero the district exports all the time.
        prices: of the hours of a day, repeated.
        battery: whether buildings have one.
        vehicles: departures in the window.
        no_bill: buildings that draw nothing without control.
        names: of the buildings; None numbers them.
        hour_offset: hours between midnight and the first time step.
        seed: of the draws.
    """

    days: int = 20
    buildings: int = 3
    minutes: int = 60
    shift_kw: float = 0.0
    prices: tuple[float, ...] = (0.2, 0.5)
    battery: bool = True
    vehicles: int = 0
    no_bill: tuple[int, ...] = ()
    names: tuple[str, ...] | None = None
    hour_offset: int = 0
    seed: int = 0

    @property
    def steps(self) -> int:
        """Time steps in the window."""
        return self.days * 24 * 60 // self.minutes

    def trajectory(self, keep: float = 0.8) -> Trajectory:
        """An episode in which ``keep`` of the load without control is left; the hours are counted 1 to 24."""
        random = np.random.default_rng(self.seed)
        shape = (self.steps, self.buildings)
        hours = np.arange(self.steps) * self.minutes // 60 + self.hour_offset
        daily = 1.0 + np.sin(2.0 * np.pi * (hours % 24) / 24.0)
        load = (daily[:, None] + random.normal(0.0, 0.5, shape) + self.shift_kw) * self.minutes / 60.0
        load[:, list(self.no_bill)] = -np.abs(load[:, list(self.no_bill)])
        actions = {"electrical_storage": random.uniform(-1.0, 1.0, shape)} if self.battery else {}
        charging = np.zeros(shape)
        if self.vehicles:
            actions["electric_vehicle_storage_1"] = np.where(np.arange(self.buildings) == 0, 0.5, np.nan) * np.ones(shape)
            charging[:, 0] = 0.3 * keep
        return Trajectory(
            buildings=self.names or tuple(f"Building_{n + 1}" for n in range(self.buildings)),
            window=(100, 100 + self.steps),
            seconds_per_time_step=60.0 * self.minutes,
            net_electricity_consumption_kwh=load * keep + charging,
            no_control_net_kwh=load,
            charging_kwh=charging,
            soc=random.uniform(size=shape) if self.battery else np.full(shape, np.nan),
            actions=actions,
            price=np.resize(self.prices, self.steps)[:, None].repeat(self.buildings, 1),
            carbon=np.full(shape, 0.1),
            month=(7 + hours // 720) % 12 + 1,
            day_type=(hours // 24) % 7 + 1,
            hour=(hours + 23) % 24 + 1,
        )

    def departures(self, missing_soc: float) -> DepartureTable | None:
        """Of the first building's vehicle; every other one lacks ``missing_soc``."""
        if not self.vehicles:
            return None
        places = np.arange(self.vehicles)
        lacking = np.where(places % 2 == 0, missing_soc, 0.0)
        return DepartureTable(
            places * 5, 0 * places, 0 * places, 0.8 - lacking, np.full(self.vehicles, 0.8), np.full(self.vehicles, 50.0)
        )


def evaluation(
    policy: str,
    town: Town | None = None,
    *,
    keep: float = 0.8,
    missing_soc: float = 0.1,
    engine: str = "fast",
    seed: int = 2022,
    comfort: Mapping[str, float] | None = None,
    drop: tuple[str, ...] = (),
) -> Evaluation:
    """An evaluation of a policy under which ``keep`` of the load is left.

    Args:
        policy: its name.
        town: whom it is about.
        keep: share of the load that is left.
        missing_soc: what every other departure lacks.
        engine: what is said to have simulated.
        seed: CityLearn's random seed, as the evaluation states it.
        comfort: as in ``Evaluation``.
        drop: KPIs without a value.
    """
    town = town or Town()
    path = town.trajectory(keep)
    kpis = kpis_of(path, drop)
    return Evaluation(
        policy=policy,
        data={"name": "made_up", "sha256": "0" * 64},
        engine=engine,
        seed=seed,
        score=score_kpis(kpis),
        kpis=kpis,
        building_kpis={path.buildings[0]: kpis},
        totals=totals_of(path),
        no_control=totals_of(path, path.no_control_net_kwh),
        course=Course.of(path),
        kept=path,
        departures=town.departures(missing_soc),
        comfort=comfort,
    )


def kpis_of(path: Trajectory, drop: tuple[str, ...] = ()) -> Kpis:
    """The score's KPIs from the loads; what else tables show is one."""
    terms = Stretches.of(path).terms()[0]
    kpis: Kpis = {"electricity_consumption_total": 1.0, "daily_peak_average": 1.0, "all_time_peak_average": 1.0}
    for name, value in zip(TERMS, terms, strict=True):
        kpis[KPI_OF_TERM[name]] = float(value) if np.isfinite(value) else None
    return {**kpis, **dict.fromkeys(drop)}


def no_control(town: Town | None = None, **options: Any) -> Evaluation:
    """No control in the same place."""
    return evaluation("no-control", town, keep=1.0, **options)
