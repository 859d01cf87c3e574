"""What the community draws from the grid when nobody controls it: the reference of rewards and scores."""

from __future__ import annotations

import hashlib
import io
import sys
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.datasets import folder_sha256
from rllib_citylearn.env.citylearn_env import community_features
from rllib_citylearn.env.reference import Array, NoControl
from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.errors import UnsupportedError
from rllib_citylearn.files import cache_folder, write_bytes
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.tables import generation_kwh

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


def no_control(env: CityLearnEnv) -> NoControl:
    """The no-control reference over the whole window of ``env``, which is reset.

    Where every load is electrical and cannot be moved (batteries, PV and vehicles that stay unplugged), the net load is in
    the data. Where heat and cold are made from electricity, or the grid goes out, it is simulated: by the fast engine, or,
    where that can't, once by CityLearn and kept in the cache.

    Args:
        env: a CityLearn environment from ``make_citylearn_env``.
    """
    env.reset()
    buildings = env.buildings
    price = np.stack([np.asarray(b.pricing.electricity_pricing, float) for b in buildings], 1)
    carbon = np.stack([np.asarray(b.carbon_intensity.carbon_intensity, float) for b in buildings], 1)
    if any(_has_thermal_demand(building) or building.simulate_power_outage for building in buildings):
        net = _simulated(env)
    else:
        net = np.stack([_electrical_net(building) for building in buildings], 1)
    first = int(env.episode_tracker.episode_start_time_step)
    return NoControl(first, net, price[: len(net)], carbon[: len(net)])


def _has_thermal_demand(building: Any) -> bool:
    """Whether the building turns electricity into heat or cold, which then depends on the control."""
    energy = building.energy_simulation
    return any(np.any(x) for x in (energy.cooling_demand, energy.heating_demand, energy.dhw_demand))


def _electrical_net(building: Any) -> Array:
    """Load less photovoltaic generation over the whole window, ``[T]`` kWh a time step."""
    return np.asarray(building.energy_simulation.non_shiftable_load, float) - generation_kwh(building)


def _simulated(env: CityLearnEnv) -> Array:
    """Net load ``[T, N]`` of an episode that nobody controls.

    Storage stays as it is, heating and cooling devices follow their thermostats.
    """
    uncontrolled = deepcopy(env)
    leave_devices_to_thermostats(uncontrolled)
    uncontrolled.reset()
    try:
        description = CommunityDescription.read(uncontrolled, community_features(uncontrolled))
    except UnsupportedError:
        return _simulated_by_citylearn(uncontrolled, _cache_file(env))
    community = FastCommunity(description)
    zeros = np.zeros((1, *community.description.features.action_mask.shape))
    net = np.zeros((community.rows - 1, len(uncontrolled.buildings)))
    for row in range(len(net)):
        community.step_physical(zeros)
        net[row] = community.net_kwh[0]
    return net


def _simulated_by_citylearn(uncontrolled: CityLearnEnv, file: Path) -> Array:
    """The same from CityLearn, or from the cache if it was simulated before."""
    if file.exists():
        try:
            stored: Array = np.load(file, allow_pickle=False)
            return stored
        except (ValueError, OSError, EOFError):
            file.unlink(missing_ok=True)  # cut short; it is made again below
    print("Simulating the community without control once, as the reference of the reward ...", file=sys.stderr, flush=True)
    zeros = [[0.0] * space.shape[0] for space in uncontrolled.action_space]
    while not uncontrolled.terminated:
        uncontrolled.step(zeros)
    net = np.stack([np.asarray(b.net_electricity_consumption, float) for b in uncontrolled.buildings], 1)
    content = io.BytesIO()
    np.save(content, net, allow_pickle=False)
    write_bytes(file, content.getvalue())
    return net


def _cache_file(env: CityLearnEnv) -> Path:
    """A name that changes with anything the simulation depends on: data, loads, CityLearn, buildings, window, seed."""
    tracker = env.episode_tracker
    inputs = (
        folder_sha256(Path(env.root_directory)),
        version("citylearn"),
        version("numpy"),
        [building.name for building in env.buildings],
        (tracker.episode_start_time_step, tracker.episode_end_time_step),
        env.random_seed,
        [_loads(building) for building in env.buildings],
    )
    return cache_folder() / "no_control" / f"{hashlib.sha256(repr(inputs).encode()).hexdigest()}.npy"


def _loads(building: Any) -> str:
    """Digest of a building's load and generation, which are not the data set's if they were scaled."""
    energy = building.energy_simulation
    return hashlib.sha256(energy.non_shiftable_load.tobytes() + energy.solar_generation.tobytes()).hexdigest()
