"""The order of what the team reward is made of, for kernels, tables and tensors alike."""

from __future__ import annotations

COST, CARBON, RAMPING, LOAD_FACTOR, ELECTRICITY, DEPARTURE, COMFORT, APPLIANCE = range(8)
"""The terms; weights stand in this order, too."""

TERM_COUNT = 8

SCALE_COUNT = 4

RAMPING_SCALE, LOAD_FACTOR_SCALE, DEPARTURE_SCALE, APPLIANCE_SCALE = range(TERM_COUNT, TERM_COUNT + SCALE_COUNT)
"""Scales of terms that have one for the whole community; they follow the weights."""

DISTRICT, MONTH_MEAN, MONTH_FLOOR, INHERITED_PEAK = range(4)
"""Columns of a row's facts about the district and its month."""

MISSING, DISCOMFORT, GIVEN_UP = range(3)
"""How people are served: kWh that leaving vehicles lack, degC between the indoor temperature and the comfort band, and kWh
of appliances' cycles that are given up."""

SERVICE_COUNT = 3

PREVIOUS, PREVIOUS_UNCONTROLLED, PEAK, PEAK_UNCONTROLLED = range(4)
"""What the reward remembers of an episode."""
