"""Deferrable appliances (``citylearn.energy_model.DeferrableAppliance``).

Of an appliance's cycles, which follow each other in time, ``cycle`` is the first that is neither done nor missed. It runs
if ``cycle_start``, the row that it was started at, is not negative, and waits otherwise.
"""

from __future__ import annotations

from rllib_citylearn.simulator.kernels.numbers import double, inline, single

NONE = -1

PENDING, RUNNING, CAN_START, MISSED, EARLIEST, LATEST, DEADLINE = range(7)
HOURS_TO_START, HOURS_TO_DEADLINE, SLACK, SLACK_RATIO, URGENCY = range(7, 12)
DURATION, ENERGY, ENERGY_LEFT, ENERGY_NOW, PRIORITY, MUST_RUN, AVERAGE, PEAK, LOAD_FACTOR, PEAK_OFFSET = range(12, 22)
STEPS_LEFT, AVERAGE_LEFT, POWER_NOW = range(22, 25)
"""Places in ``appliance_shown``, in the order of ``env.appliance_features.QUANTITIES``."""


@inline
def reset_appliance(m, e, q, k):
    """Start an episode at row ``k``; cycles whose last start is over were never offered."""
    i = 0
    while i < m.cycle_count[q] and m.cycle_latest[q, i] < k:
        i += 1
    m.cycle[e, q] = i
    m.cycle_start[e, q] = m.cycle_missed[e, q] = NONE
    m.appliance_energy[e, q] = single(0.0)
    m.appliance_started[e, q] = 0


@inline
def can_start(m, e, q, k):
    """Whether the cycle may start at row ``k``: within its window, and done before the last row of the episode."""
    i = m.cycle[e, q]
    if i >= m.cycle_count[q] or m.cycle_start[e, q] >= 0:
        return False
    return m.cycle_earliest[q, i] <= k <= m.cycle_latest[q, i] and k + m.cycle_duration[q, i] <= m.last_row[e]


@inline
def run_appliance(m, e, q, k):
    """Apply the action of appliance ``q``; returns float32 kWh that it draws."""
    column = m.appliance_action[q]
    m.appliance_started[e, q] = 0
    if column >= 0 and m.actions[e, m.appliance_building[q], column] > m.appliance_threshold[q] and can_start(m, e, q, k):
        m.cycle_start[e, q] = k
        m.appliance_started[e, q] = 1
    if m.cycle_start[e, q] < 0:
        return single(0.0)
    return m.cycle_profile[q, m.cycle[e, q], k - m.cycle_start[e, q]]


@inline
def pass_cycles(m, e, q, k):
    """Leave behind the cycles that are done or missed at the start of row ``k``."""
    while m.cycle[e, q] < m.cycle_count[q]:
        i, start = m.cycle[e, q], m.cycle_start[e, q]
        if start >= 0:
            if k < start + m.cycle_duration[q, i]:
                return
            m.cycle_start[e, q] = NONE
        else:
            if k <= m.cycle_latest[q, i]:
                return
            if m.cycle_missed[e, q] == NONE:
                m.cycle_missed[e, q] = i
        m.cycle[e, q] = i + 1


@inline
def show_nothing(shown):
    """What an appliance without cycles shows."""
    for x in range(len(shown)):
        shown[x] = 0.0
    for x in (EARLIEST, LATEST, DEADLINE, HOURS_TO_START, HOURS_TO_DEADLINE, SLACK, SLACK_RATIO, URGENCY, PEAK_OFFSET):
        shown[x] = -1.0


@inline
def show_waiting(m, e, q, i, k, shown):
    """What depends on the hour while cycle ``i`` waits."""
    slack = double(m.cycle_latest[q, i] - k)
    window = max(double(m.cycle_latest[q, i] - m.cycle_earliest[q, i]), 1.0)
    shown[PENDING] = 1.0
    # CityLearn looks whether an action of 1 would start it.
    shown[CAN_START] = 1.0 if m.appliance_threshold[q] < 1.0 and can_start(m, e, q, k) else 0.0
    shown[HOURS_TO_START] = shown[SLACK] = slack
    shown[SLACK_RATIO] = min(max(slack / window, 0.0), 1.0)
    shown[URGENCY] = 1.0 - shown[SLACK_RATIO]
    shown[ENERGY_LEFT] = shown[ENERGY]
    shown[STEPS_LEFT] = shown[DURATION]


@inline
def show_running(m, e, q, i, k, shown):
    """What depends on the hour while cycle ``i`` runs."""
    offset = k - m.cycle_start[e, q]
    shown[RUNNING] = 1.0
    shown[ENERGY_NOW] = shown[POWER_NOW] = double(m.cycle_profile[q, i, offset])
    shown[ENERGY_LEFT] = m.cycle_left[q, i, offset]
    shown[STEPS_LEFT] = double(m.cycle_duration[q, i] - offset)


@inline
def show_appliance(m, e, q, k):
    """Write what appliance ``q`` shows at row ``k``: the cycle that runs or waits, else the first that was missed."""
    shown = m.appliance_shown[e, q]
    show_nothing(shown)
    i = m.cycle[e, q]
    current = i < m.cycle_count[q]
    if not current:
        i = m.cycle_missed[e, q]
    if i == NONE:
        return
    constants = m.cycle_constants[q, i]
    for x in range(3):
        shown[EARLIEST + x] = constants[x]
    shown[DURATION], shown[ENERGY] = constants[3], constants[4]
    for x in range(6):
        shown[PRIORITY + x] = constants[5 + x]
    for x in (HOURS_TO_START, HOURS_TO_DEADLINE, SLACK, SLACK_RATIO, URGENCY):
        shown[x] = 0.0
    if not current:
        shown[MISSED] = 1.0
        return
    if m.cycle_start[e, q] >= 0:
        show_running(m, e, q, i, k, shown)
    else:
        show_waiting(m, e, q, i, k, shown)
    # The deadline counts in the data's time steps, of which the earliest start is one.
    shown[HOURS_TO_DEADLINE] = max(constants[2] - constants[0] - double(k - m.cycle_earliest[q, i]), 0.0)
    shown[AVERAGE_LEFT] = shown[ENERGY_LEFT] / shown[STEPS_LEFT]
