"""What the community does when nobody controls it: the reference of rewards and scores."""

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
from rllib_citylearn.env.service import ServiceMeter, serves
from rllib_citylearn.env.thermostats import controls_devices, leave_devices_to_thermostats
from rllib_citylearn.errors import UnsupportedError
from rllib_citylearn.files import cache_folder, write_bytes
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.reward_layout import SERVICE_COUNT

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


def no_control(env: CityLearnEnv) -> NoControl:
    """The no-control reference over the whole window of ``env``, which is reset.

    Storage stays as it is, vehicles are not charged, appliances start no cycle, heating and cooling devices follow their
    thermostats. Simulated by the fast engine or, where that can't, once by CityLearn and kept in the cache.

    Args:
        env: a CityLearn environment from ``make_citylearn_env``.
    """
    uncontrolled = env
    if controls_devices(env):
        uncontrolled = deepcopy(env)
        leave_devices_to_thermostats(uncontrolled)
    uncontrolled.reset()
    try:
        description = CommunityDescription.read(uncontrolled, community_features(uncontrolled))
    except UnsupportedError:
        outcome = _simulated_by_citylearn(uncontrolled, _cache_file(env))
    else:
        outcome = _simulated(description)
    env.reset()
    steps = len(outcome)
    price = np.stack([np.asarray(b.pricing.electricity_pricing, float) for b in env.buildings], 1)[:steps]
    carbon = np.stack([np.asarray(b.carbon_intensity.carbon_intensity, float) for b in env.buildings], 1)[:steps]
    service = outcome[: steps if serves(env) else 0, :, 1:]
    return NoControl(
        int(env.episode_tracker.episode_start_time_step),
        np.ascontiguousarray(outcome[:, :, 0]),
        price,
        carbon,
        np.ascontiguousarray(service),
    )


def _simulated(description: CommunityDescription) -> Array:
    """Net load and service (``NoControl.service``), ``[T, N, 4]``, of an episode that nobody controls."""
    community = FastCommunity(description)
    zeros = np.zeros((1, *description.features.action_mask.shape))
    outcome = np.zeros((community.rows - 1, len(description.parameters), 1 + SERVICE_COUNT))
    for hour in outcome:
        community.step_physical(zeros)
        hour[:, 0] = community.net_kwh[0]
        hour[:, 1:] = community.service[0]
    return outcome


def _simulated_by_citylearn(uncontrolled: CityLearnEnv, file: Path) -> Array:
    """The same from CityLearn, or from the cache if it was simulated before."""
    if file.exists():
        try:
            stored: Array = np.load(file, allow_pickle=False)
            return stored
        except (ValueError, OSError, EOFError):
            file.unlink(missing_ok=True)  # cut short; it is made again below
    print("Simulating the community without control once, as the reference of the reward ...", file=sys.stderr, flush=True)
    uncontrolled.reset()
    meter = ServiceMeter(uncontrolled)
    zeros = [[0.0] * space.shape[0] for space in uncontrolled.action_space]
    outcome = np.zeros((int(uncontrolled.time_steps) - 1, len(uncontrolled.buildings), 1 + SERVICE_COUNT))
    for row, hour in enumerate(outcome):
        uncontrolled.step(zeros)
        hour[:, 0] = [building.net_electricity_consumption[row] for building in uncontrolled.buildings]
        hour[:, 1:] = meter.read(uncontrolled, row, row)
    content = io.BytesIO()
    np.save(content, outcome, allow_pickle=False)
    write_bytes(file, content.getvalue())
    return outcome


def _cache_file(env: CityLearnEnv) -> Path:
    """A name that changes with anything the simulation depends on: data, loads, CityLearn, buildings, window, seed."""
    tracker = env.episode_tracker
    inputs = (
        "net load and service with appliances",
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
