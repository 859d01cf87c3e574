"""Departures served, from arrays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.evaluation.departures import DepartureTable
from rllib_citylearn.simulator.presence import Presence


def table(soc: list[float], required: list[float], capacity: list[float]) -> DepartureTable:
    count = np.arange(len(soc))
    return DepartureTable(count, 0 * count, 0 * count, np.array(soc), np.array(required), np.array(capacity))


def test_more_than_was_asked_for_is_no_miss_and_a_little_less_is_one() -> None:
    served = table([0.9, 0.8, 0.7999, 0.4], [0.8, 0.8, 0.8, 0.8], [50.0, 50.0, 50.0, 100.0]).judge()
    assert (served.departures, served.departures_met) == (4, 0.5)
    assert served.missing_kwh == pytest.approx(50 * 0.0001 + 100 * 0.4)
    assert served.mean_missing_soc == pytest.approx(0.4001 / 4)
    assert set(served.to_dict()) == {"departures", "departures_met", "missing_kwh", "mean_missing_soc"}


def test_rounding_to_32_bits_is_no_miss() -> None:
    assert table([float(np.float32(0.873))], [0.873], [60.0]).judge().departures_met == 1.0


def schedule(states: str, countdown: list[int], vehicles: str = "", sessions: str = "") -> Any:
    return SimpleNamespace(
        electric_vehicle_charger_state=[float(state) for state in states],
        electric_vehicle_departure_time=countdown,
        electric_vehicle_id=[*(vehicles or "a" * len(states))],
        electric_vehicle_session_id=[*sessions] if sessions else [""] * len(states),
        electric_vehicle_estimated_soc_arrival=[0.5] * len(states),
        electric_vehicle_required_soc_departure=[0.8] * len(states),
    )


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        (schedule("3211133", [-1, -1, 2, 1, 0, -1, -1]), [4]),
        (schedule("1111111", [2, 1, 0, 3, 2, 1, 0]), [2]),
        (schedule("1111111", [9, 8, 7, 6, 5, 4, 3], vehicles="aaabbbb"), [2]),
        (schedule("1111111", [9, 8, 7, 6, 5, 4, 3], sessions="xxxxyyy"), [3]),
        (schedule("1111111", [9, 8, 7, 6, 5, 4, 3]), []),
        (schedule("1111113", [5, 4, 3, 2, 1, 0, -1]), [5]),
    ],
    ids=["leaves", "comes back at once", "another vehicle", "another session", "stays", "leaves at the end"],
)
def test_stays_end_where_something_changes(given: Any, rows: list[int]) -> None:
    charger = SimpleNamespace(charger_id="charger_1_1", charger_simulation=given)
    env = SimpleNamespace(
        buildings=[SimpleNamespace(electric_vehicle_chargers=[charger])],
        electric_vehicles=[SimpleNamespace(name="a"), SimpleNamespace(name="b")],
    )
    assert np.flatnonzero(~np.isnan(Presence.read(env, 7).required_soc[:, 0])).tolist() == rows
