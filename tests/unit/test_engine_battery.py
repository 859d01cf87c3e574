"""What a battery, a balance and a curve have to do whatever their numbers are: no CityLearn here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures
from rllib_citylearn.simulator import CommunityDescription, FastCommunity
from rllib_citylearn.simulator.appliances import Appliances
from rllib_citylearn.simulator.observations import BATTERY_SOC, NET_LOAD, ObservationPlan, StateColumn
from rllib_citylearn.simulator.parameters import (
    Actions,
    Batteries,
    Chargers,
    CommunityParameters,
    Curves,
    Tanks,
    ThermalDevices,
)
from rllib_citylearn.simulator.presence import Presence
from rllib_citylearn.simulator.tables import CommunityTables

ROWS = 60
FLAT = np.array([[0.0, 1.0], [0.81, 0.81]])
EFFICIENCY = np.array([[0.0, 0.3, 0.7, 0.8, 1.0], [0.81, 0.83, 0.9, 0.95, 0.85]])
POWER = np.array([[0.0, 0.8, 1.0], [1.0, 0.9, 0.2]])


def batteries(efficiency: npt.NDArray[np.float64] = EFFICIENCY, **values: float) -> Batteries:
    """One battery of 8 kWh and 5 kW, of which 70% may be used."""
    given = {
        "capacity": 8.0,
        "nominal_power": 5.0,
        "depth_of_discharge": 0.7,
        "loss_coefficient": 0.0,
        "capacity_loss_coefficient": 1e-3,
        "initial_soc": 0.5,
    } | values
    arrays = {name: np.array([value]) for name, value in given.items()}
    return Batteries(**arrays, efficiency=Curves.of([efficiency]), power=Curves.of([POWER]))


def described(battery: Batteries) -> CommunityDescription:
    """One building with a battery and random load, generation, price and carbon intensity."""
    rng = np.random.default_rng(0)
    none = Curves.of([])
    empty, tanks = np.zeros(0), np.zeros((1, 3))
    features = CommunityFeatures(
        [
            AgentFeatures(
                name="House",
                features=("net_electricity_consumption", "electrical_storage_soc"),
                descriptors={},
                actions=("electrical_storage",),
                action_low=(-1.0,),
                action_high=(1.0,),
            )
        ]
    )

    def series(low: float, high: float, *shape: int) -> npt.NDArray[np.float32]:
        return rng.uniform(low, high, (ROWS, *shape)).astype(np.float32)

    parameters = CommunityParameters(
        buildings=("House",),
        batteries=battery,
        tanks=Tanks(tanks, tanks + 1.0, tanks, tanks, tanks, tanks, np.zeros((1, 3), bool)),
        devices=ThermalDevices(np.zeros((1, 3), np.int64), tanks, tanks, tanks),
        chargers=Chargers(np.zeros(0, np.int64), empty, empty, empty, empty, empty, none, none),
        vehicles=Batteries(empty, empty, empty, empty, empty, empty, none, none),
        appliances=Appliances.read([]),
        actions=Actions(
            battery=np.array([0]),
            tank=np.full((1, 3), -1),
            device=np.full((1, 2), -1),
            both_devices=np.array([-1]),
            charger=np.zeros(0, np.int64),
            appliance=np.zeros(0, np.int64),
            low=np.array([[-1.0]]),
            high=np.array([[1.0]]),
            mask=features.action_mask,
        ),
        random_seed=0,
    )
    vehicles = np.zeros((ROWS, 0))
    tables = CommunityTables(
        first_step=0,
        load=series(0.0, 4.0, 1),
        generation=-series(0.0, 4.0, 1),
        price=series(0.1, 0.6, 1),
        carbon=series(0.0, 0.9, 1),
        heat_demand=np.zeros((ROWS, 1, 3), np.float32),
        outdoor=series(-10.0, 30.0, 1),
        outage=None,
        islanded_load=None,
        hvac_mode=np.zeros((ROWS, 1), np.int64),
        indoor=series(18.0, 24.0, 1),
        comfort=None,
        presence=Presence(
            np.zeros((ROWS, 0), np.int64),
            np.zeros((ROWS, 0), bool),
            vehicles,
            vehicles,
            vehicles.astype(bool),
            np.zeros((ROWS, 0)),
        ),
    )
    nowhere = np.array([-1])
    states = (
        StateColumn("net_electricity_consumption", NET_LOAD, nowhere, nowhere),
        StateColumn("electrical_storage_soc", BATTERY_SOC, nowhere, nowhere),
    )
    return CommunityDescription(parameters, tables, None, ObservationPlan(features, {}, states))


class Trial:
    """One hour from every state of charge with every request: ``[S, R]`` communities at once."""

    def __init__(self, battery: Batteries, requests: npt.NDArray[np.float64]) -> None:
        floor = 1.0 - battery.depth_of_discharge[0]
        self.start = np.repeat(np.linspace(floor, 1.0, 41), len(requests)).reshape(41, -1)
        self.request = np.tile(requests, (41, 1))
        community = FastCommunity(described(battery), self.start.size)
        community.reset(initial_soc=self.start.reshape(-1, 1))
        community.step_physical(self.request.reshape(-1, 1, 1))
        self.soc = community.battery_soc.reshape(self.start.shape).astype(float)
        self.energy = community.battery_energy_kwh.reshape(self.start.shape).astype(float)
        self.left = community.battery_capacity_kwh.reshape(self.start.shape).copy()
        self.moved = (self.soc - self.start) * battery.capacity[0]


REQUESTS = np.linspace(-1.5, 1.5, 61)


@pytest.fixture(scope="module")
def trial() -> Trial:
    return Trial(batteries(), REQUESTS)


def test_the_charge_stays_within_its_limits(trial: Trial) -> None:
    assert trial.soc.min() >= 0.3 - 1e-6
    assert trial.soc.max() <= 1.0


def test_energy_flows_in_the_direction_that_was_asked_for(trial: Trial) -> None:
    assert (trial.energy[trial.request >= 0] >= -1e-6).all()
    assert (trial.energy[trial.request <= 0] <= 1e-6).all()


def test_no_more_flows_than_was_asked_for_or_the_power_curve_allows(trial: Trial) -> None:
    usable = 5.0 * np.interp(trial.start, *POWER)
    asked = np.minimum(np.abs(trial.request), 1.0) * 5.0
    assert (np.abs(trial.energy) <= np.minimum(asked, usable) + 1e-5).all()


def test_neither_charging_nor_discharging_makes_energy(trial: Trial) -> None:
    # What is stored is less than what was taken; what is given is less than what was stored; by the efficiencies above.
    charging, giving = trial.energy > 1e-6, trial.energy < -1e-6
    ratio = trial.moved[charging] / trial.energy[charging]
    assert ((ratio >= 0.9 - 1e-3) & (ratio <= np.sqrt(0.95) + 1e-3)).all()
    ratio = trial.energy[giving] / trial.moved[giving]
    assert ((ratio >= 0.9 - 1e-3) & (ratio <= np.sqrt(0.95) + 1e-3)).all()
    assert charging.any()
    assert giving.any()


def test_a_request_that_nothing_limits_is_met_with_the_efficiency_of_its_power() -> None:
    trial = Trial(batteries(initial_soc=0.6), np.array([-0.05, 0.05, 0.1, -0.1]))
    inside = (trial.start > 0.45) & (trial.start < 0.8)
    efficiency = np.sqrt(np.interp(np.abs(trial.request), *EFFICIENCY))
    expected = np.where(trial.request > 0, trial.request * 5.0 * efficiency, trial.request * 5.0 / efficiency)
    assert trial.energy[inside] == pytest.approx(5.0 * trial.request[inside], abs=1e-5)
    assert trial.moved[inside] == pytest.approx(expected[inside], abs=1e-5)


def test_asking_for_more_gives_more() -> None:
    trial = Trial(batteries(FLAT), REQUESTS)
    assert (np.diff(trial.energy, axis=1) >= -1e-5).all()
    assert (np.diff(trial.soc, axis=1) >= -1e-6).all()


def test_asking_for_nothing_changes_nothing(trial: Trial) -> None:
    nothing = trial.request == 0.0
    assert not trial.energy[nothing].any()
    assert np.array_equal(trial.soc[nothing], trial.start[nothing].astype(np.float32))
    assert (trial.left[nothing] == 8.0).all()


def test_capacity_is_lost_in_proportion_to_the_energy_that_flows(trial: Trial) -> None:
    assert 8.0 - trial.left == pytest.approx(1e-3 * 8.0 * np.abs(trial.energy) / (2 * 8.0), abs=1e-6)


def test_capacity_never_grows_and_bounds_the_charge() -> None:
    community = FastCommunity(described(batteries(capacity_loss_coefficient=0.3)), 1)
    before = community.battery_capacity_kwh.copy()
    for k in range(ROWS - 1):
        stored = 8.0 * community.battery_soc.copy()
        community.step_physical([[[1.0 if k % 4 < 2 else -1.0]]])
        assert (community.battery_capacity_kwh <= before).all()
        if k % 4 < 2:
            assert (8.0 * community.battery_soc <= np.maximum(before, stored) + 1e-5).all()
        before = community.battery_capacity_kwh.copy()
    assert before < 8.0
    assert before >= 0.0


def test_a_battery_that_stands_by_loses_its_share_down_to_the_floor() -> None:
    community = FastCommunity(described(batteries(loss_coefficient=0.1, initial_soc=0.9)), 1)
    for k in range(ROWS - 1):
        community.step_physical(np.zeros((1, 1, 1)))
        assert community.battery_soc[0, 0] == pytest.approx(max(0.9 * 0.9**k, 0.3), abs=1e-5)


def test_the_balance_the_bill_and_the_emissions_add_up() -> None:
    description = described(batteries())
    community, tables = FastCommunity(description, 1), description.tables
    rng = np.random.default_rng(1)
    for k in range(ROWS - 1):
        community.step(rng.uniform(-1, 1, (1, 1, 1)))
        net = float(tables.load[k, 0]) + float(tables.generation[k, 0]) + float(community.battery_energy_kwh[0, 0])
        assert community.net_kwh[0, 0] == pytest.approx(net, abs=1e-5)
        assert community.cost[0, 0] == pytest.approx(max(net, 0.0) * tables.price[k, 0], abs=1e-5)
        assert community.emissions[0, 0] == pytest.approx(max(net * tables.carbon[k, 0], 0.0), abs=1e-5)
        raw = community.raw_observations()[0]
        assert raw == [community.net_kwh[0, 0], community.battery_soc[0, 0]]


def test_without_a_battery_nothing_happens() -> None:
    description = described(batteries(capacity=0.0, nominal_power=0.0, initial_soc=0.0))
    community = FastCommunity(description, 1)
    for k in range(10):
        community.step([[[1.0 if k % 2 else -1.0]]])
        assert community.battery_energy_kwh[0, 0] == 0.0
        assert community.battery_soc[0, 0] == 0.0


def test_a_description_with_other_tables_is_another_community() -> None:
    description = described(batteries())
    dearer = replace(description, tables=replace(description.tables, price=2 * description.tables.price))
    one, other = FastCommunity(description, 1), FastCommunity(dearer, 1)
    for community in (one, other):
        community.step(np.zeros((1, 1, 1)))
    assert other.cost[0, 0] == 2 * one.cost[0, 0]


@pytest.mark.parametrize("seed", range(20))
def test_curves_are_interpolated_as_numpy_does_it(seed: int) -> None:
    from rllib_citylearn.simulator.kernels.battery import interpolated, usable_power
    from rllib_citylearn.simulator.kernels.vehicles import efficiency_at

    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 8))
    x, y = np.cumsum(rng.uniform(0.05, 0.2, count)), rng.uniform(0.3, 1.0, count)
    padded_x, padded_y = np.append(x, [np.inf, np.inf]), np.append(y, [0.0, 0.0])
    for value in np.concatenate([x, rng.uniform(0.0, 1.5, 50)]):
        assert efficiency_at(padded_x, padded_y, count, value) == np.interp(value, x, y)
        if x[0] <= value <= x[-1]:
            for function in (interpolated, usable_power):
                assert function(padded_x, padded_y, count, value) == pytest.approx(np.interp(value, x, y), abs=1e-12)
