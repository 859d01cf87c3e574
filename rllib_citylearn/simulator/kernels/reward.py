"""The team reward of one community and one hour (``rllib_citylearn.env.reward`` says what the terms mean)."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.numbers import double, inline

COST, CARBON, RAMPING, LOAD_FACTOR, ELECTRICITY, RAMPING_SCALE, LOAD_FACTOR_SCALE = range(7)
"""Order of the terms, and of weights and scales after them."""

PREVIOUS, PREVIOUS_UNCONTROLLED, PEAK, PEAK_UNCONTROLLED = range(4)
"""Order of what the reward remembers of an episode."""


@inline
def peak_payment(load, peak, mean, floor):
    """How much phi(peak) = 1 - mean / peak grows when ``load`` follows a running ``peak``."""
    before = max(peak, floor)
    after = max(before, load)
    # A month's first payment starts from zero, not from phi(floor): its payments then add up to phi(final peak).
    paid = 0.0 if peak == -np.inf else 1.0 - mean / before
    return (1.0 - mean / after) - paid


@inline
def community_reward(
    row,
    month_steps,
    net,
    state,
    reference_net,
    price,
    carbon,
    cost_scale,
    carbon_scale,
    electricity_scale,
    district,
    month_mean,
    month_floor,
    weights,
    building_reward,
    terms,
    uncontrolled,
):
    """The terms of one hour; fills ``building_reward`` ``[N]``, ``terms`` and ``uncontrolled`` ``[5]``, advances ``state``.

    Returns:
        the district's part of the reward and the team reward.
    """
    buildings = len(net)
    for i in range(5):
        terms[i] = uncontrolled[i] = 0.0
    load = mean = 0.0
    for n in range(buildings):
        drawn = double(net[n])
        load += drawn
        imported = max(reference_net[row, n], 0.0)
        saved = imported - max(drawn, 0.0)
        cost_weight = double(price[row, n]) * cost_scale[n]
        carbon_weight = double(carbon[row, n]) * carbon_scale[n]
        cost, emission, electricity = saved * cost_weight, saved * carbon_weight, saved * electricity_scale[n]
        building_reward[n] = weights[COST] * cost + weights[CARBON] * emission + weights[ELECTRICITY] * electricity
        mean += building_reward[n]
        terms[COST] += cost
        terms[CARBON] += emission
        terms[ELECTRICITY] += electricity
        uncontrolled[COST] += imported * cost_weight
        uncontrolled[CARBON] += imported * carbon_weight
        uncontrolled[ELECTRICITY] += imported * electricity_scale[n]
    for i in (COST, CARBON, ELECTRICITY):
        terms[i] /= buildings
        uncontrolled[i] /= buildings
    load_uncontrolled = district[row]
    if row % month_steps == 0:
        state[PEAK] = state[PEAK_UNCONTROLLED] = -np.inf
    uncontrolled[RAMPING] = weights[RAMPING_SCALE] * max(load_uncontrolled - state[PREVIOUS_UNCONTROLLED], 0.0)
    terms[RAMPING] = uncontrolled[RAMPING] - weights[RAMPING_SCALE] * max(load - state[PREVIOUS], 0.0)
    average, floor = month_mean[row], month_floor[row]
    uncontrolled[LOAD_FACTOR] = weights[LOAD_FACTOR_SCALE] * peak_payment(
        load_uncontrolled, state[PEAK_UNCONTROLLED], average, floor
    )
    terms[LOAD_FACTOR] = uncontrolled[LOAD_FACTOR] - weights[LOAD_FACTOR_SCALE] * peak_payment(
        load, state[PEAK], average, floor
    )
    state[PEAK] = max(state[PEAK], load)
    state[PEAK_UNCONTROLLED] = max(state[PEAK_UNCONTROLLED], load_uncontrolled)
    state[PREVIOUS], state[PREVIOUS_UNCONTROLLED] = load, load_uncontrolled
    of_district = weights[RAMPING] * terms[RAMPING] + weights[LOAD_FACTOR] * terms[LOAD_FACTOR]
    return of_district, mean / buildings + of_district
