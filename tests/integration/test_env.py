"""The environment over the real CityLearn: contracts of gymnasium and RLlib, rewards, stock algorithms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.errors import ConfigError

BUILDINGS = ["Building_10", "Building_2", "Building_1"]


@pytest.fixture(scope="module")
def env_config(challenge_2022: Path) -> dict[str, Any]:
    return {
        "dataset": str(challenge_2022),
        "buildings": BUILDINGS,
        "window": (1000, 1400),
        "episode_steps": 48,
        "random_start": True,
    }


@pytest.fixture(scope="module", params=["fast", "citylearn"])
def env(env_config: dict[str, Any], request: pytest.FixtureRequest) -> CityLearnMultiAgentEnv:
    return CityLearnMultiAgentEnv({**env_config, "engine": request.param})


@pytest.fixture(scope="module")
def citylearn_env(env_config: dict[str, Any]) -> CityLearnMultiAgentEnv:
    return CityLearnMultiAgentEnv({**env_config, "engine": "citylearn"})


def play(env: CityLearnMultiAgentEnv, choose, **reset: Any) -> tuple[list, list, list, list]:
    """Observations, rewards, infos and truncation flags of one episode."""
    observation, _ = env.reset(**reset)
    observations, rewards, infos, truncated = [observation], [], [], []
    while not (truncated and truncated[-1]):
        step = env.step(choose(observation))
        observation = step[0]
        observations.append(observation)
        rewards.append(step[1])
        assert step[2] == {"__all__": False}, "a community never terminates"
        truncated.append(step[3]["__all__"])
        infos.append(step[4])
    return observations, rewards, infos, truncated


def zeros(observation: dict[str, Any]) -> dict[str, Any]:
    return {name: np.zeros(1, np.float32) for name in observation}


def randomly(env: CityLearnMultiAgentEnv, seed: int = 0):
    random = np.random.default_rng(seed)
    return lambda observation: {n: random.uniform(-1, 1, 1).astype(np.float32) for n in observation}


def test_rllib_checks_accept_it(env):
    from ray.rllib.utils.pre_checks.env import check_multiagent_environments

    check_multiagent_environments(env)


def test_agents_are_the_buildings_in_citylearns_order(env):
    assert env.possible_agents == ["Building_1", "Building_2", "Building_10"]
    assert [building.name for building in env.citylearn.buildings] == env.possible_agents
    assert set(env.observation_spaces) == set(env.action_spaces) == set(env.possible_agents)


def test_spaces_hold_every_observation_and_episodes_have_their_length(env):
    observations, rewards, _, truncated = play(env, randomly(env), seed=1)
    assert len(rewards) == 48
    assert truncated == [False] * 47 + [True]
    for observation in observations:
        for name, value in observation.items():
            assert value.dtype == np.float32
            assert env.observation_spaces[name].contains(value)


def test_the_last_observation_is_a_new_one(env):
    """CityLearn's own last observation repeats the one before; a learner would bootstrap from the wrong hour."""
    observations, *_ = play(env, randomly(env), options={"start": 1100})
    columns = env.observation_spaces["Building_1"].columns
    hour = [columns.index("hour_cos"), columns.index("hour_sin")]
    assert not np.allclose(observations[-1]["Building_1"][hour], observations[-2]["Building_1"][hour])
    longer = CityLearnMultiAgentEnv({**env.config.__dict__, "episode_steps": 60})
    further, *_ = play(longer, randomly(env), options={"start": 1100})
    assert np.array_equal(further[48]["Building_2"], observations[-1]["Building_2"])


def test_one_team_reward_whose_parts_add_up(env):
    _, rewards, infos, _ = play(env, randomly(env), seed=2)
    for reward, info in zip(rewards, infos, strict=True):
        assert len(set(reward.values())) == 1
        team = reward["Building_1"]
        building = np.mean([info[name]["building_reward"] for name in env.possible_agents])
        assert team == pytest.approx(building + info["Building_1"]["district_reward"], abs=1e-12)
        weights = env.reward.weights
        assert team == pytest.approx(sum(getattr(weights, k) * v for k, v in info["Building_1"]["terms"].items()))


def test_no_control_is_the_reference_in_citylearn_too(env):
    """The reference comes from the data; CityLearn's simulation without control must agree with it to float32."""
    _, rewards, infos, _ = play(env, zeros, seed=3)
    assert np.abs([r["Building_1"] for r in rewards]).max() < 1e-4
    kpis = infos[-1]["Building_1"]["episode"]
    assert all(value == pytest.approx(1.0, abs=1e-5) for value in kpis.values())


