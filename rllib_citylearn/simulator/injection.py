"""Writing a simulated episode into a CityLearn environment, so that CityLearn judges it with its own KPIs.

CityLearn computes KPIs from the arrays that its objects fill hour by hour. Most of these arrays can be had from public
properties, and are written here in place; afterwards the environment stands where stepping it would have left it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.parameters import END_USES

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv

    from rllib_citylearn.simulator.community import FastCommunity

QUANTITIES = (
    "net_kwh",
    "cost",
    "emissions",
    "battery_soc",
    "battery_energy_kwh",
    "battery_capacity_kwh",
    "load_served_kwh",
    "tank_soc",
    "tank_energy_kwh",
    "demand_kwh",
    "device_output_kwh",
    "device_consumption_kwh",
    "temperature_c",
    "vehicle_soc",
    "charger_energy_kwh",
    "appliance_energy_kwh",
    "appliance_started",
)
"""Attributes of ``FastCommunity`` that say what happened in an hour."""

START = 2.0
"""An action that starts a cycle at any threshold; asked twice for a cycle, an appliance starts it once."""


@dataclass(frozen=True)
class Recording:
    """What happened in an episode of T hours.

    Attributes:
        description: the community.
        first_row: row of its data that the episode began at.
        series: by name in ``QUANTITIES``, what ``FastCommunity`` shows under that name after each hour, ``[T, ...]``.
        charger_action: what each charger was asked for, in CityLearn's units, ``[T, C]``; zero where no action sets it.
    """

    description: CommunityDescription
    first_row: int
    series: dict[str, npt.NDArray[Any]]
    charger_action: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, community: FastCommunity, hours: int, first_row: int = 0) -> Recording:
        """For an episode of ``hours`` in one of the copies that ``community`` simulates, to be filled by ``note``."""
        shown = {name: getattr(community, name) for name in QUANTITIES}
        series = {name: np.zeros((hours, *array.shape[1:]), array.dtype) for name, array in shown.items()}
        chargers = len(community.description.parameters.chargers)
        return cls(community.description, first_row, series, np.zeros((hours, chargers)))

    @property
    def hours(self) -> int:
        """Number T of hours."""
        return len(self.charger_action)

    @property
    def rows(self) -> slice:
        """Rows of the description's data that the hours stand for."""
        return slice(self.first_row, self.first_row + self.hours)

    def note(self, hour: int, community: FastCommunity, actions: npt.NDArray[np.float64], e: int = 0) -> None:
        """Take down the hour that was just simulated.

        Args:
            hour: counted from the start of the episode.
            community: what simulated it.
            actions: the joint actions it was given, in CityLearn's units, ``[E, N, A]``.
            e: which of its copies.
        """
        for name, block in self.series.items():
            if block.size:
                block[hour] = getattr(community, name)[e]
        if self.charger_action.size:
            owner, column = self.description.parameters.chargers.building, self.description.parameters.actions.charger
            self.charger_action[hour] = np.where(column >= 0, actions[e, owner, column], 0.0)


def inject(env: CityLearnEnv, recording: Recording) -> None:
    """Leave ``env`` as if it had simulated the episode itself: ``evaluate()`` and everything it reads give equal numbers.

    Not written, because no KPI and no exported file reads them: rewards, the history of batteries' efficiencies, energy and
    degradation of the vehicles' batteries, and CityLearn's feedback on actions.

    Args:
        env: a CityLearn environment of the same community and window, which was reset and not stepped.
        recording: a whole episode.

    Raises:
        EngineError: an environment of other buildings or another window.
    """
    _check_fit(env, recording)
    hours = recording.hours
    for name, places in Ledger(env).places.items():
        block = recording.series[name].reshape(hours, -1)
        if block.size:
            for place, array in places:
                array[:hours] = block[:, place]
    _write_capacities(env, recording)
    _write_chargers(env, recording)
    _write_appliances(env, recording)
    _write_district(env, recording)
    # CityLearn doesn't move devices on after the last hour, only its own clock.
    stand_at(env, hours - 1)
    env.time_step = hours


