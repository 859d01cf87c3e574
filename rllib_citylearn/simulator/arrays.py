"""The arrays of a simulation: every one that the kernels know, filled with what is known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.reward import RewardTables
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.observations import EncodedTables
from rllib_citylearn.simulator.parameters import Batteries


def simulation_arrays(
    description: CommunityDescription, reward: RewardTables | None, communities: int, drift_rows: int
) -> tuple[dict[str, int], dict[str, npt.NDArray[Any]]]:
    """Sizes and arrays of ``kernels.memory``; arrays that the community has no use for are empty.

    Args:
        description: the community.
        reward: what the team reward needs, if it is wanted.
        communities: number E of copies.
        drift_rows: rows of the longest episode, if there are vehicles.
    """
    from rllib_citylearn.simulator.kernels.memory import FIELDS

    encoded = EncodedTables(description.observations, description.tables.rows)
    sizes = _sizes(description, encoded, reward, communities, drift_rows)
    arrays: dict[str, npt.NDArray[Any]] = {}
    for name, (kind, shape) in FIELDS.items():
        arrays[name] = np.zeros([sizes[extent] if isinstance(extent, str) else extent for extent in shape], kind)
    for name, values in _given(description, encoded, reward).items():
        if arrays[name].size:
            arrays[name] = np.ascontiguousarray(values, FIELDS[name][0])
    arrays["half"][:] = 0.5
    return sizes, arrays


def _sizes(
    description: CommunityDescription, encoded: EncodedTables, reward: RewardTables | None, communities: int, drift_rows: int
) -> dict[str, int]:
    """How large each axis is, by the names of ``kernels.memory.SIZES``."""
    parameters, tables, dynamics = description.parameters, description.tables, description.dynamics
    count, actions = parameters.actions.low.shape
    hidden = 0 if dynamics is None else dynamics.output_weights.shape[1]
    batteries, vehicles, chargers = parameters.batteries, parameters.vehicles, parameters.chargers
    appliances = parameters.appliances
    return {
        "E": communities,
        "N": count,
        "A": actions,
        "T": tables.rows,
        "D": len(description.features.columns),
        "P": len(encoded.private_at),
        "X": len(encoded.fixed_at),
        "S": len(encoded.state_at),
        "C": len(chargers),
        "V": len(vehicles),
        "Q": len(appliances),
        "QC": appliances.profile.shape[1],
        "QJ": appliances.profile.shape[2],
        "W": drift_rows if len(vehicles) else 0,
        "M": count + len(vehicles),
        "BE": max(batteries.efficiency.x.shape[1], vehicles.efficiency.x.shape[1]),
        "BP": max(batteries.power.x.shape[1], vehicles.power.x.shape[1]),
        "CI": chargers.charge_efficiency.x.shape[1],
        "CO": chargers.discharge_efficiency.x.shape[1],
        "TN": count if description.thermal else 0,
        "TT": tables.rows if description.thermal else 0,
        "DN": 0 if dynamics is None else count,
        "DT": 0 if dynamics is None else tables.rows,
        "L": 0 if dynamics is None else dynamics.bias.shape[1],
        "H": hidden,
        "G": 4 * hidden,
        "F": 0 if dynamics is None else dynamics.inputs.shape[2],
        "I": 0 if dynamics is None else dynamics.input_weights.shape[2],
        "R": 0 if dynamics is None else dynamics.lookback + 1,
        "OT": 0 if tables.outage is None else tables.rows,
        "RT": 0 if reward is None else len(reward.months),
        "RS": 0 if reward is None else len(reward.reference_service),
    }


def _given(
    description: CommunityDescription, encoded: EncodedTables, reward: RewardTables | None
) -> dict[str, npt.NDArray[Any]]:
    """The arrays that are known before anything is simulated, by the kernels' names."""
    parameters, tables, dynamics = description.parameters, description.tables, description.dynamics
    actions, tanks, devices, chargers = parameters.actions, parameters.tanks, parameters.devices, parameters.chargers
    appliances = parameters.appliances
    given: dict[str, Any] = {
        "load": tables.load,
        "generation": tables.generation,
        "price": tables.price,
        "carbon": tables.carbon,
        "heat_demand": tables.heat_demand,
        "outdoor": tables.outdoor,
        "connected": tables.presence.connected,
        "required_soc": tables.presence.required_soc,
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
        "appliance_at": encoded.appliance_at,
        "action_low": actions.low,
        "action_high": actions.high,
        "battery_action": actions.battery,
        "tank_action": actions.tank,
        "device_action": actions.device,
        "both_action": actions.both_devices,
        "charger_action": actions.charger,
        "appliance_action": actions.appliance,
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
        "appliance_building": appliances.building,
        "appliance_threshold": appliances.threshold,
        "cycle_count": appliances.count,
        "cycle_earliest": appliances.earliest - tables.first_step,
        "cycle_latest": appliances.latest - tables.first_step,
        "cycle_duration": appliances.duration,
        "cycle_profile": appliances.profile,
        "cycle_left": appliances.left,
        "cycle_constants": appliances.shown,
    }
    if tables.outage is not None:
        given |= {"outage": tables.outage, "islanded_load": tables.islanded_load}
    if dynamics is not None:
        given |= {
            "hvac_mode": tables.hvac_mode,
            "indoor": tables.indoor,
            "comfort": tables.comfort,
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
            "reference_service": reward.reference_service,
            "reward_scales": reward.scales,
            "months": reward.months,
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
