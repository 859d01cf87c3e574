"""E copies of a community, simulated at once by compiled kernels."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.reward import RewardBuffers, RewardTables
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.observations import MADE, NET_LOAD, TANK_SOC, VEHICLE_SOC, EncodedTables
from rllib_citylearn.simulator.parameters import ABSENT, Batteries

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

PATIENCE_S = 1.5
"""How long to wait before saying that kernels are being compiled; loading them from the cache takes less."""


def load_kernels(report: Callable[[str], None] | None = None) -> Any:
    """The compiled kernels; the first time on a machine they are compiled, which is announced.

    Args:
        report: called with a sentence if it takes long; prints to standard error by default.
    """

    def announce() -> None:
        message = "Compiling the fast engine for this machine, once (about half a minute) ..."
        if report is None:
            print(message, file=sys.stderr, flush=True)
        else:
            report(message)

    if "rllib_citylearn.simulator.kernels.community" not in sys.modules:
        timer = threading.Timer(PATIENCE_S, announce)
        timer.daemon = True
        timer.start()
        try:
            from rllib_citylearn.simulator.kernels import community
        finally:
            timer.cancel()
        return community
    from rllib_citylearn.simulator.kernels import community

    return community


class FastCommunity:
    """CityLearn's physics for E parallel communities, each with a clock of its own.

    ``step`` and ``reset`` write into the arrays below, which stay the same objects; copy what has to be kept. Rows count
    from the first time step of the environment the description was read from.

    Args:
        description: the community.
        communities: number E of copies.
        reward: what the team reward needs; None computes no rewards.
        drift_rows: the longest episode, in rows, if there are vehicles; None is all of the data.

    Attributes:
        observations: float32 ``[E, N, D]``, encoded by the feature table.
        net_kwh, cost, emissions: of the last hour, float32 ``[E, N]``.
        battery_soc, battery_energy_kwh: at the end of the last hour, and taken from (> 0) or given in it, ``[E, N]``.
        battery_capacity_kwh: what degradation has left, float64 ``[E, N]``.
        tank_soc, tank_energy_kwh, demand_kwh, device_output_kwh, device_consumption_kwh: ``[E, N, 3]``, in the order of
            ``END_USES``; without buildings where nothing is thermal.
        vehicle_soc: at the end of the last hour, ``[E, V]``.
        charger_energy_kwh: drawn from (> 0) or given to the building, ``[E, C]``.
        load_served_kwh: load that can't be moved, as far as it was met, ``[E, N]``.
        temperature_c: indoor temperature, ``[E, N]``; without buildings where none has dynamics.
        clock: row of the next hour, ``[E]``.
        rewards: of the last hour; zeros if no reward was asked for.
    """

    def __init__(
        self,
        description: CommunityDescription,
        communities: int = 1,
        *,
        reward: RewardTables | None = None,
        drift_rows: int | None = None,
    ) -> None:
        if communities < 1:
            raise EngineError(f"{communities} communities can't be simulated; ask for at least one.")
        load_kernels()
        self.description = description
        self.communities = communities
        self.rows = description.tables.rows
        self._drift_rows = self.rows if drift_rows is None else min(drift_rows + 1, self.rows)
        sizes = self._sizes(description, reward)
        arrays = self._arrays(description, reward, sizes)
        from rllib_citylearn.simulator.kernels.memory import Memory

        self._memory = Memory(sizes, arrays)
        self._bind()
        self._actions: Doubles = arrays["actions"]
        self._shape = self._actions.shape
        self._refused: Rows = arrays["refused"]
        self._initial_soc: Doubles = arrays["b_initial"]
        self._drift: Doubles = arrays["drift"]
        self.observations: Singles = arrays["observations"]
        self.net_kwh: Singles = arrays["net"]
        self.cost: Singles = arrays["cost"]
        self.emissions: Singles = arrays["emission"]
        self.battery_soc: Singles = arrays["battery_soc_after"]
        self.battery_energy_kwh: Singles = arrays["battery_energy"]
        self.battery_capacity_kwh: Doubles = arrays["battery_capacity"]
        self.tank_soc: Singles = arrays["tank_soc_after"]
        self.tank_energy_kwh: Singles = arrays["tank_energy"]
        self.demand_kwh: Singles = arrays["demand"]
        self.device_output_kwh: Singles = arrays["device_output"]
        self.device_consumption_kwh: Singles = arrays["device_consumption"]
        self.load_served_kwh: Singles = arrays["load_served"]
        self.vehicle_soc: Singles = arrays["vehicle_soc_after"]
        self.charger_energy_kwh: Singles = arrays["charger_energy"]
        self.temperature_c: Singles = arrays["temperature"]
        self.clock: Rows = arrays["clock"]
        self.origin: Rows = arrays["origin"]
        self.rewards = RewardBuffers(
            building=arrays["building_reward"],
            district=arrays["district_reward"],
            team=arrays["team_reward"],
            terms=arrays["terms"],
            uncontrolled=arrays["uncontrolled_terms"],
        )
        self._all = np.arange(communities)
        self.reset()

    def __getstate__(self) -> dict[str, Any]:
        """A copy, also one in another process, goes on where this one stands."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_kernels", "_step", "_table")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._bind()

    def _bind(self) -> None:
        self._kernels = load_kernels()
        self._step = self._kernels.step
        self._table = self._memory.table

    def reset(
        self,
        communities: Sequence[int] | Rows | None = None,
        rows: Sequence[int] | Rows | int = 0,
        *,
        seeds: Sequence[int] | Rows | int | None = None,
        initial_soc: Doubles | None = None,
    ) -> Singles:
        """Start episodes.

        Args:
            communities: which of the E; None starts all.
            rows: row of the data that each starts at, or one for all.
            seeds: from which the drift of vehicles that are away is drawn. CityLearn takes its random seed plus the number
                of its episode, which is the default with episode 1.
            initial_soc: state of charge of the batteries, ``[len(communities), N]``; None takes the schema's.

        Returns:
            ``observations``.

        Raises:
            EngineError: a row that isn't in the data or a community that there isn't.
        """
        which = self._all if communities is None else np.asarray(communities, np.int64)
        at = np.array(np.broadcast_to(np.asarray(rows, np.int64), which.shape))
        if which.size and not (which.min() >= 0 and which.max() < self.communities):
            raise EngineError(
                f"Communities {which.tolist()} were to be reset, but there are {self.communities}, counted from 0."
            )
        if at.size and not (at.min() >= 0 and at.max() < self.rows - 1):
            raise EngineError(f"Episodes were to start at the rows {at.tolist()}; the data allows 0 to {self.rows - 2}.")
        self._initial_soc[which] = self.description.parameters.batteries.initial_soc if initial_soc is None else initial_soc
        if self._drift.size:
            seed = self.description.parameters.random_seed + 1 if seeds is None else seeds
            drawn = np.broadcast_to(np.asarray(seed, np.int64), which.shape)
            for e, row, own in zip(which, at, drawn, strict=True):
                factors = self.description.tables.presence.drift(int(row), self._drift_rows, int(own))
                self._drift[e] = np.nan
                self._drift[e, : len(factors)] = factors
        self._kernels.reset(self._table, np.ascontiguousarray(which), at)
        return self.observations

    def step(self, actions: npt.ArrayLike) -> Singles:
        """One hour with joint actions ``[E, N, A]`` in [-1, 1], mapped onto CityLearn's limits; others are ignored.

        Returns:
            ``observations``.

        Raises:
            EngineError: actions of another shape or that are no numbers, or no data left.
        """
        return self._advance(actions, True)

    def step_physical(self, actions: npt.ArrayLike) -> Singles:
        """One hour with actions ``[E, N, A]`` in CityLearn's units; out-of-range ones do what they do in CityLearn."""
        return self._advance(actions, False)

    def _advance(self, actions: npt.ArrayLike, decode: bool) -> Singles:
        given = np.asarray(actions)
        if given.shape != self._shape:
            e, n, a = self._shape
            raise EngineError(
                f"Actions have the shape {given.shape}; {e} communities of {n} buildings with {a} joint actions "
                f"({', '.join(self.description.features.actions)}) need {self._shape}."
            )
        self._actions[...] = given
        code = self._step(self._table, decode)
        if code:
            self._refuse(code)
        return self.observations

    def _refuse(self, code: int) -> None:
        e, n = self._refused.tolist()
        if code == self._kernels.NOT_A_NUMBER:
            name = self.description.parameters.buildings[n]
            raise EngineError(f"An action of {name} in community {e} is no number (NaN); every action has to be finite.")
        raise EngineError(
            f"Community {e} is at row {self.clock[e]}, the last of its data; reset it before the next step (rows 0 to "
            f"{self.rows - 2} can be a start)."
        )

    def raw_observations(self, e: int = 0) -> list[list[float]]:
        """What the buildings of community ``e`` see in physical units, as CityLearn's own observations."""
        plan = self.description.observations
        states = {state.name: self._raw_state(e, state.kind, state.charger) for state in plan.states}
        return plan.raw(int(self.clock[e]), states)

    def _raw_state(self, e: int, kind: int, charger: Rows) -> Doubles:
        if kind == VEHICLE_SOC:
            vehicles = np.where(charger >= 0, self.description.tables.presence.connected[self.clock[e], charger], -1)
            soc = np.append(self.vehicle_soc[e].astype(np.float64), -0.1)
            return soc[vehicles]
        if kind >= MADE:
            u = kind - MADE
            made: Doubles = (self.device_output_kwh[e, :, u] + abs(np.minimum(self.tank_energy_kwh[e, :, u], 0))).astype(
                float
            )
            return made
        if kind >= TANK_SOC:
            return self.tank_soc[e, :, kind - TANK_SOC].astype(np.float64)
        source = self.net_kwh if kind == NET_LOAD else self.battery_soc
        return source[e].astype(np.float64)

    def _sizes(self, description: CommunityDescription, reward: RewardTables | None) -> dict[str, int]:
        parameters, tables, dynamics = description.parameters, description.tables, description.dynamics
        count, actions = parameters.actions.low.shape
        self._encoded = EncodedTables(description.observations, tables.rows)
        thermal = bool((parameters.devices.kind != ABSENT).any() or (self._encoded.state_kind >= TANK_SOC).any())
        hidden = 0 if dynamics is None else dynamics.output_weights.shape[1]
        batteries, vehicles, chargers = parameters.batteries, parameters.vehicles, parameters.chargers
        return {
            "E": self.communities,
            "N": count,
            "A": actions,
            "T": tables.rows,
            "D": len(description.features.columns),
            "P": len(self._encoded.private_at),
            "X": len(self._encoded.fixed_at),
            "S": len(self._encoded.state_at),
            "C": len(chargers),
            "V": len(vehicles),
            "W": self._drift_rows if len(vehicles) else 0,
            "M": count + len(vehicles),
            "BE": max(batteries.efficiency.x.shape[1], vehicles.efficiency.x.shape[1]),
            "BP": max(batteries.power.x.shape[1], vehicles.power.x.shape[1]),
            "CI": chargers.charge_efficiency.x.shape[1],
            "CO": chargers.discharge_efficiency.x.shape[1],
            "TN": count if thermal else 0,
            "TT": tables.rows if thermal else 0,
            "DN": 0 if dynamics is None else count,
            "DT": 0 if dynamics is None else tables.rows,
            "L": 0 if dynamics is None else dynamics.bias.shape[1],
            "H": hidden,
            "G": 4 * hidden,
            "F": 0 if dynamics is None else dynamics.inputs.shape[2],
            "I": 0 if dynamics is None else dynamics.input_weights.shape[2],
            "R": 0 if dynamics is None else dynamics.lookback + 1,
            "OT": 0 if tables.outage is None else tables.rows,
            "RT": 0 if reward is None else len(reward.district),
        }

    def _arrays(
        self, description: CommunityDescription, reward: RewardTables | None, sizes: Mapping[str, int]
    ) -> dict[str, npt.NDArray[Any]]:
        """Every array of ``kernels.memory.FIELDS``; those that the community has no use for are empty."""
        from rllib_citylearn.simulator.kernels.memory import FIELDS

        arrays: dict[str, npt.NDArray[Any]] = {}
        for name, (kind, shape) in FIELDS.items():
            arrays[name] = np.zeros([sizes[extent] if isinstance(extent, str) else extent for extent in shape], kind)
        given = _given(description, self._encoded, reward)
        for name, values in given.items():
            if arrays[name].size:
                kind = FIELDS[name][0]
                arrays[name] = np.ascontiguousarray(values, kind)
        arrays["half"][:] = 0.5
        arrays["observations"][:] = 0.0
        return arrays


