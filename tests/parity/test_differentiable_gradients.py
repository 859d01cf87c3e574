"""Gradients of the differentiable physics are the slopes of what the compiled engine does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rllib_citylearn.simulator.reward_layout import DISTRICT, INHERITED_PEAK
from tests.parity.differentiable_cases import NAMES, Case, named_case, simulate, simulate_compiled

Array = npt.NDArray[np.float64]
HOURS = 6


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> Case:
    return named_case(request, request.param)


def eventful_row(case: Case) -> int:
    """A row from which most vehicles leave within ``HOURS`` hours; where there are none, one with a new peak ahead."""
    connected = case.description.tables.presence.connected[:600]
    if connected.shape[1]:
        leaves = ((connected[:-1] >= 0) & (connected[1:] != connected[:-1])).sum(1)
        within = np.convolve(leaves, np.ones(HOURS - 2), "valid")
        return int(within[50:].argmax()) + 49
    ahead = np.lib.stride_tricks.sliding_window_view(case.reward.months[:600, DISTRICT], HOURS).max(1)
    return int((ahead[50:] - case.reward.months[49 : 49 + len(ahead) - 50, INHERITED_PEAK]).argmax()) + 50


def interior_actions(case: Case, seed: int) -> Array:
    """Actions ``[HOURS, 1, N, A]`` away from zero, from the limits and from chargers' dead bands."""
    generator = np.random.default_rng(seed)
    shape = (HOURS, 1, *case.shape)
    actions = generator.uniform(0.3, 0.7, shape) * generator.choice([-1.0, 1.0], shape)
    names = case.description.features.actions
    small = [a for a, name in enumerate(names) if name.endswith("_storage") and not name.startswith("electric")]
    actions[..., small] *= 0.2  # tanks are charged by shares of their capacity, which is many hours of demand
    return actions


def slopes(actions: Array, step: float, run: Callable[[Array], dict[str, torch.Tensor]]) -> dict[str, tuple[Array, Array]]:
    """Left and right difference quotients of every objective for every action; all are tried at once, as communities."""
    count = actions.size
    tried = np.repeat(actions, 2 * count + 1, 1)
    flat = np.moveaxis(tried, 1, 0).reshape(2 * count + 1, count)
    flat[np.arange(count), np.arange(count)] += step
    flat[np.arange(count) + count, np.arange(count)] -= step
    tried = np.moveaxis(flat.reshape(2 * count + 1, HOURS, *actions.shape[2:]), 0, 1)
    found = {}
    for name, values in run(np.ascontiguousarray(tried)).items():
        up, down, middle = values[:count].numpy(), values[count : 2 * count].numpy(), float(values[-1])
        found[name] = ((middle - down) / step, (up - middle) / step)
    return found


def assert_gradients_are_slopes(
    gradients: dict[str, Array], found: dict[str, tuple[Array, Array]], *, smooth: float, tolerance: float
) -> None:
    """Every objective's gradient equals its central difference quotient wherever the two one-sided ones agree.

    Args:
        gradients: by objective.
        found: left and right difference quotients by objective.
        smooth: how far the two may be apart, as a share of the largest slope, to count as one slope.
        tolerance: how far a gradient may be from it, as the same share.
    """
    for name, (left, right) in found.items():
        size = max(abs(left).max(), abs(right).max())
        kept = abs(left - right) <= smooth * size
        assert kept.mean() > 0.6, (name, kept.mean())
        error = abs(gradients[name] - (left + right) / 2)[kept].max()
        assert error <= tolerance * size, (name, error / size if size else error)


def gradients_of(case: Case, row: int, soc: Array, actions: Array) -> dict[str, Array]:
    community = case.torch()
    given = torch.tensor(actions, requires_grad=True)
    hours = simulate(community, community.start([row], initial_soc=torch.tensor(soc), hours=HOURS), given)
    found = {}
    for name, value in hours.objectives().items():
        total = value.sum() + 0.0 * given.sum()  # where nothing can leave, a shortfall depends on no action
        (gradient,) = torch.autograd.grad(total, given, retain_graph=True)
        found[name] = gradient.numpy().ravel()
    return found


@pytest.mark.parametrize("seed", [0, 1])
def test_gradients_are_the_slopes_of_the_compiled_engine(case: Case, seed: int) -> None:
    # The kernels round to 32 bits: differences over steps of 1e-2 lose two digits to that, and as many to curvature.
    row, actions = eventful_row(case), interior_actions(case, seed)
    soc = np.random.default_rng(seed).uniform(0.4, 0.6, (1, case.shape[0]))

    def run(tried: Array) -> dict[str, torch.Tensor]:
        fast = case.fast(tried.shape[1])
        fast.reset(rows=row, initial_soc=np.repeat(soc, tried.shape[1], 0))
        return simulate_compiled(case, fast, tried).objectives()

    found, gradients = slopes(actions, 1e-2, run), gradients_of(case, row, soc, actions)
    assert_gradients_are_slopes(gradients, found, smooth=1e-2, tolerance=6e-3)
    free = {"cost"} if not case.reward.price.any() else set()
    free |= set() if case.description.parameters.vehicles.capacity.size else {"shortfall"}
    assert {name for name, gradient in gradients.items() if not gradient.any()} <= free


