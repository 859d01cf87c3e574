"""Spaces of padded agents are the same whichever buildings play: drawn by other runners, none drawn, or held out."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.rllib.env.env_context import EnvContext

from rllib_citylearn.env import CityLearnMultiAgentEnv, CommunityEnvConfig
from rllib_citylearn.errors import ConfigError
from tests.small_data import with_buildings


@pytest.fixture(scope="module")
def mixed(ev_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Buildings with one, no, no and two chargers."""
    names = ["Building_1", "Building_2", "Building_3", "Building_15"]
    folder = with_buildings(ev_data, tmp_path_factory.mktemp("mixed"), names)
    return {"dataset": str(folder), "window": (100, 160), "episode_steps": 5, "padded": True, "memory": True}


def runner(config: dict[str, Any], index: int) -> CityLearnMultiAgentEnv:
    return CityLearnMultiAgentEnv(EnvContext(config, worker_index=index, num_workers=4))


def spaces(env: CityLearnMultiAgentEnv) -> set[tuple[Any, ...]]:
    """What an agent's spaces are, with names and ranges: one entry where all agents have the same."""
    return {
        (space.features, space.columns, env.action_spaces[agent].shape, env.view.action_names(0, agent))
        for agent, space in env.observation_spaces.items()
    }


def test_unlike_buildings_are_drawn_into_the_same_spaces(mixed):
    config = {**mixed, "random_buildings": 1}
    envs = [runner(config, index) for index in range(5)]
    assert len({env.features.observation_mask.tobytes() for env in envs}) > 1, "the drawn buildings are unlike"
    whole = CityLearnMultiAgentEnv({**config, "variants": 0})
    assert set().union(*map(spaces, [*envs, whole])) == spaces(whole)
    assert len(spaces(whole)) == 1
    assert len(whole.agents) == 4
    for env in envs:
        (drawn,) = env.features.agents
        names = [agent.name for agent in whole.features.agents]
        slot = f"building_{names.index(drawn.name) + 1}"
        mine, _ = env.reset()
        theirs, _ = whole.reset()
        assert np.array_equal(mine["building_1"], theirs[slot]), "the same columns hold the same numbers"
        shape = env.action_spaces["building_1"].shape
        mine, *_ = env.step({"building_1": np.linspace(-1, 1, *shape)})
        theirs, *_ = whole.step({agent: np.linspace(-1, 1, *shape) for agent in whole.agents})
        assert np.array_equal(mine["building_1"], theirs[slot]), "the same actions do the same"


def test_held_out_buildings_are_seen_as_those_that_were_trained_on(mixed):
    config = CommunityEnvConfig.from_dict({**mixed, "held_out": "3", "forecast_noise": 0.2})
    train, judge = (CityLearnMultiAgentEnv(asdict(c)) for c in (config, config.held_out_config()))
    assert spaces(train) == spaces(judge)
    assert judge.config.forecast_noise == 0.0
    assert judge.agents == ["Building_3"]
    judge.reset(seed=0)
    judge.step({"Building_3": np.ones(judge.action_spaces["Building_3"].shape)})
    places = replace(config, random_buildings=2)
    judge = CityLearnMultiAgentEnv(asdict(places.held_out_config()))
    assert spaces(CityLearnMultiAgentEnv(asdict(places))) == spaces(judge)
    assert judge.agents == ["building_1"], "a policy mapping finds the names that it knows"


def test_devices_that_nobody_was_trained_with_are_refused(mixed):
    config = CommunityEnvConfig.from_dict({**mixed, "held_out": "4"})
    with pytest.raises(ConfigError, match=r"electric_vehicle.*charger_2|charger_2.*not among the features"):
        CityLearnMultiAgentEnv(asdict(config.held_out_config()))


def test_names_of_features_need_padded_agents(mixed):
    with pytest.raises(ConfigError, match="features and actions are of padded agents"):
        CommunityEnvConfig.from_dict({**mixed, "padded": False, "features": ["hour"]})
