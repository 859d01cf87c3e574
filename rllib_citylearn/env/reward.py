"""The team reward: what one hour of control saved, measured against the same hour without control.

Five district terms, each scaled so that its mean over the data is one minus CityLearn's KPI of the same name (no control
= 0, an hour that costs nothing when it used to cost the average = 1):

* ``cost``, ``carbon``, ``electricity``: sums over time of price, emissions or nothing times the imported energy, one ratio
  a building, averaged over buildings, as ``CityLearnEnv.evaluate()`` does. They belong to single buildings.
* ``ramping``: increases of the district's net load from hour to hour.
* ``load_factor``: 1 - mean/peak of the district in each stretch of 730 hours. It is paid out as the peak grows: with
  phi(peak) = 1 - mean/peak the payments of a stretch telescope to phi(final peak). The mean is that without control, which
  storage changes only by its losses.

All agents get the same number. Because a building's terms and the district's are also reported apart, a critic can learn
them apart (``building`` and ``district`` of ``RewardTerms``).

The arithmetic stands in ``rllib_citylearn.simulator.kernels.reward``, for both engines and for E communities at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.reference import Array, NoControl
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.simulator.parameters import HOURS_A_MONTH


@dataclass(frozen=True)
class RewardWeights:
    """Weights of the five terms; they need not add up to one.

    Attributes:
        cost: electricity bill.
        carbon: emissions of imported electricity.
        ramping: hourly increases of the district's net load.
        load_factor: peak against mean of the district's net load.
        electricity: imported energy.
    """

    cost: float = 0.25
    carbon: float = 0.25
    ramping: float = 0.20
    load_factor: float = 0.15
    electricity: float = 0.15

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        bad = {name: value for name, value in values.items() if not (np.isfinite(value) and value >= 0)}
        if bad or not any(values.values()):
            raise ConfigError(
                f"Reward weights {bad or values} can't be used; give finite weights that are zero or more, "
                "at least one of them above zero."
            )

    @classmethod
    def from_dict(cls, weights: Mapping[str, float]) -> RewardWeights:
        """Weights by name; the others keep their defaults."""
        unknown = sorted(set(weights) - {field.name for field in fields(cls)})
        if unknown:
            known = ", ".join(field.name for field in fields(cls))
            raise ConfigError(f"There is no reward term {', '.join(map(repr, unknown))}; the terms are {known}.")
        return cls(**{name: float(value) for name, value in weights.items()})


TERMS = tuple(field.name for field in fields(RewardWeights))
"""Names of the terms, in the order of every array that has an axis of five."""


@dataclass(frozen=True)
class RewardBuffers:
    """The reward of one step in E communities, taken apart; overwritten by the next step.

    Attributes:
        building: the weighted terms that belong to single buildings, ``[E, N]``.
        district: the weighted terms of the district, ``[E]``.
        team: the team reward, ``[E]``: mean over buildings of ``building``, plus ``district``.
        terms: the unweighted terms in the order of ``TERMS``, ``[E, 5]``; buildings' terms are averaged over buildings.
        uncontrolled: what each term would have cost without control, ``[E, 5]``, so that over an episode
            ``1 - sum(terms) / sum(uncontrolled)`` is the KPI relative to no control.
    """

    building: Array
    district: Array
    team: Array
    terms: Array
    uncontrolled: Array

    @classmethod
    def empty(cls, communities: int, buildings: int) -> RewardBuffers:
        """Buffers full of zeros."""
        e = communities
        return cls(np.zeros((e, buildings)), np.zeros(e), np.zeros(e), np.zeros((e, 5)), np.zeros((e, 5)))


@dataclass(frozen=True)
class RewardTables:
    """What the kernels need to compute the team reward; rows are those of the reference.

    Attributes:
        first_step: the data's time step that row 0 stands for.
        reference_net: the uncontrolled net loads, kWh, ``[T, N]``.
        price: currency/kWh, ``[T, N]``.
        carbon: kgCO2/kWh, ``[T, N]``.
        cost_scale, carbon_scale, electricity_scale: scale of the buildings' terms, ``[N]``.
        district: the uncontrolled district's load, kWh, ``[T]``.
        month_mean: its mean over the month of each row, ``[T]``.
        month_floor: below which no peak counts, ``[T]``.
        inherited_peak: the peak that an episode takes over from the row before it starts, ``[T]``.
        weights: weights of the five terms, then the scales of ramping and load factor, ``[7]``.
    """

    first_step: int
    reference_net: Array
    price: Array
    carbon: Array
    cost_scale: Array
    carbon_scale: Array
    electricity_scale: Array
    district: Array
    month_mean: Array
    month_floor: Array
    inherited_peak: Array
    weights: Array


class TeamReward:
    """The team reward of one community, from its buildings' net loads.

    Args:
        reference: the uncontrolled community over all the data that may be visited.
        weights: weights of the terms.

    Attributes:
        weights: weights of the terms.
        tables: the same as arrays, for the kernels.
    """

    # A controller that starts within a month did not see that month's peak. It gets three quarters of the uncontrolled
    # one, about what good controllers reach, so that early hours are neither free nor hopeless.
    _INHERITED_PEAK = 0.75

    def __init__(self, reference: NoControl, weights: RewardWeights) -> None:
        self.weights = weights
        self._first = reference.first_step
        net = reference.net_kwh
        steps = len(net)
        imported = np.maximum(net, 0.0)
        # Added up in the kernels' order, so that doing nothing earns exactly nothing.
        district = np.add.accumulate(net, 1)[:, -1].copy()
        months = [district[i : i + HOURS_A_MONTH] for i in range(0, steps, HOURS_A_MONTH)]
        mean = np.array([month.mean() for month in months])
        # Below a tenth of the uncontrolled peak no controller gets; the floor keeps 1/peak finite in exporting months.
        floor = np.array([max(month.mean(), 0.1 * month.max(), 1e-6) for month in months])
        load_factors = 1.0 - mean / np.maximum([month.max() for month in months], floor)
        ramping_scale = _scale(steps, np.maximum(np.diff(district), 0.0).sum(keepdims=True))[0]
        load_factor_scale = _scale(steps, load_factors.sum(keepdims=True))[0]
        month_of_row = np.arange(steps) // HOURS_A_MONTH
        self.tables = RewardTables(
            first_step=reference.first_step,
            reference_net=net,
            price=reference.price,
            carbon=reference.carbon,
            # Mean of one for every building: dividing by the year's sum and multiplying by the number of steps.
            cost_scale=_scale(steps, (imported * reference.price).sum(0)),
            carbon_scale=_scale(steps, (imported * reference.carbon).sum(0)),
            electricity_scale=_scale(steps, imported.sum(0)),
            district=district,
            month_mean=mean[month_of_row],
            month_floor=floor[month_of_row],
            inherited_peak=self._INHERITED_PEAK * np.concatenate([np.maximum.accumulate(month) for month in months]),
            weights=np.array([*(getattr(weights, name) for name in TERMS), ramping_scale, load_factor_scale]),
        )

    def start(self, step: npt.NDArray[np.int64]) -> Array:
        """What the reward remembers of episodes that begin at the data's time steps ``step`` ``[E]``.

        Returns:
            ``[E, 4]``: last district load with and without control, running peak with and without it, kWh.
        """
        row = step - self._first
        before = np.maximum(row - 1, 0)
        previous = self.tables.district[before]
        peak = np.where(row % HOURS_A_MONTH > 0, self.tables.inherited_peak[before], -np.inf)
        return np.stack([previous, previous, peak, peak], 1)

    def step(self, step: npt.NDArray[np.int64], net_kwh: Array, state: Array, out: RewardBuffers) -> None:
        """The reward of the time steps ``step`` ``[E]`` with net loads ``net_kwh`` ``[E, N]``; advances ``state``."""
        from rllib_citylearn.simulator.community import load_kernels

        tables = self.tables
        row = step - self._first
        if row.min() < 0 or row.max() >= len(tables.district):
            last = self._first + len(tables.district) - 1
            raise ConfigError(
                f"Rewards of the time steps {step.tolist()} were asked for; they are known from {self._first} to {last}."
            )
        load_kernels().reward_step(
            row,
            np.ascontiguousarray(net_kwh, np.float64),
            state,
            tables.reference_net,
            tables.price,
            tables.carbon,
            tables.cost_scale,
            tables.carbon_scale,
            tables.electricity_scale,
            tables.district,
            tables.month_mean,
            tables.month_floor,
            tables.weights,
            out.building,
            out.district,
            out.team,
            out.terms,
            out.uncontrolled,
        )

    def load_factor_ratio(self, step: int, steps: int, mean: float, peak: float) -> float:
        """1 - load factor of the district over an episode, relative to no control.

        Args:
            step: the data's time step at which the episode starts.
            steps: its length.
            mean, peak: of the district's net load in it, kWh.

        Returns:
            the ratio; 1 where the uncontrolled district has a flat load, which cannot be improved upon.
        """
        row = step - self._first
        reference = self.tables.district[row : row + steps]
        uncontrolled = 1.0 - reference.mean() / reference.max() if reference.max() > 0 else 0.0
        controlled = 1.0 - mean / peak if peak > 0 else 0.0
        return float(controlled / uncontrolled) if uncontrolled > 0 else 1.0


def _scale(steps: int, total: Array) -> Array:
    """``steps / total``; zero where the reference is zero, since nothing can be saved on a bill that is not there."""
    return np.divide(steps, total, out=np.zeros_like(total, dtype=float), where=total > 0)
