"""Several communities in one run, parts of one, and other loads. The plain environment is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray.rllib.env.env_context import EnvContext

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.played import play
from rllib_citylearn.errors import ConfigError
from tests.small_data import with_buildings

STEPS = 10


@pytest.fixture(scope="module")
def mixed(ev_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Buildings with one, no and two chargers."""
    folder = with_buildings(ev_data, tmp_path_factory.mktemp("mixed"), ["Building_1", "Building_2", "Building_15"])
    return {"dataset": str(folder), "window": (100, 200), "episode_steps": STEPS}


@pytest.fixture(scope="module")
def homes(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = with_buildings(challenge_2022, tmp_path_factory.mktemp("homes"), [f"Building_{n}" for n in range(1, 7)])
    return {"dataset": str(folder), "buildings": "1-4", "window": (1000, 1060), "episode_steps": STEPS}


def runner(config: dict[str, Any], index: int) -> CityLearnMultiAgentEnv:
    """The environment of RLlib's remote runner ``index``."""
    return CityLearnMultiAgentEnv(EnvContext(config, worker_index=index, num_workers=4))


def test_several_communities_take_turns_and_mean_the_same_by_a_number(homes, mixed):
    parts = [{"buildings": "1-2"}, {**mixed, "buildings": None}, {"buildings": "6"}]
    parts[1].pop("episode_steps")
    env = CityLearnMultiAgentEnv({**homes, "padded": True, "communities": parts})
    assert env.possible_agents == ["building_1", "building_2", "building_3"]
    names = [["Building_1", "Building_2"], ["Building_1", "Building_2", "Building_15"], ["Building_6"]]
    alone = [
        CityLearnMultiAgentEnv({**homes, **part, "padded": True, "ranges": env.communities.vectors[k].config.ranges})
        for k, part in enumerate(parts)
    ]
    played = []
    for episode in range(6):
        observed, infos = env.reset(seed=8 if episode == 0 else None)
        k = infos["building_1"]["community"]
        played.append(k)
        assert [infos[agent]["building"] for agent in env.agents] == names[k]
        assert list(observed) == env.agents == env.possible_agents[: len(names[k])]
        expected, _ = alone[k].reset()
        space, own = env.observation_spaces["building_1"], next(iter(alone[k].observation_spaces.values()))
        for slot, name in zip(env.agents, names[k], strict=True):
            values = dict(zip(space.columns, observed[slot], strict=True))
            assert [values[c] for c in own.columns] == expected[name].tolist()
            assert all(value == 0 for c, value in values.items() if c not in own.columns)
            for feature in own.features:
                assert feature in space.features, "one range a feature"
        actions = {slot: np.full(env.action_spaces[slot].shape, 0.4) for slot in env.agents}
        _, rewards, _, _, infos = env.step(actions)
        theirs = alone[k].step({name: np.full(alone[k].action_spaces[name].shape, 0.4) for name in names[k]})[1]
        assert list(rewards.values()) == list(theirs.values())
        assert infos["building_1"]["building"] == names[k][0]
    assert sorted(played[:3]) == sorted(played[3:]) == [0, 1, 2]


def test_the_order_of_communities_follows_the_seed(homes):
    parts = [{"buildings": str(k)} for k in (1, 2, 3, 4)]
    env = CityLearnMultiAgentEnv({**homes, "padded": True, "communities": parts})

    def order(seed: int) -> list[str]:
        first = env.reset(seed=seed)[1]["building_1"]["building"]
        # Two of four: the next seed comes in the middle of a round.
        return [first, env.reset()[1]["building_1"]["building"]]

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(9)}) > 2


def test_random_sub_communities(homes):
    config = {**homes, "buildings": None, "padded": True, "random_buildings": 3, "variants": 2}
    drawn, ranges = set(), []
    for index in (1, 2, 1):
        env = runner(config, index)
        for vector in env.communities.vectors:
            names = tuple(agent.name for agent in vector.features.agents)
            assert len(set(names)) == 3
            drawn.add(names)
            ranges.append(vector.features.ranges)
        assert env.possible_agents == ["building_1", "building_2", "building_3"]
    assert len(drawn) == 4, "two by each runner, the same again by the same"
    assert all(one == ranges[0] for one in ranges)
    whole = CityLearnMultiAgentEnv({**config, "variants": 0})
    assert len(whole.agents) == 6


