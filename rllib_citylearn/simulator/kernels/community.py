"""Compiled entry points: reset one community, step all of them."""

from __future__ import annotations

import numpy as np
from numba import njit

from rllib_citylearn.simulator.kernels.appliances import pass_cycles, reset_appliance, run_appliance
from rllib_citylearn.simulator.kernels.building import balance, run_building, stand_by
from rllib_citylearn.simulator.kernels.cache import kernel_cache
from rllib_citylearn.simulator.kernels.lstm import predict_temperature
from rllib_citylearn.simulator.kernels.memory import arrays_of
from rllib_citylearn.simulator.kernels.numbers import OPTIONS, double, inline, single
from rllib_citylearn.simulator.kernels.observe import observe
from rllib_citylearn.simulator.kernels.reward import community_reward
from rllib_citylearn.simulator.kernels.service import discomfort, given_up, missing_charge
from rllib_citylearn.simulator.kernels.thermal import performance
from rllib_citylearn.simulator.kernels.vehicles import move_vehicles, run_charger
from rllib_citylearn.simulator.parameters import ABSENT, HOURS_A_MONTH
from rllib_citylearn.simulator.reward_layout import (
    DISCOMFORT,
    DISTRICT,
    GIVEN_UP,
    INHERITED_PEAK,
    MISSING,
    PEAK,
    PEAK_UNCONTROLLED,
    PREVIOUS,
    PREVIOUS_UNCONTROLLED,
)

FINE, NOT_A_NUMBER, PAST_THE_END, PAST_THE_DRIFT = range(4)
"""What ``step`` returns; ``refused`` then holds the community and the building."""


@inline
def first_hour(m, e, k):
    """What CityLearn shows at the start of an episode: demand and load without control."""
    for n in range(m.N):
        m.battery_energy[e, n] = single(0.0)
        m.load_served[e, n] = m.load[k, n]
        if m.TN:
            for u in range(3):
                m.tank_energy[e, n, u] = single(0.0)
                m.demand[e, n, u] = m.heat_demand[k, n, u]
                m.device_output[e, n, u] = m.heat_demand[k, n, u]
                m.device_consumption[e, n, u] = single(0.0)
                kind = m.device_kind[n, u]
                if kind != ABSENT:
                    outdoor = double(m.outdoor[k, n])
                    cop = performance(kind, m.device_efficiency[n, u], m.device_target[n, u], outdoor)
                    m.device_consumption[e, n, u] = single(m.heat_demand[k, n, u] / single(cop))
        balance(m, e, n, k, single(0.0), single(0.0))


@inline
def reset_community(m, e, k):
    """Start community ``e`` at row ``k``."""
    m.clock[e] = m.origin[e] = k
    for n in range(m.N):
        soc = single(max(m.b_initial[e, n], min(max(1.0 - m.b_depth[n], 0.0), 1.0)))
        m.battery_soc[e, n] = m.battery_soc_after[e, n] = soc
        m.battery_capacity[e, n] = m.b_capacity[n]
        if m.TN:
            for u in range(3):
                m.tank_soc[e, n, u] = m.tank_soc_after[e, n, u] = single(m.tank_initial[n, u])
        if m.DN:
            m.hidden[e, n] = single(0.0)
            m.temperature[e, n] = m.indoor[k, n]
    for v in range(m.V):
        soc = single(max(m.v_initial[v], min(max(1.0 - m.b_depth[m.N + v], 0.0), 1.0)))
        if not np.isnan(m.start_soc[k, v]):
            soc = single(m.start_soc[k, v])
        m.vehicle_soc[e, v] = m.vehicle_soc_after[e, v] = soc
        m.vehicle_capacity[e, v] = m.b_capacity[m.N + v]
    for c in range(m.C):
        m.charger_energy[e, c] = single(0.0)
    for q in range(m.Q):
        reset_appliance(m, e, q, k)
    first_hour(m, e, k)
    if m.RT:
        before = max(k - 1, 0)
        m.reward_state[e, PREVIOUS] = m.reward_state[e, PREVIOUS_UNCONTROLLED] = m.months[before, DISTRICT]
        peak = -np.inf if k % HOURS_A_MONTH == 0 else m.months[before, INHERITED_PEAK]
        m.reward_state[e, PEAK] = m.reward_state[e, PEAK_UNCONTROLLED] = peak
    observe(m, e, k)


