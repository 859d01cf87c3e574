"""Whatever is written wrong in ``env_config`` is answered in a sentence that names the key, in presets too."""

from __future__ import annotations

import pickle
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.errors import ConfigError

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"load_scaling": 1.2}, "load_scaling is 1.2; expected a list of 2 entries"),
    ({"load_scaling": ["a", "b"]}, "load_scaling[0] is the text 'a'; expected a number"),
    ({"load_scaling": [1.2, 0.8]}, "load_scaling is [1.2, 0.8]; expected the lowest and the highest factor"),
    ({"team_share": "0.5"}, "team_share is the text '0.5'; expected a number. Write 0.5"),
    ({"team_share": 2}, "team_share is 2; expected a number from 0"),
    ({"reward_weights": {"cost": "much"}}, "reward_weights.cost is the text 'much'; expected a number"),
    ({"reward_weights": {"cots": 1}}, "reward_weights has no key 'cots'. Did you mean 'cost'"),
    ({"reward_weights": {"cost": -1}}, "'cost': -1"),
    ({"window": [0]}, "window is [0]; expected a list of 2 entries"),
    ({"window": "0:50"}, "window is the text '0:50'; expected a list of 2 entries"),
    ({"window": [9, 3]}, "window is [9, 3]; expected [first, last] time step"),
    ({"random_seed": -1}, "random_seed is -1; expected a whole number from 0"),
    ({"buildings": [1, 2]}, "buildings"),
    ({"buildings": 4}, "buildings"),
    ({"buildings": []}, "buildings is []; expected at least one name"),
    ({"held_out": 4}, "held_out"),
    ({"held_out": [True]}, "held_out[0] is true; expected text"),
    ({"memory": "yes"}, "memory is the text 'yes'; expected true or false"),
    ({"forecast_noise": "x"}, "forecast_noise is the text 'x'; expected a number"),
    ({"forecast_noise": -0.1}, "forecast_noise is -0.1; expected a share"),
    ({"episode_steps": 0}, "episode_steps is 0; expected at least 1"),
    ({"episode_steps": -1}, "episode_steps is -1; expected at least 1"),
    ({"episode_steps": 2.5}, "episode_steps is 2.5; expected a whole number"),
    ({"starts": []}, "starts is []; expected at least one"),
    ({"starts": ["a"]}, "starts[0] is the text 'a'; expected a whole number"),
    ({"starts": 5}, "starts is 5; expected a list"),
    ({"variants": -1}, "variants is -1; expected 0 or more"),
    ({"variants": 1.5}, "variants is 1.5; expected a whole number"),
    ({"engine": 3}, "engine is 3; expected 'fast' or 'citylearn'"),
    ({"ranges": {"month": [1]}}, "ranges is {'month': [1]}; expected [low, high]"),
    ({"features": "hour"}, "features is the text 'hour'; expected a list"),
    ({"communities": {"window": [0, 50]}}, "communities is {'window': [0, 50]}; expected a list"),
    ({"communities": ["a", "b"]}, "communities[0] is the text 'a'; expected keys"),
    ({"communities": [{}, {"window": "0:50"}]}, "communities[1].window is the text '0:50'; expected a list of 2 entries"),
    ({"communities": [{"random_seed": -1}]}, "communities[0].random_seed is -1; expected"),
    ({"communities": [{"buildings": "x"}]}, "communities[0]: 'x' in the buildings"),
    ({"communities": [{"load_scaling": [0, 1]}]}, "communities[0].load_scaling is [0, 1]; expected the lowest"),
    ({"variants": 2, "communities": [{}, {}]}, "would all be the same"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG, ids=[str(wrong) for wrong, _ in WRONG])
def test_a_wrong_value_is_answered_with_its_key_what_it_is_and_what_is_expected(wrong, sentence):
    values = {"padded": True, **wrong}
    with pytest.raises(ConfigError) as raised:
        CommunityEnvConfig.from_dict(values)
    assert sentence in str(raised.value)
    with pytest.raises(ConfigError, match="environment") as raised:
        Preset.from_dict({"name": "x", "environment": values})
    assert next(iter(wrong)) in str(raised.value)


def test_positions_as_numbers_are_answered_with_how_to_write_them():
    with pytest.raises(ConfigError, match="Write '1,2' for positions"):
        CommunityEnvConfig.from_dict({"buildings": [1, 2]})
    with pytest.raises(ConfigError, match="Write '4' for positions"):
        CommunityEnvConfig.from_dict({"held_out": 4})


def test_what_replaces_a_value_later_is_checked_too():
    with pytest.raises(ConfigError, match="team_share is the text"):
        replace(CommunityEnvConfig(), team_share="all")


def test_values_that_mean_the_same_make_the_same_config():
    written = {"window": [1, 40], "starts": [3, 9], "load_scaling": [0.5, 1], "team_share": 1}
    config = CommunityEnvConfig.from_dict(written)
    assert (config.window, config.load_scaling) == ((1, 40), (0.5, 1))
    computed = {**written, "window": (np.int64(1), 40), "starts": range(3, 10, 6), "team_share": np.float32(1)}
    assert CommunityEnvConfig.from_dict(computed) == config
    assert CommunityEnvConfig.from_dict({"random_seed": np.int64(3)}).random_seed == 3
    assert CommunityEnvConfig.from_dict(asdict(config)) == pickle.loads(pickle.dumps(config)) == config


@pytest.mark.parametrize("own", [{"random_buildings": 2}, {"load_scaling": (0.8, 1.2)}])
def test_what_one_community_draws_makes_variants(own):
    config = CommunityEnvConfig(padded=True, communities=[{}, own], variants=3)
    assert config.draws
    assert [part.random_buildings for part in config.each()] == [None, own.get("random_buildings")]
    assert not replace(config, variants=0).draws
    assert not CommunityEnvConfig(padded=True, communities=[{}, {}]).draws
    assert not any(part.draws for part in replace(config, variants=0).each())
