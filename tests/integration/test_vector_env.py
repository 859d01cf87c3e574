"""E episodes at once: each as if it were alone, on either engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError, EngineError

BUILDINGS = ("Building_1", "Building_4", "Building_7")
STEPS = 30


@pytest.fixture(scope="module")
def config(challenge_2022: Path) -> CommunityEnvConfig:
    return CommunityEnvConfig(
        dataset=str(challenge_2022), buildings=BUILDINGS, window=(700, 1000), episode_steps=STEPS, random_start=True
    )


def actions(communities: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (STEPS, communities, len(BUILDINGS), 1))


def played(env: CommunityVectorEnv, chosen: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Copies of observations, team rewards and truncation flags of every step."""
    steps = []
    for action in chosen:
        result = env.step(action)
        steps.append((result.observations.copy(), result.rewards.team.copy(), result.truncated.copy()))
    return steps


def test_each_community_is_the_environment_of_one(config: CommunityEnvConfig) -> None:
    starts = [700, 903, 788, 729]
    vector = CommunityVectorEnv(config, 4)
    first = vector.reset(starts=starts).copy()
    chosen = actions(4)
    steps = played(vector, chosen)
    single = CityLearnMultiAgentEnv(config.__dict__)
    columns = single.features.own_columns
    for e, start in enumerate(starts):
        observation, _ = single.reset(options={"start": start})
        assert all(np.array_equal(a, b) for a, b in zip(observation.values(), columns(first[e]), strict=True))
        for t, action in enumerate(chosen[:, e]):
            named = dict(zip(single.possible_agents, action, strict=True))
            observation, rewards, _, truncated, _ = single.step(named)
            assert all(np.array_equal(a, b) for a, b in zip(observation.values(), columns(steps[t][0][e]), strict=True))
            assert rewards["Building_1"] == steps[t][1][e]
            assert truncated["__all__"] == steps[t][2][e] == (t == STEPS - 1)


def test_both_engines_agree_on_communities_that_start_apart(config: CommunityEnvConfig) -> None:
    fast, citylearn = (CommunityVectorEnv(replace(config, engine=engine), 2) for engine in ("fast", "citylearn"))
    assert np.array_equal(fast.reset(starts=[710, 840]), citylearn.reset(starts=[710, 840]))
    for mine, theirs in zip(played(fast, actions(2)), played(citylearn, actions(2)), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert np.array_equal(a, b)
    again = fast.reset([1], starts=[770]), citylearn.reset([1], starts=[770])
    assert np.array_equal(again[0][1], again[1][1])


def test_resetting_one_community_leaves_the_others_alone(config: CommunityEnvConfig) -> None:
    chosen = actions(3)
    alone, together = CommunityVectorEnv(config, 3), CommunityVectorEnv(config, 3)
    for env in (alone, together):
        env.reset(starts=[700, 800, 900])
    expected = played(alone, chosen)
    for t, action in enumerate(chosen):
        if t == 11:
            together.reset([1], starts=[850])
        result = together.step(action)
        for e in (0, 2):
            assert np.array_equal(result.observations[e], expected[t][0][e])
            assert result.rewards.team[e] == expected[t][1][e]
            assert result.truncated[e] == expected[t][2][e]
        assert not result.truncated[1]


def test_seeds_decide_starts_and_charges(config: CommunityEnvConfig) -> None:
    env = CommunityVectorEnv(replace(config, random_initial_soc=True), 8)
    first, again, other = (env.reset(seed=seed).copy() for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    soc = first[:, :, env.features.columns.index("electrical_storage_soc")]
    assert len(np.unique(soc)) == soc.size


def test_starts_are_taken_in_turn(config: CommunityEnvConfig) -> None:
    """Two runners of two communities each: every start once before any comes again."""
    starts = (700, 740, 780, 820)
    runners = [CommunityVectorEnv(replace(config, starts=starts), 2, turn=turn, turns=2) for turn in range(2)]
    hours = []
    for env in runners:
        env.reset()
        hours += env._start.tolist()
    assert sorted(hours) == list(starts)


def test_episode_kpis_come_with_the_last_step(config: CommunityEnvConfig) -> None:
    env = CommunityVectorEnv(config, 2)
    env.reset(starts=[700, 800])
    zeros = np.zeros((2, len(BUILDINGS), 1))
    results = [env.step(zeros) for _ in range(STEPS)]
    assert not any(result.episodes for result in results[:-1])
    assert set(results[-1].episodes) == {0, 1}
    for kpis in results[-1].episodes.values():
        assert all(value == pytest.approx(1.0, abs=1e-6) for value in kpis.values())


def test_what_does_not_fit_is_refused(config: CommunityEnvConfig) -> None:
    env = CommunityVectorEnv(config, 2)
    env.reset(starts=[700, 800])
    with pytest.raises(ConfigError, match="700 to 969, not at 970"):
        env.reset(starts=[700, 970])
    with pytest.raises(EngineError, match=r"need \(2, 3, 1\)"):
        env.step(np.zeros((2, 1, 1)))
    for _ in range(STEPS):
        env.step(np.zeros((2, 3, 1)))
    with pytest.raises(ConfigError, match=r"communities \[0, 1\] have ended"):
        env.step(np.zeros((2, 3, 1)))
    with pytest.raises(EngineError, match="0 communities"):
        CommunityVectorEnv(config, 0)


def test_vehicles_drift_alike_after_the_same_seed_and_otherwise_go_on(ev_data: Path) -> None:
    config = CommunityEnvConfig(dataset=str(ev_data), buildings="10,15", window=(330, 400), episode_steps=60)
    env = CommunityVectorEnv(config)

    def episode(seed: int | None) -> np.ndarray:
        seen = [env.reset(seed=seed).copy()]
        seen += [env.step(np.zeros((1, *env.features.action_mask.shape))).observations.copy() for _ in range(60)]
        return np.stack(seen)

    first, second, again = episode(1), episode(None), episode(1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_an_episode_without_imports_has_no_score(challenge_2022: Path) -> None:
    """At noon in summer the panels cover this home's load: nothing to divide by, however much is drawn then."""
    config = CommunityEnvConfig(dataset=str(challenge_2022), buildings=("Building_4",), window=(4000, 4060), episode_steps=2)
    env = CommunityVectorEnv(config)
    env.reset(starts=[4018])
    assert (env.reward.tables.reference_net[18:20] <= 0).all()
    env.step(np.ones((1, 1, 1)))
    kpis = env.step(np.ones((1, 1, 1))).episodes[0]
    assert not {"cost", "carbon", "electricity", "score"} & kpis.keys()