def test_gradients_are_the_slopes_of_the_torch_physics(case: Case) -> None:
    row, actions = eventful_row(case), interior_actions(case, 2)
    soc = np.random.default_rng(2).uniform(0.3, 0.7, (1, case.shape[0]))
    community = case.torch()

    @torch.no_grad()
    def run(tried: Array) -> dict[str, torch.Tensor]:
        count = tried.shape[1]
        start = community.start([row] * count, initial_soc=torch.tensor(soc).expand(count, -1), hours=HOURS)
        return simulate(community, start, torch.tensor(tried)).objectives()

    found, gradients = slopes(actions, 1e-6, run), gradients_of(case, row, soc, actions)
    assert_gradients_are_slopes(gradients, found, smooth=1e-5, tolerance=1e-6)


def test_gradients_reach_the_state_an_episode_starts_from(case: Case) -> None:
    community, row = case.torch(), eventful_row(case)
    actions = torch.tensor(interior_actions(case, 5))
    soc = np.random.default_rng(5).uniform(0.3, 0.7, (1, case.shape[0]))

    def cost(initial: torch.Tensor) -> torch.Tensor:
        start = community.start([row] * len(initial), initial_soc=initial, hours=HOURS)
        hours = simulate(community, start, actions.expand(-1, len(initial), -1, -1))
        return hours.emissions.sum((0, 2))

    given = torch.tensor(soc, requires_grad=True)
    (gradient,) = torch.autograd.grad(cost(given).sum(), given)
    steps = 1e-6 * torch.eye(case.shape[0], dtype=torch.float64)
    with torch.no_grad():
        slope = (cost(given + steps) - cost(given - steps)) / 2e-6
    assert gradient.any()
    torch.testing.assert_close(gradient[0], slope, rtol=1e-6, atol=1e-6)


EDGES = (-1.0, -0.0, 0.0, 1.0, 1e-30, -1e-30, 0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_on_every_kink(case: Case, dtype: torch.dtype) -> None:
    community, generator = case.torch(dtype), np.random.default_rng(6)
    initial = torch.tensor(generator.choice([0.0, 0.5, 1.0], (8, case.shape[0])), dtype=dtype, requires_grad=True)
    actions = torch.tensor(generator.choice(EDGES, (30, 8, *case.shape)), dtype=dtype, requires_grad=True)
    state = community.start([0, 1, 50, 200, 640, 710, 729, 730], initial_soc=initial, hours=30)
    total = state.observations.sum()
    for action in actions:
        state, outcome = community.step(state, action)
        rewards = outcome.rewards
        assert rewards is not None
        total = total + state.observations.sum() + rewards.team.sum() + rewards.terms.sum() + rewards.building.sum()
        for values in (outcome.net_kwh, outcome.cost, outcome.emissions, outcome.charger_energy_kwh, outcome.missing_kwh):
            total = total + values.sum()
    for values in (state.battery_soc, state.battery_capacity_kwh, state.tank_soc, state.vehicle_soc):
        total = total + values.sum()
    total.backward()
    assert actions.grad is not None
    assert initial.grad is not None
    assert torch.isfinite(actions.grad).all()
    assert torch.isfinite(initial.grad).all()
    owned = torch.tensor(case.description.features.action_mask)
    assert (actions.grad[:, :, ~owned] == 0.0).all()


@pytest.mark.parametrize(
    ("soc", "action", "moves"),
    [(0.5, 0.0, True), (0.0, 0.0, True), (1.0, 0.0, True), (0.0, -0.5, False), (1.0, 0.5, False), (0.3, 1.0, False)],
    ids=["idle", "empty, idle", "full, idle", "empty, discharging", "full, charging", "beyond the power curve"],
)
def test_batteries_answer_where_they_can(request: pytest.FixtureRequest, soc: float, action: float, moves: bool) -> None:
    case = named_case(request, "batteries")
    community = case.torch()
    actions = torch.full((1, *case.shape), action, dtype=torch.float64, requires_grad=True)
    start = community.start([10], initial_soc=torch.full((1, case.shape[0]), soc, dtype=torch.float64))
    _, outcome = community.step(start, actions)
    (gradient,) = torch.autograd.grad(outcome.net_kwh.sum(), actions)
    assert ((gradient > 0.0) == moves).all(), gradient


def test_an_action_at_its_limit_has_a_slope_where_the_power_curve_allows_it(request: pytest.FixtureRequest) -> None:
    case = named_case(request, "tanks")
    assert case.description.parameters.batteries.power.y[0, 0] == 1.0
    community = case.torch()
    actions = torch.ones(1, *case.shape, dtype=torch.float64, requires_grad=True)
    _, outcome = community.step(community.start([10]), actions)
    (gradient,) = torch.autograd.grad(outcome.net_kwh[0, 0], actions)
    assert gradient[0, 0, case.description.features.actions.index("electrical_storage")] > 0.0