def _given(
    description: CommunityDescription, encoded: EncodedTables, reward: RewardTables | None
) -> dict[str, npt.NDArray[Any]]:
    """The arrays that are known before anything is simulated, by the kernels' names."""
    parameters, tables, dynamics = description.parameters, description.tables, description.dynamics
    actions, tanks, devices, chargers = parameters.actions, parameters.tanks, parameters.devices, parameters.chargers
    given: dict[str, Any] = {
        "load": tables.load,
        "generation": tables.generation,
        "price": tables.price,
        "carbon": tables.carbon,
        "heat_demand": tables.heat_demand,
        "outdoor": tables.outdoor,
        "connected": tables.presence.connected,
        "arrival_soc": tables.presence.arrival_soc,
        "start_soc": tables.presence.start_soc,
        "shared_columns": encoded.shared,
        "private_columns": encoded.private,
        "private_at": encoded.private_at,
        "fixed_columns": encoded.fixed,
        "fixed_at": encoded.fixed_at,
        "state_at": encoded.state_at,
        "state_kind": encoded.state_kind,
        "state_range": encoded.state_range,
        "state_mask": encoded.state_mask,
        "charger_at": encoded.charger_at,
        "action_low": actions.low,
        "action_high": actions.high,
        "battery_action": actions.battery,
        "tank_action": actions.tank,
        "device_action": actions.device,
        "both_action": actions.both_devices,
        "charger_action": actions.charger,
        "tank_capacity": tanks.capacity,
        "tank_ratio": tanks.round_trip_efficiency,
        "tank_loss": tanks.loss_coefficient,
        "tank_initial": tanks.initial_soc,
        "tank_input": tanks.max_input,
        "tank_output": tanks.max_output,
        "tank_single": tanks.single,
        "device_kind": devices.kind,
        "device_power": devices.nominal_power,
        "device_efficiency": devices.efficiency,
        "device_target": devices.target_temperature,
        "charger_building": chargers.building,
        "charger_max_in": chargers.max_charging,
        "charger_min_in": chargers.min_charging,
        "charger_max_out": chargers.max_discharging,
        "charger_min_out": chargers.min_discharging,
        "charger_efficiency": chargers.efficiency,
        "charger_in_x": chargers.charge_efficiency.x,
        "charger_in_y": chargers.charge_efficiency.y,
        "charger_in_points": chargers.charge_efficiency.points,
        "charger_out_x": chargers.discharge_efficiency.x,
        "charger_out_y": chargers.discharge_efficiency.y,
        "charger_out_points": chargers.discharge_efficiency.points,
        **_of_batteries(Batteries.joined(parameters.batteries, parameters.vehicles)),
        "v_initial": parameters.vehicles.initial_soc,
    }
    if tables.outage is not None:
        given |= {"outage": tables.outage, "islanded_load": tables.islanded_load}
    if dynamics is not None:
        given |= {
            "hvac_mode": tables.hvac_mode,
            "indoor": tables.indoor,
            "dynamics_input": dynamics.inputs,
            "dynamic": dynamics.dynamic,
            "lstm_input": dynamics.input_weights,
            "lstm_recurrent": dynamics.recurrent_weights,
            "lstm_bias": dynamics.bias,
            "lstm_output": dynamics.output_weights,
            "lstm_output_bias": dynamics.output_bias,
            "input_at": dynamics.input_at,
            "input_range": dynamics.input_range,
        }
    if reward is not None:
        given |= {
            "reference_net": reward.reference_net,
            "cost_scale": reward.cost_scale,
            "carbon_scale": reward.carbon_scale,
            "electricity_scale": reward.electricity_scale,
            "district": reward.district,
            "month_mean": reward.month_mean,
            "month_floor": reward.month_floor,
            "running_peak": reward.inherited_peak,
            "reward_weights": reward.weights,
        }
    return given


def _of_batteries(batteries: Batteries) -> dict[str, npt.NDArray[Any]]:
    return {
        "b_capacity": batteries.capacity,
        "b_power": batteries.nominal_power,
        "b_depth": batteries.depth_of_discharge,
        "b_loss": batteries.loss_coefficient,
        "b_wear": batteries.capacity_loss_coefficient,
        "b_efficiency_x": batteries.efficiency.x,
        "b_efficiency_y": batteries.efficiency.y,
        "b_efficiency_points": batteries.efficiency.points,
        "b_power_x": batteries.power.x,
        "b_power_y": batteries.power.y,
        "b_power_points": batteries.power.points,
    }
