"""The team reward: what one hour of control saved, measured against the same hour without control.

Five terms of the district, each scaled so that its mean over the data is one minus CityLearn's KPI of the same name (no
control = 0, an hour that costs nothing when it used to cost the average = 1; ``load_factor`` where nobody is served):

* ``cost``, ``carbon``, ``electricity``: sums over time of price, emissions or nothing times the imported energy, one ratio
  a building, averaged over buildings, as ``CityLearnEnv.evaluate()`` does. They belong to single buildings.
* ``ramping``: increases of the district's net load from hour to hour.
* ``load_factor``: 1 - mean/peak of the district in each stretch of 730 hours. It is paid out as the peak grows: with
  phi(peak) = 1 - mean/peak the payments of a stretch telescope to phi(final peak). The mean is that without control, which
  storage changes only by its losses, and what serves people at least draws besides: the energy that vehicles and appliances
  lack without control. Peaks below ``LEAST_PEAK`` of the uncontrolled one's, raised by the same energy, count as that.

Three terms of the people served, which belong to the buildings:

* ``departure``: energy that vehicles lack of their required charge when they leave, less than without control (when nobody
  charges them), as a share of all that is lacking then: a fleet that always leaves as charged as required has a mean of 1.
* ``comfort``: degC between the indoor temperature and the occupants' comfort band, less than without control (when
  thermostats run heating and cooling), averaged over buildings.
* ``appliance``: energy of deferrable appliances' cycles that are given up, less than without control (when none is started),
  as a share of all that is given up then: appliances that run every cycle have a mean of 1.

All agents get the same number. Because a building's terms and the district's are also reported apart, a critic can learn
them apart (``building`` and ``district`` of ``RewardBuffers``).

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
from rllib_citylearn.simulator.reward_layout import DISTRICT, GIVEN_UP, INHERITED_PEAK, MISSING

LEAST_PEAK = 0.6
"""Share of a month's uncontrolled peak below which a peak is paid for once and for all, in the month's first hour.

Every month runs through all lower peaks on its way to the one that counts, and there phi is steepest: a controller that
looks some hours ahead would be paid several times over for putting off what comes anyway. Perfect foresight leaves 0.6 of
the peaks of 17 homes with batteries."""


@dataclass(frozen=True)
class RewardWeights:
    """Weights of the terms; they need not add up to one.

    Energy that a vehicle lacks has to weigh more than what charging it costs in the other terms, unless a guard sees to it
    (``modules.guard``). A fleet that doubles a
    community's bill and emissions costs about 0.65 at the default weights, in dear hours more: hence 2 for ``departure``.
    Cycles of appliances likewise: with all of them in their dearest hours the official machine doubles the bill of its
    building, which costs 0.78 if that building is alone and 0.07 among 17; hence 2 for ``appliance``, too.

    Attributes:
        cost: electricity bill.
        carbon: emissions of imported electricity.
        ramping: hourly increases of the district's net load.
        load_factor: peak against mean of the district's net load.
        electricity: imported energy.
        departure: charge that vehicles lack when they leave.
        comfort: degC outside the comfort band.
        appliance: energy of deferrable appliances' cycles that are not run.
    """

    cost: float = 0.25
    carbon: float = 0.25
    ramping: float = 0.20
    load_factor: float = 0.15
    electricity: float = 0.15
    departure: float = 2.0
    comfort: float = 0.25
    appliance: float = 2.0

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
"""Names of the terms, in the order of every array that has an axis of eight (``simulator.reward_layout``)."""


@dataclass(frozen=True)
class RewardBuffers:
    """The reward of one step in E communities, taken apart; overwritten by the next step.

    Attributes:
        building: the weighted terms that belong to single buildings, ``[E, N]``.
        district: the weighted terms of the district, ``[E]``.
        team: the team reward, ``[E]``: mean over buildings of ``building``, plus ``district``.
        terms: the unweighted terms in the order of ``TERMS``, ``[E, 8]``; buildings' terms are averaged over buildings.
        uncontrolled: what each term would have cost without control, ``[E, 8]``, so that over an episode
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
        e, terms = communities, (communities, len(TERMS))
        return cls(np.zeros((e, buildings)), np.zeros(e), np.zeros(e), np.zeros(terms), np.zeros(terms))