def test_rewards_follow_citylearns_own_loads(citylearn_env):
    """Recompute the cost term from what CityLearn says each building drew and what it cost."""
    env = citylearn_env
    _, _, infos, _ = play(env, randomly(env, 4), options={"start": 1000})
    cost = np.array([b.net_electricity_consumption_cost[:48] for b in env.citylearn.buildings], float).T
    base = np.array([b.net_electricity_consumption_without_storage[:48] for b in env.citylearn.buildings], float).T
    price = np.array([b.pricing.electricity_pricing[:48] for b in env.citylearn.buildings], float).T
    saved = np.maximum(base, 0) * price - np.maximum(cost, 0)
    reference = env.reward
    expected = (saved * reference.tables.scales[:, 0]).mean(1)
    assert np.allclose([info["Building_1"]["terms"]["cost"] for info in infos], expected, atol=1e-4)


def test_a_whole_window_reports_citylearns_own_kpis(env_config):
    """`info["episode"]` against `evaluate()` over (nearly) the same steps: ours stop one step earlier."""
    from rllib_citylearn.evaluation import district_kpis

    env = CityLearnMultiAgentEnv({**env_config, "engine": "citylearn", "episode_steps": None, "random_start": False})
    _, _, infos, _ = play(env, randomly(env, 5))
    theirs = district_kpis(env.citylearn)
    ours = infos[-1]["Building_1"]["episode"]
    # A building's share of the whole bill here, a mean of the buildings' ratios there; close when buildings are alike.
    assert ours["cost"] == pytest.approx(theirs["cost_total"], rel=0.03)
    assert ours["carbon"] == pytest.approx(theirs["carbon_emissions_total"], rel=0.03)
    assert ours["ramping"] == pytest.approx(theirs["ramping_average"], rel=0.01)
    assert ours["load_factor"] == pytest.approx(theirs["monthly_one_minus_load_factor_average"], rel=0.01)


def test_seeds_decide_the_start(env):
    starts = []
    for seed in (0, 0, 1, 2, 3):
        observation, _ = env.reset(seed=seed)
        starts.append(observation["Building_1"].tobytes())
    assert starts[0] == starts[1]
    assert len(set(starts)) > 2


def test_both_engines_give_the_same_episode(env_config):
    """To the last bit but for the reward, whose reference is summed up in one order for both."""
    config = {**env_config, "random_initial_soc": True}
    played = []
    for engine in ("fast", "citylearn"):
        env = CityLearnMultiAgentEnv({**config, "engine": engine})
        played.append(play(env, randomly(env, 6), seed=7))
    (observations, rewards, infos, truncated), other = played
    assert (rewards, infos, truncated) == other[1:]
    for mine, theirs in zip(observations, other[0], strict=True):
        assert all(np.array_equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"buildings": ["Building_99"]}, "Building_99"),
        ({"window": (0, 99999)}, "0..8759"),
        ({"window": (30, 20)}, "first < last"),
        ({"episode_steps": 400}, "1 to 399"),
        ({"episode_steps": 0}, "at least 1"),
        ({"reward_weights": {"comfrt": 1}}, "comfrt"),
        ({"weather": "good"}, "weather"),
        ({"engine": "steam"}, "'steam'; the engines are fast and citylearn"),
    ],
)
def test_wrong_settings_are_said_in_a_sentence(env_config, wrong, sentence):
    with pytest.raises(ConfigError, match=sentence):
        CityLearnMultiAgentEnv({**env_config, **wrong})


@pytest.mark.parametrize("value", [np.nan, np.inf, [0.1, 0.2]])
def test_actions_that_fit_nothing_are_refused(env, value):
    env.reset()
    actions = {name: np.zeros(1) for name in env.possible_agents}
    actions["Building_2"] = np.atleast_1d(value)
    with pytest.raises(ConfigError, match=r"Building_2.*electrical_storage"):
        env.step(actions)
    del actions["Building_2"]
    with pytest.raises(ConfigError, match="No action was given for Building_2"):
        env.step(actions)


@pytest.mark.usefixtures("ray_session")
def test_stock_ppo_trains_through_stock_runners(env_config):
    from ray.rllib.algorithms.ppo import PPOConfig

    algorithm = (
        PPOConfig()
        .environment(CityLearnMultiAgentEnv, env_config={**env_config, "episode_steps": 24})
        .env_runners(num_env_runners=0)
        .multi_agent(policies={"home"}, policy_mapping_fn=_one_policy)
        .training(train_batch_size_per_learner=96, minibatch_size=48, num_epochs=2)
        .build_algo()
    )
    try:
        results = [algorithm.train() for _ in range(3)]
        assert results[-1]["env_runners"]["num_env_steps_sampled_lifetime"] == 3 * 96
        assert np.isfinite(results[-1]["learners"]["home"]["total_loss"])
        assert np.isfinite(results[-1]["env_runners"]["episode_return_mean"])
    finally:
        algorithm.stop()


def _one_policy(agent_id: str, episode: Any, **kwargs: Any) -> str:
    return "home"
