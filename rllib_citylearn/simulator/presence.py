"""Where electric vehicles are, hour by hour: none of it depends on the control, so it is tabulated once.

Re-expresses how CityLearn 3.0.2 (``citylearn.internal.runtime``, MIT licence) plugs vehicles in and lets them drift while
they are away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.errors import EngineError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

DRIFT_AN_HOUR = 0.2
DRIFT_BOUNDS = (0.6, 1.4)
CHARGING, ARRIVING, AWAY = 1, 2, 3
"""States of a charger in the data: a vehicle is plugged in, is announced, or is away."""

NOTHING, STAYS, CONNECTS = range(3)


@dataclass(frozen=True)
class Presence:
    """Vehicles and chargers over T rows of data.

    Attributes:
        connected: the vehicle at each charger, ``[T, C]``; -1 for none.
        announced: whether a known vehicle is announced for each charger, bool ``[T, C]``.
        arrival_soc: state of charge that a vehicle is set to at a row, ``[T, V]``; NaN where it is not.
        start_soc: the same if an episode starts at that row, ``[T, V]``.
        drifts: whether a vehicle drifts at a row, bool ``[T, V]``.
        required_soc: state of charge that the vehicle at each charger should have at the end of a row after which it leaves,
            ``[T, C]``; NaN where none leaves, or leaves without a requirement.
    """

    connected: npt.NDArray[np.int64]
    announced: npt.NDArray[np.bool_]
    arrival_soc: npt.NDArray[np.float64]
    start_soc: npt.NDArray[np.float64]
    drifts: npt.NDArray[np.bool_]
    required_soc: npt.NDArray[np.float64]

    def drift(self, row: int, rows: int, seed: int) -> npt.NDArray[np.float64]:
        """Factors by which the charge of vehicles that are away changes, drawn as CityLearn draws them.

        Args:
            row: first row of the episode.
            rows: how many rows it visits.
            seed: CityLearn's random seed plus the number of its episode.

        Returns:
            ``[rows, V]``; NaN where a vehicle does not drift.
        """
        there = self.drifts[row : row + rows].copy()
        there[:1] = False  # nothing has moved yet when an episode starts
        factors = np.full(there.shape, np.nan)
        drawn = np.random.RandomState(seed % 2**32).normal(1.0, DRIFT_AN_HOUR, size=int(there.sum()))
        factors[there] = np.clip(drawn, *DRIFT_BOUNDS)
        return factors

    @classmethod
    def read(cls, env: CityLearnEnv, rows: int) -> Presence:
        """From the charger schedules of an environment that has been reset."""
        vehicles = {vehicle.name: v for v, vehicle in enumerate(env.electric_vehicles)}
        schedules = [
            _Schedule.read(charger, vehicles, rows)
            for building in env.buildings
            for charger in building.electric_vehicle_chargers or []
        ]
        shape = (rows, len(vehicles))
        event = np.full(shape, NOTHING)
        arrival, start = np.full(shape, np.nan), np.full(shape, np.nan)
        for schedule in schedules:
            schedule.mark_events(event, arrival)
        for schedule in schedules:
            schedule.mark_connections(arrival, start)
        drifts = event == NOTHING
        drifts[-1:] = False  # CityLearn needs to see the row after it
        return cls(
            connected=np.stack([s.vehicle for s in schedules], 1) if schedules else np.zeros((rows, 0), np.int64),
            announced=np.stack([s.announced for s in schedules], 1) if schedules else np.zeros((rows, 0), bool),
            arrival_soc=arrival,
            start_soc=start,
            drifts=drifts,
            required_soc=np.stack([s.required_soc() for s in schedules], 1) if schedules else np.zeros((rows, 0)),
        )


@dataclass(frozen=True)
class _Schedule:
    """One charger's schedule; every attribute is ``[T]``."""

    name: str
    state: npt.NDArray[np.float64]
    named: npt.NDArray[np.int64]
    labels: Sequence[Any]
    vehicle: npt.NDArray[np.int64]
    announced: npt.NDArray[np.bool_]
    expected_soc: npt.NDArray[np.float64]
    current_soc: npt.NDArray[np.float64]
    departure_soc: npt.NDArray[np.float64]
    session_changed: npt.NDArray[np.bool_]

    @classmethod
    def read(cls, charger: Any, vehicles: Mapping[str, int], rows: int) -> _Schedule:
        data = charger.charger_simulation
        labels = list(data.electric_vehicle_id[:rows])
        state = np.asarray(data.electric_vehicle_charger_state[:rows], float)
        named = np.array([vehicles.get(label, -1) if isinstance(label, str) else -1 for label in labels], np.int64)
        plugged = (state == CHARGING) & (named >= 0)
        current = getattr(data, "electric_vehicle_current_soc", None)
        return cls(
            name=charger.charger_id,
            state=state,
            named=named,
            labels=labels,
            vehicle=np.where(plugged, named, -1),
            announced=(state == ARRIVING) & (named >= 0),
            expected_soc=_share(data.electric_vehicle_estimated_soc_arrival[:rows]),
            current_soc=np.full(rows, np.nan) if current is None else _share(current[:rows]),
            departure_soc=_required(data.electric_vehicle_required_soc_departure[:rows]),
            session_changed=_session_changes(data, rows),
        )

    def mark_events(self, event: npt.NDArray[np.int64], arrival: npt.NDArray[np.float64]) -> None:
        """Vehicles that stay or connect, and the charge at which they connect; the first charger's word counts."""
        staying = np.flatnonzero((self.state == CHARGING) & (self.named >= 0))
        new = staying[event[staying, self.named[staying]] == NOTHING]
        event[new, self.named[new]] = STAYS
        follows = np.append(self.named[1:], -1)
        connecting = np.flatnonzero((self.state != CHARGING) & (follows >= 0) & (np.append(self.state[1:], 0) == CHARGING))
        new = connecting[event[connecting, follows[connecting]] == NOTHING]
        event[new, follows[new]] = CONNECTS
        incoming = (self.state[new] == ARRIVING) & (self.named[new] == follows[new])
        soc = self.expected_soc[np.where(incoming, new, new + 1)]
        arrival[new, follows[new]] = soc

    def mark_connections(self, arrival: npt.NDArray[np.float64], start: npt.NDArray[np.float64]) -> None:
        """Charge at which vehicles are found when they are plugged in."""
        rows = np.flatnonzero(self.vehicle >= 0)
        before = np.append(-1, self.vehicle[:-1])
        fresh = rows[(before[rows] != self.vehicle[rows]) | self.session_changed[rows]]
        soc = np.where(np.isnan(self.current_soc[rows]), self.expected_soc[rows], self.current_soc[rows])
        given = ~np.isnan(soc)
        start[rows[given], self.vehicle[rows[given]]] = soc[given]
        for row in fresh:
            soc = self.current_soc[row]
            if np.isnan(soc):
                was_expected = row > 0 and self.state[row - 1] in (ARRIVING, AWAY)
                if was_expected:
                    self._check_label(row)
                soc = self.expected_soc[row - 1 if was_expected else row]
            if not np.isnan(soc):
                arrival[row, self.vehicle[row]] = soc

    def required_soc(self) -> npt.NDArray[np.float64]:
        """State of charge required at the end of rows after which the vehicle leaves, ``[T]``; NaN for the others.

        It leaves when another one or none is there in the next row, or when a new session of its own begins there.
        """
        leaves = np.zeros(len(self.vehicle), bool)
        leaves[:-1] = (self.vehicle[:-1] >= 0) & ((self.vehicle[1:] != self.vehicle[:-1]) | self.session_changed[1:])
        return np.where(leaves, self.departure_soc, np.nan)

    def _check_label(self, row: int) -> None:
        before, now = self.labels[row - 1], self.labels[row]
        if isinstance(before, str) and before.strip() not in ("", "nan") and before != now:
            raise EngineError(
                f"{self.name} announces {before!r} at row {row - 1} of its data, but {now!r} arrives. Mend the schedule: "
                "CityLearn refuses it too."
            )


