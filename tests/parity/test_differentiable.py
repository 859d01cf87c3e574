"""The differentiable physics is the compiled engine's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rllib_citylearn.errors import EngineError
from rllib_citylearn.simulator import FastCommunity
from rllib_citylearn.simulator.differentiable import DifferentiableCommunity, Outcome, State
from rllib_citylearn.simulator.reward_layout import GIVEN_UP
from tests.parity.differentiable_cases import NAMES, Case, named_case, read_case, simulate, simulate_compiled

Array = npt.NDArray[np.float64]


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest) -> Case:
    return named_case(request, request.param)


def random_actions(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """A little beyond the limits, so that clipping is seen."""
    return generator.uniform(-1.2, 1.2, shape)


def bang_bang_actions(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return generator.choice([-1.0, 0.0, 1.0], shape, p=[0.4, 0.2, 0.4])


def quantities(fast: FastCommunity) -> dict[str, Array]:
    shown = {
        "net load": fast.net_kwh,
        "cost": fast.cost,
        "emissions": fast.emissions,
        "battery energy": fast.battery_energy_kwh,
        "charger energy": fast.charger_energy_kwh,
        "appliance energy": fast.appliance_energy_kwh,
        "given up": fast.service[:, :, GIVEN_UP],
        "observations": fast.observations,
        "building reward": fast.rewards.building,
        "district reward": fast.rewards.district,
        "team reward": fast.rewards.team,
        "terms": fast.rewards.terms,
    }
    return {name: values.astype(np.float64) for name, values in shown.items()}


def quantities_of(state: State, outcome: Outcome) -> dict[str, Array]:
    rewards = outcome.rewards
    assert rewards is not None
    shown = {
        "net load": outcome.net_kwh,
        "cost": outcome.cost,
        "emissions": outcome.emissions,
        "battery energy": outcome.battery_energy_kwh,
        "charger energy": outcome.charger_energy_kwh,
        "appliance energy": outcome.appliance_energy_kwh,
        "given up": outcome.given_up_kwh,
        "observations": state.observations,
        "building reward": rewards.building,
        "district reward": rewards.district,
        "team reward": rewards.team,
        "terms": rewards.terms,
    }
    return {name: values.numpy().astype(np.float64) for name, values in shown.items()}


class Errors:
    """Largest differences, as shares of the largest value seen."""

    def __init__(self) -> None:
        self._difference: dict[str, float] = {}
        self._size: dict[str, float] = {}

    def add(self, actual: dict[str, Array], expected: dict[str, Array]) -> None:
        for name, values in expected.items():
            assert actual[name].shape == values.shape, name
            if values.size:
                self._difference[name] = max(self._difference.get(name, 0.0), float(abs(actual[name] - values).max()))
                self._size[name] = max(self._size.get(name, 1e-3), float(abs(values).max()))

    @property
    def relative(self) -> dict[str, float]:
        return {name: difference / self._size[name] for name, difference in self._difference.items()}


# The kernels round to 32 bits in every hour. float32 rounds alike, float64 doesn't; and near full charge, where the power
# curve is steep, each hour multiplies a difference.
TOLERANCE = {
    (torch.float32, random_actions): 5e-5,
    (torch.float32, bang_bang_actions): 1e-4,
    (torch.float64, random_actions): 2e-4,
    (torch.float64, bang_bang_actions): 3e-3,
}


@pytest.mark.parametrize(("dtype", "pattern"), TOLERANCE)
@torch.no_grad()
def test_ten_days_are_the_compiled_engines(case: Case, dtype: torch.dtype, pattern: Callable[..., Array]) -> None:
    hours, rows = 240, np.array([0, 40, 333, 620])  # the last passes from one month to the next
    generator = np.random.default_rng(3)
    soc, seeds = generator.uniform(0.0, 1.0, (4, case.shape[0])), np.array([1, 2, 3, 4])
    fast, community = case.fast(4), case.torch(dtype)
    fast.reset(rows=rows, seeds=seeds, initial_soc=soc)
    state = community.start(rows, seeds=seeds, initial_soc=torch.tensor(soc), hours=hours)
    errors = Errors()
    errors.add({"observations": state.observations.numpy()}, {"observations": fast.observations.astype(np.float64)})
    for _ in range(hours):
        actions = pattern(generator, (4, *case.shape))
        fast.step(actions)
        state, outcome = community.step(state, torch.tensor(actions))
        errors.add(quantities_of(state, outcome), quantities(fast))
    assert max(errors.relative.values()) < TOLERANCE[dtype, pattern], errors.relative


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@torch.no_grad()
def test_an_hour_from_any_state_is_the_compiled_engines(case: Case, dtype: torch.dtype) -> None:
    generator = np.random.default_rng(4)
    fast, community = case.fast(3), case.torch(dtype)
    fast.reset(rows=[0, 100, 700], seeds=[5, 6, 7])
    errors = Errors()
    for hour in range(120):
        pattern = random_actions if hour % 2 else bang_bang_actions
        state, actions = State.of(fast, hours=1, dtype=dtype), pattern(generator, (3, *case.shape))
        fast.step(actions)
        following, outcome = community.step(state, torch.tensor(actions))
        errors.add(quantities_of(following, outcome), quantities(fast))
        after = State.of(fast, hours=1, dtype=dtype)
        states = ("row", "origin", "battery_soc", "battery_capacity_kwh", "tank_soc", "vehicle_soc", "vehicle_capacity_kwh")
        states += ("appliances",)
        errors.add(*({name: getattr(s, name).numpy() for name in states} for s in (following, after)))
        errors.add(*({"reward": np.nan_to_num(s.reward.numpy(), neginf=-1.0)} for s in (following, after)))
    assert max(errors.relative.values()) < 1e-5, errors.relative


@torch.no_grad()
def test_vehicles_move_where_no_building_has_a_charger(ev_data: Path) -> None:
    case = read_case("unplugged", ev_data, ["Building_2"], (0, 60))
    fast, community = case.fast(1), case.torch()
    state, actions = community.start([0]), np.full((1, *case.shape), 0.3)
    assert state.vehicle_soc.shape[1] > 0
    for _ in range(50):
        fast.step(actions)
        state, outcome = community.step(state, torch.tensor(actions))
        np.testing.assert_allclose(outcome.net_kwh, fast.net_kwh, atol=1e-4)
        np.testing.assert_allclose(state.vehicle_soc, State.of(fast, hours=0).vehicle_soc, atol=1e-5)


@pytest.mark.parametrize("name", ["vehicles", "vehicles, unusual"])
def test_shortfalls_are_those_of_the_vehicles_that_leave(request: pytest.FixtureRequest, name: str) -> None:
    case = named_case(request, name)
    generator = np.random.default_rng(7)
    actions = generator.uniform(-0.2, 0.6, (200, 2, *case.shape))
    fast, community = case.fast(2), case.torch()
    fast.reset(rows=30)
    with torch.no_grad():
        found = simulate(community, community.start([30, 30]), torch.tensor(actions)).missing_kwh
    expected = simulate_compiled(case, fast, actions).missing_kwh
    assert (expected > 1.0).sum() > 20
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-2)


def test_a_rollout_is_its_steps(request: pytest.FixtureRequest) -> None:
    case = named_case(request, "vehicles")
    community = case.torch()

    def policy(observations: torch.Tensor, state: State) -> torch.Tensor:
        assert observations is state.observations
        return torch.tanh(observations[..., : case.shape[1]] + state.row[:, None, None] % 3 - 1)

    start = community.start([5, 724], hours=12)  # the second passes into another month
    end, hours = community.rollout(start, policy, 12)
    state = start
    for h in range(12):
        state, expected = community.step(state, policy(state.observations, state))
        found = hours.hour(h)
        for name in ("net_kwh", "cost", "emissions", "battery_energy_kwh", "charger_energy_kwh", "missing_kwh"):
            assert torch.equal(getattr(found, name), getattr(expected, name)), name
        assert found.rewards is not None
        assert expected.rewards is not None
        for name, values in vars(expected.rewards).items():
            torch.testing.assert_close(getattr(found.rewards, name), values, rtol=1e-12, atol=1e-12)
    assert end.row.tolist() == [17, 736]
    for name, values in vars(state).items():
        torch.testing.assert_close(getattr(end, name), values, rtol=0.0, atol=1e-12, equal_nan=True)


def test_a_state_stays_as_it_is_when_its_source_goes_on(request: pytest.FixtureRequest) -> None:
    case = named_case(request, "vehicles")
    fast = case.fast(2)
    state = State.of(fast)
    before = {name: value.clone() for name, value in vars(state).items()}
    fast.step(np.ones((2, *case.shape)))
    assert all(torch.equal(value.nan_to_num(), before[name].nan_to_num()) for name, value in vars(state).items())


def test_outages_are_refused_by_name(request: pytest.FixtureRequest) -> None:
    description = named_case(request, "batteries").description
    outage = np.zeros(description.tables.load.shape, np.uint8)
    out = replace(description, tables=replace(description.tables, outage=outage))
    DifferentiableCommunity(out)  # a grid that never goes out
    outage[7, 1] = 1
    with pytest.raises(EngineError, match=r"power outages \(Building_5\)"):
        DifferentiableCommunity(out)


def test_efficiencies_without_a_slope_are_refused_by_name(request: pytest.FixtureRequest) -> None:
    description = named_case(request, "batteries").description
    batteries = description.parameters.batteries
    efficiency = replace(batteries.efficiency, y=batteries.efficiency.y * np.array([[1.0], [1.0], [0.0]]))
    dead = replace(description.parameters, batteries=replace(batteries, efficiency=efficiency))
    with pytest.raises(EngineError, match=r"efficiency is not above zero \(Building_17\)"):
        DifferentiableCommunity(replace(description, parameters=dead))


def test_a_vehicle_at_two_chargers_is_refused(request: pytest.FixtureRequest) -> None:
    description = named_case(request, "vehicles").description
    presence = description.tables.presence
    connected = presence.connected.copy()
    row = int(np.flatnonzero(connected[:, 0] >= 0)[0])
    connected[row, 1] = connected[row, 0]
    doubled = replace(description, tables=replace(description.tables, presence=replace(presence, connected=connected)))
    with pytest.raises(EngineError, match=f"two chargers at once \\(row {row} of the data\\)"):
        DifferentiableCommunity(doubled)


def test_wrong_arguments_are_refused(request: pytest.FixtureRequest) -> None:
    case = named_case(request, "batteries")
    community = case.torch()
    state = community.start([0, 1])
    right = torch.zeros(2, *case.shape, dtype=torch.float64)
    with pytest.raises(EngineError, match=r"have the shape \(2, 4, 1\).*need \(2, 3, 1\)"):
        community.step(state, torch.zeros(2, 4, 1))
    with pytest.raises(EngineError, match="state is on meta and the community on cpu"):
        community.step(state.to("meta"), right)
    with pytest.raises(EngineError, match="actions are on meta and the community on cpu"):
        community.step(state, right.to("meta"))
    with pytest.raises(EngineError, match=r"holds torch\.float32 and the community computes in torch\.float64"):
        community.step(State.of(case.fast(2)), right)
    with pytest.raises(EngineError, match="remembers nothing for the team reward"):
        community.step(State.of(FastCommunity(case.description, 2), dtype=torch.float64), right)
    with pytest.raises(EngineError, match="several devices"):
        community.step(replace(state, row=state.row.to("meta")), right)
    last = community.rows - 2
    with pytest.raises(EngineError, match=f"start at row {last - 1} at the latest"):
        community.rollout(community.start([last]), lambda observations, state: right[:1], 2)
    with pytest.raises(EngineError, match=f"give a list of rows from 0 to {last}"):
        community.start([last + 1])
    with pytest.raises(EngineError, match=r"initial states of charge have the shape \(3,\)"):
        community.start([0, 1], initial_soc=torch.zeros(3))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
@torch.no_grad()
def test_a_day_on_the_gpu_is_the_day_on_the_cpu(case: Case) -> None:
    community = case.torch(torch.float32)
    actions = torch.rand(24, 4, *case.shape) * 2 - 1
    start = community.start([0, 100, 300, 700], hours=24)
    here = simulate(community, start, actions)
    there = simulate(community.to("cuda"), start.to("cuda"), actions.to("cuda"))
    torch.testing.assert_close(there.net_kwh.cpu(), here.net_kwh, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(there.terms.cpu(), here.terms, rtol=1e-3, atol=1e-3)
