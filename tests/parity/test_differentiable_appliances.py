"""Deferrable appliances of the differentiable engine: the compiled engine's, without gradients through their starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rllib_citylearn.env.appliance_features import QUANTITIES, appliance_quantity
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.engines import FastEngine
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.simulator import FastCommunity
from rllib_citylearn.simulator.appliances import SHOWN_OF_A_CYCLE
from rllib_citylearn.simulator.differentiable import DifferentiableCommunity, Outcome, State, StateRows
from rllib_citylearn.simulator.differentiable.appliances import NONE, SHOWN_BY_THE_HOUR
from rllib_citylearn.simulator.reward_layout import APPLIANCE
from rllib_citylearn.simulator.tiling import tiled
from tests.parity.differentiable_cases import Case, named_case, read_case
from tests.parity.test_differentiable import Errors, quantities, quantities_of

Array = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def machine(appliance_data: Path) -> Case:
    """The official washing machine, and vehicles beside it."""
    return read_case("machine", appliance_data, ["Building_1", "Building_4"], (500, 1000))


@pytest.fixture(params=["busy", "machine"])
def case(request: pytest.FixtureRequest) -> Case:
    return named_case(request, "appliances") if request.param == "busy" else request.getfixturevalue("machine")


@pytest.fixture
def busy(request: pytest.FixtureRequest) -> Case:
    return named_case(request, "appliances")


def columns_of(case: Case) -> list[int]:
    """Columns of the appliances' actions."""
    return [a for a, name in enumerate(case.description.features.actions) if name.startswith("deferrable_appliance")]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_episodes_are_the_compiled_engines_to_their_ends(case: Case, dtype: torch.dtype) -> None:
    hours, rows = 200, np.array([0, 7, 40, 171])
    fast, community = case.fast(4), case.torch(dtype)
    last = rows + hours + np.array([1, 2, 5, 11])
    fast.reset(rows=rows, last_rows=last)
    state, errors, generator = State.of(fast, dtype=dtype), Errors(), np.random.default_rng(1)
    started = np.zeros(len(case.description.parameters.appliances), bool)
    for _ in range(hours):
        actions = generator.uniform(-1.2, 1.2, (4, *case.shape))
        fast.step(actions)
        state, outcome = community.step(state, torch.tensor(actions))
        errors.add(quantities_of(state, outcome), quantities(fast))
        np.testing.assert_array_equal(state.appliances, State.of(fast).appliances)
        started |= fast.appliance_started.any(0)
    assert started.all()
    assert max(errors.relative.values()) < 1e-4, errors.relative


@torch.no_grad()
def test_nothing_that_is_compared_is_constant(busy: Case) -> None:
    """What appliances show and cost takes several values in the hours above."""
    fast, generator = busy.fast(4), np.random.default_rng(1)
    fast.reset(rows=[0, 7, 40, 171])
    seen, terms = [], []
    for _ in range(200):
        fast.step(generator.uniform(-1.2, 1.2, (4, *busy.shape)))
        seen.append(fast.observations.copy())
        terms.append(fast.rewards.terms[:, APPLIANCE].copy())
    columns = busy.description.features.columns
    varies = {name for d, name in enumerate(columns) if np.ptp(np.stack(seen)[..., d], axis=(0, 1)).any()}
    abouts = [appliance_quantity(name) for name in varies]
    assert {about[1] for about in abouts if about is not None} == set(QUANTITIES)
    assert {*SHOWN_OF_A_CYCLE, *SHOWN_BY_THE_HOUR} == set(QUANTITIES)
    assert len(np.unique(np.stack(terms).round(6))) > 20


@torch.no_grad()
def test_the_same_actions_start_the_same_cycles_at_the_threshold(busy: Case) -> None:
    """Digits that 32 bits don't hold decide, as in the kernel."""
    edge = np.array([0.0, 1e-12, -1e-12, 1e-9, np.nextafter(1.0, 0.0), 1.0, -1.0, np.nextafter(-1.0, 0.0), 5e-8])
    fast, community = busy.fast(len(edge)), busy.torch(torch.float32)
    fast.reset(rows=33)
    state, started = State.of(fast), np.zeros(len(edge), int)
    for _ in range(60):
        actions = np.broadcast_to(edge[:, None, None], (len(edge), *busy.shape))
        fast.step(actions)
        state, _ = community.step(state, torch.tensor(actions))
        np.testing.assert_array_equal(state.appliances, State.of(fast).appliances)
        started += fast.appliance_started.sum(1, dtype=int)
    assert started[0] < started[1]


