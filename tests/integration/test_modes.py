"""Ways to see a community: padded, central, part of it, several, with other loads. The plain environment is the oracle."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env import CityLearnMultiAgentEnv, CommunityEnvConfig, CommunityGymEnv, CommunityVectorEnv
from rllib_citylearn.env.played import random_actions
from rllib_citylearn.env.spaces import CentralBox, PaddedBox
from rllib_citylearn.errors import ConfigError
from tests.small_data import with_buildings

STEPS = 10


@pytest.fixture(scope="module")
def mixed(ev_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Buildings with one, no and two chargers."""
    folder = with_buildings(ev_data, tmp_path_factory.mktemp("mixed"), ["Building_1", "Building_2", "Building_15"])
    return {"dataset": str(folder), "window": (100, 200), "episode_steps": STEPS}


@pytest.fixture(scope="module")
def plain(mixed) -> CityLearnMultiAgentEnv:
    return CityLearnMultiAgentEnv(mixed)


@pytest.fixture(scope="module")
def homes(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = with_buildings(challenge_2022, tmp_path_factory.mktemp("homes"), [f"Building_{n}" for n in range(1, 7)])
    return {"dataset": str(folder), "buildings": "1-4", "window": (1000, 1060), "episode_steps": STEPS}


def test_padded_agents_see_and_do_what_they_would_alone(mixed, plain):
    padded = CityLearnMultiAgentEnv({**mixed, "padded": True})
    assert padded.possible_agents == plain.possible_agents
    assert len({space.shape for space in plain.observation_spaces.values()}) > 1, "unlike buildings"
    assert len({(*space.shape, *padded.action_spaces[name].shape) for name, space in padded.observation_spaces.items()}) == 1
    observed, _ = padded.reset(seed=1)
    expected, _ = plain.reset(seed=1)
    random = np.random.default_rng(2)
    for _ in range(STEPS):
        for name, space in padded.observation_spaces.items():
            assert isinstance(space, PaddedBox)
            own = plain.observation_spaces[name].columns
            values = dict(zip(space.columns, observed[name], strict=True))
            assert [values.pop(column) for column in own] == pytest.approx(expected[name].tolist(), abs=1e-5)
            assert set(values.values()) <= {0.0}
            assert {c for c, has in zip(space.columns, space.mask, strict=True) if has} == set(own)
        actions = {name: random.uniform(-1, 1, space.shape) for name, space in padded.action_spaces.items()}
        native = {}
        for name, row in actions.items():
            named = dict(zip(padded.view.action_names(0, name), row, strict=True))
            limits = plain.action_spaces[name]
            share = np.array([named[a] for a in plain.view.action_names(0, name)])
            native[name] = limits.low + (share + 1) / 2 * (limits.high - limits.low)
        observed, rewards, *_ = padded.step(actions)
        expected, theirs, *_ = plain.step(native)
        assert rewards == pytest.approx(theirs, rel=1e-5)


def test_the_central_agent_sees_and_does_everything_once(mixed, plain):
    central = CityLearnMultiAgentEnv({**mixed, "central_agent": True})
    assert central.possible_agents == ["community"]
    space = central.observation_spaces["community"]
    assert isinstance(space, CentralBox)
    assert len(set(space.columns)) == len(space.columns) == space.shape[0]
    common = [column for column in space.columns if "/" not in column]
    assert {"hour_cos", "day_type_is_1", "outdoor_dry_bulb_temperature", "electricity_pricing"} <= set(common)
    assert not {"non_shiftable_load", "electrical_storage_soc"} & set(common)
    observed, _ = central.reset(seed=3)
    expected, _ = plain.reset(seed=3)
    choose = random_actions(plain, 4)
    names = central.view.action_names(0, "community")
    for _ in range(STEPS):
        values = dict(zip(space.columns, observed["community"].tolist(), strict=True))
        seen = set()
        for name, row in expected.items():
            for column, value in zip(plain.observation_spaces[name].columns, row, strict=True):
                key = column if column in common else f"{name}/{column}"
                assert values[key] == pytest.approx(value, abs=1e-5)
                seen.add(key)
        assert seen == set(values)
        actions = choose()
        shares = {}
        for name, row in actions.items():
            limits = plain.action_spaces[name]
            for action, x, low, high in zip(plain.view.action_names(0, name), row, limits.low, limits.high, strict=True):
                shares[f"{name}/{action}"] = 2 * (float(x) - low) / (high - low) - 1
        observed, rewards, _, _, infos = central.step({"community": np.array([shares[name] for name in names])})
        expected, theirs, _, _, others = plain.step(actions)
        assert rewards["community"] == pytest.approx(theirs["Building_1"], rel=1e-5)
        parts = {name: info["building_reward"] for name, info in others.items()}
        assert infos["community"]["building_rewards"] == pytest.approx(parts, rel=1e-5)


def test_the_gymnasium_environment_keeps_gymnasiums_contract(homes):
    from gymnasium.utils.env_checker import check_env

    env = CommunityGymEnv({**homes, "random_start": True})
    check_env(env, skip_render_check=True)
    central = CityLearnMultiAgentEnv({**homes, "random_start": True, "central_agent": True})
    mine, _ = env.reset(seed=5)
    theirs, _ = central.reset(seed=5)
    assert np.array_equal(mine, theirs["community"])
    truncated = False
    for _ in range(STEPS):
        assert not truncated
        mine, reward, terminated, truncated, info = env.step(np.full(env.action_space.shape, 0.3))
        theirs, rewards, *_ = central.step({"community": np.full(env.action_space.shape, 0.3)})
        assert np.array_equal(mine, theirs["community"])
        assert reward == rewards["community"]
        assert not terminated
    assert truncated
    assert "score" in info["episode"]


def test_prices_of_their_own_are_seen_one_by_one(challenge_2022: Path, tmp_path: Path):
    """Only what is the same for all is public, whatever it is called."""
    with_buildings(challenge_2022, tmp_path, ["Building_1", "Building_2"])
    schema = json.loads((tmp_path / "schema.json").read_text())
    text = (challenge_2022 / "pricing.csv").read_text().splitlines()
    dearer = [",".join(str(float(x) + 0.1) for x in line.split(",")) for line in text[1:]]
    (tmp_path / "dear.csv").write_text("\n".join([text[0], *dearer]) + "\n")
    schema["buildings"]["Building_2"]["pricing"] = "dear.csv"
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    env = CityLearnMultiAgentEnv({"dataset": str(tmp_path), "window": (0, 60), "episode_steps": 5, "central_agent": True})
    columns = env.observation_spaces["community"].columns
    assert {"Building_1/electricity_pricing", "Building_2/electricity_pricing"} <= set(columns)
    assert "electricity_pricing" not in columns
    assert "outdoor_dry_bulb_temperature" in columns


def test_subsets_and_the_buildings_that_are_held_out(homes):
    config = CommunityEnvConfig.from_dict({**homes, "buildings": "1-4,6", "held_out": ["Building_2", "Building_6"]})
    train = CommunityVectorEnv(config)
    assert [agent.name for agent in train.features.agents] == ["Building_1", "Building_3", "Building_4"]
    held_out = replace(config, load_scaling=(0.5, 2.5), random_initial_soc=True).held_out_config()
    judge = CommunityVectorEnv(CommunityEnvConfig.from_dict(asdict(held_out)))
    assert [agent.name for agent in judge.features.agents] == ["Building_2", "Building_6"]
    assert not judge.config.random_initial_soc
    assert judge.config.load_scaling is None
    scaled = CommunityVectorEnv(replace(config, load_scaling=(0.5, 2.5)))
    assert dict(judge.features.ranges) == dict(scaled.features.ranges) != dict(train.features.ranges)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"buildings": "3-7"}, "positions 1 to 6"),
        ({"buildings": ["Bulding_5"]}, "nearest to 'Bulding_5' is 'Building_5'"),
        ({"held_out": "5"}, "Building_5 can't be held out"),
        ({"held_out": "1-4"}, "leave at least one"),
        ({"held_out": ["Building_44"]}, "nearest to 'Building_44'"),
        ({"padded": True, "central_agent": True}, "exclude each other"),
        ({"random_buildings": 2}, "need padded=True"),
        ({"padded": True, "random_buildings": 0}, "at least 1"),
        ({"communities": [{}]}, "need padded=True"),
        ({"padded": True, "communities": []}, "communities is empty"),
        ({"padded": True, "communities": [{"engine": "fast"}]}, "what can differ"),
        ({"load_scaling": (1.2, 0.8)}, "0 < lowest <= highest"),
        ({"load_scaling": (0.0, 0.8)}, "0 < lowest <= highest"),
        ({"variants": 3}, "all be the same"),
        ({"variants": -1, "load_scaling": (0.8, 1.2)}, "0 or more"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_sentence(homes, wrong, sentence):
    with pytest.raises(ConfigError, match=sentence):
        CityLearnMultiAgentEnv({**homes, **wrong})
