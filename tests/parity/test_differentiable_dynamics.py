"""Buildings whose indoor temperature is simulated: the differentiable physics is the compiled engine's."""

from __future__ import annotations

from dataclasses import fields, replace
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
from rllib_citylearn.simulator.differentiable import DifferentiableCommunity, Outcome, State, StateRows
from rllib_citylearn.simulator.reward_layout import COMFORT, DISCOMFORT
from tests.parity.differentiable_cases import Case, read_case, with_unusual_devices
from tests.parity.engine_devices import with_heat_pumps

Array = npt.NDArray[np.float64]

DATA = "citylearn_challenge_2023_phase_1"
BUILDINGS = ("Building_1", "Building_2", "Building_3")
NAMES = ("cooling", "heating", "both", "a building without a model", "unusual devices")
LOOKBACK = 12
ROWS = (0, 1, 40, 77)
"""Where episodes start; the control has no say over temperatures in their first 13 hours."""

WEIGHTS = ("input_weights", "recurrent_weights", "bias", "output_weights", "output_bias")

_known: dict[str, Case] = {}


def indoor_case(request: pytest.FixtureRequest, name: str) -> Case:
    """One of ``NAMES``; each is read once."""
    if name not in _known:
        _known[name] = _read(request, name)
    return _known[name]


def _read(request: pytest.FixtureRequest, name: str) -> Case:
    source: Path = request.getfixturevalue("shared_datasets") / DATA
    window = (0, 400)
    if name == "unusual devices":
        return with_unusual_devices(indoor_case(request, "both"))
    if name == "a building without a model":
        return _without_model(indoor_case(request, "cooling"), 1)
    if name == "cooling":
        return read_case(name, source, BUILDINGS, window)
    folder = request.getfixturevalue("tmp_path_factory").mktemp(name)
    action = "heating_device" if name == "heating" else "cooling_or_heating_device"
    return read_case(name, with_heat_pumps(source, folder, action), BUILDINGS, window)


def _without_model(case: Case, n: int) -> Case:
    """The same community, with a building ``n`` without a model, of whose temperature nothing is known."""
    dynamics, tables = case.description.dynamics, case.description.tables
    assert dynamics is not None
    assert tables.comfort is not None
    others = np.arange(len(dynamics.dynamic)) != n
    arrays = {
        name: np.where(others.reshape(-1, *[1] * (x.ndim - 1)), x, 0)
        for name, x in vars(dynamics).items()
        if name in WEIGHTS
    }
    inputs = np.where(others[:, None], dynamics.inputs, np.float32(0.0))
    nothing = replace(
        dynamics,
        dynamic=others,
        inputs=inputs,
        input_at=np.where(others[:, None], dynamics.input_at, -1),
        input_range=np.where(others[:, None, None], dynamics.input_range, np.array([0.0, 1.0])),
        **arrays,
    )
    comfort = np.where(others[:, None], tables.comfort, np.float32([-np.inf, np.inf]))
    indoor = np.where(others, tables.indoor, np.float32(np.nan))
    description = replace(case.description, dynamics=nothing, tables=replace(tables, comfort=comfort, indoor=indoor))
    return Case("a building without a model", description, case.reward)


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> Case:
    return indoor_case(request, request.param)


