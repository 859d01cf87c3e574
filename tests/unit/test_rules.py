"""The rules that actors correct: what they ask of batteries and chargers, and when they apply."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.measurements import memory_names
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.config import CommunityModuleConfig
from rllib_citylearn.modules.policy import Policy
from rllib_citylearn.modules.rule import starting_rule
from rllib_citylearn.simulator.reward_layout import GIVEN_UP
from tests.appliance_data import OWNERS, with_appliances
from tests.networks import N, community, layout, with_chargers


def remembering() -> CommunityFeatures:
    return CommunityFeatures([replace(agent, memory=memory_names(agent.features)) for agent in community().agents])


@pytest.mark.parametrize("name", ["net-zero", "level"])
def test_the_rule_asks_the_battery_for_the_buildings_own_net_load_less_the_target(name):
    features = remembering()
    random = np.random.default_rng(0)
    rows = [[3, load, pv, 0.5] for load, pv in random.uniform(0, 6, (N, 2))]
    means = random.uniform(-2, 2, N)
    joint = features.encode(rows)
    column = features.columns.index("base_load_mean_24h")
    joint[:, column] = [features.feature("base_load_mean_24h").encode(mean)[0] for mean in means]
    expected = []
    for agent, (_, load, pv, _), mean in zip(features.agents, rows, means, strict=True):
        request = (mean if name == "level" else 0.0) - (load - pv)
        expected.append(np.clip(request / agent.descriptors["electrical_storage_nominal_power"], -1, 1))
    rule = starting_rule(layout(features), name)
    assert torch.allclose(rule(torch.from_numpy(joint)).squeeze(-1), torch.tensor(expected, dtype=torch.float32), atol=1e-5)


def test_batteries_follow_a_rule_where_every_building_that_has_one_shows_load_and_generation():
    agents = list(community(2).agents)
    blind = replace(agents[1], features=("hour", "non_shiftable_load", "electrical_storage_soc"))
    for last, applies in (
        (agents[1], True),
        (blind, False),
        (replace(blind, actions=(), action_low=(), action_high=()), True),
    ):
        table = layout(CommunityFeatures([agents[0], last]))
        assert (starting_rule(table, "net-zero") is not None) is applies
        assert starting_rule(table, "none") is None


def test_level_without_memory_is_refused():
    with pytest.raises(ConfigError, match=r"base_load_mean_24h.*set memory in env_config"):
        starting_rule(layout(), "level")


def test_a_vehicle_is_asked_to_charge_what_it_lacks_over_the_hours_it_stays():
    """On chargers of both kinds, whose limits differ: in their own units the request is the same."""
    features = with_chargers(0.0, 7.0)
    rule = starting_rule(layout(features), "net-zero")

    def request(connected: float, soc: float, required: float, hours: float) -> list[float]:
        joint = rule(torch.from_numpy(features.encode([[connected, soc, required, hours, 50.0]] * 2)))
        values = [row[0] for row in features.decode_actions(joint.numpy())]
        assert values[0] == pytest.approx(values[1], abs=1e-5)
        return values[0]

    assert request(0, -0.1, -0.1, -1) == pytest.approx(0, abs=1e-5), "no vehicle"
    assert request(1, 0.9, 0.8, 5) == pytest.approx(0, abs=1e-5), "full enough"
    assert request(1, 0.1, 0.8, 1) == pytest.approx(1, abs=1e-5), "no time to lose"
    even = request(1, 0.5, 0.8, 10)  # 15 kWh in ten hours: 1.5 of 10 kW, and the losses
    assert 0.15 < even < 0.22
    assert request(1, 0.5, 0.8, 5) == pytest.approx(2 * even, rel=1e-4)


def test_an_untrained_policy_serves_the_drivers(ev_data: Path):
    """Against what can be done: charging every vehicle at full power as soon as it is there."""

    def missing_kwh(policy: Policy | None, env: CommunityVectorEnv) -> tuple[float, float]:
        observations, district = env.reset(seed=0), 0.0
        missing = 0.0
        chargers = [name.startswith("electric_vehicle") for name in env.features.actions]
        full = np.where(chargers, 1.0, env.features.encode_actions(np.zeros(env.features.action_mask.shape)))
        for _ in range(env.episode_steps):
            actions = full[None]
            if policy is not None:
                with torch.no_grad():
                    actions = policy(torch.from_numpy(observations.copy())).numpy()
            observations = env.step(actions.astype(float)).observations
            missing += float(env.engine.community.service[0, :, 0].sum())
            district = max(district, float(env.engine.net_kwh.sum()))
        return missing, district

    env = CommunityVectorEnv(
        CommunityEnvConfig(dataset=str(ev_data), buildings=("Building_1", "Building_4", "Building_15"), window=(0, 250))
    )
    torch.manual_seed(0)
    table = layout(env.features)
    served, peak = missing_kwh(Policy(table, CommunityModuleConfig()), env)
    possible, full_peak = missing_kwh(None, env)
    unserved, _ = missing_kwh(Policy(table, CommunityModuleConfig(rule="none")), env)
    assert served <= possible + 0.01 * unserved
    assert peak < 0.8 * full_peak, "evenly, not at once"


def test_an_untrained_policy_starts_every_cycle_that_can_be_started(challenge_2022: Path, tmp_path: Path):
    folder = with_appliances(challenge_2022, tmp_path, 200)
    env = CommunityVectorEnv(CommunityEnvConfig(dataset=str(folder), buildings=tuple(OWNERS), window=(0, 200)))
    torch.manual_seed(0)
    policy = Policy(layout(env.features), CommunityModuleConfig())
    appliances = [name.startswith("deferrable") for name in env.features.actions]

    def given_up_kwh(start: float | None) -> float:
        """By the policy, or by appliances that always ask for ``start``."""
        observations, total = env.reset(seed=0), 0.0
        for _ in range(env.episode_steps):
            if start is None:
                with torch.no_grad():
                    actions = policy(torch.from_numpy(observations.copy())).numpy()
            else:
                actions = np.where(appliances, start, 0.0) * env.features.action_mask[None]
            observations = env.step(actions.astype(float)).observations
            total += float(env.engine.community.service[0, :, GIVEN_UP].sum())
        return total

    assert given_up_kwh(None) == given_up_kwh(1.0) < 0.2 * given_up_kwh(-1.0)
