"""The simplest controllers: doing nothing, and one line of arithmetic."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.errors import FeatureError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class NoControl:
    """Leaves all storage idle, vehicles uncharged and thermostats alone: the reference whose score is one."""

    name = "no-control"

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``."""
        leave_devices_to_thermostats(env)
        self._actions = [[0.0] * len(names) for names in env.action_names]

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """The same actions every hour, whatever is observed."""
        return [list(row) for row in self._actions]


class PlugIn(NoControl):
    """What happens where nobody controls anything but people use what they have: the reference for serving them.

    Vehicles charge at full power from arrival until they are full, appliances start as soon as they may; batteries and tanks
    stay idle, thermostats are left alone.
    """

    name = "plug-in"

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``."""
        super().reset(env)
        used = ("electric_vehicle_storage", "deferrable_appliance")
        self._actions = [[1.0 if name.startswith(used) else 0.0 for name in names] for names in env.action_names]


@dataclass(frozen=True)
class _Battery:
    """Where a building's net load stands in its observation, and its battery in its actions."""

    load: int
    generation: int | None
    actions: int
    battery: int | None
    hourly_energy_kwh: float

    def net_kwh(self, row: list[float]) -> float:
        """What the building draws without its battery."""
        return row[self.load] - (0.0 if self.generation is None else row[self.generation])

    def act(self, row: list[float], target_kwh: float) -> list[float]:
        """What brings the building's net load to the target, or as near as the battery's power allows."""
        actions = [0.0] * self.actions
        if self.battery is not None:
            share = (target_kwh - self.net_kwh(row)) / self.hourly_energy_kwh
            actions[self.battery] = float(min(max(share, -1.0), 1.0))
        return actions


class NetZero:
    """Asks each battery for minus its building's net load of the hour, so that the building draws nothing if it can.

    The request is ``(solar_generation - non_shiftable_load) / nominal power``, clipped to [-1, 1]; the other storage
    stays idle, vehicles uncharged, and thermostats are left alone. It needs no forecast and no district.
    """

    name = "net-zero"

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``.

        Raises:
            FeatureError: a building with a battery doesn't observe its load.
        """
        leave_devices_to_thermostats(env)
        hours = float(env.seconds_per_time_step) / 3600.0
        self._batteries = []
        for building, observed, actions in zip(env.buildings, env.observation_names, env.action_names, strict=True):
            power_kw = float(building.electrical_storage.nominal_power or 0.0)
            battery = actions.index("electrical_storage") if "electrical_storage" in actions and power_kw > 0 else None
            if battery is not None and "non_shiftable_load" not in observed:
                raise FeatureError(
                    f"{self.name} needs the observation 'non_shiftable_load', which {building.name} does not have; "
                    "activate it in the data set's schema or choose another baseline."
                )
            self._batteries.append(
                _Battery(
                    load=observed.index("non_shiftable_load") if battery is not None else 0,
                    generation=observed.index("solar_generation") if "solar_generation" in observed else None,
                    actions=len(actions),
                    battery=battery,
                    hourly_energy_kwh=power_kw * hours,
                )
            )

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        return [battery.act(row, 0.0) for battery, row in zip(self._batteries, observations, strict=True)]


class Level(NetZero):
    """Asks each battery for what brings its building's net load to the mean of its load less generation over a day.

    The mean is over the last 24 hours that were observed, this one included, fewer when an episode begins. A flat load,
    where ``NetZero`` has none: it ramps less, and imports to charge.
    """

    name = "level"

    def reset(self, env: CityLearnEnv) -> None:
        """See ``NetZero.reset``."""
        super().reset(env)
        day = round(24 * 3600 / float(env.seconds_per_time_step))
        self._past: list[deque[float]] = [deque(maxlen=day) for _ in self._batteries]

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        actions = []
        for battery, past, row in zip(self._batteries, self._past, observations, strict=True):
            if battery.battery is not None:
                past.append(battery.net_kwh(row))
            actions.append(battery.act(row, sum(past) / max(len(past), 1)))
        return actions
