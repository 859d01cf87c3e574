"""The score of a plan for a whole episode, and its gradient, compiled: a few passes over T hours, U storages, N buildings.

The variables are what storages hold at the end of every hour. The objective is the score's terms with their kinks rounded
off, which is what a first-order method needs, plus a penalty for power that devices don't have.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from rllib_citylearn.simulator.kernels.cache import kernel_cache
from rllib_citylearn.simulator.kernels.numbers import OPTIONS, inline

Floats = npt.NDArray[np.float64]


class Problem(NamedTuple):
    """What does not change while a plan is improved.

    Attributes:
        begins: kWh at the start of a row where storage does not go on from the row before, ``[T, U]``; NaN where it does.
        conversion: which conversion holds, ``[T, U]``.
        electricity: for what is drawn, ``[T, U]``; zero where the storage can't be used.
        most_in, most_out: kWh that can be drawn and given, ``[T, U]``.
        building: row of each storage's building, ``[U]``.
        keeps: share that an hour of standing by leaves, ``[U]``.
        drawn: kWh drawn for evenly spaced changes of what is stored, ``[K, P]``.
        first, step: those changes: the first and the distance to the next, kWh ``[K]``.
        usable: the most that can be drawn or given, kWh for evenly spaced shares of the capacity, ``[K, Q]``.
        capacity: kWh ``[K]``.
        load: kWh while all storage is idle, ``[T, N]``.
        imports: score of an imported kWh, ``[T, N]``.
        rise: score of a kWh by which the district's net load rises.
        month: rows of a stretch over which the load factor is taken.
        factor: score of 1 - mean/peak of one stretch.
        penalty: score of a kWh beyond a device's power.
        least_in, least_out: kWh below which nothing is drawn or given, ``[U]``.
        gap: score of a kWh that is less than that, at first; it is nothing again where the device does it.
    """

    begins: Floats
    conversion: npt.NDArray[np.int64]
    electricity: Floats
    most_in: Floats
    most_out: Floats
    building: npt.NDArray[np.int64]
    keeps: Floats
    drawn: Floats
    first: Floats
    step: Floats
    usable: Floats
    capacity: Floats
    load: Floats
    imports: Floats
    rise: float
    month: int
    factor: float
    penalty: float
    least_in: Floats
    least_out: Floats
    gap: float


@inline
def rounded(x, width):
    """max(x, 0), with a parabola from -width to width."""
    if x >= width:
        return x
    if x <= -width:
        return 0.0
    return (x + width) * (x + width) / (4.0 * width)


@inline
def rounded_slope(x, width):
    """Slope of ``rounded``."""
    if x >= width:
        return 1.0
    if x <= -width:
        return 0.0
    return (x + width) / (2.0 * width)


@inline
def before(p, stored, t, u):
    """What storage ``u`` holds at the start of row ``t``, kWh."""
    begins = p.begins[t, u]
    return begins if not np.isnan(begins) else p.keeps[u] * stored[t - 1, u]


@inline
def draw(p, k, change):
    """What has to be drawn for a change, and the slope; the outermost pieces of the table go on beyond its ends."""
    i = min(max(int((change - p.first[k]) / p.step[k]), 0), p.drawn.shape[1] - 2)
    slope = (p.drawn[k, i + 1] - p.drawn[k, i]) / p.step[k]
    return p.drawn[k, i] + slope * (change - p.first[k] - i * p.step[k]), slope


@inline
def usable(p, k, held):
    """The most that can be drawn or given while ``held`` kWh are stored."""
    last = p.usable.shape[1] - 1
    share = min(max(held / p.capacity[k], 0.0), 1.0) * last
    j = min(int(share), last - 1)
    return p.usable[k, j] + (p.usable[k, j + 1] - p.usable[k, j]) * (share - j)


@inline
def too_little(p, u, drawn):
    """What energies cost that are less than the device does, and the slope: an arch between nothing and the least."""
    least = p.least_in[u] if drawn > 0.0 else p.least_out[u]
    size = abs(drawn)
    if p.gap == 0.0 or size >= least:
        return 0.0, 0.0
    slope = p.gap * (1.0 - 2.0 * size / least)
    return p.gap * size * (1.0 - size / least), slope if drawn > 0.0 else -slope


@inline
def flows(p, stored, net, gradient):
    """Net loads of the buildings into ``net``; the penalty, and its slope in the changes into ``gradient``."""
    total = 0.0
    for t in range(stored.shape[0]):
        for n in range(net.shape[1]):
            net[t, n] = p.load[t, n]
        for u in range(stored.shape[1]):
            gradient[t, u] = 0.0
            if p.electricity[t, u] == 0.0:
                continue
            k, held = p.conversion[t, u], before(p, stored, t, u)
            drawn, slope = draw(p, k, stored[t, u] - held)
            net[t, p.building[u]] += p.electricity[t, u] * drawn
            limit = usable(p, k, held)
            excess = max(drawn - min(p.most_in[t, u], limit), 0.0) - max(-drawn - min(p.most_out[t, u], limit), 0.0)
            total += p.penalty * abs(excess)
            if excess != 0.0:
                gradient[t, u] = (p.penalty if excess > 0.0 else -p.penalty) * slope
            arch, of_arch = too_little(p, u, drawn)
            total += arch
            gradient[t, u] += of_arch * slope
    return total


@inline
def district_terms(p, district, slope, width):
    """Ramping and load factors of the district's net load ``[T]``; their slopes are written into ``slope``."""
    total, rows = 0.0, len(district)
    for t in range(rows):
        slope[t] = 0.0
    for t in range(1, rows):
        rise = district[t] - district[t - 1]
        total += p.rise * rounded(rise, width)
        weight = p.rise * rounded_slope(rise, width)
        slope[t] += weight
        slope[t - 1] -= weight
    for start in range(0, rows, p.month):
        end = min(start + p.month, rows)
        mean, highest = 0.0, -np.inf
        for t in range(start, end):
            mean += district[t] / (end - start)
            highest = max(highest, district[t])
        # The peak as width * log(sum(exp(load / width))), an upper bound that is smooth.
        scale = 0.0
        for t in range(start, end):
            scale += np.exp((district[t] - highest) / width)
        peak = highest + width * np.log(scale)
        total += p.factor * (1.0 - mean / peak)
        for t in range(start, end):
            share = np.exp((district[t] - highest) / width) / scale
            slope[t] += p.factor * (mean / (peak * peak) * share - 1.0 / (peak * (end - start)))
    return total


