"""Indoor temperature of buildings with LSTM dynamics (``citylearn.dynamics``, ``citylearn.building``).

The network is Hochreiter's LSTM as torch has it (gates in the order input, forget, cell, output), run over the last hours
at every step while its hidden state is carried on, as CityLearn does. Sums are made in another order than torch's, so that
temperatures agree to a tolerance, not bit for bit.
"""

from __future__ import annotations

import numpy as np

from rllib_citylearn.simulator.kernels.numbers import double, inline, single
from rllib_citylearn.simulator.kernels.thermal import performance
from rllib_citylearn.simulator.parameters import ELECTRIC_HEATER

COOLING, HEATING, TEMPERATURE = range(3)
"""Second axis of ``input_at`` and ``input_range``: the inputs that depend on the control."""

LOG2E = single(1.4426950408889634)
LN2_HIGH, LN2_LOW = single(0.693359375), single(-2.12194440e-4)


@inline
def device_demand(m, e, n, u, k, action):
    """Heat or cold that a device gives at a share ``action`` of its power: float32 kWh."""
    kind = m.device_kind[n, u]
    cop = performance(kind, m.device_efficiency[n, u], m.device_target[n, u], double(m.outdoor[k, n]))
    nominal = m.device_power[n, u]
    power = max(action, 0.0) * nominal  # CityLearn stops at less than nothing
    available = single(nominal)
    if kind == ELECTRIC_HEATER:
        return single(min(power, double(available)) * cop)
    if available < single(power):
        return single(available * single(cop))
    return single(power * cop)


@inline
def set_device_demands(m, e, n, k):
    """Demands that the control of cooling and heating devices sets, once there is a full look back."""
    if not m.dynamic[n] or k - m.origin[e] < m.R:
        return
    cooling, heating = m.device_action[n, 0], m.device_action[n, 1]
    both = m.both_action[n]
    mode = m.hvac_mode[k, n]
    if cooling >= 0 or both >= 0:
        action = m.actions[e, n, cooling] if cooling >= 0 else abs(min(m.actions[e, n, both], 0.0))
        m.demand[e, n, 0] = device_demand(m, e, n, 0, k, action) if mode == 1 or mode == 3 else single(0.0)
    if heating >= 0 or both >= 0:
        action = m.actions[e, n, heating] if heating >= 0 else abs(max(m.actions[e, n, both], 0.0))
        m.demand[e, n, 1] = device_demand(m, e, n, 1, k, action) if mode == 2 or mode == 3 else single(0.0)


@inline
def exponentials(x, count):
    """exp of the first ``count`` of ``x``, in place, to about one part in 10 million (Cephes' polynomial).

    Written so that it compiles to vector instructions, which the C library's exp does not.
    """
    for i in range(count):
        value = min(max(x[i], single(-87.0)), single(87.0))
        whole = single(np.floor(value * LOG2E + single(0.5)))
        rest = value - whole * LN2_HIGH - whole * LN2_LOW
        power = single(1.9875691500e-4)
        power = power * rest + single(1.3981999507e-3)
        power = power * rest + single(8.3334519073e-3)
        power = power * rest + single(4.1665795894e-2)
        power = power * rest + single(1.6666665459e-1)
        power = power * rest + single(5.0000001201e-1)
        power = power * rest * rest + rest + single(1.0)
        x[i] = power * single(2.0**whole)


@inline
def cell(m, n, layer, width, x, hidden, gates):
    """One step of one layer; ``hidden`` ``[2, H]`` (output and cell state) is advanced in place."""
    size = m.H
    weights, recurrent, bias = m.lstm_input[n, layer], m.lstm_recurrent[n, layer], m.lstm_bias[n, layer]
    for g in range(4 * size):
        gates[g] = bias[g]
    for f in range(width):
        value, row = x[f], weights[f]
        for g in range(4 * size):
            gates[g] += value * row[g]
    for h in range(size):
        value, row = hidden[0, h], recurrent[h]
        for g in range(4 * size):
            gates[g] += value * row[g]
    # tanh(x) = 2 sigmoid(2x) - 1, so that all gates take one exponential.
    for g in range(2 * size, 3 * size):
        gates[g] *= single(2.0)
    for g in range(4 * size):
        gates[g] = -gates[g]
    exponentials(gates, 4 * size)
    for h in range(size):
        enter = single(1.0) / (single(1.0) + gates[h])
        keep = single(1.0) / (single(1.0) + gates[size + h])
        new = single(2.0) / (single(1.0) + gates[2 * size + h]) - single(1.0)
        hidden[1, h] = keep * hidden[1, h] + enter * new
        gates[h] = single(-2.0) * hidden[1, h]
    exponentials(gates, size)
    for h in range(size):
        show = single(1.0) / (single(1.0) + gates[3 * size + h])
        hidden[0, h] = show * (single(2.0) / (single(1.0) + gates[h]) - single(1.0))


@inline
def remember(m, e, n, k):
    """Append this hour's inputs to the history; its temperature is the data's until it is predicted."""
    history = m.history[e, n]
    for r in range(m.R - 1):
        for f in range(m.F):
            history[r, f] = history[r + 1, f]
    newest = history[m.R - 1]
    for f in range(m.F):
        newest[f] = m.dynamics_input[k, n, f]
    for u in range(2):
        at = m.input_at[n, u]
        if at >= 0:
            made = single(m.device_output[e, n, u] + abs(min(m.tank_energy[e, n, u], single(0.0))))
            low, high = m.input_range[n, u, 0], m.input_range[n, u, 1]
            newest[at] = single(single(made - single(low)) / single(high - low))


@inline
def predict_temperature(m, e, n, k):
    """Indoor temperature of this hour, from the hours before it and what the devices did."""
    remember(m, e, n, k)
    m.temperature[e, n] = m.indoor[k, n]
    if k - m.origin[e] < m.R - 1:
        return
    history, at = m.history[e, n], m.input_at[n, TEMPERATURE]
    x, gates = m.lstm_x, m.lstm_gates
    for r in range(1, m.R):
        for f in range(m.F):
            x[f] = history[r, f]
        x[at] = history[r - 1, at]  # temperatures up to the hour before
        cell(m, n, 0, m.F, x, m.hidden[e, n, 0], gates)
        for layer in range(1, m.L):
            cell(m, n, layer, m.H, m.hidden[e, n, layer - 1, 0], m.hidden[e, n, layer], gates)
    predicted = m.lstm_output_bias[n]
    for h in range(m.H):
        predicted += m.lstm_output[n, h] * m.hidden[e, n, m.L - 1, 0, h]
    history[m.R - 1, at] = predicted
    low, high = m.input_range[n, TEMPERATURE, 0], m.input_range[n, TEMPERATURE, 1]
    m.temperature[e, n] = single(single(predicted * single(high - low)) + single(low))
