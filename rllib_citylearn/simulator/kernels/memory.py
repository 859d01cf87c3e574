"""One argument for a kernel that works on dozens of arrays.

Handing an array to a compiled function costs Python about 80 ns, sixty of them more than the physics of an hour. The
kernels get a single array of sizes and addresses instead, and see the arrays behind them under their names. The table
``FIELDS`` is the only place that says which array has which type and shape; ``Memory`` checks every array against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, lower_getattr_generic, models, register_model
from numba.np.arrayobj import populate_array

from rllib_citylearn.simulator.reward_layout import SCALE_COUNT, SERVICE_COUNT, TERM_COUNT

SIZES: Mapping[str, str] = {
    "E": "communities",
    "N": "buildings",
    "A": "joint actions",
    "T": "rows of data",
    "D": "joint observation columns",
    "P": "columns of data that differ from building to building",
    "X": "columns that never change",
    "S": "columns of state",
    "C": "chargers",
    "V": "vehicles",
    "Q": "deferrable appliances",
    "QC": "cycles of the appliance that has most",
    "QJ": "time steps of the longest cycle",
    "W": "rows of drift",
    "M": "batteries: the buildings', then the vehicles'",
    "BE": "points of the batteries' efficiency curves",
    "BP": "points of the batteries' power curves",
    "CI": "points of the chargers' charge efficiency curves",
    "CO": "points of the chargers' discharge efficiency curves",
    "TN": "N if anything is thermal, else 0",
    "TT": "T if anything is thermal, else 0",
    "DN": "N if anything has LSTM dynamics, else 0",
    "DT": "T if anything has LSTM dynamics, else 0",
    "L": "LSTM layers",
    "H": "LSTM hidden units",
    "G": "LSTM gates: four times the hidden units",
    "F": "LSTM inputs",
    "I": "widest LSTM layer input",
    "R": "rows of LSTM history: lookback + 1",
    "OT": "T if anything simulates outages, else 0",
    "RT": "T if rewards are wanted, else 0",
    "RS": "T if rewards are wanted and there are chargers, LSTM dynamics or deferrable appliances, else 0",
}
"""What the sizes in ``FIELDS`` count."""

FIELDS: Mapping[str, tuple[str, tuple[str | int, ...]]] = {
    # state of the communities
    "clock": ("i8", ("E",)),
    "origin": ("i8", ("E",)),
    "actions": ("f8", ("E", "N", "A")),
    "refused": ("i8", (2,)),
    "battery_soc": ("f4", ("E", "N")),
    "battery_capacity": ("f8", ("E", "N")),
    "tank_soc": ("f4", ("E", "TN", 3)),
    "vehicle_soc": ("f4", ("E", "V")),
    "vehicle_capacity": ("f8", ("E", "V")),
    "hidden": ("f4", ("E", "DN", "L", 2, "H")),
    "history": ("f4", ("E", "DN", "R", "F")),
    "last_row": ("i8", ("E",)),
    "cycle": ("i8", ("E", "Q")),
    "cycle_start": ("i8", ("E", "Q")),
    "cycle_missed": ("i8", ("E", "Q")),
    # what happened in the last hour
    "battery_soc_after": ("f4", ("E", "N")),
    "battery_energy": ("f4", ("E", "N")),
    "tank_soc_after": ("f4", ("E", "TN", 3)),
    "tank_energy": ("f4", ("E", "TN", 3)),
    "demand": ("f4", ("E", "TN", 3)),
    "device_output": ("f4", ("E", "TN", 3)),
    "device_consumption": ("f4", ("E", "TN", 3)),
    "load_served": ("f4", ("E", "N")),
    "vehicle_soc_after": ("f4", ("E", "V")),
    "charger_energy": ("f4", ("E", "C")),
    "appliance_energy": ("f4", ("E", "Q")),
    "appliance_started": ("u1", ("E", "Q")),
    "appliance_shown": ("f8", ("E", "Q", 25)),
    "temperature": ("f4", ("E", "DN")),
    "net": ("f4", ("E", "N")),
    "cost": ("f4", ("E", "N")),
    "emission": ("f4", ("E", "N")),
    "observations": ("f4", ("E", "N", "D")),
    # reward
    "reward_state": ("f8", ("E", 4)),
    "building_reward": ("f8", ("E", "N")),
    "district_reward": ("f8", ("E",)),
    "team_reward": ("f8", ("E",)),
    "service": ("f8", ("E", "N", SERVICE_COUNT)),
    "terms": ("f8", ("E", TERM_COUNT)),
    "uncontrolled_terms": ("f8", ("E", TERM_COUNT)),
    # data
    "load": ("f4", ("T", "N")),
    "generation": ("f4", ("T", "N")),
    "price": ("f4", ("T", "N")),
    "carbon": ("f4", ("T", "N")),
    "heat_demand": ("f4", ("TT", "TN", 3)),
    "outdoor": ("f4", ("TT", "TN")),
    "outage": ("u1", ("OT", "N")),
    "islanded_load": ("f8", ("OT", "N")),
    "hvac_mode": ("i8", ("DT", "DN")),
    "indoor": ("f4", ("DT", "DN")),
    "comfort": ("f4", ("DT", "DN", 2)),
    "dynamics_input": ("f4", ("DT", "DN", "F")),
    "connected": ("i8", ("T", "C")),
    "required_soc": ("f8", ("T", "C")),
    "arrival_soc": ("f8", ("T", "V")),
    "start_soc": ("f8", ("T", "V")),
    "drift": ("f8", ("E", "W", "V")),
    "reference_net": ("f8", ("RT", "N")),
    "reference_service": ("f8", ("RS", "N", SERVICE_COUNT)),
    "reward_scales": ("f8", ("N", 3)),
    "months": ("f8", ("RT", 4)),
    "reward_weights": ("f8", (TERM_COUNT + SCALE_COUNT,)),
    # observations
    "shared_columns": ("f4", ("T", "D")),
    "private_columns": ("f4", ("T", "N", "P")),
    "private_at": ("i8", ("P",)),
    "fixed_columns": ("f4", ("N", "X")),
    "fixed_at": ("i8", ("X",)),
    "state_at": ("i8", ("S",)),
    "state_kind": ("i8", ("S",)),
    "state_range": ("f8", ("S", 2)),
    "state_mask": ("u1", ("N", "S")),
    "charger_at": ("i8", ("N", "S")),
    "appliance_at": ("i8", ("N", "S")),
    # parameters
    "action_low": ("f8", ("N", "A")),
    "action_high": ("f8", ("N", "A")),
    "battery_action": ("i8", ("N",)),
    "tank_action": ("i8", ("TN", 3)),
    "device_action": ("i8", ("N", 2)),
    "both_action": ("i8", ("N",)),
    "charger_action": ("i8", ("C",)),
    "appliance_action": ("i8", ("Q",)),
    "b_capacity": ("f8", ("M",)),
    "b_power": ("f8", ("M",)),
    "b_depth": ("f8", ("M",)),
    "b_loss": ("f8", ("M",)),
    "b_wear": ("f8", ("M",)),
    "b_initial": ("f8", ("E", "N")),
    "b_efficiency_x": ("f8", ("M", "BE")),
    "b_efficiency_y": ("f8", ("M", "BE")),
    "b_efficiency_points": ("i8", ("M",)),
    "b_power_x": ("f8", ("M", "BP")),
    "b_power_y": ("f8", ("M", "BP")),
    "b_power_points": ("i8", ("M",)),
    "v_initial": ("f8", ("V",)),
    "tank_capacity": ("f8", ("TN", 3)),
    "tank_ratio": ("f8", ("TN", 3)),
    "tank_loss": ("f8", ("TN", 3)),
    "tank_initial": ("f8", ("TN", 3)),
    "tank_input": ("f8", ("TN", 3)),
    "tank_output": ("f8", ("TN", 3)),
    "tank_single": ("u1", ("TN", 3)),
    "device_kind": ("i8", ("TN", 3)),
    "device_power": ("f8", ("TN", 3)),
    "device_efficiency": ("f8", ("TN", 3)),
    "device_target": ("f8", ("TN", 3)),
    "charger_building": ("i8", ("C",)),
    "charger_max_in": ("f8", ("C",)),
    "charger_min_in": ("f8", ("C",)),
    "charger_max_out": ("f8", ("C",)),
    "charger_min_out": ("f8", ("C",)),
    "charger_efficiency": ("f8", ("C",)),
    "charger_in_x": ("f8", ("C", "CI")),
    "charger_in_y": ("f8", ("C", "CI")),
    "charger_in_points": ("i8", ("C",)),
    "charger_out_x": ("f8", ("C", "CO")),
    "charger_out_y": ("f8", ("C", "CO")),
    "charger_out_points": ("i8", ("C",)),
    "appliance_building": ("i8", ("Q",)),
    "appliance_threshold": ("f8", ("Q",)),
    "cycle_count": ("i8", ("Q",)),
    "cycle_earliest": ("i8", ("Q", "QC")),
    "cycle_latest": ("i8", ("Q", "QC")),
    "cycle_duration": ("i8", ("Q", "QC")),
    "cycle_profile": ("f4", ("Q", "QC", "QJ")),
    "cycle_left": ("f8", ("Q", "QC", "QJ")),
    "cycle_constants": ("f8", ("Q", "QC", 11)),
    "dynamic": ("u1", ("DN",)),
    "lstm_input": ("f4", ("DN", "L", "I", "G")),
    "lstm_recurrent": ("f4", ("DN", "L", "H", "G")),
    "lstm_bias": ("f4", ("DN", "L", "G")),
    "lstm_output": ("f4", ("DN", "H")),
    "lstm_output_bias": ("f4", ("DN",)),
    "input_at": ("i8", ("DN", 3)),
    "input_range": ("f8", ("DN", 3, 2)),
    "lstm_x": ("f4", ("I",)),
    "lstm_gates": ("f4", ("G",)),
    "half": ("f8", (1,)),
}


class MemoryType(types.Type):
    """The compiled side of ``Memory``: a pointer whose attributes are the sizes and the arrays, under their names."""

    def __init__(self) -> None:
        super().__init__(name="CommunityMemory")


_TYPE = MemoryType()
_PLACE = {name: i for i, name in enumerate([*SIZES, *FIELDS])}
_KINDS = {"f4": types.float32, "f8": types.float64, "i8": types.int64, "u1": types.uint8}

register_model(MemoryType)(models.OpaqueModel)


@infer_getattr
class _Attributes(AttributeTemplate):
    """Types of the attributes."""

    key = MemoryType

    def generic_resolve(self, typ: MemoryType, attr: str) -> Any:
        if attr in SIZES:
            return types.int64
        kind, shape = FIELDS[attr]
        return types.Array(_KINDS[kind], len(shape), "C")


@lower_getattr_generic(MemoryType)
def _attribute(context: Any, builder: Any, typ: MemoryType, value: Any, attr: str) -> Any:
    """A size as a number; an array as a view of the memory its address points to."""
    table = builder.bitcast(value, ir.IntType(64).as_pointer())
    if attr in SIZES:
        return _entry(builder, table, attr)
    kind, shape = FIELDS[attr]
    array_type = types.Array(_KINDS[kind], len(shape), "C")
    array = context.make_array(array_type)(context, builder)
    extents = [_entry(builder, table, x) if isinstance(x, str) else ir.Constant(ir.IntType(64), x) for x in shape]
    itemsize = ir.Constant(ir.IntType(64), np.dtype(kind).itemsize)
    strides = [itemsize]
    for extent in reversed(extents[1:]):
        strides.insert(0, builder.mul(strides[0], extent, flags=["nsw"]))
    data = builder.inttoptr(_entry(builder, table, attr), array.data.type)
    populate_array(array, data=data, shape=extents, strides=strides, itemsize=itemsize, meminfo=None)
    return array._getvalue()


def _entry(builder: Any, table: Any, name: str) -> Any:
    """Entry ``name`` of the table. Nothing writes to the table, so that LLVM may read it once and for all."""
    loaded = builder.load(builder.gep(table, [ir.Constant(ir.IntType(64), _PLACE[name])]))
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


@intrinsic
def arrays_of(typing_context: Any, table: Any) -> Any:
    """The arrays behind a table of addresses (``Memory.table``)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.bitcast(array.data, cgutils.voidptr_t)

    return _TYPE(table), generate


