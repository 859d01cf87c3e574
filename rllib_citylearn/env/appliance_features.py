"""Rows of the feature table for deferrable appliances: washing machines, dishwashers, dryers.

An appliance shows one cycle: the one that runs, else the next that waits, else the first that was missed; ``0`` and ``-1``
stand for "none" as CityLearn has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

APPLIANCES_A_BUILDING = 4
"""Appliances of one building that the feature table has rows for."""

PREFIX = "deferrable_appliance"

SIZED = (
    "cycle_energy_kwh",
    "remaining_energy_kwh",
    "current_step_energy_kwh",
    "cycle_average_power_kw",
    "cycle_peak_power_kw",
    "remaining_average_power_kw",
    "current_step_power_kw",
)
"""Quantities whose range follows the appliances' sizes."""

QUANTITIES: Mapping[str, tuple[str, float, float, str]] = {
    "pending": ("-", 0, 1, "1 while the cycle waits for its start."),
    "running": ("-", 0, 1, "1 while the cycle runs."),
    "can_start": ("-", 0, 1, "1 if the cycle may start now."),
    "deadline_missed": ("-", 0, 1, "1 if no cycle is left and the one shown was never started."),
    "earliest_start_time_step": ("time step of the data", -1, 8760, "First time step at which the cycle may start."),
    "latest_start_time_step": ("time step of the data", -1, 8760, "Last time step at which the cycle may start."),
    "deadline_time_step": ("time step of the data", -1, 8760, "Last time step in which the cycle may run."),
    "hours_until_latest_start": ("h", -1, 48, "Hours until the cycle's last start; 0 once it runs."),
    "hours_until_deadline": ("h", -1, 48, "Hours until the cycle has to be done."),
    "slack_steps": ("time steps", -1, 48, "Time steps that the cycle may still wait."),
    "slack_ratio": ("-", -1, 1, "The same as a share of its window, at most 1."),
    "urgency_ratio": ("-", -1, 1, "1 less that share while the cycle waits."),
    "cycle_duration_steps": ("time steps", 0, 24, "Length of the cycle."),
    "cycle_energy_kwh": ("kWh", 0, 10, "Energy of the whole cycle."),
    "remaining_energy_kwh": ("kWh", 0, 10, "Energy that the cycle still takes."),
    "current_step_energy_kwh": ("kWh", 0, 10, "Energy that the running cycle takes in this time step."),
    "priority": ("-", 0, 1, "How much the cycle matters, as the data says."),
    "must_run": ("-", 0, 1, "1 if the data says that the cycle has to run."),
    "cycle_average_power_kw": ("kW", 0, 10, "Mean power of the cycle."),
    "cycle_peak_power_kw": ("kW", 0, 10, "Highest power of the cycle."),
    "cycle_load_factor_ratio": ("-", 0, 1, "Mean over highest power of the cycle."),
    "cycle_peak_step_offset_ratio": ("-", -1, 1, "Where in the cycle its highest power is: 0 first, 1 last time step."),
    "remaining_duration_steps": ("time steps", 0, 24, "Time steps that the cycle still runs."),
    "remaining_average_power_kw": ("kW", 0, 10, "Mean power of what is left of the cycle."),
    "current_step_power_kw": ("kW", 0, 10, "Power of the running cycle in this time step."),
}
"""CityLearn's observations of an appliance, in its order: unit, lowest and highest value, meaning."""

_OBSERVATION = re.compile(rf"{PREFIX}_(?P<appliance>.+)_(?P<quantity>{'|'.join(QUANTITIES)})")
_ACTION = re.compile(rf"{PREFIX}_(?P<appliance>.+)")


def appliance_quantity(name: str) -> tuple[str, str | None] | None:
    """What CityLearn's observation or action ``name`` is about.

    Returns:
        the appliance's identifier and the quantity, None for the action; or None if it is about no appliance.
    """
    match = _OBSERVATION.fullmatch(name)
    if match is not None:
        return match["appliance"], match["quantity"]
    match = _ACTION.fullmatch(name)
    return None if match is None else (match["appliance"], None)


def appliance_order(names: Sequence[str]) -> list[str]:
    """Identifiers of the appliances in the order in which CityLearn's ``names`` mention them first."""
    about = [appliance_quantity(name) for name in names]
    return list(dict.fromkeys(found[0] for found in about if found is not None))


def table_name(position: int, quantity: str | None) -> str:
    """The table's name of a quantity, or of the action, of the building's appliance number ``position``, from 1 on."""
    return f"{PREFIX}_{position}" if quantity is None else f"{PREFIX}_{position}_{quantity}"
