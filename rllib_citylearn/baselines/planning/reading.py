"""What planners plan for: a community's description, and its storages (batteries and tanks here, chargers in ``stays``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.baselines.planning.conversion import Conversion, battery_conversion, tank_conversion
from rllib_citylearn.baselines.planning.idle_load import performance_of
from rllib_citylearn.baselines.planning.stays import Found, find_charger
from rllib_citylearn.baselines.planning.storages import COLUMNS, Floats, Storage, StorageTables
from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.errors import UnsupportedError
from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.parameters import ABSENT, END_USES

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


def describe(env: CityLearnEnv) -> CommunityDescription:
    """Of an environment that was reset and not stepped.

    Raises:
        UnsupportedError: something that can't be planned for, named.
        EngineError: data that no engine can simulate, or versions of packages whose arithmetic may be another.
    """
    try:
        return CommunityDescription.of(env, community_features(env))
    except UnsupportedError as error:
        raise UnsupportedError(
            f"Planners know no more of a community than the fast engine does, whichever engine simulates it. {error.what}",
            "Leave planners out of the comparison, or take this out of the data set's schema.",
        ) from error


def read_storages(description: CommunityDescription) -> StorageTables:
    """From a community that can be simulated by the fast engine; what no action sets is left out."""
    rows = description.tables.rows
    storages: list[Storage] = []
    conversions: list[Conversion] = []
    columns: dict[str, list[Floats]] = {name: [] for name in COLUMNS}
    for found in _all(description):
        storages.append(found.storage)
        varying = found.columns | {"conversion": len(conversions) + np.asarray(found.columns["conversion"])}
        conversions += found.conversions
        for name, kept in columns.items():
            kept.append(np.broadcast_to(np.asarray(varying[name], np.float64), rows).copy())
    tables: dict[str, Any] = {name: np.stack(kept, 1) if kept else np.zeros((rows, 0)) for name, kept in columns.items()}
    tables["conversion"] = tables["conversion"].astype(np.int64)
    tables["available"] = tables["available"] > 0.0
    return StorageTables(tuple(storages), tuple(conversions), **tables)


def _all(description: CommunityDescription) -> Iterator[Found]:
    parameters = description.parameters
    for n in range(len(parameters)):
        yield from _battery(description, n)
        for u in range(len(END_USES)):
            yield from _tank(description, n, u)
    for c in range(len(parameters.chargers)):
        yield from find_charger(description, c)


def _starting(rows: int, kwh: float) -> Floats:
    """Goes on from row to row, from what it holds at the first."""
    begins = np.full(rows, np.nan)
    begins[0] = kwh
    return begins


def _battery(description: CommunityDescription, n: int) -> Iterator[Found]:
    batteries, column = description.parameters.batteries, int(description.parameters.actions.battery[n])
    power, capacity = float(batteries.nominal_power[n]), float(batteries.capacity[n])
    if column < 0 or power <= 0.0 or capacity <= 0.0:
        return
    floor = max(1.0 - float(batteries.depth_of_discharge[n]), 0.0) * capacity
    conversion = battery_conversion(batteries, n)
    storage = Storage(
        building=n,
        action=column,
        unit_kwh=(power, power),
        least_kwh=(0.0, 0.0),
        kind="battery",
        place=(n,),
        keeps=1.0 - float(batteries.loss_coefficient[n]),
        wear=0.5 * float(batteries.capacity_loss_coefficient[n]),
    )
    columns: dict[str, Floats | float] = {
        "conversion": 0.0,
        "available": 1.0,
        "capacity_kwh": capacity,
        "floor_kwh": floor,
        "begins_kwh": _starting(description.tables.rows, max(float(batteries.initial_soc[n]) * capacity, floor)),
        "required_kwh": np.nan,
        "must_kwh": -np.inf,
        "electricity": 1.0,
        "most_in_kwh": conversion.most_in_kwh,
        "most_out_kwh": conversion.most_out_kwh,
    }
    yield Found(storage, [conversion], columns)


def _tank(description: CommunityDescription, n: int, u: int) -> Iterator[Found]:
    parameters = description.parameters
    tanks, column = parameters.tanks, int(parameters.actions.tank[n, u])
    capacity, kind = float(tanks.capacity[n, u]), int(parameters.devices.kind[n, u])
    if column < 0 or capacity <= 0.0 or kind == ABSENT:
        return
    performance = performance_of(description, n, u)
    demand = description.tables.heat_demand[:, n, u].astype(np.float64)
    spare = np.maximum(parameters.devices.nominal_power[n, u] * performance - demand, 0.0)
    storage = Storage(
        building=n,
        action=column,
        unit_kwh=(capacity, capacity),
        least_kwh=(0.0, 0.0),
        kind="tank",
        place=(n, u),
        keeps=1.0 - float(tanks.loss_coefficient[n, u]),
    )
    columns: dict[str, Floats | float] = {
        "conversion": 0.0,
        "available": 1.0,
        "capacity_kwh": capacity,
        "floor_kwh": 0.0,
        "begins_kwh": _starting(description.tables.rows, float(tanks.initial_soc[n, u]) * capacity),
        "required_kwh": np.nan,
        "must_kwh": -np.inf,
        "electricity": 1.0 / performance,
        "most_in_kwh": np.minimum(spare, min(float(tanks.max_input[n, u]), capacity)),
        "most_out_kwh": np.minimum(demand, min(float(tanks.max_output[n, u]), capacity)),
    }
    ratio = float(tanks.round_trip_efficiency[n, u])
    yield Found(storage, [tank_conversion(capacity, ratio, capacity, capacity)], columns)