@torch.no_grad()
def test_an_episode_that_is_over_goes_on_to_the_end_of_the_data(busy: Case) -> None:
    """A learner's simulated hours pass the ends of training episodes, and appliances there are still wanted."""
    fast, community = busy.fast(2), busy.torch()
    fast.reset(rows=100, last_rows=[103, busy.description.tables.rows - 1])
    state, eager = State.of(fast, dtype=torch.float64), torch.ones(2, *busy.shape)
    drawn = []
    for _ in range(60):
        state, outcome = community.step(state, eager)
        drawn.append(outcome.appliance_energy_kwh)
    used = torch.stack(drawn)
    assert (used[:3, 0].sum(0) <= used[:3, 1].sum(0)).all()
    assert not torch.equal(used[:3, 0], used[:3, 1])
    assert used[3:, 0].any(0).sum() >= 3
    torch.testing.assert_close(used[40:, 0], used[40:, 1])


@torch.no_grad()
def test_an_appliance_without_an_action_and_one_without_cycles_do_what_they_do_in_the_kernel(busy: Case) -> None:
    parameters = busy.description.parameters
    actions, appliances = parameters.actions, parameters.appliances
    without = np.where(np.arange(len(appliances)) == 1, -1, actions.appliance)
    count = np.where(np.arange(len(appliances)) == 2, 0, appliances.count)
    changed = replace(parameters, actions=replace(actions, appliance=without), appliances=replace(appliances, count=count))
    odd = Case("odd", replace(busy.description, parameters=changed), busy.reward)
    fast, community = odd.fast(1), odd.torch()
    state, errors = community.start([0]), Errors()
    eager = np.ones((1, *odd.shape))
    for _ in range(80):
        fast.step(eager)
        state, outcome = community.step(state, torch.tensor(eager))
        errors.add(quantities_of(state, outcome), quantities(fast))
        np.testing.assert_array_equal(state.appliances, State.of(fast).appliances)
    assert not state.appliances[0, 0, 2]
    assert max(errors.relative.values()) < 1e-4, errors.relative


@torch.no_grad()
def test_a_row_of_copies_does_what_one_does(busy: Case) -> None:
    description = tiled(busy.description, 3)
    fast, community = FastCommunity(description, 2), DifferentiableCommunity(description)
    fast.reset(rows=[3, 90])
    state, generator = community.start([3, 90]), np.random.default_rng(4)
    for _ in range(30):
        actions = generator.uniform(-1, 1, (2, *description.features.action_mask.shape))
        fast.step(actions)
        state, _ = community.step(state, torch.tensor(actions))
        assert np.abs(state.observations.numpy() - fast.observations).max() < 1e-4
        np.testing.assert_array_equal(state.appliances, State.of(fast).appliances)


@pytest.fixture(scope="module")
def env(appliance_data: Path) -> CommunityVectorEnv:
    config = CommunityEnvConfig(
        dataset=str(appliance_data),
        buildings=["Building_1", "Building_4"],
        window=(500, 800),
        episode_steps=100,
        random_start=True,
        memory=True,
    )
    return CommunityVectorEnv(config, 6)


def fast_of(env: CommunityVectorEnv) -> FastCommunity:
    assert isinstance(env.engine, FastEngine)
    return env.engine.community


@torch.no_grad()
def test_packed_states_go_on_in_mid_cycle(env: CommunityVectorEnv) -> None:
    env.reset(seed=4)
    fast, generator = fast_of(env), np.random.default_rng(0)
    while not (fast.arrays["cycle_start"] >= 0).any():
        env.step(generator.uniform(-1, 1, (6, *env.features.action_mask.shape)))
    rows = StateRows(fast.description)
    packed, seen = torch.tensor(rows.pack(env)), torch.tensor(env.engine.observations)
    state = rows.unpack(packed, seen, hours=60)
    expected = State.of(fast, net_history_kwh=env.net_history_kwh())
    assert torch.equal(state.appliances, expected.appliances)
    assert state.appliances.dtype == torch.int64
    assert (state.appliances[:, 1] == NONE).any()
    community = DifferentiableCommunity(fast.description, reward=env.reward.tables)
    used = 0.0
    for _ in range(int(min(fast.arrays["last_row"] - 1 - fast.clock))):
        actions = generator.uniform(-1, 1, (6, *env.features.action_mask.shape))
        env.step(actions)
        state, outcome = community.step(state, torch.tensor(actions))
        np.testing.assert_array_equal(outcome.appliance_energy_kwh, fast.appliance_energy_kwh)
        used += float(fast.appliance_energy_kwh.sum())
    assert used > 0.0


