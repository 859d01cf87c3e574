"""Fleets of vehicles drawn for training: other cars for every runner, in spaces that stay."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.rllib.env.env_context import EnvContext

from rllib_citylearn.datasets.fleets.laying import FLEET_FILE
from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
from rllib_citylearn.env import CityLearnMultiAgentEnv, CommunityEnvConfig
from rllib_citylearn.env.lockstep import LockstepCommunities
from rllib_citylearn.errors import ConfigError


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two homes for four days, one of which gets a charger, and a cache of their own for the fleets."""
    folder = make_community(
        SyntheticSpec(buildings=2, days=4, heat_pump_share=0.0, tank_share=0.0), tmp_path_factory.mktemp("homes") / "data"
    )
    fleet = {"seed": 3, "building_share": 0.5, "weekday_use": 1.0}
    return {"dataset": str(folder), "episode_steps": 60, "random_fleet": fleet, "padded": True}


@pytest.fixture(autouse=True, scope="module")
def _cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setattr("rllib_citylearn.env.random_fleets.cache_folder", lambda: cache)  # kernels stay in the usual one
        yield


def runner(config: dict[str, Any], index: int) -> CityLearnMultiAgentEnv:
    return CityLearnMultiAgentEnv(EnvContext(config, worker_index=index, num_workers=4))


def folders(env: CityLearnMultiAgentEnv) -> list[Path]:
    return [Path(vector.citylearn.root_directory) for vector in env.communities.vectors]


def spaces(env: CityLearnMultiAgentEnv) -> set[tuple[Any, ...]]:
    return {
        (name, space.features, env.action_spaces[name].shape, env.view.action_names(0, name))
        for name, space in env.observation_spaces.items()
    }


def test_runners_draw_other_fleets_into_the_same_spaces(homes):
    envs = [runner({**homes, "variants": 2}, index) for index in (1, 2)]
    drawn = [folder for env in envs for folder in folders(env)]
    assert len({(folder / "schema.json").read_text() for folder in drawn}) == 4
    assert folders(runner({**homes, "variants": 2}, 1)) == drawn[:2]
    equipped = {
        tuple(any("vehicle" in name for name in agent.actions) for agent in v.features.agents)
        for env in envs
        for v in env.communities.vectors
    }
    assert equipped == {(True, False), (False, True)}, "chargers in either home"
    own = CityLearnMultiAgentEnv({**homes, "variants": 0})
    (folder,) = folders(own)
    assert '"seed": 3' in (folder / FLEET_FILE).read_text()
    assert spaces(envs[0]) == spaces(envs[1]) == spaces(own)
    for env in [*envs, own]:
        for k in range(2):
            env.reset(seed=1 if k == 0 else None)
            for _ in range(60):
                actions = {name: np.ones(space.shape) for name, space in env.action_spaces.items()}
                observed, *_, infos = env.step(actions)
                assert all(space.contains(observed[name]) for name, space in env.observation_spaces.items())
            assert "score" in next(iter(infos.values()))["episode"]


def test_held_out_homes_have_the_fleet_of_its_own_seed(homes):
    config = CommunityEnvConfig.from_dict({**homes, "held_out": "2", "random_fleet": {"building_share": 1.0, "seed": 5}})
    train, judge = (CityLearnMultiAgentEnv(asdict(c)) for c in (config, config.held_out_config()))
    assert {entry[1:] for entry in spaces(train)} == {entry[1:] for entry in spaces(judge)}
    assert '"seed": 5' in (folders(judge)[0] / FLEET_FILE).read_text()


def test_unlike_chargers_need_padded_spaces(homes):
    config = {**homes, "padded": False}
    with pytest.raises(ConfigError, match="Set padded=True"):
        CityLearnMultiAgentEnv(config)
    alike = {"building_share": 1.0, "v2g_share": 1.0}
    one, other = (runner({**config, "random_fleet": alike}, index) for index in (1, 2))
    assert folders(one) != folders(other)
    for mine, others in zip(one.features.agents, other.features.agents, strict=True):
        # What chargers can do differs from fleet to fleet; that there is one, and what is seen of it, does not.
        assert mine.descriptors.keys() == others.descriptors.keys()
        assert replace(mine, descriptors={}) == replace(others, descriptors={})
    assert one.features.ranges == other.features.ranges


@pytest.mark.parametrize(
    ("fleet", "sentence"),
    [
        ({"cars": 3}, "random_fleet: A fleet has no cars"),
        ({"v2g_share": 2}, "random_fleet: .*v2g_share"),
        (3, "random_fleet is 3; expected keys"),
    ],
)
def test_a_fleet_that_cannot_be_is_said_in_a_sentence(fleet, sentence):
    with pytest.raises(ConfigError, match=sentence):
        CommunityEnvConfig.from_dict({"random_fleet": fleet})


def test_fleets_are_played_side_by_side(homes):
    """One batch for all variants: each has the chargers of its own fleet, on common columns."""
    env = LockstepCommunities(CommunityEnvConfig.from_dict({**homes, "variants": 2}), 2)
    tables = [vector.features for vector in env.vectors]
    assert tables[0].columns == tables[1].columns
    assert tables[0].actions == tables[1].actions
    assert not np.array_equal(env.action_mask[0], env.action_mask[1]), "the other home has the charger"
    env.reset()
    for _ in range(homes["episode_steps"]):
        hour = env.step(np.ones((2, *env.action_shape)))
    assert hour.ended
    for e, table in enumerate(tables):
        assert not hour.observations[e][~table.observation_mask].any()
