"""E copies of a community in torch: the same hours as ``FastCommunity``'s, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from rllib_citylearn.env.reward import RewardTables
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.appliances import ApplianceBank
from rllib_citylearn.simulator.differentiable.battery import BatteryBank
from rllib_citylearn.simulator.differentiable.constants import Constants
from rllib_citylearn.simulator.differentiable.drift import drawn_drift, drift_at
from rllib_citylearn.simulator.differentiable.dynamics import IndoorHours, IndoorModel, memory_shapes
from rllib_citylearn.simulator.differentiable.net_mean import NetReference, RunningMean
from rllib_citylearn.simulator.differentiable.observe import Observer
from rllib_citylearn.simulator.differentiable.outcome import Outcome, PhysicalHour
from rllib_citylearn.simulator.differentiable.reward import TeamReward
from rllib_citylearn.simulator.differentiable.state import State
from rllib_citylearn.simulator.differentiable.support import check_differentiable
from rllib_citylearn.simulator.differentiable.thermal import ThermalPlant
from rllib_citylearn.simulator.differentiable.vehicles import Fleet
from rllib_citylearn.simulator.parameters import Batteries

Policy = Callable[[torch.Tensor, State], torch.Tensor]
"""Observations ``[E, N, D]``, or the columns that a rollout with ``partly`` gives, and the state they belong to -> joint
actions ``[E, N, A]`` in [-1, 1]."""


class DifferentiableCommunity(Constants):
    """A community's physics as a function of state and actions, for any number E of copies.

    There are no parameters to learn; tables and constants are buffers that move with ``.to(device)`` and aren't saved.
    Gradients reach the actions of every hour and the state a rollout starts from. They are those of the piece a value lies
    on: none through a limit that binds, none in a charger's dead band, none to an appliance's action, one-sided where a
    value sits on a kink.

    Args:
        description: the community.
        reward: what the team reward needs; None computes no rewards. Episodes that begin need it too, if buildings remember
            their net load: they remember the community without control.
        dtype: of all values but rows; float64 is for checks of gradients.

    Raises:
        EngineError: something in the community has no differentiable counterpart, named.
    """

    def __init__(
        self,
        description: CommunityDescription,
        *,
        reward: RewardTables | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(dtype)
        check_differentiable(description)
        parameters, tables = description.parameters, description.tables
        self.description = description
        self.dtype = dtype
        self.rows = tables.rows
        self._buildings, self._actions = parameters.actions.low.shape
        self.batteries = BatteryBank(Batteries.joined(parameters.batteries, parameters.vehicles), dtype)
        self.fleet = Fleet(description, dtype) if len(parameters.vehicles) else None
        self.appliances = ApplianceBank(description, dtype) if len(parameters.appliances) else None
        thermal = description.thermal
        self.plant = ThermalPlant(parameters, tables, dtype) if thermal else None
        self.indoor = None if description.dynamics is None else IndoorModel(description, description.dynamics, dtype)
        self.observer = Observer(description, dtype)
        self.memory = NetReference(reward, tables.rows, dtype) if description.net_hours else None
        self.reward = None if reward is None else TeamReward(reward, tables, dtype)
        base = tables.load.astype(np.float64) + tables.generation.astype(np.float64)

        self.keep("base", base)  # what is drawn without any device, [T, N]
        self.keep("rates", np.stack([tables.price, tables.carbon], 1))  # [T, 2, N]
        # Batteries' actions [N], then the tanks' [N * 3]: their places among all, the middle and half of their range.
        column = parameters.actions.battery[:, None]
        if thermal:
            column = np.concatenate([column, parameters.actions.tank], 1)
        building = np.broadcast_to(np.arange(self._buildings)[:, None], column.shape)
        low, high = parameters.actions.low[building, column], parameters.actions.high[building, column]
        place = np.where(column >= 0, building * self._actions + column, 0)
        half = np.where(column >= 0, (high - low) / 2.0, 0.0)
        middle = np.where(column >= 0, (high + low) / 2.0, 0.0)
        self.keep("action_place", _flat(place), torch.int64)
        self.keep("action_half", _flat(half))
        self.keep("action_middle", _flat(middle))

    @property
    def device(self) -> torch.device:
        """Where the tables are, and states and actions have to be."""
        return self.base.device

    def start(
        self,
        rows: Sequence[int] | npt.NDArray[np.int64],
        *,
        initial_soc: torch.Tensor | None = None,
        seeds: Sequence[int] | npt.NDArray[np.int64] | None = None,
        hours: int | None = None,
    ) -> State:
        """Episodes that begin, and end with the data: no appliance starts what would not be done by then.

        Args:
            rows: row of the data that each starts at, ``[E]``.
            initial_soc: of the batteries, ``[E, N]``, which gradients reach; None takes the schema's.
            seeds: from which the drift of vehicles that are away is drawn, ``[E]``; as ``FastCommunity.reset`` has it.
            hours: for how many hours the drift has to be known; None is to the end of the data.

        Raises:
            EngineError: a row at which no episode can start, or nothing is known of the hours before.
        """
        at = np.asarray(rows, np.int64)
        if at.ndim != 1 or not at.size or at.min() < 0 or at.max() >= self.rows - 1:
            raise EngineError(
                f"Episodes were to start at the rows {at.tolist()}; give a list of rows from 0 to {self.rows - 2}."
            )
        row = torch.as_tensor(at, device=self.device)
        count, parameters = len(at), self.description.parameters
        if initial_soc is None:
            given = torch.as_tensor(parameters.batteries.initial_soc, dtype=self.dtype, device=self.device)
            initial_soc = given.expand(count, -1)
        if initial_soc.shape != (count, self._buildings):
            raise EngineError(
                f"The initial states of charge have the shape {tuple(initial_soc.shape)}; {count} communities of "
                f"{self._buildings} buildings need {(count, self._buildings)}."
            )
        capacity = self.batteries.capacity_kwh.expand(count, -1)
        soc = initial_soc.to(self.dtype).clamp(min=self.batteries.lowest[: self._buildings])
        vehicle_soc = soc[:, :0] if self.fleet is None else self.fleet.initial_soc[row]
        factors = drawn_drift(self.description, at, seeds, self.rows - 1 - int(at.min()) if hours is None else hours)
        base = self.base.index_select(0, row)
        if self.plant is None:
            net, tank_soc, made = base, base.new_zeros(count, 0, 3), base
        else:
            hour = self.plant.start(row)
            net, tank_soc, made = base + hour.consumption.sum(2), hour.tank_soc, hour.made
        history, mean = base.new_zeros(count, 0, self._buildings), None
        if self.memory is not None:
            if not self.memory.known:
                raise EngineError(
                    "The buildings remember their net load, and nothing is known of it before an episode; make the "
                    "DifferentiableCommunity with reward tables, or go on from the State of a vector environment."
                )
            history = self.memory.start(row, net)
            mean = self.memory.mean(row, history)
        cycles = row.new_zeros(count, 4, 0) if self.appliances is None else self.appliances.start(row)
        shown = self._appliances_shown(row, cycles)
        inputs, hidden = (base.new_zeros(count, *shape) for shape in memory_shapes(self.description))
        return State(
            row=row,
            origin=row,
            battery_soc=soc,
            battery_capacity_kwh=capacity[:, : self._buildings],
            tank_soc=tank_soc,
            vehicle_soc=vehicle_soc,
            vehicle_capacity_kwh=capacity[:, self._buildings :],
            appliances=cycles,
            drift=torch.as_tensor(factors, dtype=self.dtype, device=self.device),
            drift_row=row + 1,
            reward=base.new_zeros(count, 0) if self.reward is None else self.reward.start(row),
            net_history_kwh=history,
            indoor_inputs=inputs,
            indoor_hidden=hidden,
            observations=self.observer(row, self.observer.shown(row, soc, net, vehicle_soc, tank_soc, made, shown, mean)),
        )

    def step(self, state: State, actions: torch.Tensor) -> tuple[State, Outcome]:
        """One hour.

        Args:
            state: where the communities stand.
            actions: joint actions, ``[E, N, A]`` in [-1, 1], mapped onto CityLearn's limits. One that is NaN gives NaN, but
                starts no appliance.

        Returns:
            where they stand then, and what the hour gave.

        Raises:
            EngineError: tensors of another shape or on another device, or no data left.
        """
        following, outcome = self.rollout(state, lambda observations, state: actions, 1)
        return following, outcome.hour(0)

    @property
    def changing(self) -> torch.Tensor:
        """Columns of observations that depend on the control, ``[k]``; all others are data."""
        return self.observer.changing

    def foreseen(self, state: State, hours: int) -> torch.Tensor:
        """What is known of the observations of ``hours`` hours from ``state`` on, ``[hours, E, N, D]``.

        The first are the state's own, the others are the data's, whose columns ``changing`` say nothing.

        Raises:
            EngineError: the state is from a rollout with ``partly``.
        """
        self._check_observations(state)
        rows = state.row + torch.arange(1, hours, device=self.device).unsqueeze(1)
        return torch.cat([state.observations.unsqueeze(0), self.observer.data_at(rows)])

    def rollout(self, state: State, policy: Policy, hours: int, *, partly: bool = False) -> tuple[State, Outcome]:
        """Several hours with the actions of a policy; cheaper than as many steps, since rewards are computed at the end.

        Args:
            state: where the communities stand.
            policy: called with observations ``[E, N, D]`` and the state, which within a rollout remembers nothing for
                rewards and no history of net loads or of indoor temperatures; returns joint actions ``[E, N, A]``.
            hours: how many, H.
            partly: give the policy the columns ``changing`` of the observations alone, ``[E, N, k]``, and leave the others,
                which ``foreseen`` has, out of the hours and of the end.

        Returns:
            where the communities stand then, and what the hours gave, each value with H in front.

        Raises:
            EngineError: as ``step``.
        """
        self._check(state, hours)
        first, memory = state.row, state.reward
        net_mean = None if self.memory is None else RunningMean(state.net_history_kwh)
        indoor = None
        if self.indoor is not None:
            indoor = IndoorHours(self.indoor, first, state.indoor_inputs, state.indoor_hidden)
        state = replace(
            state,
            reward=memory[:, :0],
            net_history_kwh=state.net_history_kwh[:, :0],
            indoor_inputs=state.indoor_inputs[:, :0],
            indoor_hidden=state.indoor_hidden[:, :0],
        )
        if partly:
            state = replace(state, observations=state.observations.index_select(2, self.changing))
        given = []
        for _ in range(hours):
            state, hour = self._hour(state, policy(state.observations, state), net_mean, indoor, partly)
            given.append(hour)
        if net_mean is not None:
            state = replace(state, net_history_kwh=net_mean.history())
        if indoor is not None:
            inputs, hidden = indoor.memory()
            state = replace(state, indoor_inputs=inputs, indoor_hidden=hidden)
        rows = first + torch.arange(hours, device=self.device).unsqueeze(1)
        outcome, memory = self._outcome(rows, given, memory)
        return replace(state, reward=memory), outcome

    def _outcome(self, rows: torch.Tensor, given: list[PhysicalHour], memory: torch.Tensor) -> tuple[Outcome, torch.Tensor]:
        """What the hours at ``rows`` ``[H, E]`` cost, emitted, left uncharged and earned, and what rewards remember then."""
        net = torch.stack([hour.net_kwh for hour in given])
        price, carbon = self.rates[rows].unbind(2)
        vehicle_soc = torch.stack([hour.vehicle_soc for hour in given])
        missing = torch.zeros_like(net) if self.fleet is None else self.fleet.missing(rows, vehicle_soc, self._buildings)
        given_up = torch.zeros_like(net)
        if self.appliances is not None:
            given_up = given_up.index_add(2, self.appliances.building, torch.stack([hour.given_up_kwh for hour in given]))
        temperature = discomfort = torch.stack([hour.temperature_c for hour in given])
        if self.indoor is not None:
            discomfort = self.indoor.discomfort(rows, temperature)
        rewards = None
        if self.reward is not None:
            rewards, memory = self.reward(rows, net, missing, discomfort, given_up, memory)
        outcome = Outcome(
            net_kwh=net,
            cost=net.clamp(min=0.0) * price,
            emissions=(net * carbon).clamp(min=0.0),
            battery_energy_kwh=torch.stack([hour.battery_energy_kwh for hour in given]),
            charger_energy_kwh=torch.stack([hour.charger_energy_kwh for hour in given]),
            appliance_energy_kwh=torch.stack([hour.appliance_energy_kwh for hour in given]),
            missing_kwh=missing,
            given_up_kwh=given_up,
            temperature_c=temperature,
            discomfort_c=discomfort,
            rewards=rewards,
        )
        return outcome, memory

    def _check_observations(self, state: State) -> None:
        seen, whole = state.observations.shape[2], self.observer.data.shape[2]
        if seen != whole:
            raise EngineError(
                f"The state holds {seen} of {whole} columns of observations: it is from a rollout with partly=True. Go on "
                "from the end of a whole one."
            )

    def _check(self, state: State, hours: int) -> None:
        """Refuse what would fail later, and less clearly: once for all hours, since looking at rows waits for the device."""
        self._check_observations(state)
        if state.device != self.device:
            raise EngineError(
                f"The state is on {state.device} and the community on {self.device}; move one with .to(device)."
            )
        if state.battery_soc.dtype != self.dtype:
            raise EngineError(
                f"The state holds {state.battery_soc.dtype} and the community computes in {self.dtype}; make the state with "
                "the community's dtype."
            )
        if self.reward is not None and state.reward.shape[1] == 0:
            raise EngineError(
                "The state remembers nothing for the team reward: it is from within a rollout, or of a community without "
                "reward tables. Go on from a rollout's end, or simulate without reward tables."
            )
        if state.net_history_kwh.shape[1] != self.description.net_hours:
            raise EngineError(
                f"The state has the net loads of {state.net_history_kwh.shape[1]} hours, where those of "
                f"{self.description.net_hours} are remembered: it is from within a rollout, or of a community with other "
                "memory features. Go on from a rollout's end."
            )
        wanted = memory_shapes(self.description)
        remembered = tuple(state.indoor_inputs.shape[1:]), tuple(state.indoor_hidden.shape[1:])
        if remembered != wanted:
            raise EngineError(
                f"The state's memory of indoor temperatures has the shapes {remembered}, where the community's models need "
                f"{wanted}: it is from within a rollout, or of another community. Go on from a rollout's end."
            )
        last = int(state.row.max())
        if last + hours >= self.rows:
            raise EngineError(
                f"{hours} hours from row {last} on need more data than the {self.rows} rows there are; start at row "
                f"{self.rows - 1 - hours} at the latest."
            )

    def _hour(
        self,
        state: State,
        actions: torch.Tensor,
        net_mean: RunningMean | None,
        indoor: IndoorHours | None,
        partly: bool,
    ) -> tuple[State, PhysicalHour]:
        wanted = (len(state.row), self._buildings, self._actions)
        if actions.shape != wanted:
            raise EngineError(
                f"Actions have the shape {tuple(actions.shape)}; {wanted[0]} communities of {wanted[1]} buildings with "
                f"{wanted[2]} joint actions ({', '.join(self.description.features.actions)}) need {wanted}."
            )
        if actions.device != self.device:
            raise EngineError(
                f"The actions are on {actions.device} and the community on {self.device}; move one with .to(device)."
            )
        n, row, fleet, plant = self._buildings, state.row, self.fleet, self.plant
        after = row + 1
        flat = actions.to(self.dtype).flatten(1)
        chosen = torch.addcmul(self.action_middle, self.action_half, flat.index_select(1, self.action_place))
        base = self.base.index_select(0, row)

        soc, capacity = state.battery_soc, state.battery_capacity_kwh
        requested = chosen[:, :n].clamp(-1.0, 1.0) * self.batteries.nominal_power_kw[:n]
        if fleet is not None:
            plugged = fleet.request(row, flat)
            soc, capacity = torch.cat([soc, state.vehicle_soc], 1), torch.cat([capacity, state.vehicle_capacity_kwh], 1)
            requested = torch.cat([requested, plugged.requested], 1)
        soc, capacity, energy = self.batteries.charge(soc, capacity, requested)
        battery_soc, battery_energy = soc[:, :n], energy[:, :n]

        net = base + battery_energy
        tank_soc, made = state.tank_soc, state.tank_soc
        temperature = base[:, :0]
        if plant is not None:
            shares = None if self.indoor is None else self.indoor.actions(row, state.origin, flat)
            hour = plant(row, row == state.origin, tank_soc, chosen[:, n:].unflatten(1, (n, 3)), shares)
            net, tank_soc, made = net + hour.consumption.sum(2), hour.tank_soc, hour.made
        if indoor is not None:
            temperature = indoor.predict(row, state.origin, made)
        vehicle_soc = next_vehicle_soc = charged = state.vehicle_soc
        if fleet is not None:
            vehicle_soc = torch.where(plugged.there, soc[:, n:], state.vehicle_soc)
            charged = fleet.drawn(row, plugged, energy[:, n:])
            net = net.index_add(1, fleet.building, charged)
            next_vehicle_soc = fleet.move(after, vehicle_soc, drift_at(state, after))
        cycles, used = state.appliances, soc[:, :0]
        given_up = used
        if self.appliances is not None:
            cycles, used, given_up = self.appliances.run(row, cycles, actions.flatten(1))
            net = net.index_add(1, self.appliances.building, used)
        mean = None
        if self.memory is not None and net_mean is not None:
            mean = net_mean.add(net, self.memory.share.index_select(0, after))
        shown = self._appliances_shown(after, cycles)
        seen = self.observer.shown(after, battery_soc, net, vehicle_soc, tank_soc, made, shown, mean)
        following = State(
            row=after,
            origin=state.origin,
            battery_soc=self.batteries.stand_by(battery_soc, n),
            battery_capacity_kwh=capacity[:, :n],
            tank_soc=tank_soc if plant is None else plant.stand_by(tank_soc),
            vehicle_soc=next_vehicle_soc,
            vehicle_capacity_kwh=capacity[:, n:],
            appliances=cycles,
            drift=state.drift,
            drift_row=state.drift_row,
            reward=state.reward,
            net_history_kwh=state.net_history_kwh,
            indoor_inputs=state.indoor_inputs,
            indoor_hidden=state.indoor_hidden,
            observations=seen if partly else self.observer(after, seen),
        )
        return following, PhysicalHour(net, battery_energy, charged, vehicle_soc, used, given_up, temperature)

    def _appliances_shown(self, row: torch.Tensor, cycles: torch.Tensor) -> torch.Tensor | None:
        """What appliances show at ``row`` ``[E]``; None where no building looks."""
        if self.appliances is None or not self.observer.shows_appliances:
            return None
        return self.appliances.shown(row, cycles)


def _flat(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Batteries' column ``[N]``, then the tanks' ``[N * 3]``."""
    return np.concatenate([values[:, 0], values[:, 1:].reshape(-1)])