@inline
def step_community(m, e):
    """One hour of community ``e``."""
    k = m.clock[e]
    for n in range(m.N):
        column = m.battery_action[n]
        run_building(m, e, n, k, m.actions[e, n, column] if column >= 0 else 0.0)
        if m.DN and m.dynamic[n]:
            predict_temperature(m, e, n, k)
    charger = appliance = 0
    for n in range(m.N):
        charged, missing = single(0.0), 0.0
        while charger < m.C and m.charger_building[charger] == n:
            drawn = run_charger(m, e, charger, k)
            m.charger_energy[e, charger] = drawn
            charged = single(charged + drawn)
            missing += missing_charge(m, e, charger, k)
            charger += 1
        m.service[e, n, MISSING] = missing
        m.service[e, n, DISCOMFORT] = discomfort(m, e, n, k)
        deferrable, unserved = single(0.0), 0.0
        while appliance < m.Q and m.appliance_building[appliance] == n:
            drawn = run_appliance(m, e, appliance, k)
            m.appliance_energy[e, appliance] = drawn
            deferrable = single(deferrable + drawn)
            unserved += given_up(m, e, appliance, k)
            appliance += 1
        if m.Q:
            m.service[e, n, GIVEN_UP] = unserved
        balance(m, e, n, k, charged, deferrable)
        stand_by(m, e, n)
    if m.RT:
        m.district_reward[e], m.team_reward[e] = community_reward(
            k,
            HOURS_A_MONTH,
            m.net[e],
            m.service[e],
            m.reward_state[e],
            m.reference_net,
            m.reference_service,
            m.price,
            m.carbon,
            m.reward_scales,
            m.months,
            m.reward_weights,
            m.building_reward[e],
            m.terms[e],
            m.uncontrolled_terms[e],
        )
    m.clock[e] = k + 1
    if m.V:
        move_vehicles(m, e, k + 1)
    for q in range(m.Q):
        pass_cycles(m, e, q, k + 1)
    observe(m, e, k + 1)


@inline
def take_actions(m, decode):
    """Check the actions and turn joint ones, [-1, 1], into CityLearn's units."""
    for e in range(m.E):
        if m.clock[e] >= m.T - 1:
            m.refused[0] = e
            return PAST_THE_END
        if m.V and m.W < m.T and m.clock[e] - m.origin[e] >= m.W - 1:
            m.refused[0] = e
            return PAST_THE_DRIFT
        for n in range(m.N):
            for a in range(m.A):
                action = m.actions[e, n, a]
                if not np.isfinite(action):
                    m.refused[0], m.refused[1] = e, n
                    return NOT_A_NUMBER
                if decode:
                    low = m.action_low[n, a]
                    m.actions[e, n, a] = low + (action + 1.0) * (m.action_high[n, a] - low) / 2.0
    return FINE


with kernel_cache():

    @njit("int64(int64[::1], boolean)", **OPTIONS)
    def step(memory, decode):
        """One hour of all communities; nothing happens if an action is not a number or the data is at its end."""
        m = arrays_of(memory)
        code = take_actions(m, decode)
        if code != FINE:
            return code
        for e in range(m.E):
            step_community(m, e)
        return FINE

    @njit("void(int64[::1], int64[::1], int64[::1])", **OPTIONS)
    def reset(memory, communities, rows):
        """Start ``communities`` at ``rows`` of the data."""
        m = arrays_of(memory)
        for i in range(len(communities)):
            reset_community(m, communities[i], rows[i])

    @njit(
        "void(int64[::1], float64[:,::1], float64[:,:,::1], float64[:,::1], float64[:,::1], float64[:,:,::1], "
        "float64[:,::1], float64[:,::1], float64[:,::1], float64[:,::1], float64[::1], float64[:,::1], float64[::1], "
        "float64[::1], float64[:,::1], float64[:,::1])",
        **OPTIONS,
    )
    def reward_step(
        rows,
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
        district_reward,
        team_reward,
        terms,
        uncontrolled,
    ):
        """The team reward of net loads ``[E, N]`` and service ``[E, N, 3]`` that another engine computed."""
        for e in range(len(rows)):
            district_reward[e], team_reward[e] = community_reward(
                rows[e],
                HOURS_A_MONTH,
                net[e],
                service[e],
                state[e],
                reference_net,
                reference_service,
                price,
                carbon,
                scales,
                months,
                weights,
                building_reward[e],
                terms[e],
                uncontrolled[e],
            )
