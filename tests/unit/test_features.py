"""The feature table: ranges, encodings, and round trips."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from rllib_citylearn.env.appliance_features import QUANTITIES
from rllib_citylearn.env.feature_table import ACTIONS, FEATURES, table_names
from rllib_citylearn.env.features import AgentFeatures, CommunityFeatures, fitted_ranges
from rllib_citylearn.errors import FeatureError

BATTERY = AgentFeatures(
    name="Building_1",
    features=("hour", "day_type", "non_shiftable_load", "electrical_storage_soc"),
    descriptors={"electrical_storage_capacity": 6.4, "pv_nominal_power": 4.0},
    actions=("electrical_storage",),
    action_low=(-0.8,),
    action_high=(1.0,),
)
VEHICLE = AgentFeatures(
    name="Building_2",
    features=("non_shiftable_load", "hour", "connected_at_charger_1_soc"),
    descriptors={},
    actions=("electric_vehicle_storage_1", "electrical_storage"),
    action_low=(0.0, -1.0),
    action_high=(1.0, 1.0),
)


@pytest.mark.parametrize("feature", FEATURES.values(), ids=lambda feature: feature.name)
def test_every_feature_encodes_within_bounds_and_tells_values_apart(feature):
    inside = np.linspace(feature.low, feature.high, 25)
    if feature.encoding != "linear":
        inside = np.unique(inside.round())
    encoded = np.array([feature.encode(v) for v in [*inside, feature.low - 1e3, feature.high + 1e3]])
    assert encoded.shape == (len(inside) + 2, len(feature.columns))
    assert (np.abs(encoded) <= 1.0 + 1e-9).all()
    distances = np.abs(encoded[: len(inside), None] - encoded[None, : len(inside)]).max(-1)
    assert (distances[~np.eye(len(inside), dtype=bool)] > 1e-6).all()
    # Values outside are clipped to the nearest end, and noticed.
    assert np.allclose(encoded[-2], feature.encode(feature.low))
    assert np.allclose(encoded[-1], feature.encode(feature.high))
    assert feature.clips(feature.high + 1e3)
    assert not any(feature.clips(v) for v in inside)


def test_a_period_closes():
    hour = FEATURES["hour"]
    steps = [np.array(hour.encode(h)) for h in (*range(1, 25), 1)]
    gaps = [np.linalg.norm(b - a) for a, b in pairwise(steps)]
    assert np.allclose(gaps, gaps[0])


def test_linear_features_can_be_decoded():
    feature = FEATURES["outdoor_dry_bulb_temperature"]
    for value in (-30.0, 0.0, 12.5, 50.0):
        (encoded,) = feature.encode(value)
        assert feature.low + (encoded + 1) / 2 * (feature.high - feature.low) == pytest.approx(value)


def test_columns_mean_the_same_for_every_building():
    community = CommunityFeatures([BATTERY, VEHICLE])
    joint = community.encode([[1, 3, 5.0, 0.5], [5.0, 1, 0.2]])
    assert joint.shape == (2, len(community.columns))
    for column in ("hour_cos", "hour_sin", "non_shiftable_load"):
        k = community.columns.index(column)
        assert joint[0, k] == joint[1, k]
        assert community.observation_mask[:, k].all()
    assert (joint[~community.observation_mask] == 0).all()
    assert community.observation_mask[0].sum() == len(community.agent_columns(0)) == 2 + 8 + 1 + 1 + 2
    assert community.action_mask.tolist() == [[True, False], [True, True]]


def test_arrays_are_encoded_as_single_values_are():
    """The array encoders against ``Feature.encode``, value by value, far outside the ranges too."""
    measured = tuple(name for name, feature in FEATURES.items() if feature.source == "measured")
    vehicle = replace(VEHICLE, features=measured, descriptors={"pv_nominal_power": 3.0})
    community = CommunityFeatures([BATTERY, vehicle, replace(BATTERY, name="Building_3")])
    random = np.random.default_rng(0)
    for _ in range(20):
        rows = [
            [random.uniform(f.low - 2, f.high + 2) for f in (community.feature(n) for n in agent.features)]
            for agent in community.agents
        ]
        joint = community.encode(rows)
        for i, (agent, row) in enumerate(zip(community.agents, rows, strict=True)):
            raw = [*zip(agent.features, row, strict=True), *agent.descriptors.items()]
            expected = [c for name, value in raw for c in community.feature(name).encode(value)]
            assert np.allclose(community.encode_agent(i, row), expected, atol=1e-6)
            assert np.array_equal(community.encode_agents(rows)[i], community.encode_agent(i, row))
            by_column = dict(zip(community.agent_columns(i), expected, strict=True))
            assert np.allclose(joint[i], [by_column.get(column, 0.0) for column in community.columns], atol=1e-6)


def test_actions_are_mapped_onto_each_buildings_own_limits():
    community = CommunityFeatures([BATTERY, VEHICLE])
    assert community.actions == ("electrical_storage", "electric_vehicle_storage_1")
    joint = np.array([[-1.0, 0.3], [0.5, -1.0]], np.float32)
    assert np.allclose(community.decode_actions(joint)[0], [-0.8])
    # Vehicle first, battery second: the building's own order.
    assert np.allclose(community.decode_actions(joint)[1], [0.0, 0.5])
    native = community.joint_actions(community.decode_actions(joint))
    assert np.allclose(community.encode_actions(native), np.where(community.action_mask, joint, 0.0))


def test_description_round_trip():
    community = CommunityFeatures([BATTERY, VEHICLE], {"non_shiftable_load": (0, 3)})
    again = CommunityFeatures.from_dict(community.to_dict())
    rows = [[7, 2, 2.0, 0.1], [9.0, 22, -0.1]]
    assert np.array_equal(again.encode(rows), community.encode(rows))
    assert again.to_dict() == community.to_dict()
    travelled = pickle.loads(pickle.dumps(community))
    assert np.array_equal(travelled.encode(rows), community.encode(rows))
    assert again.clipped(rows) == [("Building_2", "non_shiftable_load", 9.0)]


def test_description_of_another_table_is_refused():
    description = CommunityFeatures([BATTERY]).to_dict()
    description["features"][0]["columns"].append("something_new")
    with pytest.raises(FeatureError, match="other columns"):
        CommunityFeatures.from_dict(description)


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        (lambda: CommunityFeatures([]), "at least one building"),
        (lambda: CommunityFeatures([BATTERY], {"non_shiftable_load": (3, 3)}), "non_shiftable_load"),
        (lambda: CommunityFeatures([BATTERY], {"no_such": (0, 1)}), "no_such"),
        (lambda: CommunityFeatures([BATTERY]).encode([]), "1 buildings but 0 rows"),
        (lambda: CommunityFeatures([BATTERY]).encode([[1, 2]]), "Building_1 has 4 features"),
    ],
)
def test_misfits_are_said_in_a_sentence(action, sentence):
    with pytest.raises(FeatureError, match=sentence):
        action()


def test_charger_identifiers_become_positions():
    names = [
        "hour",
        "electric_vehicle_charger_charger_15_1_connected_state",
        "connected_electric_vehicle_at_charger_charger_15_1_soc",
        "electric_vehicle_charger_charger_15_2_connected_state",
        "incoming_electric_vehicle_at_charger_charger_15_2_estimated_arrival_time",
    ]
    expected = [
        "hour",
        "charger_1_connected_state",
        "connected_at_charger_1_soc",
        "charger_2_connected_state",
        "incoming_at_charger_2_estimated_arrival_time",
    ]
    assert table_names(names) == expected
    assert set(expected) <= set(FEATURES)
    actions = table_names(["electrical_storage", "electric_vehicle_storage_charger_15_2"])
    assert actions == ["electrical_storage", "electric_vehicle_storage_1"]
    assert set(actions) <= set(ACTIONS)


def test_fitted_ranges_hold_the_data_and_are_round():
    for maximum in (0.28, 7.43, 3.1, 12.9, 100.0, 1e-3):
        ranges = fitted_ranges({"non_shiftable_load": maximum, "net_electricity_consumption": maximum})
        low, high = ranges["non_shiftable_load"]
        assert low == 0.0
        assert maximum <= high < 2.01 * maximum
        assert ranges["net_electricity_consumption"] == (-high, high)
    assert fitted_ranges({"solar_generation": 0.0}) == {}


def test_appliances_are_known_by_their_position_in_the_building():
    names = [
        "hour",
        "deferrable_appliance_dish_washer_2_pending",
        "deferrable_appliance_dish_washer_2_cycle_energy_kwh",
        "deferrable_appliance_running_pending",
        "deferrable_appliance_dish_washer_2_cycle_peak_step_offset_ratio",
    ]
    assert table_names(names) == [
        "hour",
        "deferrable_appliance_1_pending",
        "deferrable_appliance_1_cycle_energy_kwh",
        "deferrable_appliance_2_pending",
        "deferrable_appliance_1_cycle_peak_step_offset_ratio",
    ]
    assert set(table_names(names)) <= set(FEATURES)
    actions = ["electrical_storage", "deferrable_appliance_dish_washer_2", "deferrable_appliance_dryer"]
    assert table_names(actions) == ["electrical_storage", "deferrable_appliance_1", "deferrable_appliance_2"]
    assert set(table_names(actions)) <= set(ACTIONS)


def test_the_table_has_every_observation_of_citylearns_appliances():
    from citylearn.data import DeferrableApplianceSimulation
    from citylearn.energy_model import DeferrableAppliance

    idle = DeferrableAppliance(DeferrableApplianceSimulation(cycle_profiles={}, flexibility_schedule=[]), name="x")
    idle.time_step = 0
    assert tuple(idle.observations()) == tuple(QUANTITIES)
    assert all(table_names([f"deferrable_appliance_x_{quantity}"])[0] in FEATURES for quantity in QUANTITIES)