def test_buildings_come_several_times_where_more_are_drawn_than_there_are(homes):
    given = {**homes, "buildings": "1-3", "padded": True, "random_buildings": 7, "variants": 2, "load_scaling": (0.5, 2.0)}
    for vector in CityLearnMultiAgentEnv(given).communities.vectors:
        names = [agent.name for agent in vector.features.agents]
        of_each = [sum(name.split("_copy_")[0] == f"Building_{k}" for name in names) for k in (1, 2, 3)]
        assert sorted(of_each) == [2, 2, 3]
        assert len(set(names)) == 7
        buildings = {building.name: building for building in vector.citylearn.buildings}
        first, second = buildings["Building_1"], buildings["Building_1_copy_2"]
        factor = second.energy_simulation.non_shiftable_load / first.energy_simulation.non_shiftable_load
        assert factor.std() < 1e-6 < abs(factor[0] - 1), "the same load, another factor"
        curves = [building.electrical_storage.power_efficiency_curve for building in (first, second)]
        assert not np.array_equal(*curves), "a battery of its own"


def test_a_building_with_vehicles_is_there_once(mixed):
    with pytest.raises(ConfigError, match=r"vehicles .* there are once; draw no more buildings"):
        CityLearnMultiAgentEnv({**mixed, "buildings": "1", "padded": True, "random_buildings": 2, "variants": 2})


def test_one_community_of_several_is_drawn(homes):
    parts = [{"buildings": "1-2"}, {"buildings": "3-6", "random_buildings": 2}, {"buildings": "1", "load_scaling": (2, 3)}]
    env = CityLearnMultiAgentEnv({**homes, "padded": True, "communities": parts, "variants": 2})
    names = [[agent.name for agent in vector.features.agents] for vector in env.communities.vectors]
    loads = [v.citylearn.buildings[0].energy_simulation.non_shiftable_load.sum() for v in env.communities.vectors]
    assert env.communities.members == [0, 0, 1, 1, 2, 2]
    assert names[0] == names[1] == ["Building_1", "Building_2"]
    assert names[2] != names[3]
    assert all(len(drawn) == 2 and set(drawn) < {f"Building_{n}" for n in (3, 4, 5, 6)} for drawn in names[2:4])
    assert loads[0] == loads[1] < min(loads[4:]) < max(loads[4:])


def physical(env: CityLearnMultiAgentEnv, name: str) -> np.ndarray:
    """An episode's values of a feature in physical units, ``[T, N]``."""
    feature = env.features.feature(name)
    rows = [[row[env.observation_spaces[a].columns.index(name)] for a, row in o.items()] for o in play_zero(env)]
    return feature.low + (np.array(rows, float) + 1) / 2 * (feature.high - feature.low)


def play_zero(env: CityLearnMultiAgentEnv) -> list[dict[str, np.ndarray]]:
    return play(env, env.no_control, seed=0).observations


@pytest.mark.parametrize("engine", ["fast", "citylearn"])
def test_loads_are_scaled_by_one_factor_each(homes, engine):
    config = {**homes, "engine": engine, "load_scaling": (0.5, 2.0)}
    plain, scaled = runner({**config, "variants": 0}, 1), runner(config, 1)
    assert plain.features.ranges == scaled.features.ranges
    factors = []
    for name in ("non_shiftable_load", "solar_generation"):
        before, after = physical(plain, name), physical(scaled, name)
        assert (before > 0.01).any(0).all()
        for n in range(4):
            seen = before[:, n] > 0.05
            ratios = after[seen, n] / before[seen, n]
            assert np.allclose(ratios, ratios[0], rtol=1e-4)
            factors.append(ratios[0])
    assert len({round(float(f), 4) for f in factors}) == 8, "load and generation of every building by another one"
    assert 0.5 <= min(factors) < 1 < max(factors) <= 2.0


def weeks_later(loads, weeks):
    """Loads of so many weeks later, hour by hour; what would lie outside comes from whole weeks further in."""
    moved = []
    for hour in range(len(loads)):
        source = hour + 168 * weeks
        while source >= len(loads):
            source -= len(loads) // 168 * 168
        while source < 0:
            source += len(loads) // 168 * 168
        moved.append(loads[source])
    return np.array(moved)