@dataclass(frozen=True)
class RewardTables:
    """What the kernels need to compute the team reward; rows are those of the reference.

    Attributes:
        first_step: the data's time step that row 0 stands for.
        reference_net: the uncontrolled net loads, kWh, ``[T, N]``.
        reference_service: the uncontrolled service (``NoControl.service``), ``[T, N, 3]``, or no rows.
        price: currency/kWh, ``[T, N]``.
        carbon: kgCO2/kWh, ``[T, N]``.
        scales: of the buildings' cost, carbon and electricity, ``[N, 3]``.
        months: the uncontrolled district's load in kWh, its mean over the month of each row with what people lack on top,
            the least peak that counts, and the peak that an episode takes over from the row before it starts, ``[T, 4]``.
        weights: weights of the eight terms, then the scales of ramping, load factor, departures and appliances, ``[12]``.
    """

    first_step: int
    reference_net: Array
    reference_service: Array
    price: Array
    carbon: Array
    scales: Array
    months: Array
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
        means, peaks = np.array([month.mean() for month in months]), np.array([month.max() for month in months])
        # What people lack without control, drawn evenly over the month. Without it a month that exports more than it imports
        # until vehicles are charged would pay for high peaks.
        lacking = reference.service[:, :, [MISSING, GIVEN_UP]].sum((1, 2)) if len(reference.service) else np.zeros(steps)
        owed = np.array([lacking[i : i + HOURS_A_MONTH].mean() for i in range(0, steps, HOURS_A_MONTH)])
        mean = means + owed
        # Also keeps 1/peak finite in exporting months.
        floor = np.maximum.reduce([mean, LEAST_PEAK * (peaks + owed), np.full(len(mean), 1e-6)])
        load_factors = 1.0 - means / np.maximum(peaks, 1e-6)
        ramping_scale = _scale(steps, np.maximum(np.diff(district), 0.0).sum(keepdims=True))[0]
        load_factor_scale = _scale(steps, load_factors.sum(keepdims=True))[0]
        month_of_row = np.arange(steps) // HOURS_A_MONTH
        # [departure, appliance]: a building's share of the whole community's, and a mean over buildings.
        service_scales = _scale(steps * net.shape[1], reference.service[:, :, [MISSING, GIVEN_UP]].sum((0, 1)))
        self._require_a_term(reference, service_scales)
        running = np.concatenate([np.maximum.accumulate(month) for month in months])
        inherited_peak = self._INHERITED_PEAK * (running + owed[month_of_row])
        self.tables = RewardTables(
            first_step=reference.first_step,
            reference_net=net,
            reference_service=reference.service,
            price=reference.price,
            carbon=reference.carbon,
            # Mean of one for every building: dividing by the year's sum and multiplying by the number of steps.
            scales=np.stack(
                [
                    _scale(steps, (imported * reference.price).sum(0)),
                    _scale(steps, (imported * reference.carbon).sum(0)),
                    _scale(steps, imported.sum(0)),
                ],
                1,
            ),
            months=np.stack([district, mean[month_of_row], floor[month_of_row], inherited_peak], 1),
            weights=np.array(
                [*(getattr(weights, name) for name in TERMS), ramping_scale, load_factor_scale, *service_scales]
            ),
        )

    def _require_a_term(self, reference: NoControl, service_scales: Array) -> None:
        """Refuse weights that pay for nothing that this community has."""
        departures, appliances = (service_scales > 0).tolist()
        has = {"departure": departures, "appliance": appliances, "comfort": len(reference.service) > 0}
        there = [name for name in TERMS if has.get(name, True)]
        if not any(getattr(self.weights, name) for name in there):
            raise ConfigError(
                f"The reward weights are zero for everything that this community has, so that every reward would be zero; "
                f"give one of {', '.join(there)} a weight above zero."
            )

    def start(self, step: npt.NDArray[np.int64]) -> Array:
        """What the reward remembers of episodes that begin at the data's time steps ``step`` ``[E]``.

        Returns:
            ``[E, 4]``: last district load with and without control, running peak with and without it, kWh.
        """
        row = step - self._first
        before = np.maximum(row - 1, 0)
        previous = self.tables.months[before, DISTRICT]
        peak = np.where(row % HOURS_A_MONTH > 0, self.tables.months[before, INHERITED_PEAK], -np.inf)
        return np.stack([previous, previous, peak, peak], 1)

    def step(self, step: npt.NDArray[np.int64], net_kwh: Array, service: Array, state: Array, out: RewardBuffers) -> None:
        """The reward of an hour; advances ``state``.

        Args:
            step: the data's time steps, ``[E]``.
            net_kwh: net loads, ``[E, N]``.
            service: as the reference's, ``[E, N, 3]``.
            state: what the reward remembers, from ``start``.
            out: is filled.

        Raises:
            ConfigError: a time step at which the reference is not known.
        """
        from rllib_citylearn.simulator.community import load_kernels

        tables = self.tables
        row = step - self._first
        if row.min() < 0 or row.max() >= len(tables.months):
            last = self._first + len(tables.months) - 1
            raise ConfigError(
                f"Rewards of the time steps {step.tolist()} were asked for; they are known from {self._first} to {last}."
            )
        load_kernels().reward_step(
            row,
            np.ascontiguousarray(net_kwh, np.float64),
            np.ascontiguousarray(service, np.float64),
            state,
            tables.reference_net,
            tables.reference_service,
            tables.price,
            tables.carbon,
            tables.scales,
            tables.months,
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
        reference = self.tables.months[row : row + steps, DISTRICT]
        uncontrolled = 1.0 - reference.mean() / reference.max() if reference.max() > 0 else 0.0
        controlled = 1.0 - mean / peak if peak > 0 else 0.0
        return float(controlled / uncontrolled) if uncontrolled > 0 else 1.0


def _scale(steps: int, total: Array) -> Array:
    """``steps / total``; zero where the reference is zero, since nothing can be saved on a bill that is not there."""
    return np.divide(steps, total, out=np.zeros_like(total, dtype=float), where=total > 0)
