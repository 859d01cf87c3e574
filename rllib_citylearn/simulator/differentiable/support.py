"""What has no differentiable counterpart is refused by name, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.curves import Pieces
from rllib_citylearn.simulator.parameters import ABSENT, Batteries


def check_differentiable(description: CommunityDescription) -> None:
    """Refuse a community that only the compiled engine can simulate.

    Raises:
        EngineError: names every unsupported thing and the buildings, vehicles or chargers that have it.
    """
    found = [f"{what} ({', '.join(names)})" for what, names in _unsupported(description) if names]
    if found:
        raise EngineError(
            f"The differentiable engine can't simulate this community: {'; '.join(found)}. Set the learner to zero "
            "simulated hours, or take these out of the data set's schema."
        )


def _unsupported(description: CommunityDescription) -> Iterator[tuple[str, list[str]]]:
    """(unsupported thing, who has it)."""
    parameters, tables = description.parameters, description.tables
    buildings = parameters.buildings

    def named(flags: np.ndarray) -> list[str]:
        return [name for name, flag in zip(buildings, flags, strict=True) if flag]

    if tables.outage is not None:
        yield "power outages", named(np.any(tables.outage, axis=0))
    yield "batteries whose efficiency is not above zero", named(_useless(parameters.batteries))
    numbered = [f"number {v + 1}" for v in np.flatnonzero(_useless(parameters.vehicles))]
    yield "vehicles whose efficiency is not above zero", numbered
    yield "chargers whose efficiency is not above zero", _useless_chargers(description)
    present = parameters.devices.kind != ABSENT
    yield (
        "thermal devices whose efficiency is not above zero",
        named((present & (parameters.devices.efficiency <= 0)).any(1)),
    )
    leaky = present & (parameters.tanks.capacity > 0) & (parameters.tanks.round_trip_efficiency <= 0)
    yield "tanks whose efficiency is not above zero", named(leaky.any(1))
    yield "a vehicle at two chargers at once", _doubled(tables.presence.connected)


def _useless(batteries: Batteries) -> np.ndarray:
    """Which batteries have an efficiency of zero or less at some power: its root and its inverse have no gradient there."""
    curves = batteries.efficiency.each()
    lowest = [min(curve[1].min(), *(Pieces.extrapolated(curve).at(x) for x in (0.0, 1.0))) for curve in curves]
    return np.array(lowest) <= 0.0


def _useless_chargers(description: CommunityDescription) -> list[str]:
    chargers = description.parameters.chargers
    curves = zip(chargers.efficiency, chargers.charge_efficiency.each(), chargers.discharge_efficiency.each(), strict=True)
    return [
        f"number {c + 1}"
        for c, (constant, up, down) in enumerate(curves)
        if any((curve[1].min() if curve.size else constant) <= 0 for curve in (up, down))
    ]


def _doubled(connected: np.ndarray) -> list[str]:
    """Rows of the data ``[T, C]`` at which a vehicle is at several chargers."""
    ordered = np.sort(connected, 1)
    rows = np.flatnonzero(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(1))
    return [f"row {rows[0]} of the data"] if rows.size else []
