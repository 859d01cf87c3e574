"""What a community can control, and how it is called and coloured in pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rllib_citylearn.evaluation.trajectory import Trajectory


@dataclass(frozen=True)
class Device:
    """A kind of device.

    Attributes:
        prefix: how its actions' names begin.
        name: what pictures call it.
        many: of several.
        colour: of its lines.
        in_flexible: whether CityLearn's load without control leaves out what it draws, chargers apart.
    """

    prefix: str
    name: str
    many: str
    colour: str
    in_flexible: bool


DEVICES = (
    Device("electrical_storage", "battery", "batteries", "#0072b2", in_flexible=True),
    Device("electric_vehicle_storage", "charger", "chargers", "#d55e00", in_flexible=False),
    Device("dhw_storage", "hot-water tank", "tanks", "#009e73", in_flexible=True),
    Device("cooling_storage", "cold-water tank", "tanks", "#56b4e9", in_flexible=True),
    Device("heating_storage", "heating tank", "tanks", "#8c6d00", in_flexible=True),
    Device("cooling", "cooling", "cooling devices", "#cc79a7", in_flexible=True),
    Device("heating", "heating", "heating devices", "#8e4585", in_flexible=True),
    Device("deferrable_appliance", "appliance", "appliances", "#767676", in_flexible=False),
)
"""In the order in which legends name them."""


def device_of(action: str) -> Device:
    """The kind of device that an action sets."""
    return next(device for device in DEVICES if action.startswith(device.prefix))


def controlled(trajectory: Trajectory) -> list[Device]:
    """Kinds of devices that the controller sets somewhere in a trajectory, or a day of it."""
    found = {device_of(name) for name, values in trajectory.actions.items() if np.isfinite(values).any()}
    return [device for device in DEVICES if device in found]


def flexible_names(trajectory: Trajectory) -> list[str]:
    """Whose energy ``response.flexible_kwh`` is, in words."""
    return list(dict.fromkeys(device.many for device in controlled(trajectory) if device.in_flexible))
