"""Planning an episode that is known from end to end, and trying plans out before one is carried out.

Without vehicles the method of ``year`` is all there is to it. Chargers do nothing below a least power, which makes hours
that are charged in a choice; the method makes one, and so does the linear program of an hour. Both are played in the
simulator, the others' storage is planned anew around what vehicles do there, and the best of what was played is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rllib_citylearn.baselines.planning.cycles import CyclePlan
from rllib_citylearn.baselines.planning.episode_score import EpisodeScore
from rllib_citylearn.baselines.planning.idle_load import idle_load_kwh
from rllib_citylearn.baselines.planning.outlook import PerfectForecaster
from rllib_citylearn.baselines.planning.receding import RecedingHorizon
from rllib_citylearn.baselines.planning.rehearsal import Decide, Rehearsal, Rehearsed
from rllib_citylearn.baselines.planning.storages import StorageTables
from rllib_citylearn.baselines.planning.year import STEPS, Fixed, plan_year
from rllib_citylearn.simulator.description import CommunityDescription

Floats = npt.NDArray[np.float64]
Report = Callable[[int, int], None]

STEPS_AROUND = 6000
"""Steps in which batteries and tanks are planned anew around vehicles: fewer than at first, as there is less to plan."""


@dataclass(frozen=True)
class EpisodePlan:
    """What to do in an episode.

    Attributes:
        tables: the community's storages, U in all.
        stored_kwh: what they are to hold at the end of every hour, ``[T, U]``.
        cycles: when appliances start.
        shape: of an hour's actions, ``(N, A)``.
    """

    tables: StorageTables
    stored_kwh: Floats
    cycles: CyclePlan
    shape: tuple[int, ...]

    def decide(self, row: int, stored_kwh: Floats, drawn_kwh: Floats) -> Floats:
        """Actions of an hour, ``[N, A]`` in CityLearn's units: towards the plan, but that vehicles get what they need.

        Args:
            row: the hour.
            stored_kwh: what storages hold, ``[U]``.
            drawn_kwh: what the buildings drew in the hour before, ``[N]``, which does not matter here.
        """
        actions = np.zeros(self.shape)
        self.cycles.start(row, actions)
        tables = self.tables
        stored_kwh = tables.counted_kwh(row, stored_kwh)
        for u in np.flatnonzero(tables.available[row]).tolist():
            storage, held = tables.storages[u], float(stored_kwh[u])
            drawn = tables.conversions[tables.conversion[row, u]].drawn_for(float(self.stored_kwh[row, u]) - held)
            action = storage.action_for(drawn, at_least_kwh=tables.needed_kwh(row, u, held))
            actions[storage.building, storage.action] = action
        return actions


class EpisodePlanner:
    """Plans a community's episode for the score.

    Args:
        description: the community.
        tables: its storages.
        seed: from which the journeys are drawn (``FastCommunity.reset``).
    """

    def __init__(self, description: CommunityDescription, tables: StorageTables, seed: int) -> None:
        self._description = description
        self._tables = tables
        self._seed = seed
        data, self._rows = description.tables, description.tables.rows - 1
        idle = idle_load_kwh(description)[: self._rows]
        price, carbon = (series[: self._rows].astype(np.float64) for series in (data.price, data.carbon))
        self._worth = EpisodeScore.of(idle, price, carbon)
        self._cycles = CyclePlan.cheapest(description, idle, self._worth.imports)
        self._load = idle + self._cycles.load_kwh
        self._chargers = np.array([storage.kind == "charger" for storage in tables.storages], bool)

    def plan(self, report: Report) -> EpisodePlan:
        """The best plan that was found.

        Args:
            report: called with (steps done, steps in all).
        """
        if not len(self._tables):
            return self._to_hold(self._tables, np.zeros((self._rows, 0)))
        if not self._chargers.any():
            return self._to_hold(self._tables, plan_year(self._tables, self._load, self._worth, report=report))
        progress = _Progress(report, STEPS + 2 * STEPS_AROUND + self._rows)
        rehearsal = Rehearsal(self._description, self._tables, self._seed)
        candidates = self._candidates(rehearsal, progress)
        best, _ = min(candidates, key=lambda candidate: self._worth.score(candidate[1].net_kwh))
        return best

    def _candidates(self, rehearsal: Rehearsal, progress: _Progress) -> Iterator[tuple[EpisodePlan, Rehearsed]]:
        """Plans and what became of them."""
        first = self._to_hold(self._tables, plan_year(self._tables, self._load, self._worth, report=progress.part(STEPS)))
        played = rehearsal.play(first.decide)
        yield first, played
        yield self._around(played, rehearsal, progress)
        hourly = rehearsal.play(self._hour_by_hour(progress.part(self._rows)))
        again = self._to_hold(self._arriving(hourly), hourly.stored_kwh)
        yield again, rehearsal.play(again.decide)
        yield self._around(hourly, rehearsal, progress)

    def _around(self, played: Rehearsed, rehearsal: Rehearsal, progress: _Progress) -> tuple[EpisodePlan, Rehearsed]:
        """The other storage planned anew around what vehicles did, and what becomes of that."""
        tables, vehicles = self._arriving(played), Fixed(self._chargers, played.stored_kwh)
        report = progress.part(STEPS_AROUND)
        stored = plan_year(tables, self._load, self._worth, fixed=vehicles, steps=STEPS_AROUND, report=report)
        plan = self._to_hold(tables, stored)
        return plan, rehearsal.play(plan.decide)

    def _arriving(self, played: Rehearsed) -> StorageTables:
        """Storage that begins with what it was found with: what vehicles that drove hold is known only then."""
        begins = self._tables.begins_kwh.copy()
        rows = slice(0, self._rows)
        found = np.maximum(played.held_kwh, self._tables.floor_kwh[rows])
        begins[rows] = np.where(np.isnan(begins[rows]) | ~self._tables.available[rows], begins[rows], found)
        return replace(self._tables, begins_kwh=begins)

    def _hour_by_hour(self, report: Report) -> Decide:
        """Decisions by a linear program every hour, which knows what is to come."""
        forecaster = PerfectForecaster(self._description, self._tables)
        forecaster.committed_kwh[: self._rows] += self._cycles.load_kwh
        planner = RecedingHorizon(self._description, forecaster)

        def decide(row: int, stored_kwh: Floats, drawn_kwh: Floats) -> Floats:
            actions = planner.decide(row, stored_kwh, drawn_kwh)
            self._cycles.start(row, actions)
            report(row + 1, self._rows)
            return actions

        return decide

    def _to_hold(self, tables: StorageTables, stored_kwh: Floats) -> EpisodePlan:
        return EpisodePlan(tables, stored_kwh, self._cycles, self._description.features.action_mask.shape)


class _Progress:
    """One count over several parts of the work."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._total = total
        self._before = 0

    def part(self, steps: int) -> Report:
        """What the next part, of so many steps, reports to."""
        before = self._before
        self._before += steps
        return lambda done, _: self._report(before + done, self._total)