class Memory:
    """The arrays of one simulation, checked and kept alive, and the table of their addresses.

    Args:
        sizes: by name, as in ``SIZES``.
        arrays: by name, as in ``FIELDS``; each of the type and shape that stands there, contiguous.

    Attributes:
        arrays: by name, as in ``FIELDS``.
        table: int64, what kernels are called with.
    """

    def __init__(self, sizes: Mapping[str, int], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._sizes = dict(sizes)
        self.arrays = {name: arrays[name] for name in FIELDS}
        self.table = self._make_table()

    def _make_table(self) -> npt.NDArray[np.int64]:
        for name, (kind, shape) in FIELDS.items():
            array = self.arrays[name]
            expected = tuple(self._sizes[extent] if isinstance(extent, str) else extent for extent in shape)
            if array.dtype != np.dtype(kind) or array.shape != expected or not array.flags.c_contiguous:
                raise TypeError(f"{name} is {array.dtype} {array.shape}; the kernels expect {kind} {expected}, contiguous.")
        addresses = [self.arrays[name].ctypes.data for name in FIELDS]
        return np.array([*(self._sizes[name] for name in SIZES), *addresses], np.int64)

    def __getstate__(self) -> dict[str, Any]:
        """Without the addresses, which mean nothing to a copy or in another process."""
        return {"_sizes": self._sizes, "arrays": self.arrays}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self.table = self._make_table()
