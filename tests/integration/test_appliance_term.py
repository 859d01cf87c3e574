"""The reward's term of appliances: the cycles that CityLearn itself counts as missed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.algorithm.data_check import check_data
from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.no_control import no_control
from rllib_citylearn.env.reward import TERMS
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import EngineError, UnsupportedError
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.reward_layout import GIVEN_UP
from tests.appliance_data import with_appliances

APPLIANCE = TERMS.index("appliance")
OWNERS = ("Building_2", "Building_4", "Building_5")  # the second one has no appliance
OFFICIAL = ("Building_1",)
FIRST, LAST, HOURS = 24, 110, 37

Pair = tuple[CommunityVectorEnv, CommunityVectorEnv]


@pytest.fixture(scope="module")
def busy(challenge_2022: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five appliances in two of three buildings."""
    return with_appliances(challenge_2022, tmp_path_factory.mktemp("busy"), LAST)


def config(folder: Path, engine: str, buildings: tuple[str, ...], **other: Any) -> CommunityEnvConfig:
    return CommunityEnvConfig(dataset=str(folder), buildings=list(buildings), engine=engine, window=(FIRST, LAST), **other)


def pair(folder: Path, buildings: tuple[str, ...], **other: Any) -> Pair:
    fast, citylearn = (CommunityVectorEnv(config(folder, name, buildings, **other)) for name in ("fast", "citylearn"))
    return fast, citylearn


@pytest.fixture(scope="module")
def many(busy: Path) -> Pair:
    """Both engines, in episodes shorter than the window."""
    return pair(busy, OWNERS, episode_steps=HOURS)


@pytest.fixture(scope="module")
def official(appliance_data: Path) -> Pair:
    """Both engines, in one episode as long as the window."""
    return pair(appliance_data, OFFICIAL)


def play(env: CommunityVectorEnv, actions: np.ndarray, start: int = FIRST) -> tuple[np.ndarray, Any, np.ndarray]:
    """Terms ``[T, 8]`` of an episode with physical actions ``[T, N, A]``, its KPIs, and what the engine says that each
    building gave up, kWh ``[N]``; the last of the fast engine alone."""
    env.reset(starts=[start])
    seen, service = [], np.zeros(actions.shape[1])
    for action in actions:
        result = env.step(action[None], physical=True)
        seen.append(result.rewards.terms[0].copy())
        if env.config.engine == "fast":
            service += env.engine.community.service[0, :, GIVEN_UP]
    return np.array(seen), dict(result.episodes[0]), service


def commands(env: CommunityVectorEnv, low: float, high: float) -> np.ndarray:
    """Actions ``[T, N, A]`` that ask appliances for numbers between two, and nothing of other devices."""
    actions = np.zeros((env.episode_steps, *env.features.action_mask.shape))
    columns = [a for a, name in enumerate(env.features.actions) if name.startswith("deferrable_appliance")]
    actions[..., columns] = np.random.default_rng(0).uniform(low, high, actions[..., columns].shape)
    return actions


def counted(env: CommunityVectorEnv) -> list[float]:
    """CityLearn's own sums of what the buildings' appliances did not do in the episode, kWh."""
    return [
        sum(appliance.service_summary()["unserved_energy_kwh"] for appliance in building.deferrable_appliances)
        for building in env.citylearn.buildings
    ]


def given_up(env: CommunityVectorEnv, terms: np.ndarray, start: int) -> float:
    """The same of all buildings, by the reward: the reference's energy less what the terms say was saved."""
    tables, row = env.reward.tables, start - env.first_step
    scale, count = tables.weights[-1], len(env.citylearn.buildings)
    uncontrolled = tables.reference_service[row : row + len(terms), :, GIVEN_UP].sum()
    return float(uncontrolled - terms[:, APPLIANCE].sum() * count / scale)


def last_starts(env: CommunityVectorEnv) -> list[int]:
    """The data's time steps after which a cycle may not start any more."""
    owned = [appliance for building in env.citylearn.buildings for appliance in building.deferrable_appliances]
    schedules = [appliance.deferrable_appliance_simulation.flexibility_schedule for appliance in owned]
    return sorted(int(cycle["latest_start_time_step"]) for schedule in schedules for cycle in schedule)


