"""Communities on which the differentiable physics is held against the compiled one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.no_control import no_control
from rllib_citylearn.env.reward import RewardTables, RewardWeights, TeamReward
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.differentiable import DifferentiableCommunity, State
from rllib_citylearn.simulator.parameters import Batteries, Curves
from rllib_citylearn.simulator.presence import Presence
from rllib_citylearn.simulator.reward_layout import MISSING
from tests.appliance_data import with_appliances

Array = npt.NDArray[np.float64]


NAMES = ("batteries", "vehicles", "tanks", "vehicles, unusual", "tanks, unusual", "appliances")
WINDOW = (0, 900)
"""Reaches into the second month, where running peaks start again."""


@dataclass(frozen=True)
class Case:
    """A community and its reward."""

    name: str
    description: CommunityDescription
    reward: RewardTables

    @property
    def shape(self) -> tuple[int, int]:
        """Buildings and joint actions."""
        buildings, actions = self.description.features.action_mask.shape
        return buildings, actions

    def fast(self, communities: int) -> FastCommunity:
        return FastCommunity(self.description, communities, reward=self.reward, drift_rows=400)

    def torch(self, dtype: torch.dtype = torch.float64) -> DifferentiableCommunity:
        return DifferentiableCommunity(self.description, reward=self.reward, dtype=dtype)


def read_case(name: str, folder: Path, buildings: Sequence[str], window: tuple[int, int]) -> Case:
    env = make_citylearn_env(folder, buildings=buildings, window=window)
    description = CommunityDescription.read(env, community_features(env))
    return Case(name, description, TeamReward(no_control(env), RewardWeights()).tables)


_known: dict[str, Case] = {}


def named_case(request: pytest.FixtureRequest, name: str) -> Case:
    """One of ``NAMES``; each is read once."""
    if name not in _known:
        _known[name] = _read(request, name)
    return _known[name]


def _read(request: pytest.FixtureRequest, name: str) -> Case:
    if name.endswith(", unusual"):
        return with_unusual_devices(named_case(request, name.removesuffix(", unusual")))
    if name == "batteries":
        folder, buildings = request.getfixturevalue("challenge_2022"), (2, 5, 17)
    elif name == "vehicles":
        folder, buildings = request.getfixturevalue("ev_data"), (1, 2, 5, 7, 15)
    elif name == "appliances":
        empty = request.getfixturevalue("tmp_path_factory").mktemp("busy")
        folder, buildings = with_appliances(request.getfixturevalue("challenge_2022"), empty, WINDOW[1]), (2, 4, 5)
    else:
        folder, buildings = request.getfixturevalue("shared_datasets") / "citylearn_challenge_2021", (1, 2, 3, 9)
    return read_case(name, folder, [f"Building_{n}" for n in buildings], WINDOW)


def with_unusual_devices(case: Case) -> Case:
    """The same community with devices that the data sets don't have: what they have hides half of the physics.

    Batteries that lose charge and keep a reserve, a building without one, chargers with curves and least powers, vehicles
    that come back without having been missed, slow and leaky tanks that are half full at first, weak heat pumps and
    heaters.
    """
    parameters = case.description.parameters
    chargers, tanks = parameters.chargers, parameters.tanks
    curve = np.array([[0.1, 0.4, 1.0], [0.7, 0.95, 0.9]])
    each = range(len(chargers))
    changed = replace(
        parameters,
        batteries=_leaky(parameters.batteries, without=1),
        vehicles=_leaky(parameters.vehicles, without=None),
        chargers=replace(
            chargers,
            min_charging=0.2 * chargers.max_charging,
            min_discharging=0.15 * chargers.max_discharging,
            charge_efficiency=Curves.of([curve if c % 2 else np.zeros((2, 0)) for c in each]),
            discharge_efficiency=Curves.of([curve if c % 3 else np.zeros((2, 0)) for c in each]),
        ),
        devices=replace(parameters.devices, nominal_power=0.3 * parameters.devices.nominal_power),
        tanks=replace(
            tanks,
            max_input=0.1 * tanks.capacity,
            max_output=0.05 * tanks.capacity,
            loss_coefficient=tanks.loss_coefficient + 0.02,
            initial_soc=np.where(tanks.capacity > 0.0, 0.5, 0.0),
        ),
    )
    tables = replace(case.description.tables, presence=_with_returns(case.description.tables.presence))
    description = replace(case.description, parameters=changed, tables=tables)
    return Case(f"{case.name}, unusual", description, case.reward)


def _with_returns(presence: Presence) -> Presence:
    """Every twentieth hour, vehicles that stay plugged in have another charge: they were away and are back."""
    arrival, required = presence.arrival_soc.copy(), presence.required_soc.copy()
    for c in range(presence.connected.shape[1]):
        stays = (presence.connected[1:, c] >= 0) & (presence.connected[1:, c] == presence.connected[:-1, c])
        rows = np.flatnonzero(stays)[::20] + 1
        arrival[rows, presence.connected[rows, c]] = 0.3
        required[rows - 1, c] = 0.8
    return replace(presence, arrival_soc=arrival, required_soc=required)


def _leaky(batteries: Batteries, without: int | None) -> Batteries:
    count = np.arange(len(batteries))
    return replace(
        batteries,
        capacity=np.where(count == without, 0.0, batteries.capacity),
        nominal_power=np.where(count == without, 0.0, batteries.nominal_power),
        depth_of_discharge=0.9 - 0.3 * (count % 3) / 2,
        loss_coefficient=0.01 * (1 + count % 2),
        capacity_loss_coefficient=np.full(len(count), 1e-3),
    )


@dataclass(frozen=True)
class Hours:
    """What several hours gave in E communities, from either engine.

    Attributes:
        net_kwh, cost, emissions: ``[H, E, N]``.
        terms: of the reward, ``[H, E, 5]``.
        missing_kwh: of the vehicles that left, ``[H, E, N]``.
    """

    net_kwh: torch.Tensor
    cost: torch.Tensor
    emissions: torch.Tensor
    terms: torch.Tensor
    missing_kwh: torch.Tensor

    def objectives(self) -> dict[str, torch.Tensor]:
        """What learners may want less of, each ``[E]``."""
        district = self.net_kwh.sum(2)
        return {
            "cost": self.cost.sum((0, 2)),
            "carbon": self.emissions.sum((0, 2)),
            "ramping": district.diff(dim=0).abs().sum(0),
            "peak": district.max(0).values,
            "rewarded ramping": -self.terms[:, :, 2].sum(0),
            "rewarded load factor": -self.terms[:, :, 3].sum(0),
            "shortfall": self.missing_kwh.sum((0, 2)),
        }


def simulate(community: DifferentiableCommunity, state: State, actions: torch.Tensor) -> Hours:
    """Hours with the given joint actions ``[H, E, N, A]``."""
    given = iter(actions)
    _, outcome = community.rollout(state, lambda observations, state: next(given), len(actions))
    assert outcome.rewards is not None
    return Hours(
        net_kwh=outcome.net_kwh,
        cost=outcome.cost,
        emissions=outcome.emissions,
        terms=outcome.rewards.terms,
        missing_kwh=outcome.missing_kwh,
    )


def simulate_compiled(case: Case, fast: FastCommunity, actions: Array) -> Hours:
    """The same in the compiled engine, from where ``fast`` stands."""
    seen: dict[str, list[Array]] = {name: [] for name in ("net_kwh", "cost", "emissions", "terms", "missing_kwh")}
    for action in actions:
        fast.step(action)
        seen["net_kwh"].append(fast.net_kwh.astype(np.float64))
        seen["cost"].append(fast.cost.astype(np.float64))
        seen["emissions"].append(fast.emissions.astype(np.float64))
        seen["terms"].append(fast.rewards.terms.copy())
        seen["missing_kwh"].append(fast.service[:, :, MISSING].copy())
    return Hours(**{name: torch.tensor(np.stack(values)) for name, values in seen.items()})