class Ledger:
    """CityLearn's own arrays of an environment, each with the quantity that belongs into it.

    The clock of ``env`` is set back to its first hour.

    Attributes:
        places: for each of ``QUANTITIES`` that has arrays, pairs of a place in the flattened quantity of one hour and an
            array with an entry an hour.
    """

    def __init__(self, env: CityLearnEnv) -> None:
        self.places: dict[str, list[tuple[int, Any]]] = {}
        stand_at(env, env.time_steps - 1)  # properties show what has happened: all of it, at the last hour
        for n, building in enumerate(env.buildings):
            self._add_building(n, building)
        for c, (_, charger) in enumerate(chargers_of(env)):
            self._add("charger_energy_kwh", c, charger.electricity_consumption)
        for v, vehicle in enumerate(env.electric_vehicles):
            self._add("vehicle_soc", v, vehicle.battery.soc)
        stand_at(env, 0)

    def _add(self, name: str, place: int, *arrays: Any) -> None:
        self.places.setdefault(name, []).extend((place, array) for array in arrays)

    def _add_building(self, n: int, building: Any) -> None:
        battery = building.electrical_storage
        self._add("net_kwh", n, building.net_electricity_consumption)
        self._add("cost", n, building.net_electricity_consumption_cost)
        self._add("emissions", n, building.net_electricity_consumption_emission)
        self._add("battery_soc", n, battery.soc)
        self._add("battery_energy_kwh", n, battery.energy_balance, battery.electricity_consumption)
        load = building.non_shiftable_load_device.electricity_consumption
        self._add("load_served_kwh", n, building.energy_to_non_shiftable_load, load)
        for u, use in enumerate(END_USES):
            place, tank = len(END_USES) * n + u, getattr(building, f"{use}_storage")
            self._add("tank_soc", place, tank.soc)
            self._add("tank_energy_kwh", place, tank.energy_balance)
            self._add("device_output_kwh", place, getattr(building, f"energy_from_{use}_device"))
            self._add("device_consumption_kwh", place, getattr(building, f"{use}_device").electricity_consumption)
        if hasattr(building, "dynamics") and not building.ignore_dynamics:
            # Only here do control and model change what is data elsewhere.
            for u, demand in enumerate((building.cooling_demand, building.heating_demand)):
                self._add("demand_kwh", len(END_USES) * n + u, demand)
            self._add("temperature_c", n, building.indoor_dry_bulb_temperature)


def chargers_of(env: CityLearnEnv) -> Iterator[tuple[int, Any]]:
    """All chargers in the engine's order, each with the row of its building."""
    for n, building in enumerate(env.buildings):
        for charger in building.electric_vehicle_chargers or []:
            yield n, charger


def appliances_of(env: CityLearnEnv) -> Iterator[Any]:
    """All deferrable appliances in the engine's order."""
    for building in env.buildings:
        yield from building.deferrable_appliances or []


def clocks_of(env: CityLearnEnv) -> list[Any]:
    """Everything in ``env`` that has a clock, but for ``env`` itself."""
    clocks: list[Any] = []
    for building in env.buildings:
        clocks += [building, building.electrical_storage, building.non_shiftable_load_device, building.pv]
        for use in END_USES:
            clocks += [getattr(building, f"{use}_storage"), getattr(building, f"{use}_device")]
    clocks += [*(charger for _, charger in chargers_of(env)), *appliances_of(env)]
    for vehicle in env.electric_vehicles:
        clocks += [vehicle, vehicle.battery]
    return clocks


def stand_at(env: CityLearnEnv, row: int) -> None:
    """Set all clocks of ``env`` to a row of its window."""
    env.time_step = row
    for clock in clocks_of(env):
        clock.time_step = row


class Plugs:
    """Which vehicles stand at the chargers of an environment, or are announced there.

    Args:
        env: an environment that was reset.
        description: the community.
        rows: rows of the description's data that the environment's window stands for.
    """

    def __init__(self, env: CityLearnEnv, description: CommunityDescription, rows: slice) -> None:
        presence = description.tables.presence
        vehicles = {vehicle.name: vehicle for vehicle in env.electric_vehicles}
        fleet = [*vehicles.values(), None]  # -1 stands for no vehicle
        self._chargers = [charger for _, charger in chargers_of(env)]
        self.connected = [[fleet[v] for v in row] for row in presence.connected[rows].tolist()]
        announced = presence.announced[rows]
        self._incoming: list[list[Any]] = [[None] * len(self._chargers) for _ in announced]
        for c, charger in enumerate(self._chargers):
            labels = charger.charger_simulation.electric_vehicle_id
            for row in np.flatnonzero(announced[:, c]).tolist():
                self._incoming[row][c] = vehicles.get(labels[row])

    def show(self, row: int) -> None:
        """Let the chargers show what they see at a row of the window."""
        for charger, here, coming in zip(self._chargers, self.connected[row], self._incoming[row], strict=True):
            charger.connected_electric_vehicle = here
            charger.incoming_electric_vehicle = coming