@pytest.mark.parametrize("engine", ["fast", "citylearn"])
def test_loads_are_moved_by_whole_weeks_and_generation_stays(homes, engine):
    whole = {**homes, "engine": engine, "window": None, "episode_steps": 24}
    plain, moved = runner(whole, 1), runner({**whole, "load_shift_weeks": 3}, 1)
    assert plain.features.ranges == moved.features.ranges
    weeks = []
    for before, after in zip(plain.citylearn.buildings, moved.citylearn.buildings, strict=True):
        loads, new = before.energy_simulation.non_shiftable_load, after.energy_simulation.non_shiftable_load
        assert np.array_equal(before.energy_simulation.solar_generation, after.energy_simulation.solar_generation)
        fitting = [k for k in range(-3, 4) if np.array_equal(new, weeks_later(loads, k))]
        weeks.append(fitting[0])
        assert len(fitting) == 1
    assert len(set(weeks)) > 1, "each building by another number of weeks"
    seen = np.array([physical(moved, "non_shiftable_load")[:, n] for n in range(len(weeks))])
    assert not np.allclose(seen, np.array([physical(plain, "non_shiftable_load")[:, n] for n in range(len(weeks))]))


def test_loads_are_moved_within_the_window_and_what_lies_outside_stays_unseen(homes):
    first, last = 700, 2200
    whole = {**homes, "window": None, "episode_steps": 24}
    plain, moved = runner(whole, 1), runner({**whole, "window": (first, last), "load_shift_weeks": 3}, 1)
    weeks = []
    for before, after in zip(plain.citylearn.buildings, moved.citylearn.buildings, strict=True):
        loads = vars(before.energy_simulation)["_non_shiftable_load"]
        new = vars(after.energy_simulation)["_non_shiftable_load"]
        window = slice(first, last + 1)
        assert np.array_equal(np.delete(new, np.r_[window]), np.delete(loads, np.r_[window]))
        weeks.append([k for k in range(-3, 4) if np.array_equal(new[window], weeks_later(loads[window], k))])
    assert all(len(fitting) == 1 for fitting in weeks)
    assert len({k for fitting in weeks for k in fitting}) > 1, "each building by another number of weeks"


def test_a_window_of_less_than_a_week_has_no_weeks_to_move_loads_by(homes):
    with pytest.raises(ConfigError, match="which has 100 hours; widen the window to a week"):
        runner({**homes, "window": (700, 799), "episode_steps": 24, "load_shift_weeks": 1}, 1)


def test_runners_and_variants_draw_other_loads_within_the_same_ranges(homes):
    config = {**homes, "load_scaling": (0.5, 2.0), "variants": 2}
    loads, ranges = [], []
    for index in (1, 2):
        env = runner(config, index)
        assert len(env.communities.vectors) == 2
        for vector in env.communities.vectors:
            loads.append(vector.citylearn.buildings[0].energy_simulation.non_shiftable_load.sum())
            ranges.append(vector.features.ranges)
    assert len(set(loads)) == 4
    assert all(one == ranges[0] for one in ranges)
    again = runner(config, 2)
    assert again.communities.vectors[1].citylearn.buildings[0].energy_simulation.non_shiftable_load.sum() == loads[3]
    unscaled = CityLearnMultiAgentEnv(homes)
    for name, (low, high) in unscaled.features.ranges.items():
        assert ranges[0][name] in ((low, high), (2 * low, 2 * high))


def test_no_control_is_simulated_anew_for_other_loads(homes):
    """What is kept in the cache is found by the loads, not by the data set alone."""
    from rllib_citylearn.env.no_control import _cache_file

    plain, scaled, other = (
        runner({**homes, **extra}, index).citylearn
        for extra, index in (({}, 1), ({"load_scaling": (0.5, 2.0)}, 1), ({"load_scaling": (0.5, 2.0)}, 2))
    )
    assert len({_cache_file(env) for env in (plain, scaled, other)}) == 3


@pytest.mark.parametrize("mode", ["padded", "central_agent"])
def test_the_community_algorithm_refuses_views_of_its_own_making(homes, mode):
    config = CooperativeMADDPGConfig().environment(CityLearnMultiAgentEnv, env_config={**homes, mode: True})
    with pytest.raises(ConfigError, match=f"{mode}=True"):
        config.validate()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_session")
def test_the_community_algorithm_learns_from_variants(homes):
    env_config = {**homes, "load_scaling": (0.8, 1.25), "variants": 2}
    algorithm = (
        CooperativeMADDPGConfig()
        .environment(CityLearnMultiAgentEnv, env_config=env_config)
        .env_runners(num_env_runners=0, rollout_fragment_length=2 * STEPS)
        .training(warmup_steps=STEPS, train_batch_size_per_learner=8, replay_capacity=200)
        .reporting(min_sample_timesteps_per_iteration=2 * STEPS)
        .rl_module(model_config={"hidden": 8, "coordinator_width": 8, "hint_size": 2})
        .build_algo()
    )
    try:
        result = algorithm.train()
        assert result["updates"] > 0
        assert np.isfinite(result["score"])
    finally:
        algorithm.stop()