def running_hours(case: Case) -> tuple[DifferentiableCommunity, State, torch.Tensor]:
    """A community in float64, a state, and six hours' actions ``[6, 1, N, A]``, in which an appliance starts and runs."""
    community = case.torch()
    actions = 0.3 + 0.2 * torch.rand(6, 1, *case.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    # Little and to and fro, so that no battery is full or empty.
    actions[..., case.description.features.actions.index("electrical_storage")] *= 0.2
    actions[1::2] *= -1.0
    actions[..., columns_of(case)] = 0.9
    for row in range(300):
        state = community.start([row], initial_soc=torch.full((1, case.shape[0]), 0.4), hours=6)
        _, outcome = rolled(community, state, actions)
        runs = outcome.appliance_energy_kwh[:, 0] > 0
        if (runs.sum(0) > 2).any() and not runs[0].any():
            return community, state, actions
    raise AssertionError("No appliance runs for three hours.")


def rolled(community: DifferentiableCommunity, state: State, actions: torch.Tensor) -> tuple[State, Outcome]:
    given = iter(actions)
    return community.rollout(state, lambda observations, state: next(given), len(actions))


def test_batteries_have_gradients_while_a_machine_runs_and_the_machine_has_none(case: Case) -> None:
    community, state, actions = running_hours(case)
    battery, machines = case.description.features.actions.index("electrical_storage"), columns_of(case)

    def value(given: torch.Tensor) -> torch.Tensor:
        end, outcome = rolled(community, state, given)
        assert outcome.rewards is not None
        return outcome.rewards.team.sum() + outcome.cost.sum() + (outcome.net_kwh**2).sum() + end.observations.sum()

    given = actions.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(given), given)
    assert (gradient[..., machines] == 0.0).all()
    assert gradient[..., battery].abs().max() > 1e-3
    worst = 0.0
    for h in range(len(actions)):
        for n in range(case.shape[0]):
            step = torch.zeros_like(actions)
            step[h, 0, n, battery] = 1e-6
            with torch.no_grad():
                slope = float(value(actions + step) - value(actions - step)) / 2e-6
            worst = max(worst, abs(slope - float(gradient[h, 0, n, battery])))
    assert worst < 1e-5 * float(gradient.abs().max())


def test_what_runs_reaches_the_gradient_of_a_battery(busy: Case) -> None:
    """Through the net load: a square's slope is twice the load, which an appliance raises."""
    community, state, actions = running_hours(busy)
    machines, gradients, loads = columns_of(busy), [], []
    for wanted in (-1.0, 1.0):
        given = actions.clone()
        given[..., machines] = wanted
        given.requires_grad_()
        _, outcome = rolled(community, state, given)
        (gradient,) = torch.autograd.grad((outcome.net_kwh**2).sum(), given)
        gradients.append(gradient)
        loads.append(outcome.appliance_energy_kwh.detach().sum())
    assert loads[0] < loads[1]
    assert not torch.equal(gradients[0], gradients[1])


@torch.no_grad()
def test_states_without_appliances_hold_none_of_them(request: pytest.FixtureRequest) -> None:
    case = named_case(request, "batteries")
    community = case.torch()
    assert community.appliances is None
    for state in (community.start([3, 4]), State.of(case.fast(2), dtype=torch.float64)):
        assert state.appliances.shape == (2, 4, 0)
        _, outcome = community.step(state, torch.zeros(2, *case.shape))
        assert outcome.appliance_energy_kwh.shape == (2, 0)
        assert not outcome.given_up_kwh.any()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@torch.no_grad()
def test_cycles_on_the_gpu_are_those_on_the_cpu(case: Case) -> None:
    community = case.torch(torch.float32)
    actions = torch.rand(48, 3, *case.shape) * 2 - 1
    start = community.start([0, 100, 300], hours=48)
    here, outcome = rolled(community, start, actions)
    there, other = rolled(community.to("cuda"), start.to("cuda"), actions.to("cuda"))
    assert torch.equal(there.appliances.cpu(), here.appliances)
    torch.testing.assert_close(other.appliance_energy_kwh.cpu(), outcome.appliance_energy_kwh)