@pytest.mark.parametrize("level", [(0.0, 0.0), (0.0, 0.6), (1.0, 1.0)], ids=["never", "sometimes", "always"])
def test_what_is_given_up_is_what_citylearn_counts(many: Pair, level: tuple[float, float]) -> None:
    """Wherever an episode starts, with cycles that don't fit into it, and in its last hour."""
    fast, citylearn = many
    ends = [step - HOURS + 1 for step in last_starts(fast) if FIRST < step - HOURS + 1 <= fast.latest_start]
    lost = 0.0
    for start in (FIRST, ends[0], ends[-1]):
        chosen = commands(fast, *level)
        theirs, their_kpis, _ = play(citylearn, chosen, start)
        mine, kpis, service = play(fast, chosen, start)
        expected = counted(citylearn)
        assert service == pytest.approx(expected, rel=1e-12)
        for env, terms in ((fast, mine), (citylearn, theirs)):
            assert given_up(env, terms, start) == pytest.approx(sum(expected), abs=1e-9)
        assert np.array_equal(mine, theirs)
        assert kpis == their_kpis
        assert start == FIRST or fast.reward.tables.reference_service[start + HOURS - 1 - FIRST, :, GIVEN_UP].any()
        lost += sum(expected)
    assert lost > 0


def test_both_engines_agree_on_the_official_set(official: Pair) -> None:
    fast, citylearn = official
    chosen = commands(fast, 0.0, 0.6)
    (mine, kpis, _), (theirs, their_kpis, _) = play(fast, chosen), play(citylearn, chosen)
    assert np.array_equal(mine[:, APPLIANCE], theirs[:, APPLIANCE])
    np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert kpis == pytest.approx(their_kpis, abs=1e-5)
    assert 0 < kpis["appliance"] < 1


def test_running_every_cycle_earns_one_an_hour_and_is_worth_it(official: Pair) -> None:
    fast, _ = official
    terms, kpis, _ = play(fast, commands(fast, 1.0, 1.0))
    # The mean over the data, which has one hour more than an episode.
    assert terms[:, APPLIANCE].sum() == pytest.approx(len(fast.reward.tables.months), rel=1e-12)
    assert kpis["appliance"] == pytest.approx(0.0, abs=1e-12)
    weights = np.array([getattr(fast.reward.weights, name) for name in TERMS])
    assert (terms @ weights).sum() > 0


@pytest.mark.parametrize("start", [FIRST, FIRST + 13, FIRST + 40])
def test_no_control_earns_exactly_nothing_wherever_it_starts(many: Pair, start: int) -> None:
    for env in many[: 2 if start == FIRST else 1]:
        terms, kpis, _ = play(env, commands(env, 0.0, 0.0), start)
        assert not terms[:, APPLIANCE].any()
        assert kpis["appliance"] == 1.0
        assert start > FIRST or not terms.any()


def test_communities_without_appliances_have_no_such_kpi(busy: Path) -> None:
    env = CommunityVectorEnv(config(busy, "fast", OWNERS[1:2]))
    terms, kpis, _ = play(env, commands(env, 1.0, 1.0))
    assert not terms[:, APPLIANCE].any()
    assert "appliance" not in kpis
    assert not len(env.reward.tables.reference_service)


def test_the_reference_is_the_same_from_citylearn(
    busy: Path, many: Pair, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To the window's last hour, after which CityLearn's appliances don't look whether a cycle is missed."""

    def unsupported(*args: Any) -> Any:
        raise UnsupportedError("not for the fast engine")

    hour = next(step for step in last_starts(many[0]) if step > FIRST + 30)
    env = make_citylearn_env(busy, buildings=OWNERS, window=(FIRST, hour + 1))
    fast = no_control(env)
    monkeypatch.setenv("RLLIB_CITYLEARN_CACHE", str(tmp_path))
    monkeypatch.setattr(CommunityDescription, "read", unsupported)
    for _ in range(2):  # the second one is from the cache
        assert np.array_equal(no_control(env).service, fast.service)
    assert fast.service[-1, :, GIVEN_UP].any()


def test_a_reward_without_service_is_refused_where_there_are_appliances(many: Pair) -> None:
    tables = many[0].reward.tables
    with pytest.raises(EngineError, match="make both from one environment"):
        FastCommunity(
            many[0].engine.community.description, reward=replace(tables, reference_service=tables.reference_service[:0])
        )


def test_training_warns_of_policies_that_are_not_paid_for_running_cycles(busy: Path) -> None:
    said: list[str] = []
    for weight in (2.0, 0.0):
        environment = config(busy, "fast", OWNERS[2:], reward_weights={"appliance": weight})
        check_data(Preset("warned", environment=environment), said.append)
    assert len(said) == 1
    assert "deferrable_appliance" in said[0]
