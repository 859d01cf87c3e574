"""No actor keeps a driver waiting: played through the compiled engine, with charging at full power as the oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.config import CommunityModuleConfig, GuardName
from rllib_citylearn.modules.guard import departure_guard, raised
from rllib_citylearn.modules.policy import Policy
from rllib_citylearn.simulator.reward_layout import MISSING
from tests.networks import layout, trained_like

HOURS = 250


@dataclass(frozen=True)
class Course:
    """What came of an episode: energy that drivers lacked, and what chargers drew in each hour, kWh, ``[T, C]``."""

    missing_kwh: float
    drawn_kwh: np.ndarray


@pytest.fixture(scope="module")
def env(ev_data: Path) -> CommunityVectorEnv:
    """One charger that gives nothing back, and four that do."""
    buildings = ("Building_1", "Building_4", "Building_5", "Building_15")
    return CommunityVectorEnv(CommunityEnvConfig(dataset=str(ev_data), buildings=buildings, window=(0, HOURS)))


def play(env: CommunityVectorEnv, wish: float | None, guard: GuardName) -> Course:
    """Chargers always wish for the action ``wish``, in the joint range, or for a random one; the guard has its way."""
    random = np.random.default_rng(0)
    guarded = departure_guard(layout(env.features), guard)
    chargers = np.array([name.startswith("electric_vehicle") for name in env.features.actions])
    rest = env.features.encode_actions(np.zeros(env.features.action_mask.shape))
    observations, missing, drawn = env.reset(seed=0), 0.0, []
    for _ in range(env.episode_steps):
        asked = random.uniform(-1, 1, rest.shape) if wish is None else np.full(rest.shape, wish)
        actions = np.where(chargers, asked, rest)[None]
        if guarded is not None:
            actions = np.maximum(actions, guarded(torch.from_numpy(observations.copy())).numpy())
        observations = env.step(actions.astype(float)).observations
        missing += float(env.engine.community.service[0, :, MISSING].sum())
        drawn.append(env.engine.community.arrays["charger_energy"][0].copy())
    return Course(missing, np.array(drawn))


@pytest.mark.parametrize("guard", ["departures", "one-way"])
@pytest.mark.parametrize("wish", [-1.0, None], ids=["the least", "at random"])
def test_drivers_are_served_whatever_the_actor_wants(env: CommunityVectorEnv, wish: float | None, guard: GuardName):
    possible, unserved = play(env, 1.0, "none"), play(env, wish, "none")
    served = play(env, wish, guard)
    assert unserved.missing_kwh > possible.missing_kwh + 50.0, "there is something to guard against"
    assert served.missing_kwh <= possible.missing_kwh + 0.5


def test_vehicles_are_charged_as_late_as_possible_and_no_more_than_asked_for(env: CommunityVectorEnv):
    full, late = play(env, 1.0, "none"), play(env, -1.0, "one-way")
    assert late.drawn_kwh.sum() < full.drawn_kwh.sum()
    hours = np.arange(HOURS)[: len(full.drawn_kwh)]
    # Until half of the energy is drawn, counted from the start of the data.
    first, second = (np.interp(0.5, np.cumsum(c.drawn_kwh.sum(1)) / c.drawn_kwh.sum(), hours) for c in (full, late))
    assert second > first


def test_what_goes_one_way_never_comes_back(env: CommunityVectorEnv):
    assert play(env, -1.0, "one-way").drawn_kwh.min() >= 0.0
    assert play(env, -1.0, "departures").drawn_kwh.min() < -1.0, "what can be made up for may be given"


def test_a_policy_is_guarded_unless_it_is_told_otherwise(env: CommunityVectorEnv):
    table = layout(env.features)
    policy = trained_like(Policy(table, CommunityModuleConfig()))
    guard = policy.actor.guard
    observations = torch.from_numpy(env.reset(seed=0).copy())
    for _ in range(30):
        with torch.no_grad():
            actions, least = policy(observations), guard(observations)
        assert (actions >= least).all()
        observations = torch.from_numpy(env.step(actions.numpy().astype(float)).observations.copy())
    assert Policy(table, CommunityModuleConfig(guard="none")).actor.guard is None
    assert Policy(layout(), CommunityModuleConfig()).actor.guard is None, "without chargers there is nothing to guard"


def test_gradients_lead_out_of_where_the_guard_has_its_way_and_never_further_in():
    action = torch.tensor([-0.5, -0.5, 0.5, 0.5], requires_grad=True)
    least = torch.tensor([0.0, 0.0, 0.0, 0.0], requires_grad=True)
    done = raised(action, least)
    assert done.tolist() == [0.0, 0.0, 0.5, 0.5]
    loss = (done * torch.tensor([-1.0, 2.0, -3.0, 4.0])).sum()  # falls with the first and third, rises with the others
    by_action, by_least = torch.autograd.grad(loss, [action, least])
    assert by_action.tolist() == [-1.0, 0.0, -3.0, 4.0]
    assert by_least.tolist() == [-1.0, 2.0, 0.0, 0.0]


def test_a_charger_that_is_to_go_one_way_has_to_be_seen(env: CommunityVectorEnv):
    blind = CommunityFeatures(
        [
            replace(agent, features=tuple(name for name in agent.features if "battery_capacity" not in name))
            for agent in env.features.agents
        ]
    )
    assert departure_guard(layout(blind), "departures") is None
    with pytest.raises(ConfigError, match=r"charger 1 sees .*battery_capacity.* set guard to 'none'"):
        departure_guard(layout(blind), "one-way")
