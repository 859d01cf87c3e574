"""Heat pumps, electric heaters and tanks (``citylearn.energy_model``, ``citylearn.building.Building``)."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.numbers import TINY, double, inline, single
from rllib_citylearn.simulator.parameters import COOLING_HEAT_PUMP, ELECTRIC_HEATER

ZERO_CELSIUS = 273.15
HIGHEST_COP = 20.0


@inline
def performance(kind, efficiency, target, outdoor):
    """Coefficient of performance of a heat pump (Carnot's, times an efficiency), or the efficiency of a heater."""
    if kind == ELECTRIC_HEATER:
        return efficiency
    difference = outdoor - target if kind == COOLING_HEAT_PUMP else target - outdoor
    if difference == 0.0:
        return HIGHEST_COP
    cop = efficiency * (target + ZERO_CELSIUS) / difference
    return HIGHEST_COP if cop < 0.0 or cop > HIGHEST_COP else cop


@inline
def is_wide(kind, flexibility):
    """Whether CityLearn computes in 64 bits: for heaters it goes through an array, with an infinity without an outage."""
    return kind == ELECTRIC_HEATER and flexibility == np.inf


@inline
def highest_output(kind, nominal, cop, consumption, flexibility):
    """Heat or cold that a device can still make in this hour, kWh.

    Args:
        consumption: float32, what it has used already in this hour.
        flexibility: float32, electricity that an outage leaves for it; infinite without one.
    """
    available = single(single(nominal) - consumption)
    power = available if available < flexibility else flexibility
    if is_wide(kind, flexibility):
        return double(power) * cop
    return double(single(power * single(cop)))


@inline
def run_device(kind, nominal, cop, demand, tank_energy, consumption, flexibility):
    """Meet what a tank leaves of a demand.

    Args:
        demand: float32 kWh.
        tank_energy: float32 kWh charged (> 0) or given (< 0) by the tank in this hour so far.

    Returns:
        float32 heat or cold made, float32 electricity used in this hour so far.
    """
    wanted = single(demand - single(-min(tank_energy, single(0.0))))
    highest = highest_output(kind, nominal, cop, consumption, flexibility)
    if is_wide(kind, flexibility):
        if highest < double(wanted):
            return single(highest), single(double(consumption) + max(0.0, highest / cop))
        return wanted, single(consumption + max(single(0.0), single(wanted / single(cop))))
    output = min(wanted, single(highest))
    return output, single(consumption + max(single(0.0), single(output / single(cop))))


@inline
def charge_tank(soc, action, capacity, ratio, single_capacity, max_input, max_output, demand, highest, wide):
    """Charge or discharge a tank by a share of its capacity.

    Args:
        soc: float32 state of charge.
        action: share of the capacity, > 0 to charge.
        ratio: square root of the efficiency.
        single_capacity: whether CityLearn holds the capacity in 32 bits.
        max_input, max_output: limits of the tank, kWh.
        demand: float32 kWh, which discharging can't exceed.
        highest: what the device can make for it, kWh.
        wide: whether that is a 64-bit number.

    Returns:
        float32 state of charge, float32 energy taken (> 0) or given (< 0), kWh.
    """
    requested = action * capacity
    if requested > 0.0:
        fits = requested < highest if wide else single(requested) < single(highest)
        requested = min(requested if fits else highest, max_input)
    else:
        if not single(requested) > -demand:
            requested = double(-demand)
        requested = max(-max_output, requested)
    stored = single(soc * single(capacity))
    python = not single_capacity and not stored > single(0.0)
    energy = double(stored)
    clipped = False
    if requested >= 0.0:
        final = energy + requested * ratio
        if capacity < final:
            final, clipped = capacity, True
    else:
        final = energy + requested / ratio
        if not final > 0.0:
            final, clipped = 0.0, True
    if clipped and not python:
        change = single(single(final) - stored)
        balance = single(change / single(ratio)) if change >= single(0.0) else single(change * single(ratio))
        level = (
            single(single(final) / single(max(capacity, TINY))) if single_capacity else single(final / max(capacity, TINY))
        )
    else:
        moved = final - energy
        balance = single(moved / ratio) if moved >= 0.0 else single(moved * ratio)
        level = single(final / max(capacity, TINY))
    return level, balance
