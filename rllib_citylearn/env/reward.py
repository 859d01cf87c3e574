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

Everything is vectorised over E parallel communities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.no_control import NoControl
from rllib_citylearn.errors import ConfigError

Array = npt.NDArray[np.float64]

HOURS_A_MONTH = 730
"""Length of the stretches over which CityLearn takes the monthly load factor, in time steps."""


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


@dataclass(frozen=True)
class RewardTerms:
    """The reward of one step in E communities, taken apart.

    Attributes:
        building: the weighted terms that belong to single buildings, ``[E, N]``.
        district: the weighted terms of the district, ``[E]``.
        named: every unweighted term by name, ``[E]``; buildings' terms are averaged over buildings.
        uncontrolled: what each term would have cost without control, ``[E]``, so that over an episode
            ``1 - sum(named) / sum(uncontrolled)`` is the KPI relative to no control.
    """

    building: Array
    district: Array
    named: Mapping[str, Array]
    uncontrolled: Mapping[str, Array]

    @property
    def team(self) -> Array:
        """The team reward ``[E]``: mean over buildings of ``building``, plus ``district``."""
        total: Array = self.building.mean(1) + self.district
        return total


@dataclass
class RewardState:
    """What the reward remembers of an episode: last loads and running peaks, with and without control, each ``[E]`` kWh."""

    previous: Array
    previous_uncontrolled: Array
    peak: Array
    peak_uncontrolled: Array


class TeamReward:
    """Computes the team reward from the buildings' net loads.

    Args:
        reference: the uncontrolled community over all the data that may be visited.
        weights: weights of the terms.
    """

    # A controller that starts within a month did not see that month's peak. It gets three quarters of the uncontrolled
    # one, about what good controllers reach, so that early hours are neither free nor hopeless.
    _INHERITED_PEAK = 0.75

    def __init__(self, reference: NoControl, weights: RewardWeights) -> None:
        self.weights = weights
        self._first = reference.first_step
        self._net = reference.net_kwh
        steps = len(self._net)
        imported = np.maximum(self._net, 0.0)
        self._price, self._carbon = reference.price, reference.carbon
        # Mean of one for every building: dividing by the year's sum and multiplying by the number of steps.
        self._cost_scale = _scale(steps, (imported * self._price).sum(0))
        self._carbon_scale = _scale(steps, (imported * self._carbon).sum(0))
        self._electricity_scale = _scale(steps, imported.sum(0))
        district = self._net.sum(1)
        self._district = district
        self._ramping_scale = float(_scale(steps, np.maximum(np.diff(district), 0.0).sum(keepdims=True))[0])
        months = [district[i : i + HOURS_A_MONTH] for i in range(0, steps, HOURS_A_MONTH)]
        self._month_mean = np.array([month.mean() for month in months])
        # Below a tenth of the uncontrolled peak no controller gets; the floor keeps 1/peak finite in exporting months.
        self._month_floor = np.array([max(month.mean(), 0.1 * month.max(), 1e-6) for month in months])
        load_factors = 1.0 - self._month_mean / np.maximum([month.max() for month in months], self._month_floor)
        self._load_factor_scale = float(_scale(steps, load_factors.sum(keepdims=True))[0])
        self._running_peak = np.concatenate([np.maximum.accumulate(month) for month in months])

    def start(self, step: npt.NDArray[np.int64]) -> RewardState:
        """State of episodes that begin at the data's time steps ``step`` ``[E]``."""
        row = step - self._first
        before = np.maximum(row - 1, 0)
        previous = self._district[before]
        same_month = (row % HOURS_A_MONTH) > 0
        peak = np.where(same_month, self._INHERITED_PEAK * self._running_peak[before], -np.inf)
        return RewardState(previous.copy(), previous.copy(), peak, peak.copy())

    def step(self, step: npt.NDArray[np.int64], net_kwh: Array, state: RewardState) -> RewardTerms:
        """The reward of the time steps ``step`` ``[E]`` with net loads ``net_kwh`` ``[E, N]``; advances ``state``."""
        row = step - self._first
        imported = np.maximum(self._net[row], 0.0)
        saved = imported - np.maximum(net_kwh, 0.0)
        cost_weight = self._price[row] * self._cost_scale
        carbon_weight = self._carbon[row] * self._carbon_scale
        cost, carbon = saved * cost_weight, saved * carbon_weight
        electricity = saved * self._electricity_scale
        load, load_uncontrolled = net_kwh.sum(1), self._district[row]
        ramp_uncontrolled = self._ramping_scale * np.maximum(load_uncontrolled - state.previous_uncontrolled, 0.0)
        ramping = ramp_uncontrolled - self._ramping_scale * np.maximum(load - state.previous, 0.0)
        peak_uncontrolled = self._load_factor_scale * self._peak_payment(row, load_uncontrolled, state.peak_uncontrolled)
        load_factor = peak_uncontrolled - self._load_factor_scale * self._peak_payment(row, load, state.peak)
        new_month = row % HOURS_A_MONTH == 0
        state.peak = np.maximum(np.where(new_month, -np.inf, state.peak), load)
        state.peak_uncontrolled = np.maximum(np.where(new_month, -np.inf, state.peak_uncontrolled), load_uncontrolled)
        state.previous, state.previous_uncontrolled = load, load_uncontrolled
        weights = self.weights
        return RewardTerms(
            building=weights.cost * cost + weights.carbon * carbon + weights.electricity * electricity,
            district=weights.ramping * ramping + weights.load_factor * load_factor,
            named={
                "cost": cost.mean(1),
                "carbon": carbon.mean(1),
                "ramping": ramping,
                "load_factor": load_factor,
                "electricity": electricity.mean(1),
            },
            uncontrolled={
                "cost": (imported * cost_weight).mean(1),
                "carbon": (imported * carbon_weight).mean(1),
                "ramping": ramp_uncontrolled,
                "load_factor": peak_uncontrolled,
                "electricity": (imported * self._electricity_scale).mean(1),
            },
        )

    def load_factor_ratio(self, step: int, net_kwh: Array) -> float:
        """1 - load factor of the district over an episode, relative to no control.

        Args:
            step: the data's time step at which the episode starts.
            net_kwh: net loads of the buildings, ``[T, N]``.

        Returns:
            the ratio; 1 where the uncontrolled district has a flat load, which cannot be improved upon.
        """
        row = step - self._first
        controlled, uncontrolled = (
            1.0 - district.mean() / district.max() if district.max() > 0 else 0.0
            for district in (net_kwh.sum(1), self._district[row : row + len(net_kwh)])
        )
        return float(controlled / uncontrolled) if uncontrolled > 0 else 1.0

    def _peak_payment(self, row: npt.NDArray[np.int64], load: Array, peak: Array) -> Array:
        """How much phi(peak) = 1 - mean/peak grows when ``load`` follows a running ``peak``."""
        month = row // HOURS_A_MONTH
        mean, floor = self._month_mean[month], self._month_floor[month]
        running = np.where(row % HOURS_A_MONTH == 0, -np.inf, peak)
        before = np.maximum(running, floor)
        after = np.maximum(before, load)
        # A month's first payment starts from zero, not from phi(floor): its payments then add up to phi(final peak).
        paid = np.where(np.isneginf(running), 0.0, 1.0 - mean / before)
        payment: Array = (1.0 - mean / after) - paid
        return payment


def _scale(steps: int, total: Array) -> Array:
    """``steps / total``; zero where the reference is zero, since nothing can be saved on a bill that is not there."""
    return np.divide(steps, total, out=np.zeros_like(total, dtype=float), where=total > 0)
