"""How much electricity a change of the stored energy takes: the devices' efficiencies as curves to plan with.

The physics are CityLearn's (``energy_model.Battery``, ``electric_vehicle_charger.Charger``, MIT licence), without the limits
that depend on the state of charge and without rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.simulator.parameters import Batteries, Chargers, Curves

Floats = npt.NDArray[np.float64]

POINTS = 257
"""Points at which a curve is tabulated on either side of zero."""

SHARES = np.linspace(0.0, 1.0, 65)
"""Shares of the capacity at which usable power is tabulated."""

TYPICAL_SHARE = 0.3
"""Share of the largest power at which the constant efficiencies of linear programs are taken."""


@dataclass(frozen=True)
class Conversion:
    """One way of storing energy: what is drawn from outside, and what is stored.

    Attributes:
        drawn_kwh: energy drawn (> 0) or given (< 0) in an hour, rising, ``[P]``.
        stored_kwh: what it changes the stored energy by, rising, ``[P]``.
        into: stored energy per energy drawn, as a constant to plan with.
        out_of: energy given per stored energy, likewise.
        capacity_kwh: what can be stored.
        usable_kwh: the most that can be drawn or given in an hour, for evenly spaced shares of the capacity from 0 to 1 that
            are stored at its start, ``[Q]``.
    """

    drawn_kwh: Floats
    stored_kwh: Floats
    into: float
    out_of: float
    capacity_kwh: float
    usable_kwh: Floats

    @property
    def most_in_kwh(self) -> float:
        """The most that can be drawn in an hour."""
        return float(self.drawn_kwh[-1])

    @property
    def most_out_kwh(self) -> float:
        """The most that can be given in an hour."""
        return float(-self.drawn_kwh[0])

    def drawn_for(self, change_kwh: float) -> float:
        """What has to be drawn to change the stored energy by ``change_kwh``; no more than the devices can."""
        return float(np.interp(change_kwh, self.stored_kwh, self.drawn_kwh))


def _typical(drawn_kwh: Floats, stored_kwh: Floats, capacity_kwh: float, usable_kwh: Floats) -> Conversion:
    """With the efficiencies at a typical power."""

    def ratio(most_kwh: float) -> float:
        drawn = TYPICAL_SHARE * most_kwh
        return float(np.interp(drawn, drawn_kwh, stored_kwh) / drawn) if drawn else 1.0

    return Conversion(drawn_kwh, stored_kwh, ratio(drawn_kwh[-1]), 1.0 / ratio(drawn_kwh[0]), capacity_kwh, usable_kwh)


def _reliable(drawn_kwh: Floats, stored_kwh: Floats, capacity_kwh: float, usable_kwh: Floats) -> Conversion:
    """With the efficiencies at the power that is worst for them: what can be relied on."""
    moving = drawn_kwh != 0.0
    ratios = np.divide(stored_kwh, drawn_kwh, out=np.ones_like(drawn_kwh), where=moving)
    up, down = ratios[drawn_kwh > 0.0], ratios[drawn_kwh < 0.0]
    into, out_of = float(up.min(initial=1.0)), 1.0 / float(down.max(initial=1.0))
    return Conversion(drawn_kwh, stored_kwh, into, out_of, capacity_kwh, usable_kwh)


def battery_conversion(batteries: Batteries, b: int) -> Conversion:
    """Of battery ``b``, with one hour as time step."""
    drawn = _both_ways(batteries.nominal_power[b], batteries.nominal_power[b])
    usable = batteries.nominal_power[b] * _at(batteries.power, b, SHARES)
    return _typical(drawn, _through_battery(batteries, b, drawn), float(batteries.capacity[b]), usable)


def charger_conversion(chargers: Chargers, c: int, vehicles: Batteries, v: int) -> Conversion:
    """Of vehicle ``v`` at charger ``c``, within the power of both."""
    power = vehicles.nominal_power[v]
    most_in, most_out = chargers.max_charging[c], chargers.max_discharging[c]
    most_in = min(most_in, power / _charger_efficiency(chargers, c, chargers.charge_efficiency, most_in, most_in))
    most_out = min(most_out, power * _charger_efficiency(chargers, c, chargers.discharge_efficiency, most_out, most_out))
    drawn = _both_ways(most_in, most_out)
    up, down = np.maximum(drawn, 0.0), np.minimum(drawn, 0.0)
    reaching = up * _charger_efficiency(chargers, c, chargers.charge_efficiency, up, chargers.max_charging[c])
    reaching += down / _charger_efficiency(chargers, c, chargers.discharge_efficiency, -down, chargers.max_discharging[c])
    # A vehicle that is short of a hair when it leaves is short; a battery has another hour.
    usable = power * _at(vehicles.power, v, SHARES)
    return _reliable(drawn, _through_battery(vehicles, v, reaching), float(vehicles.capacity[v]), usable)


def tank_conversion(capacity_kwh: float, ratio: float, most_in_kwh: float, most_out_kwh: float) -> Conversion:
    """Of a tank that keeps ``ratio`` of the heat or cold on the way in and on the way out."""
    drawn = _both_ways(most_in_kwh, most_out_kwh)
    stored = np.where(drawn >= 0.0, drawn * ratio, drawn / ratio)
    return _typical(drawn, stored, capacity_kwh, np.full(len(SHARES), max(most_in_kwh, most_out_kwh)))


def _both_ways(most_in_kwh: float, most_out_kwh: float) -> Floats:
    """Energies from ``-most_out_kwh`` over zero to ``most_in_kwh``; a direction that is closed has the one point."""
    down = np.linspace(-most_out_kwh, 0.0, POINTS)[:-1] if most_out_kwh > 0.0 else np.zeros(0)
    up = np.linspace(0.0, most_in_kwh, POINTS)[1:] if most_in_kwh > 0.0 else np.zeros(0)
    return np.concatenate([down, [0.0], up])


def _through_battery(batteries: Batteries, b: int, drawn_kwh: Floats) -> Floats:
    share = np.abs(drawn_kwh) / max(batteries.nominal_power[b], 1e-9)
    ratio = np.sqrt(_at(batteries.efficiency, b, np.minimum(share, 1.0)))
    return np.where(drawn_kwh >= 0.0, drawn_kwh * ratio, drawn_kwh / ratio)


def _charger_efficiency(chargers: Chargers, c: int, curves: Curves, power: Any, largest: float) -> Any:
    """At a power, or at an array of them."""
    if not curves.points[c]:
        return chargers.efficiency[c]
    return _at(curves, c, power / max(largest, 1e-9))


def _at(curves: Curves, i: int, x: Any) -> Any:
    points = int(curves.points[i])
    return np.interp(x, curves.x[i, :points], curves.y[i, :points])