def random_actions(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A little beyond the limits, so that clipping is seen."""
    return generator.uniform(-1.2, 1.2, shape)


def quantities(fast: FastCommunity) -> dict[str, Array]:
    modelled = np.asarray(fast.arrays["dynamic"], bool)
    shown = {
        "temperature": np.where(modelled, fast.temperature_c, 0.0),
        "discomfort": np.where(modelled, fast.service[:, :, DISCOMFORT], 0.0),
        "net load": fast.net_kwh,
        "cost": fast.cost,
        "emissions": fast.emissions,
        "observations": fast.observations,
        "building reward": fast.rewards.building,
        "team reward": fast.rewards.team,
        "terms": fast.rewards.terms,
    }
    return {name: values.astype(np.float64) for name, values in shown.items()}


def quantities_of(community: DifferentiableCommunity, state: State, outcome: Outcome) -> dict[str, Array]:
    rewards, indoor = outcome.rewards, community.indoor
    assert rewards is not None
    assert indoor is not None
    shown = {
        "temperature": torch.where(indoor.dynamic, outcome.temperature_c, 0.0),
        "discomfort": outcome.discomfort_c,
        "net load": outcome.net_kwh,
        "cost": outcome.cost,
        "emissions": outcome.emissions,
        "observations": state.observations,
        "building reward": rewards.building,
        "team reward": rewards.team,
        "terms": rewards.terms,
    }
    return {name: values.numpy().astype(np.float64) for name, values in shown.items()}


def largest_differences(actual: dict[str, Array], expected: dict[str, Array]) -> dict[str, float]:
    assert all(actual[name].shape == values.shape for name, values in expected.items())
    return {name: float(abs(actual[name] - values).max(initial=0.0)) for name, values in expected.items()}


# degC, kWh and shares. The kernels round to 32 bits in every hour, which float64 doesn't. A difference of one reward unit is
# a building's mean bill of an hour.
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 2e-4)])
@torch.no_grad()
def test_eight_days_are_the_compiled_engines(case: Case, dtype: torch.dtype, tolerance: float) -> None:
    generator = np.random.default_rng(3)
    soc = generator.uniform(0.0, 1.0, (4, case.shape[0]))
    fast, community = case.fast(4), case.torch(dtype)
    fast.reset(rows=ROWS, initial_soc=soc)
    state = community.start(ROWS, initial_soc=torch.tensor(soc))
    worst: dict[str, float] = {}
    seen = []
    for _ in range(192):
        actions = random_actions(generator, (4, *case.shape))
        fast.step(actions)
        state, outcome = community.step(state, torch.tensor(actions))
        expected = quantities(fast)
        found = largest_differences(quantities_of(community, state, outcome), expected)
        worst = {name: max(value, worst.get(name, 0.0)) for name, value in found.items()}
        seen.append(expected)
    assert max(worst.values()) < tolerance, worst
    assert worst["temperature"] < 3e-5, worst
    assert np.ptp([hour["temperature"] for hour in seen], axis=0).max() > 3.0
    assert np.mean([hour["terms"][:, COMFORT] != 0.0 for hour in seen]) > 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_an_hour_from_any_state_is_the_compiled_engines(case: Case, dtype: torch.dtype) -> None:
    """Also of communities that have just begun again, whose histories are still those of the episode before."""
    generator = np.random.default_rng(4)
    fast, community = case.fast(3), case.torch(dtype)
    fast.reset(rows=[0, 100, 300])
    for hour in range(70):
        if hour in (20, 33):
            fast.reset([hour % 3], rows=[hour])
        state, actions = State.of(fast, dtype=dtype), random_actions(generator, (3, *case.shape))
        fast.step(actions)
        following, outcome = community.step(state, torch.tensor(actions))
        found = largest_differences(quantities_of(community, following, outcome), quantities(fast))
        assert max(found.values()) < 5e-5, (hour, found)
        after = State.of(fast, dtype=dtype)
        torch.testing.assert_close(following.indoor_hidden, after.indoor_hidden, rtol=0.0, atol=5e-6)
        modelled = torch.as_tensor(fast.arrays["dynamic"], dtype=torch.bool)
        # An episode's own; the first of the hours looked back on counts for its temperature alone.
        old = min(int(age) for age in (fast.clock - fast.origin))
        mine, theirs = (s.indoor_inputs[:, max(LOOKBACK - old, 0) :, modelled] for s in (following, after))
        torch.testing.assert_close(mine, theirs, rtol=0.0, atol=2e-6)


@torch.no_grad()
def test_a_rollout_is_its_steps(case: Case) -> None:
    community, hours = case.torch(), 20
    actions = torch.tensor(random_actions(np.random.default_rng(5), (hours, 4, *case.shape)))
    start = warm(case, community, ROWS)
    given = iter(actions)
    end, outcome = community.rollout(start, lambda observations, state: next(given), hours)
    state = start
    for h, action in enumerate(actions):
        state, expected = community.step(state, action)
        torch.testing.assert_close(outcome.temperature_c[h], expected.temperature_c, rtol=0.0, atol=1e-10)
        torch.testing.assert_close(outcome.discomfort_c[h], expected.discomfort_c, rtol=0.0, atol=1e-10)
        torch.testing.assert_close(outcome.net_kwh[h], expected.net_kwh, rtol=0.0, atol=1e-10)
    for field in fields(State):
        torch.testing.assert_close(getattr(end, field.name), getattr(state, field.name), rtol=0.0, atol=1e-10)


def warm(case: Case, community: DifferentiableCommunity, rows: tuple[int, ...], hours: int = 20) -> State:
    """Communities in mid-episode, whose devices the control sets."""
    fast = case.fast(len(rows))
    fast.reset(rows=rows)
    generator = np.random.default_rng(8)
    for _ in range(hours):
        fast.step(generator.uniform(-0.5, 0.5, (len(rows), *case.shape)))
    return State.of(fast, dtype=community.dtype)


def repeated(state: State, times: int) -> State:
    """The one community of ``state``, several times."""
    return State(**{field.name: getattr(state, field.name).repeat_interleave(times, 0) for field in fields(State)})


def objectives(community: DifferentiableCommunity, state: State, actions: torch.Tensor) -> dict[str, torch.Tensor]:
    """What depends on actions ``[H, E, N, A]``, each ``[E]``; degrees are of the second half of the hours."""
    given = iter(actions)
    _, outcome = community.rollout(state, lambda observations, state: next(given), len(actions))
    assert outcome.rewards is not None
    return {
        "temperature": outcome.temperature_c[len(actions) // 2 :].sum((0, 2)),
        "discomfort": outcome.discomfort_c.sum((0, 2)),
        "comfort": outcome.rewards.terms[:, :, COMFORT].sum(0),
        "team reward": outcome.rewards.team.sum(0),
        "building reward": outcome.rewards.building.sum((0, 2)),
        "net load": outcome.net_kwh.sum((0, 2)),
    }


HOURS = 18


def interior_actions(case: Case) -> Array:
    """Actions ``[HOURS, 1, N, A]`` away from zero and limits."""
    generator = np.random.default_rng(11)
    shape = (HOURS, 1, *case.shape)
    actions = generator.uniform(0.2, 0.5, shape) * generator.choice([-1.0, 1.0], shape)
    actions[..., case.description.features.actions.index("dhw_storage")] *= 0.1
    return actions


def devices(case: Case) -> list[int]:
    return [a for a, name in enumerate(case.description.features.actions) if name.endswith("_device")]


def gradients(case: Case, community: DifferentiableCommunity, actions: Array) -> dict[str, Array]:
    given = torch.tensor(actions, requires_grad=True)
    found = objectives(community, warm(case, community, (40,)), given)
    return {
        name: torch.autograd.grad(value.sum(), given, retain_graph=True)[0].numpy().ravel() for name, value in found.items()
    }


def tried(actions: Array, step: float) -> Array:
    """Every action a little more in a community of its own, then every one a little less: ``[H, 2 * count, N, A]``."""
    count = actions.size
    flat = np.tile(np.moveaxis(actions, 1, 0).reshape(1, count), (2 * count, 1))
    flat[np.arange(count), np.arange(count)] += step
    flat[np.arange(count) + count, np.arange(count)] -= step
    return np.ascontiguousarray(np.moveaxis(flat.reshape(2 * count, len(actions), *actions.shape[2:]), 0, 1))


def test_gradients_are_the_slopes_of_the_torch_physics(case: Case) -> None:
    community, actions, step = case.torch(), interior_actions(case), 1e-6
    found = gradients(case, community, actions)
    given = tried(actions, step)
    with torch.no_grad():
        values = objectives(community, repeated(warm(case, community, (40,)), given.shape[1]), torch.tensor(given))
    for name, value in values.items():
        slopes = (value[: actions.size] - value[actions.size :]).numpy() / (2.0 * step)
        # A kink within a step, of a bill or of a comfort band, is rare.
        wrong = abs(found[name] - slopes) > 1e-5 * abs(slopes).max()
        assert wrong.mean() < 0.01, (name, wrong.sum())


def test_gradients_of_temperatures_are_the_slopes_of_the_compiled_engine(case: Case) -> None:
    community, actions, step = case.torch(), interior_actions(case), 0.02
    found = gradients(case, community, actions)
    given = tried(actions, step)
    fast = case.fast(given.shape[1])
    fast.reset(rows=40)
    generator = np.random.default_rng(8)
    for _ in range(20):
        fast.step(np.repeat(generator.uniform(-0.5, 0.5, (1, *case.shape)), given.shape[1], 0))
    total, modelled = np.zeros(given.shape[1]), np.asarray(fast.arrays["dynamic"], bool)
    for hour, action in enumerate(given):
        fast.step(action)
        total += fast.temperature_c[:, modelled].astype(np.float64).sum(1) * (hour >= HOURS // 2)
    slopes = (total[: actions.size] - total[actions.size :]) / (2.0 * step)
    np.testing.assert_allclose(found["temperature"], slopes, atol=0.02 * abs(slopes).max())
    gradient = found["temperature"].reshape(actions.shape)[:, 0]
    if case.name != "heating":  # at which the data set's models don't look
        names = case.description.features.actions
        assert (abs(gradient[: HOURS // 2, modelled][..., devices(case)]) > 1e-3).mean() > 0.1
        assert not gradient[..., names.index("electrical_storage")].any()


def test_the_control_of_devices_counts_once_the_models_have_looked_back(request: pytest.FixtureRequest) -> None:
    case = indoor_case(request, "cooling")
    community = case.torch()
    actions = torch.tensor(random_actions(np.random.default_rng(1), (30, 1, *case.shape)), requires_grad=True)
    found = objectives(community, community.start([9]), actions)
    (gradient,) = torch.autograd.grad(found["net load"].sum(), actions)
    (column,) = devices(case)
    first = gradient[:, 0, :, column].any(1).nonzero()[0]
    assert first == LOOKBACK + 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_on_every_kink(case: Case, dtype: torch.dtype) -> None:
    community, generator = case.torch(dtype), np.random.default_rng(6)
    edges = (-1.0, -0.0, 0.0, 1.0, 1e-30, -1e-30, 0.05)
    actions = torch.tensor(generator.choice(edges, (30, 4, *case.shape)), dtype=dtype, requires_grad=True)
    total = sum(value.sum() for value in objectives(community, community.start(ROWS), actions).values())
    assert isinstance(total, torch.Tensor)
    (gradient,) = torch.autograd.grad(total, actions)
    assert torch.isfinite(gradient).all()
    assert gradient[..., devices(case)].any()


def test_full_power_has_a_slope(request: pytest.FixtureRequest) -> None:
    """An action at its limit is where a policy that saturates is to come back from."""
    case = indoor_case(request, "cooling")
    community = case.torch()
    (column,) = devices(case)
    for value in (-1.0, 1.0):
        actions = torch.full((2, 1, *case.shape), value, dtype=torch.float64, requires_grad=True)
        found = objectives(community, warm(case, community, (40,)), actions)
        inside = actions.detach().clone()
        inside[0, ..., column] -= 1e-3 * value
        inside.requires_grad_()
        near = objectives(community, warm(case, community, (40,)), inside)
        for name in ("net load", "temperature"):
            (there,), (beside,) = (
                torch.autograd.grad(x[name].sum(), a, retain_graph=True) for x, a in ((found, actions), (near, inside))
            )
            assert there[0, ..., column].all()
            torch.testing.assert_close(there[0, ..., column], beside[0, ..., column], rtol=0.02, atol=1e-6)


def test_temperatures_keep_their_digits_where_networks_compute_with_half_of_them(request: pytest.FixtureRequest) -> None:
    case = indoor_case(request, "cooling")
    community = case.torch(torch.float32)
    state, actions = warm(case, community, ROWS), torch.zeros(6, 4, *case.shape)
    exact = objectives(community, state, actions)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = objectives(community, state, actions)
    assert all(torch.equal(half[name], value) for name, value in exact.items())


@torch.no_grad()
def test_packed_states_go_on_as_the_states(shared_datasets: Path) -> None:
    config = CommunityEnvConfig(
        dataset=str(shared_datasets / DATA), window=(0, 300), episode_steps=100, random_start=True, memory=True
    )
    env = CommunityVectorEnv(config, 5)
    env.reset(seed=4)
    generator = np.random.default_rng(1)
    for hour in range(33):
        env.step(generator.uniform(-1, 1, (5, *env.features.action_mask.shape)))
        if hour == 25:
            env.reset([0, 3], starts=[0, 12])
    assert isinstance(env.engine, FastEngine)
    fast = env.engine.community
    rows = StateRows(fast.description)
    packed, state = rows.pack(env), State.of(fast, net_history_kwh=env.net_history_kwh())
    actions = generator.uniform(-1, 1, (30, 5, *env.features.action_mask.shape))
    community = DifferentiableCommunity(fast.description, reward=env.reward.tables)
    assert np.isfinite(packed).all()
    unpacked = rows.unpack(torch.tensor(packed), state.observations, hours=30)
    for field in fields(State):
        assert torch.equal(getattr(unpacked, field.name), getattr(state, field.name)), field.name
    for action in actions:
        fast.step(action)
        unpacked, outcome = community.step(unpacked, torch.tensor(action))
        np.testing.assert_allclose(outcome.temperature_c, fast.temperature_c, atol=2e-5)
        np.testing.assert_allclose(outcome.rewards.team if outcome.rewards else None, fast.rewards.team, atol=2e-5)


def test_states_that_remember_no_temperatures_are_refused(request: pytest.FixtureRequest) -> None:
    case = indoor_case(request, "cooling")
    community = case.torch()
    within: list[State] = []

    def policy(observations: torch.Tensor, state: State) -> torch.Tensor:
        within.append(state)
        return torch.zeros(1, *case.shape)

    end, _ = community.rollout(community.start([0]), policy, 2)
    assert end.indoor_inputs.shape == (1, LOOKBACK, 3, 3)
    lost = replace(end, indoor_inputs=within[1].indoor_inputs, indoor_hidden=within[1].indoor_hidden)
    with pytest.raises(EngineError, match=r"memory of indoor temperatures has the shapes \(\(0, 3, 3\)"):
        community.step(lost, torch.zeros(1, *case.shape))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
def test_a_day_on_the_gpu_is_the_day_on_the_cpu(case: Case) -> None:
    community = case.torch(torch.float32)
    state = warm(case, community, ROWS)
    actions = torch.rand(24, 4, *case.shape) * 2 - 1
    found = {}
    for device in ("cpu", "cuda"):
        given = actions.to(device).requires_grad_()
        values = objectives(community.to(device), state.to(device), given)
        (gradient,) = torch.autograd.grad(values["team reward"].sum(), given)
        found[device] = {name: value.detach().cpu() for name, value in values.items()} | {"gradient": gradient.cpu()}
    for name, value in found["cpu"].items():
        torch.testing.assert_close(found["cuda"][name], value, rtol=1e-3, atol=1e-3)
