"""Charging and discharging a battery (``citylearn.energy_model.Battery``)."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.numbers import TINY, double, inline, single


@inline
def segment(x, points, value):
    """Index of the piece of a curve with abscissae ``x`` on which ``value`` lies."""
    at = 0
    for k in range(1, points - 1):  # counted, not looked for: which piece it is can't be predicted
        at += value > x[k]
    return at


@inline
def interpolated(x, y, points, value):
    """Ordinate at ``value``, extrapolated beyond the ends, in CityLearn's order of operations."""
    i = segment(x, points, value)
    return y[i] + (value - x[i]) * (y[i + 1] - y[i]) / (x[i + 1] - x[i])


@inline
def usable_power(x, y, points, soc):
    """Share of the nominal power that is usable at a state of charge; CityLearn's other order of operations."""
    i = segment(x, points, soc)
    return y[i] + (y[i + 1] - y[i]) * (soc - x[i]) / (x[i + 1] - x[i])


SPLITTER = 134217729.0
"""2^27 + 1: splits a float64 into two halves whose products are exact (Dekker 1971)."""

NEAR_TIE = 0.47 * 2.0**-53
"""Of roots in [0.5, 1), whose last place is 2^-53."""


@inline
def power_of_half(x, half):
    """``x ** 0.5`` as the C library computes it, which CityLearn asks for: not always the correctly rounded root.

    Where the true root lies well inside the rounding interval of ``sqrt`` both agree, since ``pow`` errs by less than 0.53
    of the last place (glibc states 0.509 where exponents are small); only near a tie is the slower ``pow`` needed. ``half``
    is 0.5 as a variable: were it a constant, the compiler would turn ``pow`` into ``sqrt``.
    """
    root = np.sqrt(x)
    if not 0.25 <= x < 1.0:
        return x**half
    high = root * SPLITTER
    high = high - (high - root)
    low = root - high
    rest = ((x - high * high) - 2.0 * high * low) - low * low
    if abs(rest) < NEAR_TIE * 2.0 * root:
        return root
    return x**half


@inline
def charge(m, b, soc, degraded, requested):
    """Charge (``requested`` > 0) or discharge battery ``b`` by an energy in kWh; vehicles' stand behind buildings'.

    Energy is limited by the power curve, the degraded capacity and the depth of discharge; its efficiency depends on the
    power, so that limits and efficiency are settled in two passes.

    Args:
        soc: float32 state of charge.
        degraded: float64 kWh of capacity left.
        requested: float64 kWh in this hour.

    Returns:
        float32 state of charge, float64 capacity left, float32 energy taken from (> 0) or given to outside, kWh.
    """
    capacity = m.b_capacity[b]
    nominal = m.b_power[b]
    floor_soc = 1.0 - m.b_depth[b]
    minimum = min(max(floor_soc, 0.0), 1.0) * capacity
    size = max(capacity, TINY)
    stored = single(soc * single(capacity))
    # CityLearn's max() of a Python float and a float32 keeps the type of the winner, and with it the precision of all
    # that follows.
    python = not (stored > single(minimum))
    energy = minimum if python else double(stored)
    level = energy / size if python else double(single(stored / single(size)))
    power_x, power_y = m.b_power_x[b], m.b_power_y[b]
    limit = max(nominal * usable_power(power_x, power_y, m.b_power_points[b], level), 0.0)
    up = requested >= 0.0
    wanted = abs(requested)
    bounded = min(wanted, limit)
    delivered = bounded
    efficiency_x, efficiency_y = m.b_efficiency_x[b], m.b_efficiency_y[b]
    efficiency_points = m.b_efficiency_points[b]
    ratio, half = 1.0, m.half[0]
    for _ in range(2):
        share = min(max(delivered / max(nominal, TINY), 0.0), 1.0)
        ratio = power_of_half(interpolated(efficiency_x, efficiency_y, efficiency_points, share), half)
        if up:
            if python:
                room = max(degraded - energy, 0.0) / max(ratio, TINY)
            else:
                room = double(single(max(single(single(degraded) - stored), single(0.0)) / single(max(ratio, TINY))))
        elif python:
            room = max(energy - floor_soc * capacity, 0.0) * ratio
        else:
            room = double(single(max(single(stored - single(floor_soc * capacity)), single(0.0)) * single(ratio)))
        # A Python float is compared with a float32 in 32 bits.
        binds = single(room) < single(bounded) if wanted > limit and not python else room < bounded
        before = delivered
        delivered = room if binds else bounded
        if delivered == before:
            break
    clipped = False
    if up or delivered == 0.0:
        final = energy + delivered * ratio if up else energy
        if capacity < final:
            final, clipped = capacity, True
    else:
        final = energy - delivered / ratio
        if not final > minimum:
            final, clipped = minimum, True
    if clipped and not python:
        change = single(single(final) - stored)
        balance = single(change / single(ratio)) if change >= single(0.0) else single(change * single(ratio))
    else:
        moved = final - energy
        balance = single(moved / ratio) if moved >= 0.0 else single(moved * ratio)
    loss = single(single(single(m.b_wear[b] * capacity) * abs(balance)) / single(2.0 * max(degraded, TINY)))
    left = max(single(single(degraded) - loss), single(0.0))
    return single(final / size), double(left), balance


@inline
def standby(soc, loss_coefficient, lowest):
    """State of charge after a time step of standing by, not below ``lowest``; all float32."""
    kept = single(soc * single(1.0 - loss_coefficient))
    return min(max(kept, single(lowest)), single(1.0))