def _share(values: Any) -> npt.NDArray[np.float64]:
    """Values as float64, NaN where they are no share."""
    numbers = np.asarray(values, np.float64)
    return np.where((numbers >= 0.0) & (numbers <= 1.0), numbers, np.nan)


def _required(values: Any) -> npt.NDArray[np.float64]:
    """Required states of charge as shares; above one they are percentages, as CityLearn's KPIs take them."""
    numbers = np.asarray(values, np.float64)
    return _share(np.where(numbers > 1.0, numbers / 100.0, numbers))


def _session_changes(data: Any, rows: int) -> npt.NDArray[np.bool_]:
    """Whether another session begins at a row although a vehicle was plugged in before."""
    sessions = getattr(data, "electric_vehicle_session_id", None)
    labels = [""] * rows if sessions is None else [s.strip() if isinstance(s, str) else "" for s in sessions[:rows]]
    given = np.array([label not in ("", "nan") for label in labels])
    departure = np.asarray(data.electric_vehicle_departure_time[:rows], float)
    changed = np.zeros(rows, bool)
    differs = np.array([a != b for a, b in zip(labels[1:], labels[:-1], strict=True)], bool)
    restarted = (departure[:-1] <= 1) & (departure[1:] > departure[:-1])
    changed[1:] = np.where(given[1:], given[:-1] & differs, restarted)
    return changed
