"""Deferrable appliances on the fast engine against CityLearn: energy, observations and KPIs equal to the last bit."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.baselines import make_baseline
from rllib_citylearn.env.appliance_features import QUANTITIES, appliance_quantity
from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.env.config import ENGINES, CommunityEnvConfig
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import EngineError
from rllib_citylearn.evaluation import rollout
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.injection import Recording, inject
from rllib_citylearn.simulator.tiling import tiled
from tests.appliance_data import OWNERS, with_appliances
from tests.parity.engine import (
    PATTERNS,
    Replay,
    compare,
    described,
    differing,
    errors,
    record,
    scripted,
    seed_of,
)
from tests.parity.test_engine_kpis import RandomController, assert_same_kpis, assert_same_trajectory, kpis_of

BUILDINGS = ("Building_2", "Building_4", "Building_5")
OFFICIAL = ("Building_1", "Building_4")
HOURS = 60
FIRST = 11
"""Time step of the data that the window of ``description`` starts with."""


@pytest.fixture(scope="module")
def busy(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_appliances(challenge_2022, tmp_path_factory.mktemp("busy"), 500)


@pytest.fixture(scope="module")
def description(busy: Path) -> CommunityDescription:
    return described(busy, BUILDINGS, (FIRST, FIRST + 400))[1]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_window_is_equal(pattern: str, busy: Path) -> None:
    start = 37 * PATTERNS.index(pattern)
    env, description = described(busy, BUILDINGS, (start, start + HOURS))
    actions = scripted(pattern, description.features, HOURS, start)
    expected = record(env, description.features, actions)
    assert (expected["appliance energy"] > 0).any() == (pattern != "zero")
    assert not differing(errors(expected, Replay(description).run(actions, e=1, seed=seed_of(env))))


@pytest.mark.parametrize("start", [0, 5021])
def test_the_official_set_is_equal(start: int, appliance_data: Path) -> None:
    env, description = described(appliance_data, OFFICIAL, (start, start + HOURS))
    assert not differing(compare(env, description, scripted("mixed", description.features, HOURS)))


@pytest.mark.slow
def test_a_year_of_the_official_set_is_equal(appliance_data: Path) -> None:
    env, description = described(appliance_data, OFFICIAL, (0, 8759))
    assert not differing(compare(env, description, scripted("mixed", description.features, 8759, 2)))


def test_an_episode_within_the_data_starts_nothing_that_it_would_cut_off(
    busy: Path, description: CommunityDescription
) -> None:
    env = make_citylearn_env(busy, buildings=BUILDINGS, window=(FIRST, FIRST + 400))
    rng, ends_matter = np.random.default_rng(0), False
    replay = Replay(description, 1)
    for start in (3, 171):
        hours = int(rng.integers(20, 40))
        env.episode_time_steps = [(FIRST + start, FIRST + start + hours)]
        actions = np.ones((hours, *description.features.action_mask.shape))
        expected = record(env, description.features, actions)
        found = replay.run(actions, row=start, last_row=start + hours)
        assert not differing(errors(expected, found))
        ends_matter |= bool(differing(errors(expected, replay.run(actions, row=start))))
    assert ends_matter


def test_every_observation_takes_its_values(description: CommunityDescription) -> None:
    """Or the comparisons above would compare constants."""
    features = description.features
    seen = [Replay(description).run(scripted(pattern, features, 400, 3))["raw"] for pattern in ("random", "zero")]
    names = [name for agent in features.agents for name in agent.features]
    taken: dict[str, set[float]] = {}
    for at, name in enumerate(names):
        about = appliance_quantity(name)
        if about is not None:
            taken.setdefault(str(about[1]), set()).update(np.concatenate([raw[:, at] for raw in seen]).tolist())
    assert set(taken) == set(QUANTITIES)
    assert all(len(values) > 1 for values in taken.values()), taken
    missed = [at for at, name in enumerate(names) if name.endswith("deadline_missed")]
    assert seen[1][-1, missed].any()


def test_engines_are_equal_to_the_end_of_random_episodes(busy: Path) -> None:
    config = CommunityEnvConfig(dataset=str(busy), buildings=list(BUILDINGS), window=(0, 300), episode_steps=24)
    fast, citylearn = (CommunityVectorEnv(replace(config, engine=engine), 2) for engine in ENGINES)
    assert {type(env.engine).__name__ for env in (fast, citylearn)} == {"FastEngine", "CityLearnEngine"}
    assert np.array_equal(fast.reset(seed=4), citylearn.reset(seed=4))
    rng = np.random.default_rng(0)
    for _ in range(24):
        actions = rng.uniform(-0.5, 1.0, (2, *fast.features.action_mask.shape))
        left, right = fast.step(actions), citylearn.step(actions)
        assert np.array_equal(left.observations, right.observations)
        assert np.array_equal(left.rewards.team, right.rewards.team)
    assert left.episodes == right.episodes


def same_episodes(folder: Path, buildings: tuple[str, ...], window: tuple[int, int], controller: Any) -> Any:
    """An episode on both engines, with everything that CityLearn says about it afterwards compared; its KPIs."""
    found = []
    for engine in ENGINES:
        env = make_citylearn_env(folder, buildings=buildings, window=window)
        trajectory = rollout(controller(), env, engine=engine)
        appliances = [a for b in env.buildings for a in b.deferrable_appliances]
        found.append((trajectory, kpis_of(env), [(a.cycle_state, a.electricity_consumption.tolist()) for a in appliances]))
    assert_same_trajectory(found[0][0], found[1][0])
    assert_same_kpis(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]
    return found[0][1]


@pytest.mark.parametrize("controller", [RandomController, lambda: make_baseline("bau")], ids=["random", "bau"])
def test_kpis_of_an_episode_are_equal(controller: Any, busy: Path) -> None:
    kpis = same_episodes(busy, ("Building_2", "Building_5"), (48, 90), controller)
    served = kpis[kpis["cost_function"] == "district_deferrable_appliance_service_completed_cycles_count"]
    assert (served["value"].astype(float) > 3).any(), served


def test_an_episode_is_written_into_an_environment_that_saw_nothing_of_it(busy: Path) -> None:
    stepped, description = described(busy, ("Building_2", "Building_5"), (30, 90))
    actions = scripted("random", description.features, 60, 2)
    record(stepped, description.features, actions)
    community = FastCommunity(description)
    recording = Recording.empty(community, 60)
    for hour, joint in enumerate(actions):
        community.step_physical(joint[None])
        recording.note(hour, community, joint[None])
    judged = make_citylearn_env(busy, buildings=("Building_2", "Building_5"), window=(30, 90))
    judged.reset()
    inject(judged, recording)
    assert_same_kpis(kpis_of(judged), kpis_of(stepped))


@pytest.mark.slow
def test_kpis_of_the_official_set_are_equal(appliance_data: Path) -> None:
    same_episodes(appliance_data, OFFICIAL, (0, 480), RandomController)


def test_copies_of_a_community_do_what_it_does(description: CommunityDescription) -> None:
    double = FastCommunity(tiled(description, 2))
    alone = FastCommunity(description)
    rng, count = np.random.default_rng(0), len(BUILDINGS)
    for _ in range(60):
        actions = rng.uniform(-1, 1, (1, *description.features.action_mask.shape))
        alone.step(actions)
        double.step(np.concatenate([actions, actions], 1))
        for copy in (slice(0, count), slice(count, None)):
            assert np.array_equal(double.net_kwh[:, copy], alone.net_kwh)
            assert np.array_equal(double.observations[:, copy], alone.observations)


def test_every_number_of_an_appliance_shows_if_it_is_changed(busy: Path) -> None:
    env, description = described(busy, BUILDINGS, (0, HOURS))
    actions = scripted("random", description.features, HOURS, 1)
    expected = record(env, description.features, actions)
    appliances = description.parameters.appliances
    assert len(appliances) == sum(map(len, OWNERS.values()))
    for field in fields(appliances):
        values = getattr(appliances, field.name)
        if field.name in ("building", "threshold"):
            changed = values + (-1 if field.name == "building" else 0.3)
        else:
            step = 1 if values.dtype.kind == "i" else 1e-4
            changed = values + np.asarray(step, values.dtype)
        if field.name == "count":
            changed = values - (values == 2)
        parameters = replace(description.parameters, appliances=replace(appliances, **{field.name: changed}))
        found = Replay(replace(description, parameters=parameters), 1).run(actions)
        assert differing(errors(expected, found)), field.name


def test_ends_that_cannot_be_are_refused(description: CommunityDescription) -> None:
    community = FastCommunity(description)
    for row, last in ((5, 5), (0, 401), (0, -1)):
        with pytest.raises(EngineError, match=r"were to end with the rows.*data ends with 400"):
            community.reset(rows=row, last_rows=last)


def test_ranges_hold_what_appliances_do(busy: Path) -> None:
    env = make_citylearn_env(busy, buildings=("Building_2", "Building_5"), window=(0, 100))
    features = community_features(env)
    observations, _ = env.reset()
    outside: set[tuple[str, str]] = set()
    while not env.terminated:
        outside |= {(building, name) for building, name, _ in features.clipped(observations)}
        observations, *_ = env.step([space.high.tolist() for space in env.action_space])
    assert not outside