with kernel_cache():

    @njit(**{**OPTIONS, "_nrt": True})
    def score_and_gradient(p, stored, width, district_width, net, district, slope, gradient):
        """The objective at ``stored``, kWh ``[T, U]``; its gradient is written into ``gradient``, ``[T, U]``.

        Args:
            p: the problem.
            stored: the variables.
            width: of the parabolas in place of kinks, kWh a building.
            district_width: the same for the district.
            net: scratch ``[T, N]``; district, slope: scratch ``[T]``.
        """
        total = flows(p, stored, net, gradient)
        rows = stored.shape[0]
        for t in range(rows):
            district[t] = 0.0
            for n in range(net.shape[1]):
                x = net[t, n]
                district[t] += x
                total += p.imports[t, n] * rounded(x, width)
                net[t, n] = p.imports[t, n] * rounded_slope(x, width)  # from here on the slope
        total += district_terms(p, district, slope, district_width)
        for t in range(rows):
            for u in range(stored.shape[1]):
                if p.electricity[t, u] != 0.0:
                    _, of_change = draw(p, p.conversion[t, u], stored[t, u] - before(p, stored, t, u))
                    gradient[t, u] += (net[t, p.building[u]] + slope[t]) * p.electricity[t, u] * of_change
        # What is stored at the end of one hour is what the next one starts from.
        for t in range(rows - 1):
            for u in range(stored.shape[1]):
                if p.electricity[t + 1, u] != 0.0 and np.isnan(p.begins[t + 1, u]):
                    gradient[t, u] -= p.keeps[u] * gradient[t + 1, u]
        return total

    @njit(**{**OPTIONS, "_nrt": True})
    def descend(stored, gradient, mean, square, low, high, rate, number):
        """One step of Adam (Kingma and Ba 2015, algorithm 1) within bounds, in place.

        Args:
            stored: the variables ``[T, U]``; gradient: of the objective; mean, square: the moments.
            low, high: bounds ``[T, U]``.
            rate: step size of each storage, kWh ``[U]``.
            number: of the step, from 1 on.
        """
        unbias, unbias_square = 1.0 - 0.9**number, 1.0 - 0.99**number
        for t in range(stored.shape[0]):
            for u in range(stored.shape[1]):
                g = gradient[t, u]
                mean[t, u] += 0.1 * (g - mean[t, u])
                square[t, u] += 0.01 * (g * g - square[t, u])
                step = rate[u] * mean[t, u] / unbias / (np.sqrt(square[t, u] / unbias_square) + 1e-12)
                stored[t, u] = min(max(stored[t, u] - step, low[t, u]), high[t, u])
