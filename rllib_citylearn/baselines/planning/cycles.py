"""When to start appliances' cycles, each by itself: in the hour of its window that is cheapest as far as is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.description import CommunityDescription

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

Floats = npt.NDArray[np.float64]

START = 1.0
"""An action that starts a cycle."""


@dataclass(frozen=True)
class Cycle:
    """A cycle of an appliance.

    Attributes:
        appliance: which one.
        building, action: row of its building and column of the joint actions.
        first, last: rows between which it may start; ``last`` is before ``first`` if it would not be done in time.
        profile_kwh: what it draws hour after hour.
    """

    appliance: int
    building: int
    action: int
    first: int
    last: int
    profile_kwh: Floats

    def cheapest(self, row: int, imports: Floats, load_kwh: Floats) -> int | None:
        """The best row to start at from ``row`` on, of those whose whole run can be seen; None if there is none.

        Args:
            row: where the outlook begins.
            imports: what an imported kWh costs the building in the next hours, ``[H]``.
            load_kwh: what the building draws otherwise, ``[H]``: surplus costs nothing.
        """
        length = len(self.profile_kwh)
        starts = range(max(self.first, row), min(self.last, row + len(imports) - length) + 1)
        if not starts:
            return None
        costs = []
        for start in starts:
            run = slice(start - row, start - row + length)
            extra = np.maximum(load_kwh[run] + self.profile_kwh, 0.0) - np.maximum(load_kwh[run], 0.0)
            costs.append(float(imports[run] @ extra))
        return starts[int(np.argmin(costs))]


def cycles_of(description: CommunityDescription) -> Iterator[Cycle]:
    """All cycles that an action can start."""
    appliances, data = description.parameters.appliances, description.tables
    for q in range(len(appliances)):
        column = int(description.parameters.actions.appliance[q])
        for i in range(int(appliances.count[q]) if column >= 0 else 0):
            length = int(appliances.duration[q, i])
            yield Cycle(
                appliance=q,
                building=int(appliances.building[q]),
                action=column,
                first=int(appliances.earliest[q, i]) - data.first_step,
                # CityLearn starts nothing that would not be done before the data ends.
                last=min(int(appliances.latest[q, i]) - data.first_step, data.rows - 1 - length),
                profile_kwh=appliances.profile[q, i, :length].astype(np.float64),
            )


class CycleStarter:
    """Decides hour by hour which of the waiting cycles to start: those for which no later hour that is seen is better.

    Args:
        env: the environment that is controlled.
        description: its community.
    """

    def __init__(self, env: CityLearnEnv, description: CommunityDescription) -> None:
        self._owned = [appliance for building in env.buildings for appliance in building.deferrable_appliances or []]
        self._cycles = list(cycles_of(description))

    def start(self, row: int, imports: Floats, load_kwh: Floats, committed_kwh: Floats, actions: Floats) -> None:
        """Start cycles.

        Args:
            row: the present row.
            imports: what an imported kWh costs in the next hours, ``[H, N]``.
            load_kwh: what the buildings draw otherwise, ``[H, N]``.
            committed_kwh: what running cycles draw, ``[T, N]``; what is started is added.
            actions: of the hour, ``[N, A]``; starts are written into it.
        """
        for cycle in self._cycles:
            if not cycle.first <= row <= cycle.last or not self._waits(cycle):
                continue
            n = cycle.building
            if cycle.cheapest(row, imports[:, n], load_kwh[:, n]) in (row, None):
                actions[n, cycle.action] = START
                committed_kwh[row : row + len(cycle.profile_kwh), n] += cycle.profile_kwh

    def _waits(self, cycle: Cycle) -> bool:
        return float(self._owned[cycle.appliance].observations().get("can_start") or 0.0) > 0.5


@dataclass(frozen=True)
class CyclePlan:
    """When every cycle of an episode starts.

    Attributes:
        starts: by row, the cycles that start there.
        load_kwh: what they draw, ``[T, N]``.
    """

    starts: dict[int, list[Cycle]]
    load_kwh: Floats

    @classmethod
    def cheapest(cls, description: CommunityDescription, load_kwh: Floats, imports: Floats) -> CyclePlan:
        """Each cycle at its cheapest hour.

        Args:
            description: the community.
            load_kwh: what the buildings draw otherwise, ``[T, N]``.
            imports: what an imported kWh costs, ``[T, N]``.
        """
        starts: dict[int, list[Cycle]] = {}
        drawn = np.zeros_like(load_kwh)
        for cycle in cycles_of(description):
            first, n = max(cycle.first, 0), cycle.building
            end = cycle.last + len(cycle.profile_kwh)
            row = cycle.cheapest(first, imports[first:end, n], load_kwh[first:end, n])
            if row is not None:
                starts.setdefault(row, []).append(cycle)
                drawn[row : row + len(cycle.profile_kwh), n] += cycle.profile_kwh
        return cls(starts, drawn)

    def start(self, row: int, actions: npt.NDArray[np.float64]) -> None:
        """Write the starts of a row into its actions, ``[N, A]``."""
        for cycle in self.starts.get(row, []):
            actions[cycle.building, cycle.action] = START
