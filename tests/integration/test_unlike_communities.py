"""Several communities of unlike buildings on one runner. Each community's own environment is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.lockstep import LockstepCommunities
from rllib_citylearn.env.members import members
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.modules.layout import JointLayout
from rllib_citylearn.simulator.differentiable.rows import StateRows
from tests.small_data import short

HOURS = 6
NAMES = tuple(f"Building_{k}" for k in range(1, 9))


@pytest.fixture(scope="module")
def homes(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Eight buildings with batteries."""
    return str(short(challenge_2022, tmp_path_factory.mktemp("homes"), NAMES))


@pytest.fixture(scope="module")
def cars(ev_data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two buildings, one of which has a charger."""
    return str(short(ev_data, tmp_path_factory.mktemp("cars"), ("Building_1", "Building_2")))


@pytest.fixture(scope="module")
def env_config(homes: str) -> dict[str, Any]:
    return {"dataset": homes, "window": (700, 800), "episode_steps": HOURS, "starts": (710, 740, 733), "padded": True}


@pytest.fixture(scope="module")
def mixed(env_config: dict[str, Any], cars: str) -> dict[str, Any]:
    """Three homes, two others with a car between them, five more homes."""
    parts = [{"buildings": "1-3"}, {"dataset": cars}, {"buildings": "4-8"}]
    return {**env_config, "memory": True, "communities": parts}


def config(env_config: dict[str, Any], copies: int, **training: Any) -> CooperativeMADDPGConfig:
    return (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(num_env_runners=0, num_envs_per_env_runner=copies, rollout_fragment_length=HOURS)
        .training(**training)
        .rl_module(model_config={"hidden": 16, "coordinator_width": 8, "hint_size": 4, "heads": 2})
        .debugging(seed=3)
    )


def runner(configured: CooperativeMADDPGConfig) -> CommunityVectorRunner:
    return CommunityVectorRunner(config=configured, worker_index=0, num_workers=0)


@pytest.fixture(scope="module")
def player(mixed: dict[str, Any]) -> CommunityVectorRunner:
    """A runner of two copies of the first community and one of each of the others; it is costly to build."""
    return runner(config(mixed, 4))


def own_columns(alone: CommunityVectorEnv, joint: LockstepCommunities) -> list[int]:
    return [joint.features.columns.index(column) for column in alone.features.columns]


def replayed(fragment: JointFragment, alone: CommunityVectorEnv, joint: LockstepCommunities, starts: list[int]) -> None:
    """Play a fragment's actions in the community's own environment, without the others' columns: the numbers agree."""
    columns = own_columns(alone, joint)
    actions = [joint.features.actions.index(action) for action in alone.features.actions]
    others = np.setdiff1d(np.arange(len(joint.features.columns)), columns)
    assert not fragment.observations[..., others].any(), "what a community lacks is zero"
    assert np.array_equal(fragment.observations[0][..., columns], alone.reset(starts=starts))
    for t in range(len(fragment)):
        step = alone.step(fragment.actions[t][..., actions])
        assert np.array_equal(fragment.observations[t + 1][..., columns], step.observations)
        assert np.array_equal(fragment.building_rewards[t], step.rewards.building.astype(np.float32))
        assert np.array_equal(fragment.district_reward[t], step.rewards.district.astype(np.float32))


def test_samples_are_those_of_each_community_alone(mixed, player):
    player.env.seed(0)
    fragments = player.sample(num_episodes=4, explore=True)
    assert [fragment.community for fragment in fragments] == [0, 1, 2]
    assert [fragment.actions.shape[1:3] for fragment in fragments] == [(2, 3), (1, 2), (1, 5)]
    assert sum(fragment.agent_steps() for fragment in fragments) == HOURS * player.env.agent_steps
    ranges = player.env.features.ranges
    widths = set()
    for fragment, part in zip(fragments, mixed["communities"], strict=True):
        plain = {**mixed, **part, "communities": None, "padded": False, "ranges": ranges}
        alone = CommunityVectorEnv(CommunityEnvConfig.from_dict(plain), fragment.actions.shape[1])
        widths.add(len(alone.features.columns))
        replayed(fragment, alone, player.env, list(mixed["starts"][: alone.communities]))
    assert len(widths) == 2, "the communities have unlike columns"


def test_infos_say_which_community_a_copy_plays(player):
    player.env.reset()
    hour = player.env.step(np.zeros((player.env.num_envs, *player.env.action_shape)))
    infos = [player.env.info(hour, e) for e in range(4)]
    player.sample(num_episodes=4, explore=True)  # the runner begins anew
    assert [info["community"] for info in infos] == [0, 0, 1, 2]
    assert [len(info["building_rewards"]) for info in infos] == [3, 3, 2, 5]
    assert infos[2]["buildings"] == ["Building_1", "Building_2"]


def test_a_forward_pass_for_all_is_that_of_each(player):
    """Padding changes nothing: a community's actions are those that the policy takes for its observations alone."""
    torch.nn.init.normal_(player.module[COMMUNITY].policy.actor.output.weight, std=0.3)
    module = player.module[COMMUNITY]
    for fragment, vector in zip(player.sample(num_episodes=4, explore=False), player.env.vectors, strict=True):
        observed = torch.from_numpy(fragment.observations[:-1, 0])
        with torch.no_grad():
            actions = module.act(observed, None, torch.from_numpy(vector.features.action_mask).float())
        assert actions.abs().max() > 0.05
        torch.testing.assert_close(torch.from_numpy(fragment.actions[:, 0]), actions, rtol=0.0, atol=1e-5)


def test_actions_are_zero_where_a_building_has_none(player):
    for random in (True, False):
        fragments = player.sample(num_episodes=4, explore=True, random_actions=random)
        for fragment, vector in zip(fragments, player.env.vectors, strict=True):
            mask = vector.features.action_mask
            assert not fragment.actions[..., ~mask].any()
            assert fragment.actions[..., mask].any()


def test_permuting_communities_permutes_what_they_play(mixed, player):
    turned = {**mixed, "communities": [mixed["communities"][k] for k in (2, 0, 1)]}
    one, other = player.env, LockstepCommunities(CommunityEnvConfig.from_dict(turned), 3)
    order = [3, 0, 2]  # the first copies of the communities
    assert one.features.columns == other.features.columns
    actions = np.random.default_rng(0).uniform(-1, 1, (4, *one.action_shape)).astype(np.float32)
    one.seed(0)
    first, second = one.reset(), other.reset()
    assert np.array_equal(first[order], second)
    for _ in range(3):
        here, there = one.step(actions), other.step(actions[order])
        assert np.array_equal(here.observations[order], there.observations)
        assert np.array_equal(here.building_rewards[order], there.building_rewards)
        assert np.array_equal(here.team_reward[order], there.team_reward)


def test_drawn_communities_are_the_same_on_every_runner_and_those_a_learner_simulates(env_config):
    drawing = {**env_config, "random_buildings": 4, "variants": 3}
    player = runner(config(drawing, 3, model_horizon=2))
    given, drawn = CommunityEnvConfig.from_dict(drawing), set()
    for k, (fragment, member) in enumerate(zip(player.sample(num_episodes=3, explore=True), members(given), strict=True)):
        alone = CommunityVectorEnv(member.config, 1, instance=(k,), site=member.site)
        names = tuple(agent.name for agent in alone.features.agents)
        assert names == tuple(agent.name for agent in player.env.vectors[k].features.agents)
        assert len(names) == 4
        drawn.add(names)
        replayed(fragment, alone, player.env, [env_config["starts"][0]])
        alone.reset(starts=[env_config["starts"][0]])
        packed = StateRows(alone.engine.community.description).pack(alone)
        assert np.array_equal(fragment.states[0, :, : packed.shape[1]], packed)
    assert len(drawn) > 1


def layout_of(env: LockstepCommunities) -> JointLayout:
    return JointLayout(env.single_observation_space, env.single_action_space)


def test_data_as_they_are_and_held_out_buildings_have_the_spaces_of_training(env_config):
    given = {**env_config, "buildings": "1-4", "random_buildings": 1, "variants": 2, "held_out": "4", "memory": True}
    trained = CommunityEnvConfig.from_dict(given)
    theirs = layout_of(LockstepCommunities(trained, 2))
    for judged, buildings in (({**given, "variants": 0}, 3), (vars(trained.held_out_config()), 1)):
        env = LockstepCommunities(CommunityEnvConfig.from_dict(judged), 2)
        layout = layout_of(env)
        assert env.shape == (buildings, theirs.observation_mask.shape[1])
        assert layout.communities[0].features == theirs.communities[0].features, "with the same ranges"
        assert layout.communities[0].actions == theirs.communities[0].actions


def test_kpis_are_those_of_every_community_and_their_mean(player):
    player.get_metrics()
    player.sample(num_episodes=4, explore=False)
    scores = [player._episodes[e].get_infos()["episode"]["score"] for e in (1, 2, 3)]  # two copies play the first community
    kpis = player.get_metrics()["kpis"]
    values = {name: np.mean(stats.peek()) for name, stats in kpis.items() if name.startswith("score")}
    assert [values[f"score_{k}"] for k in range(3)] == pytest.approx(scores)
    assert values["score"] == pytest.approx(np.mean(scores)), "every community counts the same"
    assert len(set(scores)) == 3


def test_rules_follow_the_devices_of_all_communities(player):
    """The charger is in the second community, which is not the largest."""
    rule = player.module[COMMUNITY].policy.actor.rule
    assert {one.action for one in rule.rules} == {"electrical_storage", "electric_vehicle_storage_1"}


def test_what_cannot_be_played_together_is_refused(mixed, env_config):
    parts = [{"window": (700, 780)}, {"window": (700, 760)}]
    unequal = {**env_config, "buildings": "1", "episode_steps": None, "starts": None, "communities": parts}
    with pytest.raises(ConfigError, match=r"episodes of 59, 79 steps, but .* set episode_steps to 59 or fewer"):
        LockstepCommunities(CommunityEnvConfig.from_dict(unequal), 2)
    for given, copies, message in (
        (mixed, 2, r"3 communities and variants=1, but num_envs_per_env_runner is 2"),
        (env_config, 2, "padded=True, but .* give padded=True together with communities, random_buildings or random_fleet"),
        ({**mixed, "team_share": 0.5}, 3, "team_share=0.5"),
        ({**mixed, "engine": "citylearn"}, 3, "communities, but communities of unlike buildings .* engine 'fast'"),
    ):
        with pytest.raises(ConfigError, match=message):
            config(given, copies).validate()
    separate = config(mixed, 3)
    separate.rl_module(model_config={"actors": "separate"})
    with pytest.raises(ConfigError, match="actors is 'separate'"):
        separate.validate()