def _check_fit(env: CityLearnEnv, recording: Recording) -> None:
    names = tuple(building.name for building in env.buildings)
    first = int(env.episode_tracker.episode_start_time_step)
    expected = recording.description.parameters.buildings
    start = recording.description.tables.first_step + recording.first_row
    if names != expected or first != start or int(env.time_steps) != recording.hours + 1:
        raise EngineError(
            f"An episode of {', '.join(expected)} over the time steps {start} to {start + recording.hours} can't be written "
            f"into an environment of {', '.join(names)} over the time steps {first} to {first + int(env.time_steps) - 1}; "
            "make one for the same buildings and window."
        )


def _write_capacities(env: CityLearnEnv, recording: Recording) -> None:
    """Degraded capacities; CityLearn keeps them as a list that begins with the new battery's."""
    for building, column in zip(env.buildings, recording.series["battery_capacity_kwh"].T, strict=True):
        history: Any = building.electrical_storage.capacity_history
        del history[1:]
        history.extend(column.tolist())


def _write_chargers(env: CityLearnEnv, recording: Recording) -> None:
    """What chargers were asked for and whom they served, and what each building's draw together."""
    hours = recording.hours
    totals = [np.zeros(hours, np.float32) for _ in env.buildings]
    plugs = Plugs(env, recording.description, recording.rows)
    for c, (n, charger) in enumerate(chargers_of(env)):
        charger.past_connected_evs[:hours] = [row[c] for row in plugs.connected]
        charger.past_charging_action_values_kwh[:hours] = _requested_kwh(charger, recording.charger_action[:, c])
        totals[n] = totals[n] + recording.series["charger_energy_kwh"][:, c]
    stand_at(env, hours - 1)
    for building, total in zip(env.buildings, totals, strict=True):
        building.chargers_electricity_consumption[:] = total
    plugs.show(hours - 1)


def _write_appliances(env: CityLearnEnv, recording: Recording) -> None:
    """Which cycles were run: CityLearn's appliances are asked to start them once more, at the same hours."""
    hours = recording.hours
    for appliance, started in zip(appliances_of(env), recording.series["appliance_started"].T, strict=True):
        for hour in np.flatnonzero(started).tolist():
            appliance.time_step = hour
            appliance.start_cycle(START)
        appliance.time_step = hours - 1
        appliance.observations()  # has the appliance look at the clock
    owners = recording.description.parameters.appliances.building
    totals = np.zeros((hours, len(env.buildings)), np.float32)
    for q, n in enumerate(owners.tolist()):
        totals[:, n] += recording.series["appliance_energy_kwh"][:, q]
    stand_at(env, hours - 1)
    for building, total in zip(env.buildings, totals.T, strict=True):
        building.deferrable_appliances_electricity_consumption[:] = total


def _requested_kwh(charger: Any, action: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Energy ``[T]`` that actions ask of a charger in hours (``Charger.update_connected_electric_vehicle_soc``)."""
    from citylearn.data import ZERO_DIVISION_PLACEHOLDER

    up = action >= 0.0
    most = np.where(up, charger.max_charging_power, charger.max_discharging_power).clip(min=0.0)
    least = np.minimum(np.where(up, charger.min_charging_power, charger.min_discharging_power), most).clip(min=0.0)
    power = np.abs(action.clip(-1.0, 1.0)) * most
    power = np.where(power < least, 0.0, np.minimum(power, most))
    energy = power / np.maximum(most, ZERO_DIVISION_PLACEHOLDER) * most
    return np.where(up, energy, -energy) + 0.0  # CityLearn's zeros have no sign, which its files would show


def _write_district(env: CityLearnEnv, recording: Recording) -> None:
    """The district's totals, which CityLearn keeps as lists of 32-bit numbers, added building by building."""
    for totals, name in (
        (env.net_electricity_consumption, "net_kwh"),
        (env.net_electricity_consumption_cost, "cost"),
        (env.net_electricity_consumption_emission, "emissions"),
    ):
        total = np.zeros(recording.hours, np.float32)
        for column in recording.series[name].T:
            total = total + column
        totals[:] = list(total)
