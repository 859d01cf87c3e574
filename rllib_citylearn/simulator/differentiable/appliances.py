"""Deferrable appliances (``kernels/appliances.py``), all of a community's at once.

Whether a cycle starts is decided as the kernel decides it, and no gradient passes through that: an action that is a little
larger starts the same cycles. What runs is part of the net load, through which it changes the gradients of other actions.

Where appliances stand is int64 ``[E, 4, Q]``: the cycle, the row it was started at, the first cycle that was missed, and the
last row of the episode; -1 is none. Once an episode is over, the end of the data is taken for its end: a learner simulates
on from its last hours, and values what follows as if it went on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rllib_citylearn.env.appliance_features import QUANTITIES
from rllib_citylearn.simulator.appliances import SHOWN_OF_A_CYCLE, Integers
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.constants import Constants

NONE = -1

NEVER = 2**62
"""A row beyond all data."""

ENERGY = SHOWN_OF_A_CYCLE.index("cycle_energy_kwh")
DEADLINE = SHOWN_OF_A_CYCLE.index("deadline_time_step")

SHOWN_BY_THE_HOUR = (
    "pending",
    "running",
    "can_start",
    "deadline_missed",
    "hours_until_latest_start",
    "slack_steps",
    "slack_ratio",
    "urgency_ratio",
    "hours_until_deadline",
    "current_step_energy_kwh",
    "current_step_power_kw",
    "remaining_energy_kwh",
    "remaining_duration_steps",
    "remaining_average_power_kw",
)
"""Observations that depend on the hour, in the order of ``ApplianceBank.shown``."""

_NOTHING = [-1.0 if QUANTITIES[name][1] < 0 else 0.0 for name in SHOWN_OF_A_CYCLE]


def cycles_of(arrays: Mapping[str, npt.NDArray[Any]]) -> Integers:
    """Where the appliances of a compiled community stand, ``[E, 4, Q]``; a copy."""
    cycle = arrays["cycle"]
    last = np.broadcast_to(arrays["last_row"][:, None], cycle.shape)
    return np.stack([cycle, arrays["cycle_start"], arrays["cycle_missed"], last], 1)


def shown_places(appliance: Integers, quantity: Integers, count: int) -> Integers:
    """Places in ``ApplianceBank.shown`` of columns that show a ``quantity`` ``[k]`` of the buildings' ``appliance``
    ``[N, k]``, of which there are ``count``; who has none (-1) gets any."""
    constants = len(SHOWN_OF_A_CYCLE)
    names = [list(QUANTITIES)[x] for x in quantity]
    first, step = np.zeros(len(names), np.int64), np.ones(len(names), np.int64)
    for s, name in enumerate(names):
        if name in SHOWN_OF_A_CYCLE:  # appliance by appliance
            first[s], step[s] = SHOWN_OF_A_CYCLE.index(name), constants
        else:  # quantity by quantity
            first[s] = (constants + SHOWN_BY_THE_HOUR.index(name)) * count
    return first + step * np.maximum(appliance, 0)


class ApplianceBank(Constants):
    """Q appliances.

    Args:
        description: the community.
        dtype: of the values.

    Attributes:
        building: that each belongs to, ``[Q]``.
    """

    def __init__(self, description: CommunityDescription, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        appliances, actions = description.parameters.appliances, description.parameters.actions
        count, most = appliances.earliest.shape
        self.rows = description.tables.rows
        # Behind an appliance's cycles stands one that never comes.
        behind = np.arange(most + 1) >= appliances.count[:, None]
        longest = max(appliances.profile.shape[2], 1)

        def padded(values: npt.NDArray[Any], filling: Any) -> npt.NDArray[Any]:
            """``[Q * (K + 1), ...]``"""
            table = np.zeros((count, most + 1, *values.shape[2:]), values.dtype)
            table[:, :most] = values
            table[behind] = filling
            return table.reshape(count * (most + 1), *values.shape[2:])

        first_step = description.tables.first_step
        earliest, latest = padded(appliances.earliest - first_step, NEVER), padded(appliances.latest - first_step, NEVER)
        deadline = padded(appliances.shown[:, :, DEADLINE].astype(np.int64) - first_step, 0)
        self.keep("windows", np.stack([earliest, latest, deadline, padded(appliances.duration, 0)], 1), torch.int64)
        constants = padded(appliances.shown, _NOTHING)
        self.keep("constants", constants)
        self.keep("energy", constants[:, ENERGY])
        course = np.zeros((count, most, longest, 2))  # what a cycle draws in an hour and from it on
        course[:, :, : appliances.profile.shape[2]] = np.stack([appliances.profile, appliances.left], 3)
        self.keep("course", padded(course, 0.0))
        self.keep("first", np.arange(count) * (most + 1), torch.int64)
        self.keep("count", appliances.count, torch.int64)
        self.keep("building", appliances.building, torch.int64)
        owner, column = appliances.building, np.maximum(actions.appliance, 0)
        low, high = actions.low[owner, column], actions.high[owner, column]
        # What no action sets is never started.
        threshold = np.where(actions.appliance >= 0, appliances.threshold, np.inf)
        self.keep("place", owner * actions.mask.shape[1] + column, torch.int64)
        self.keep("limits", np.stack([low, high - low, threshold]), torch.float64)
        self.keep("startable", appliances.threshold < 1.0, torch.bool)

    def start(self, row: torch.Tensor) -> torch.Tensor:
        """Episodes that begin at ``row`` ``[E]`` and end with the data; cycles whose last start is over weren't offered."""
        latest = self.windows[:, 1].view(len(self.first), -1)
        cycle = (latest < row[:, None, None]).sum(2)
        none = torch.full_like(cycle, NONE)
        return torch.stack([cycle, none, none, torch.full_like(cycle, self.rows - 1)], 1)

    def run(
        self, row: torch.Tensor, cycles: torch.Tensor, actions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The hour at ``row`` ``[E]``.

        Args:
            row: of the data.
            cycles: where appliances stand, ``[E, 4, Q]``.
            actions: all of a community's joint actions, ``[E, N * A]`` in [-1, 1].

        Returns:
            where they stand at the start of the next hour, kWh drawn ``[E, Q]``, and kWh of the cycles that are given up:
            they may not start after this hour and still wait, ``[E, Q]``.
        """
        now = row.unsqueeze(1)
        cycle, start, missed, last = cycles.unbind(1)
        low, width, threshold = self.limits
        # In 64 bits and the kernel's order, so that the same actions start the same cycles.
        asked = low + (actions.detach().index_select(1, self.place).double() + 1.0) * width / 2.0 > threshold
        at = self.first + cycle
        _, latest, _, duration = window = self.windows[at].unbind(2)
        starts = asked & (start < 0) & self._allowed(now, window, last)
        start = torch.where(starts, now, start)
        runs = start >= 0
        drawn = torch.where(runs, self._course(now, at, start)[..., 0], 0.0)
        late = ~runs & (now == latest)
        given_up = torch.where(late, self.energy[at], 0.0)
        # What is done or missed is left behind. The next cycle is neither yet: it may not start before the deadline of
        # the one before it is over.
        done = runs & (now + 1 >= start + duration)
        missed = torch.where(late & (missed == NONE), cycle, missed)
        following = torch.stack([cycle + (done | late), torch.where(done, NONE, start), missed, last], 1)
        return following, drawn, given_up

    def shown(self, row: torch.Tensor, cycles: torch.Tensor) -> torch.Tensor:
        """What appliances show at ``row`` ``[E]``, ``[E, 25 * Q]``: each one's ``SHOWN_OF_A_CYCLE``, then each of
        ``SHOWN_BY_THE_HOUR`` for all of them.

        It is about the cycle that runs or waits, else about the first that was missed.
        """
        now = row.unsqueeze(1)
        cycle, start, missed, last = cycles.unbind(1)
        current, runs = cycle < self.count, start >= 0
        waits, late = current & ~runs, ~current & (missed >= 0)
        at = self.first + torch.where(late, missed, cycle)
        earliest, latest, deadline, duration = window = self.windows[at].unbind(2)
        constants = self.constants[at]
        kind = constants.dtype
        energy_now, energy_left = self._course(now, at, start).unbind(2)
        # What there is nothing to say about is -1 where there is no cycle, else 0.
        nothing = -(~current & ~late).to(kind)
        slack = (latest - now).to(kind)
        ratio = (slack / (latest - earliest).clamp(min=1)).clamp(0.0, 1.0)
        slack_shown = torch.where(waits, slack, nothing)
        energy_now = torch.where(runs, energy_now, 0.0)
        energy_left = torch.where(runs, energy_left, torch.where(waits, self.energy[at], 0.0))
        steps_left = torch.where(runs, duration - (now - start), torch.where(waits, duration, 0)).to(kind)
        hourly = (
            waits.to(kind),
            runs.to(kind),
            (self.startable & waits & self._allowed(now, window, last)).to(kind),
            late.to(kind),
            slack_shown,
            slack_shown,
            torch.where(waits, ratio, nothing),
            torch.where(waits, 1.0 - ratio, nothing),
            torch.where(current, (deadline - now).clamp(min=0).to(kind), nothing),
            energy_now,
            energy_now,
            energy_left,
            steps_left,
            energy_left / steps_left.clamp(min=1.0),
        )
        return torch.cat([constants.flatten(1), *hourly], 1)

    def _allowed(self, now: torch.Tensor, window: Sequence[torch.Tensor], last: torch.Tensor) -> torch.Tensor:
        """Which cycles may start at ``now`` ``[E, 1]`` if they wait: within their ``window``, and done before the end."""
        earliest, latest, _, duration = window
        end = torch.where(now < last, last, self.rows - 1)
        return (earliest <= now) & (now <= latest) & (now + duration <= end)

    def _course(self, now: torch.Tensor, at: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
        """kWh that the cycles ``at`` ``[E, Q]`` draw at ``now`` and from then on, if they run since ``start``,
        ``[E, Q, 2]``."""
        return self.course[at, (now - start).clamp(0, self.course.shape[1] - 1)]
