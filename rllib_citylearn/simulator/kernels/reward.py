"""The team reward of one community and one hour (``rllib_citylearn.env.reward`` says what the terms mean)."""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.numbers import double, inline
from rllib_citylearn.simulator.reward_layout import (
    APPLIANCE,
    APPLIANCE_SCALE,
    CARBON,
    COMFORT,
    COST,
    DEPARTURE,
    DEPARTURE_SCALE,
    DISCOMFORT,
    DISTRICT,
    ELECTRICITY,
    GIVEN_UP,
    LOAD_FACTOR,
    LOAD_FACTOR_SCALE,
    MISSING,
    MONTH_FLOOR,
    MONTH_MEAN,
    PEAK,
    PEAK_UNCONTROLLED,
    PREVIOUS,
    PREVIOUS_UNCONTROLLED,
    RAMPING,
    RAMPING_SCALE,
    TERM_COUNT,
)


@inline
def peak_payment(load, peak, mean, floor):
    """How much phi(peak) = 1 - mean / peak grows when ``load`` follows a running ``peak``."""
    before = max(peak, floor)
    after = max(before, load)
    # A month's first payment starts from zero, not from phi(floor): its payments then add up to phi(final peak).
    paid = 0.0 if peak == -np.inf else 1.0 - mean / before
    return (1.0 - mean / after) - paid


@inline
def service_reward(row, service, reference_service, weights, building_reward, terms, uncontrolled):
    """Departures, comfort, appliances; adds them to the buildings' rewards and terms, returns what they add to the sum."""
    added = 0.0
    for n in range(len(building_reward)):
        missing, discomfort = reference_service[row, n, MISSING], reference_service[row, n, DISCOMFORT]
        unserved = reference_service[row, n, GIVEN_UP]
        departure = (missing - service[n, MISSING]) * weights[DEPARTURE_SCALE]
        comfort = discomfort - service[n, DISCOMFORT]
        appliance = (unserved - service[n, GIVEN_UP]) * weights[APPLIANCE_SCALE]
        own = weights[DEPARTURE] * departure + weights[COMFORT] * comfort + weights[APPLIANCE] * appliance
        building_reward[n] += own
        added += own
        terms[DEPARTURE] += departure
        terms[COMFORT] += comfort
        terms[APPLIANCE] += appliance
        uncontrolled[DEPARTURE] += missing * weights[DEPARTURE_SCALE]
        uncontrolled[COMFORT] += discomfort
        uncontrolled[APPLIANCE] += unserved * weights[APPLIANCE_SCALE]
    return added


@inline
def community_reward(
    row,
    month_steps,
    net,
    service,
    state,
    reference_net,
    reference_service,
    price,
    carbon,
    scales,
    months,
    weights,
    building_reward,
    terms,
    uncontrolled,
):
    """The terms of one hour; fills ``building_reward`` ``[N]``, ``terms`` and ``uncontrolled`` ``[8]``, advances ``state``.

    Returns:
        the district's part of the reward and the team reward.
    """
    buildings = len(net)
    for i in range(TERM_COUNT):
        terms[i] = uncontrolled[i] = 0.0
    load = total = 0.0
    for n in range(buildings):
        drawn = double(net[n])
        load += drawn
        imported = max(reference_net[row, n], 0.0)
        saved = imported - max(drawn, 0.0)
        cost_weight, carbon_weight = double(price[row, n]) * scales[n, 0], double(carbon[row, n]) * scales[n, 1]
        cost, emission, electricity = saved * cost_weight, saved * carbon_weight, saved * scales[n, 2]
        building_reward[n] = weights[COST] * cost + weights[CARBON] * emission + weights[ELECTRICITY] * electricity
        total += building_reward[n]
        terms[COST] += cost
        terms[CARBON] += emission
        terms[ELECTRICITY] += electricity
        uncontrolled[COST] += imported * cost_weight
        uncontrolled[CARBON] += imported * carbon_weight
        uncontrolled[ELECTRICITY] += imported * scales[n, 2]
    if len(reference_service):
        total += service_reward(row, service, reference_service, weights, building_reward, terms, uncontrolled)
    for i in (COST, CARBON, ELECTRICITY, DEPARTURE, COMFORT, APPLIANCE):
        terms[i] /= buildings
        uncontrolled[i] /= buildings
    load_uncontrolled = months[row, DISTRICT]
    if row % month_steps == 0:
        state[PEAK] = state[PEAK_UNCONTROLLED] = -np.inf
    uncontrolled[RAMPING] = weights[RAMPING_SCALE] * max(load_uncontrolled - state[PREVIOUS_UNCONTROLLED], 0.0)
    terms[RAMPING] = uncontrolled[RAMPING] - weights[RAMPING_SCALE] * max(load - state[PREVIOUS], 0.0)
    average, floor = months[row, MONTH_MEAN], months[row, MONTH_FLOOR]
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
    return of_district, total / buildings + of_district
