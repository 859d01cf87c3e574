"""How one controller did in one episode: numbers and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.departures import DepartureTable
from rllib_citylearn.evaluation.kpis import Kpis
from rllib_citylearn.evaluation.score import Score
from rllib_citylearn.evaluation.stretches import Stretches
from rllib_citylearn.evaluation.totals import CommunityTotals
from rllib_citylearn.evaluation.trajectory import Trajectory


@dataclass(frozen=True)
class Evaluation:
    """How one controller did.

    Attributes:
        policy: the controller's name.
        data: the data set, as the caller named or described it; JSON-ready.
        engine: what simulated, ``fast`` or ``citylearn``; the KPIs are CityLearn's either way.
        seed: CityLearn's random seed, from which it draws what the schema leaves out.
        score: the scores, or why there are none.
        kpis: the district's KPIs by CityLearn's names; None where CityLearn has no finite value.
        building_kpis: the same by building.
        totals: what the episode came to in currency, kg, kWh and kW.
        no_control: the same without control, as CityLearn's KPIs have it; in a comparison with the baseline ``no-control``
            what that one came to.
        course: what reports show of the episode.
        departures: of electric vehicles; None where no vehicle left.
        comfort: share of the time in which occupants are at home and it is too cold or too hot (``discomfort``,
            ``cold``, ``hot``; 0 to 1), mean over buildings; None where no indoor temperature is simulated.
        share_of_possible: share of the saving of perfect foresight that was reached; None if that was not evaluated,
            or saves next to nothing.
        kept: what happened, building by building and step by step; None where it was not to be kept.
    """

    policy: str
    data: Any
    engine: str
    seed: int
    score: Score
    kpis: Kpis
    building_kpis: Mapping[str, Kpis]
    totals: CommunityTotals
    no_control: CommunityTotals
    course: Course
    departures: DepartureTable | None = None
    comfort: Mapping[str, float] | None = None
    share_of_possible: float | None = None
    kept: Trajectory | None = field(default=None, repr=False)

    @property
    def ev(self) -> dict[str, float] | None:
        """How drivers of electric vehicles were served (``departures.Departures``); None where no vehicle left."""
        return None if self.departures is None else self.departures.judge().to_dict()

    @property
    def has_appliances(self) -> bool:
        """Whether a controller starts appliances there."""
        return any(name.startswith("deferrable_appliance") for name in self.course.day.actions)

    @property
    def trajectory(self) -> Trajectory:
        """What happened, building by building and step by step.

        Raises:
            ConfigError: it was not kept.
        """
        if self.kept is None:
            raise ConfigError(
                f"The trajectory of {self.policy} was not kept, to save memory; its `course` has the district's load and "
                "sums. Call evaluate(..., trajectories=True) for the whole of it."
            )
        return self.kept

    @property
    def stretches(self) -> Stretches:
        """The episode by stretches of 730 hours."""
        return self.course.stretches

    def to_dict(self) -> dict[str, Any]:
        """What ``evaluate --json`` prints; ``reason`` is there only when a score is not."""
        result = {
            "policy": self.policy,
            "data": self.data,
            "buildings": list(self.course.buildings),
            "engine": self.engine,
            "window": list(self.course.window),
            "seed": self.seed,
            "score": self.score.score,
            "index5": self.score.index5,
            "kpis": dict(self.kpis),
            "share_of_possible": self.share_of_possible,
            "ev": self.ev,
            "comfort": None if self.comfort is None else dict(self.comfort),
            "totals": self.totals.district.to_dict(),
            "no_control_totals": self.no_control.district.to_dict(),
        }
        if self.score.reason is not None:
            result["reason"] = self.score.reason
        return result
