"""Heating and cooling devices that a controller leaves to their thermostats."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

DEVICES = frozenset({"cooling_device", "heating_device", "cooling_or_heating_device"})
"""Actions that limit the power of a heating or cooling device."""


def controls_devices(env: CityLearnEnv) -> bool:
    """Whether a controller sets the power of any heating or cooling device."""
    return any(DEVICES & set(building.active_actions) for building in env.buildings)


def leave_devices_to_thermostats(env: CityLearnEnv, devices: Collection[str] = DEVICES) -> None:
    """Take device actions out of ``env``, so that CityLearn delivers the heat and cold the occupants ask for.

    A zero action would not mean that nobody interferes: it switches the device off, and saves energy at the price of
    the occupants' comfort. CityLearn's reference for its KPIs, and its ``BaselineAgent``, leave them alone likewise.

    Args:
        env: a CityLearn environment.
        devices: those of ``DEVICES`` that are left alone.
    """
    for building in env.buildings:
        active = set(devices) & set(building.active_actions)
        if active:
            for name in active:
                building.action_metadata[name] = False
            building.action_space = building.estimate_action_space()
