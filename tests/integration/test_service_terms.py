"""Departures and comfort in the reward: the engines agree with CityLearn's own account of them, term by term."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.reward import TERMS
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError

STEPS = 72
DEPARTURE, COMFORT = TERMS.index("departure"), TERMS.index("comfort")


def config(folder: Path, engine: str, **other: Any) -> CommunityEnvConfig:
    buildings = {"buildings": ["Building_1", "Building_5", "Building_7"]} if "ev" in str(folder) else {}
    return CommunityEnvConfig(
        dataset=str(folder), engine=engine, window=(24, 24 + STEPS + 23), episode_steps=STEPS, **{**buildings, **other}
    )


@pytest.fixture(scope="module", params=["vehicles", "temperatures"])
def folder(request: pytest.FixtureRequest) -> Path:
    if request.param == "vehicles":
        return request.getfixturevalue("ev_data")
    return request.getfixturevalue("shared_datasets") / "citylearn_challenge_2023_phase_1"


def terms(env: CommunityVectorEnv, chosen: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    """Terms ``[T, 7]`` and team rewards ``[T]`` of an episode, and its KPIs; actions None is no control."""
    env.reset()
    seen, team = [], []
    for t in range(STEPS):
        action = np.zeros((1, *env.features.action_mask.shape)) if chosen is None else chosen[t]
        result = env.step(action, physical=chosen is None)
        seen.append(result.rewards.terms[0].copy())
        team.append(result.rewards.team[0])
    return np.array(seen), np.array(team), dict(result.episodes[0])


def test_both_engines_measure_the_same(folder: Path) -> None:
    fast, citylearn = (CommunityVectorEnv(config(folder, engine)) for engine in ("fast", "citylearn"))
    chosen = np.random.default_rng(0).uniform(-1, 1, (STEPS, 1, *fast.features.action_mask.shape))
    (mine, team, kpis), (theirs, their_team, their_kpis) = terms(fast, chosen), terms(citylearn, chosen)
    served = DEPARTURE if fast.citylearn.electric_vehicles else COMFORT
    assert np.abs(mine[:, served]).max() > 0.01
    np.testing.assert_allclose(mine, theirs, atol=1e-5)  # temperatures agree within 1e-5 degC
    np.testing.assert_allclose(team, their_team, atol=1e-5)
    assert kpis == pytest.approx(their_kpis, abs=1e-5)
    assert ("departure" in kpis) == (served == DEPARTURE)
    assert ("discomfort" in kpis) == (served == COMFORT)


def test_departures_are_citylearns_deficits(ev_data: Path) -> None:
    """CityLearn's KPI adds up what leaving vehicles lack; the reward's reference less its terms must say the same."""
    env = CommunityVectorEnv(config(ev_data, "citylearn"))
    chosen = np.random.default_rng(3).uniform(-0.2, 0.6, (STEPS, 1, *env.features.action_mask.shape))
    mine, _, _ = terms(env, chosen)
    reference = env.reward.tables
    scale, count = reference.weights[len(TERMS) + 2], len(env.citylearn.buildings)
    uncontrolled = reference.reference_service[:STEPS, :, 0].sum()
    missing = uncontrolled - mine[:, DEPARTURE].sum() * count / scale
    expected = 0.0
    for building in env.citylearn.buildings:
        for charger in building.electric_vehicle_chargers:
            schedule = charger.charger_simulation
            state = np.asarray(schedule.electric_vehicle_charger_state)
            for t in np.flatnonzero((state[:STEPS] == 1) & (state[1 : STEPS + 1] != 1)):
                battery = charger.past_connected_evs[t].battery
                required = schedule.electric_vehicle_required_soc_departure[t]
                expected += max(float(required) - float(battery.soc[t]), 0.0) * battery.capacity
    assert expected > 10.0
    assert missing == pytest.approx(expected, rel=1e-6)


def test_comfort_is_citylearns_own_discomfort(shared_datasets: Path) -> None:
    from citylearn.cost_function import CostFunction

    env = CommunityVectorEnv(config(shared_datasets / "citylearn_challenge_2023_phase_1", "citylearn"))
    *_, kpis = terms(env, np.full((STEPS, 1, *env.features.action_mask.shape), -0.8))
    hours, degrees = [], []
    for building in env.citylearn.buildings:
        energy = building.energy_simulation
        indoor, band = energy.indoor_dry_bulb_temperature[:STEPS], energy.comfort_band[:STEPS]
        points = energy.indoor_dry_bulb_temperature_cooling_set_point, energy.indoor_dry_bulb_temperature_heating_set_point
        cooling, heating = (values[:STEPS] for values in points)
        there = energy.occupant_count[:STEPS]
        outside = np.maximum(np.maximum(indoor - cooling - band, heating - band - indoor), 0.0) * (there > 0)
        degrees.append(outside.mean())
        share = CostFunction.discomfort(indoor, cooling, heating, band=band, occupant_count=there)[0][-1]
        hours.append((outside > 0).sum() == pytest.approx(share * (there > 0).sum()))
    assert all(hours), "outside the band in other hours than CityLearn says"
    assert kpis["discomfort"] == pytest.approx(np.mean(degrees), abs=1e-5)
    assert kpis["discomfort"] > 0.1


def test_no_control_earns_exactly_nothing(ev_data: Path) -> None:
    """From the start of the window: the same simulation as the reference, to the last bit."""
    seen, team, kpis = terms(CommunityVectorEnv(config(ev_data, "fast")), None)
    assert not seen.any()
    assert not team.any()
    assert set(kpis.values()) == {1.0}


def test_full_chargers_serve_everybody_and_are_paid_for_it(ev_data: Path) -> None:
    env = CommunityVectorEnv(config(ev_data, "fast", reward_weights={"departure": 5.0}))
    full = np.zeros((STEPS, 1, *env.features.action_mask.shape))
    full[..., [i for i, name in enumerate(env.features.actions) if name.startswith("electric_vehicle")]] = 1.0
    seen, _, kpis = terms(env, full)
    assert kpis["departure"] < 0.1
    assert seen[:, DEPARTURE].sum() > 0
    assert seen[:, TERMS.index("cost")].sum() < 0


def test_individual_and_mixed_rewards_have_the_teams_mean(ev_data: Path) -> None:
    rewards = {}
    for share in (1.0, 0.4, 0.0):
        env = CityLearnMultiAgentEnv(config(ev_data, "fast", team_share=share).__dict__)
        env.reset()
        random = np.random.default_rng(1)
        for _ in range(STEPS):
            actions = {name: random.uniform(space.low, space.high) for name, space in env.action_spaces.items()}
            *_, infos = step = env.step(actions)
        rewards[share] = step[1]
        info = infos["Building_5"]
        assert share > 0 or step[1]["Building_5"] == info["building_reward"] + info["district_reward"]
    team = rewards[1.0]["Building_1"]
    assert len(set(rewards[1.0].values())) == 1
    for share in (0.4, 0.0):
        assert len(set(rewards[share].values())) == 3
        assert np.mean(list(rewards[share].values())) == pytest.approx(team, abs=1e-12)
        for name, value in rewards[share].items():
            assert value == pytest.approx(share * team + (1 - share) * rewards[0.0][name], abs=1e-12)


@pytest.mark.parametrize("share", [-0.1, 1.01, float("nan")])
def test_shares_that_mean_nothing_are_refused(share: float) -> None:
    with pytest.raises(ConfigError, match=r"team_share is .*; expected a number"):
        CommunityEnvConfig(team_share=share)
