"""Corners that a review of the engine found: each once gave another number than CityLearn, or none at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rllib_citylearn.env import CommunityEnvConfig, CommunityVectorEnv, community_features, make_citylearn_env
from rllib_citylearn.env.no_control import no_control
from rllib_citylearn.env.reward import RewardBuffers, RewardTables, RewardWeights, TeamReward
from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
from rllib_citylearn.errors import ConfigError, EngineError
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from tests.parity.engine import compare, differing, scripted

LSTM, OUTAGES, TANKS = "citylearn_challenge_2023_phase_1", "citylearn_challenge_2023_phase_3_1", "citylearn_challenge_2021"
DEGREES = {"temperature": 2e-5}


def copied(source: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A data set with another schema; its files are copied."""
    schema = json.loads((source / "schema.json").read_text())
    change(schema)
    for file in source.iterdir():
        if file.name != "schema.json":
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder


def read(env: Any) -> CommunityDescription:
    return CommunityDescription.read(env, community_features(env))


def test_data_that_begins_later_keeps_its_devices(shared_datasets: Path, tmp_path: Path) -> None:
    """CityLearn counts an offset into its series; demand only before the last hours once made the device disappear."""

    def later(schema: dict[str, Any]) -> None:
        schema["simulation_start_time_step"], schema["simulation_end_time_step"] = 1, 600

    folder = copied(shared_datasets / LSTM, tmp_path, later)
    for file in folder.glob("Building_*.csv"):
        data = pd.read_csv(file)
        data.loc[590:, "cooling_demand"] = 0.0
        data.to_csv(file, index=False)
    env = make_citylearn_env(folder, buildings=["Building_1", "Building_2"], window=(1, 60))
    leave_devices_to_thermostats(env)
    description = read(env)
    assert not differing(compare(env, description, scripted("random", description.features, 58)), DEGREES)


def test_no_tank_gives_energy_away_in_the_first_hour(shared_datasets: Path) -> None:
    """CityLearn takes a discharge off twice there, and stops where that makes the consumption negative."""
    env = make_citylearn_env(shared_datasets / TANKS, buildings=["Building_1"], window=(4575, 4615))
    for tank in (env.buildings[0].cooling_storage, env.buildings[0].dhw_storage):
        tank.initial_soc = 1.0
    community = FastCommunity(read(env))
    actions = -np.ones((1, *community.description.features.action_mask.shape))
    community.step(actions)
    assert (community.tank_energy_kwh < 0.0).any()
    assert (community.device_consumption_kwh >= 0.0).all()


def test_a_demand_that_no_device_can_meet_is_refused(shared_datasets: Path) -> None:
    env = make_citylearn_env(shared_datasets / LSTM, buildings=["Building_1"], window=(0, 60))
    env.buildings[0].dhw_device.nominal_power = 0.05
    with pytest.raises(EngineError, match=r"dhw demand of Building_1 at row \d+ .* device of 0.05 kW"):
        read(env)


@pytest.mark.parametrize(
    ("curve", "said"),
    [
        ([[0.0, 0.9]], "at least 2"),
        ([[0.0, 0.9], [np.nan, 0.9]], "nan"),
        ([[1.0, 0.9], [0.0, 0.8]], "rising"),
        ([[0.0, 0.9], [1.0, 1.2]], "at most 1"),
        ([[0.0, 0.0], [1.0, 0.9]], "above 0"),
    ],
)
def test_curves_that_mean_nothing_are_refused(curve: list[list[float]], said: str, challenge_2022: Path) -> None:
    env = make_citylearn_env(challenge_2022, buildings=["Building_1", "Building_2"], window=(0, 60))
    env.buildings[1].electrical_storage.power_efficiency_curve = curve
    with pytest.raises(EngineError, match=f"efficiency curve of battery 2 .*{said}"):
        read(env)


def reward_of(folder: Path, window: tuple[int, int]) -> TeamReward:
    env = make_citylearn_env(folder, buildings=["Building_1", "Building_2"], window=window)
    return TeamReward(no_control(env), RewardWeights())


def test_rewards_of_another_window_or_community_never_reach_a_kernel(challenge_2022: Path) -> None:
    env = make_citylearn_env(challenge_2022, buildings=["Building_1", "Building_2"], window=(100, 160))
    description = read(env)
    tables = reward_of(challenge_2022, (100, 160)).tables
    FastCommunity(description, reward=tables)
    shorter = RewardTables(**{**tables.__dict__, "reference_net": tables.reference_net[:10]})
    alone = replace(tables, reference_net=tables.reference_net[:, :1])
    for other in (reward_of(challenge_2022, (90, 160)).tables, shorter, alone):
        with pytest.raises(EngineError, match="make both from one environment"):
            FastCommunity(description, reward=other)


def test_rewards_are_asked_for_where_they_are_known(challenge_2022: Path) -> None:
    reward = reward_of(challenge_2022, (100, 160))
    state = reward.start(np.array([100]))
    with pytest.raises(ConfigError, match="known from 100 to 159"):
        reward.step(np.array([160]), np.zeros((1, 2)), np.zeros((1, 2, 3)), state, RewardBuffers.empty(1, 2))


def test_lstm_models_that_citylearn_would_randomise_are_refused(shared_datasets: Path) -> None:
    env = make_citylearn_env(shared_datasets / LSTM, buildings=["Building_1"], window=(0, 60))
    env.buildings[0].dynamics.dropout.p = 0.5
    with pytest.raises(EngineError, match=r"dynamics of Building_1 .* dropout of 0\.5"):
        read(env)


def test_both_engines_meet_the_same_random_outages_wherever_an_episode_starts(shared_datasets: Path, tmp_path: Path) -> None:
    def often(schema: dict[str, Any]) -> None:
        for building in schema["buildings"].values():
            building["power_outage"]["stochastic_power_outage_model"]["attributes"]["saifi"] = 120.0

    folder = copied(shared_datasets / OUTAGES, tmp_path, often)
    loads = []
    for engine in ("fast", "citylearn"):
        config = CommunityEnvConfig(
            dataset=str(folder),
            engine=engine,  # type: ignore[arg-type]
            buildings=["Building_1", "Building_2"],
            window=(0, 239),
            episode_steps=40,
        )
        env = CommunityVectorEnv(config, 1)
        rng = np.random.default_rng(0)
        seen = []
        for start in (0, 49, 150):
            env.reset(starts=[start])
            for _ in range(40):
                env.step(rng.uniform(-1.0, 1.0, (1, *env.features.action_mask.shape)))
                seen.append(env.engine.net_kwh[0].astype(float).copy())
        loads.append(np.array(seen))
    assert (loads[0] == 0.0).any(), "no outage was met"
    assert np.abs(loads[0] - loads[1]).max() < 1e-5


def test_windows_that_citylearn_can_draw_no_outages_for_are_refused(shared_datasets: Path) -> None:
    with pytest.raises(ConfigError, match="multiple of 24"):
        make_citylearn_env(shared_datasets / OUTAGES, window=(0, 200))
