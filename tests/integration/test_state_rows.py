"""States that a replay carries, and rollouts of communities that remember, against the vector environment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.engines import FastEngine
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator import FastCommunity
from rllib_citylearn.simulator.differentiable import DifferentiableCommunity, State, StateRows
from rllib_citylearn.simulator.tiling import tiled

Array = npt.NDArray[np.float64]

CASES = {
    "batteries": ("citylearn_challenge_2022_phase_all", ("Building_1", "Building_4", "Building_7")),
    "tanks": ("citylearn_challenge_2021", ("Building_1", "Building_3")),
    "vehicles": ("", ("Building_1", "Building_2", "Building_5")),
}
E, HOURS = 5, 40


def fast_of(env: CommunityVectorEnv) -> FastCommunity:
    assert isinstance(env.engine, FastEngine)
    return env.engine.community


@pytest.fixture(scope="module")
def environments(shared_datasets: Path, ev_data: Path) -> dict[str, CommunityVectorEnv]:
    made = {}
    for name, (folder, buildings) in CASES.items():
        config = CommunityEnvConfig(
            dataset=str(shared_datasets / folder if folder else ev_data),
            buildings=buildings,
            window=(700, 1000),
            episode_steps=100,
            random_start=True,
            random_initial_soc=True,
            memory=True,
        )
        made[name] = CommunityVectorEnv(config, E)
    return made


@pytest.fixture(params=CASES)
def env(request: pytest.FixtureRequest, environments: dict[str, CommunityVectorEnv]) -> CommunityVectorEnv:
    """In mid-episode, from several rows; one of the communities began with the data and has not lived a day."""
    env = environments[request.param]
    env.reset(seed=4)
    env.reset([1], starts=[705])
    random = np.random.default_rng(1)
    for hour in range(33):
        env.step(random.uniform(-1, 1, (E, *env.features.action_mask.shape)))
        if hour == 17:
            env.reset([0, 3], starts=[700, 712])
    return env


def community(env: CommunityVectorEnv, dtype: torch.dtype = torch.float32) -> DifferentiableCommunity:
    return DifferentiableCommunity(fast_of(env).description, reward=env.reward.tables, dtype=dtype)


def state_of(env: CommunityVectorEnv, dtype: torch.dtype = torch.float32) -> State:
    return State.of(fast_of(env), net_history_kwh=env.net_history_kwh(), dtype=dtype)


def actions(env: CommunityVectorEnv, hours: int = HOURS, seed: int = 2) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, (hours, E, *env.features.action_mask.shape))


def seen_in(model: DifferentiableCommunity, state: State, played: Array) -> tuple[Array, State]:
    """Observations ``[H + 1, E, N, D]`` of a rollout, and where it ends."""
    seen, given = [], iter(torch.tensor(played))

    def policy(observations: torch.Tensor, state: State) -> torch.Tensor:
        seen.append(observations)
        return next(given)

    end, _ = model.rollout(state, policy, len(played))
    return torch.stack([*seen, end.observations]).numpy().astype(np.float64), end


@torch.no_grad()
def test_rollouts_see_what_the_vector_environment_shows(env: CommunityVectorEnv) -> None:
    """From mid-episode and for more than a day. The engines round net loads to 0.1 Wh before they take the mean."""
    state, played = state_of(env), actions(env)
    before = env.engine.observations.copy()
    shown = np.array([before, *(env.step(action).observations.copy() for action in played)], np.float64)
    seen, end = seen_in(community(env), state, played)
    difference = np.abs(seen - shown).max((0, 1, 2))
    assert shown[..., env.features.columns.index("net_electricity_consumption_mean_24h")].std(0).max() > 0.01
    worst = dict(zip(env.features.columns, difference, strict=True))
    assert difference[-len(env.features.memory) :].max() < 2e-6, worst
    assert difference.max() < 5e-6, worst  # states of charge, which each engine computes in 32 bits in its own way
    np.testing.assert_allclose(end.net_history_kwh, env.net_history_kwh(), atol=2e-4)


@torch.no_grad()
def test_episodes_begin_as_in_the_vector_environment(env: CommunityVectorEnv) -> None:
    starts = np.array([700, 701, 712, 724, 800])
    shown = env.reset(starts=starts).copy()
    fast = fast_of(env)
    state = community(env).start(starts - 700, initial_soc=torch.tensor(fast.arrays["battery_soc"]), hours=0)
    np.testing.assert_allclose(state.observations.numpy(), shown, atol=2e-6)
    np.testing.assert_allclose(state.net_history_kwh, env.net_history_kwh(), atol=6e-5)


@torch.no_grad()
def test_packed_states_go_on_as_the_states(env: CommunityVectorEnv) -> None:
    rows = StateRows(fast_of(env).description)
    packed, state, played = rows.pack(env), state_of(env), actions(env)
    assert packed.dtype == np.float32
    assert packed.shape == (E, rows.size)
    assert np.isfinite(packed).all()
    env.step(played[0])  # what was packed is a copy
    unpacked = rows.unpack(torch.tensor(packed), state.observations, hours=HOURS)
    assert unpacked.origin.tolist() == state.origin.tolist()
    model = community(env)
    hours = HOURS
    if state.vehicle_soc.shape[1]:
        # Vehicles that are away drift otherwise; until the first of them comes or goes nobody sees it.
        connected = fast_of(env).description.tables.presence.connected
        ahead = connected[state.row.numpy()[:, None] + np.arange(HOURS)]
        hours = int((ahead == ahead[:, :1]).all(2).sum(1).min())
        assert hours >= 2
    found, expected = (seen_in(model, start, played[:hours]) for start in (unpacked, state))
    assert np.array_equal(found[0], expected[0])
    for name in ("battery_soc", "battery_capacity_kwh", "tank_soc", "reward", "net_history_kwh", "row", "origin"):
        assert torch.equal(getattr(found[1], name), getattr(expected[1], name)), name


@torch.no_grad()
def test_a_hundred_buildings_are_simulated_on(environments: dict[str, CommunityVectorEnv]) -> None:
    small = fast_of(environments["vehicles"])
    description = tiled(small.description, 34)
    fast = FastCommunity(description, 2)
    model = DifferentiableCommunity(description)
    history = np.zeros((2, 24, 102), np.float32)
    state = State.of(fast, net_history_kwh=history)
    assert StateRows(description).size == 34 * (StateRows(small.description).size - 6) + 6
    mean = description.features.columns.index("net_electricity_consumption_mean_24h")
    generator = np.random.default_rng(5)
    for _ in range(6):
        action = generator.uniform(-1, 1, (2, *description.features.action_mask.shape))
        fast.step(action)
        state, _ = model.step(state, torch.tensor(action))
        difference = np.abs(state.observations.numpy() - fast.observations)
        assert np.delete(difference, mean, 2).max() < 5e-6
    assert (state.net_history_kwh[:, -6:].numpy() != 0).any(2).all()


def test_drift_is_drawn_afresh_where_vehicles_drift(environments: dict[str, CommunityVectorEnv]) -> None:
    env = environments["vehicles"]
    env.reset(seed=9)
    rows, own = StateRows(fast_of(env).description), state_of(env).drift
    packed, observations = torch.tensor(rows.pack(env)), torch.tensor(env.engine.observations)

    def drawn(seed: int) -> torch.Tensor:
        return rows.unpack(packed, observations, hours=99, generator=torch.Generator().manual_seed(seed)).drift

    first = drawn(1)
    assert torch.equal(first.isnan(), own[:, :99].isnan())
    assert torch.equal(first.nan_to_num(), drawn(1).nan_to_num())
    there = ~first.isnan()
    assert (first[there] != drawn(2)[there]).float().mean() > 0.9
    assert first[there].mean() == pytest.approx(1.0, abs=0.02)
    assert first[there].std() == pytest.approx(float(own[:, :99][there].std()), rel=0.1)


def test_peaks_of_a_month_that_begins_and_late_rows_survive(environments: dict[str, CommunityVectorEnv]) -> None:
    env = environments["batteries"]
    env.reset(starts=[700] * E)  # row 0 begins a month
    fast = fast_of(env)
    rows = StateRows(fast.description)
    packed = torch.tensor(rows.pack(env))
    packed[:, 0] = 2**24 - 3
    state = rows.unpack(packed, torch.tensor(fast.observations), hours=0)
    assert state.row.tolist() == [2**24 - 3] * E
    assert torch.equal(state.reward, torch.tensor(fast.arrays["reward_state"], dtype=torch.float32))
    assert (state.reward == -torch.inf).any()


def test_what_does_not_fit_is_refused(environments: dict[str, CommunityVectorEnv]) -> None:
    env, other = environments["batteries"], environments["tanks"]
    fast = fast_of(env)
    rows = StateRows(fast.description)
    observations = torch.tensor(env.engine.observations)
    with pytest.raises(EngineError, match=rf"shape \({E}, {rows.size + 1}\).* are \[B, {rows.size}\]"):
        rows.unpack(torch.zeros(E, rows.size + 1), observations, hours=1)
    with pytest.raises(EngineError, match="Take both from runs of the same"):
        rows.unpack(torch.zeros(E, rows.size), observations[:, :2], hours=1)
    with pytest.raises(EngineError, match=r"has 2 buildings \(Building_1, Building_3\)"):
        rows.pack(other)
    with pytest.raises(EngineError, match=r"engine 'citylearn' can't be packed"):
        rows.pack(CommunityVectorEnv(replace(env.config, engine="citylearn", window=(700, 710), episode_steps=5)))
    long = replace(fast.description, tables=replace(fast.description.tables, load=np.zeros((2**24 + 1, 0), np.float32)))
    with pytest.raises(EngineError, match="shorten the window"):
        StateRows(long)
    with pytest.raises(EngineError, match=r"observations of this community depend on one of \(5, 24, 3\)"):
        State.of(fast)
    forgetful = DifferentiableCommunity(fast.description)
    with pytest.raises(EngineError, match="nothing is known of it before an episode"):
        forgetful.start([3])
    with pytest.raises(EngineError, match="net loads of 0 hours, where those of 24"):
        forgetful.step(replace(state_of(env), net_history_kwh=torch.zeros(E, 0, 3)), torch.zeros(E, 3, 1))


def test_gradients_flow_through_the_mean(environments: dict[str, CommunityVectorEnv]) -> None:
    """Against difference quotients in 64 bits: the sum of the means seen in 30 hours, by the first hour's actions."""
    env = environments["batteries"]
    env.reset(seed=2)
    model, state, played = community(env, torch.float64), state_of(env, torch.float64), torch.tensor(actions(env, 30))
    played = 0.3 + 0.2 * played
    column = env.features.columns.index("net_electricity_consumption_mean_24h")

    def total(first: torch.Tensor) -> torch.Tensor:
        given, means = iter([first, *played[1:]]), []

        def policy(observations: torch.Tensor, state: State) -> torch.Tensor:
            means.append(observations[..., column])
            return next(given)

        end, _ = model.rollout(state, policy, len(played))
        return torch.stack([*means, end.observations[..., column]]).sum()

    first = played[0].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(total(first), first)
    assert (gradient.abs() > 1e-3).float().mean() > 0.5
    for e, n in ((0, 0), (3, 2)):
        step = torch.zeros_like(first)
        step[e, n] = 1e-6
        quotient = (total(first.detach() + step) - total(first.detach() - step)) / 2e-6
        assert float(gradient[e, n]) == pytest.approx(float(quotient), rel=1e-5)
