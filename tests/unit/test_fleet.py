"""Fleets of electric vehicles: what the spec says is what is drawn, and every session can be met."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.datasets import folder_sha256
from rllib_citylearn.datasets.content import file_hashes
from rllib_citylearn.datasets.fleets import Calendar, Fleet, FleetSpec, HourDistribution, lay_fleet, make_fleet
from rllib_citylearn.datasets.fleets.spec import SHORTEST_TRIP_H
from rllib_citylearn.errors import ConfigError, DatasetError
from tests.datasets_toy import write_current

DAYS = 120
HOUR = np.arange(24 * DAYS) % 24 + 1
DAY_TYPE = np.arange(24 * DAYS) // 24 % 7 + 1


@pytest.fixture(scope="module")
def large() -> Fleet:
    """300 vehicles over 120 days that begin on a Monday at midnight."""
    spec = FleetSpec(seed=11, building_share=1.0)
    return make_fleet(spec, Calendar.of(HOUR, DAY_TYPE), [f"Building_{n + 1}" for n in range(300)])


def clock(rows: np.ndarray) -> np.ndarray:
    return rows % 24


def is_weekend(rows: np.ndarray) -> np.ndarray:
    return rows // 24 % 7 >= 5


def expected_hours(leaving: HourDistribution, coming: HourDistribution) -> tuple[np.ndarray, np.ndarray]:
    """Shares of departure and arrival hours by counting draws of the documented normal distributions."""
    random = np.random.default_rng(0)
    leave = np.floor(random.normal(leaving.mean_h, leaving.std_h, 400_000)).astype(int)
    leave = leave[(leave >= leaving.earliest_h) & (leave <= leaving.latest_h)]
    come = np.ceil(random.normal(coming.mean_h, coming.std_h, 400_000)).astype(int)
    come = come[(come >= coming.earliest_h) & (come <= coming.latest_h)]
    leave_share, come_share = (np.bincount(x, minlength=24) / len(x) for x in (leave, come))
    arrival = np.zeros(24)
    for hour, share in enumerate(leave_share):
        late_enough = np.where(np.arange(24) >= hour + SHORTEST_TRIP_H, come_share, 0.0)
        if share > 0.0:
            arrival += share * late_enough / late_enough.sum()
    return leave_share, arrival


@pytest.mark.parametrize("weekend", [False, True], ids=["weekdays", "weekends"])
def test_hours_follow_the_documented_distributions(large: Fleet, weekend: bool) -> None:
    spec, sessions = FleetSpec(), large.sessions
    day = "weekend" if weekend else "weekday"
    shares = expected_hours(getattr(spec, f"{day}_departure"), getattr(spec, f"{day}_arrival"))
    inside = sessions.departure < large.steps - 24
    leaving = sessions.departure[inside & (is_weekend(sessions.departure) == weekend)]
    coming = sessions.arrival[(sessions.arrival > 0) & (is_weekend(sessions.arrival) == weekend)]
    for rows, expected in zip((leaving, coming), shares, strict=True):
        found = np.bincount(clock(rows), minlength=24) / len(rows)
        error = np.sqrt(expected * (1 - expected) / len(rows))
        # 24 hours and both samples are random: 4.5 standard errors and the share of the expectation's own draws
        np.testing.assert_array_less(np.abs(found - expected), 4.5 * error + 0.005)


def test_vehicles_are_driven_as_often_and_as_far_as_the_spec_says(large: Fleet) -> None:
    spec, sessions = FleetSpec(), large.sessions
    days = np.arange(1, DAYS - 1)
    left = sessions.departure[sessions.departure < large.steps] // 24
    for weekend, share in ((False, spec.weekday_use), (True, spec.weekend_use)):
        which = days[(days % 7 >= 5) == weekend]
        found = np.isin(left, which).sum() / (300 * len(which))
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / (300 * len(which)))
    distance = sessions.distance_km[sessions.arrival > 0]
    assert abs(distance.mean() - spec.distance_km) < 4 * spec.distance_std_km / np.sqrt(len(distance))
    # the fourth moment of this log-normal makes the deviation of a standard deviation a few percent
    assert distance.std() == pytest.approx(spec.distance_std_km, rel=0.06)


def test_powers_batteries_and_v2g_have_their_shares(large: Fleet) -> None:
    spec = FleetSpec()
    for drawn, shares in (
        ([c.power_kw for c in large.chargers], spec.charger_powers_kw),
        ([v.capacity_kwh for v in large.vehicles], spec.battery_capacities_kwh),
        ([float(c.discharge_power_kw > 0) for c in large.chargers], ((1.0, spec.v2g_share),)),
    ):
        for value, share in shares:
            found = np.mean(np.array(drawn) == value)
            assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / len(drawn)), (value, share)
    wanted = np.array([v.wanted_soc for v in large.vehicles])
    assert spec.required_soc[0] <= wanted.min() < wanted.max() <= spec.required_soc[1]


def brute_force_soc(soc: float, hours: int, power_kw: float, efficiency: float, capacity: float, battery: float) -> float:
    """Charge after full power, hour by hour, from the physics and not from the generator."""
    for _ in range(hours):
        allowed = 50.0 * (1.0 if soc <= 0.8 else 1.0 - 0.8 * (soc - 0.8) / 0.2)
        soc = min(1.0, soc + min(power_kw * efficiency, allowed) * battery**0.5 / capacity)
    return soc


HARD = FleetSpec(
    seed=5,
    building_share=1.0,
    charger_powers_kw=((3.7, 0.5), (22.0, 0.5)),
    battery_capacities_kwh=((100.0, 0.5), (40.0, 0.5)),
    weekday_departure=HourDistribution(3.0, 3.0, 0, 20),
    weekday_arrival=HourDistribution(21.0, 3.0, 2, 23),
    weekday_use=1.0,
    weekend_use=1.0,
    distance_km=200.0,
    distance_std_km=150.0,
    required_soc=(0.95, 0.95),
    margin=1.0,
)
"""Long trips every day, short nights and weak chargers: what is wanted often can't be had."""


@pytest.mark.parametrize("spec", [FleetSpec(seed=2, building_share=1.0), HARD], ids=["default", "hard"])
def test_every_session_can_be_met_and_nobody_is_at_two_places(spec: FleetSpec) -> None:
    fleet = make_fleet(spec, Calendar.of(HOUR, DAY_TYPE), [f"Building_{n + 1}" for n in range(40)])
    sessions = fleet.sessions
    short = 0
    for v, vehicle in enumerate(fleet.vehicles):
        charger = fleet.chargers[vehicle.charger]
        own = np.flatnonzero(sessions.vehicle == v)
        assert sessions.arrival[own[0]] == 0
        assert sessions.departure[own[-1]] >= fleet.steps
        for s, following in zip(own, [*own[1:], None], strict=True):
            stay = int(sessions.departure[s] - sessions.arrival[s])
            assert stay >= 1
            arrival, required = float(sessions.arrival_soc[s]), float(sessions.required_soc[s])
            assert spec.lowest_soc <= arrival <= required <= vehicle.wanted_soc
            limits = (charger.power_kw, charger.efficiency, vehicle.capacity_kwh, vehicle.battery_efficiency)
            reach = brute_force_soc(arrival, stay, *limits)
            assert required <= arrival + spec.margin * (reach - arrival) + 1e-9
            short += required < vehicle.wanted_soc
            if following is not None:
                assert sessions.arrival[following] - sessions.departure[s] >= SHORTEST_TRIP_H
                used = float(sessions.distance_km[following]) * spec.consumption_kwh_per_km / vehicle.capacity_kwh
                assert sessions.arrival_soc[following] == pytest.approx(max(required - used, spec.lowest_soc), abs=6e-4)
    if spec is HARD:
        assert short > 0.2 * len(sessions), "the hard fleet was meant to ask for more than can be had"


def test_a_vehicle_knows_when_it_leaves_after_the_data() -> None:
    fleet = make_fleet(FleetSpec(seed=1, building_share=1.0), Calendar.of(HOUR[:60], DAY_TYPE[:60]), ["A", "B", "C"])
    assert (fleet.sessions.departure > fleet.sessions.arrival).all()
    assert (fleet.sessions.arrival < 60).all()
    assert (fleet.sessions.departure >= 60).sum() <= 3


def test_hours_from_0_to_23_mean_the_same_as_from_1_to_24() -> None:
    one, other = Calendar.of(HOUR, DAY_TYPE), Calendar.of(HOUR - 1, DAY_TYPE)
    np.testing.assert_array_equal(one.row, other.row)
    np.testing.assert_array_equal(one.weekend, other.weekend)


def test_data_that_begins_late_in_a_day_keeps_its_days() -> None:
    """2022's data begins with the last hour of a Sunday."""
    calendar = Calendar.of(HOUR[23:], DAY_TYPE[23:])
    assert calendar.row[0].tolist() == [-1] * 23 + [0]
    assert calendar.row[1, 0] == 1
    assert calendar.weekend[:7].tolist() == [False] * 5 + [True, True]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_current(tmp_path_factory.mktemp("fleet") / "toy")
    description = json.loads((folder / "schema.json").read_text())
    description |= {"seconds_per_time_step": 3600, "reward_function": {"type": "citylearn.reward_function.RewardFunction"}}
    description["buildings"]["Building_1"]["electrical_storage"]["attributes"]["nominal_power"] = 3.0
    (folder / "schema.json").write_text(json.dumps(description))
    return folder


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(toy: Path, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        lay_fleet(toy, tmp_path / name, FleetSpec(seed=seed))
    assert file_hashes(tmp_path / "a") == file_hashes(tmp_path / "b")
    differing = {n for n, h in file_hashes(tmp_path / "c").items() if h != file_hashes(tmp_path / "a").get(n)}
    assert "charger_1_1.csv" in differing
    assert {"weather.csv", "Building_1.csv", "pricing.csv"}.isdisjoint(differing)


def test_nothing_but_the_vehicles_changes(toy: Path, tmp_path: Path) -> None:
    before = folder_sha256(toy)
    lay_fleet(toy, tmp_path / "laid", FleetSpec(chargers_per_building=2))
    assert folder_sha256(toy) == before
    old = json.loads((toy / "schema.json").read_text())
    new = json.loads((tmp_path / "laid" / "schema.json").read_text())
    assert list(new["buildings"]["Building_1"].pop("chargers")) == ["charger_1_1", "charger_1_2"]
    assert list(new.pop("electric_vehicles_def")) == ["Electric_Vehicle_1", "Electric_Vehicle_2"]
    for part in ("observations", "actions"):
        new[part] = {name: given for name, given in new[part].items() if "electric_vehicle" not in name}
    assert new == old
    for name, digest in file_hashes(toy).items():
        assert name == "schema.json" or file_hashes(tmp_path / "laid")[name] == digest


def test_a_fleet_over_a_fleet_replaces_it(toy: Path, tmp_path: Path) -> None:
    lay_fleet(toy, tmp_path / "two", FleetSpec(seed=3, chargers_per_building=2))
    lay_fleet(tmp_path / "two", tmp_path / "one", FleetSpec(seed=4))
    assert not (tmp_path / "one" / "charger_1_2.csv").exists()
    lay_fleet(toy, tmp_path / "direct", FleetSpec(seed=4))
    assert json.loads((tmp_path / "one" / "schema.json").read_text()) == json.loads(
        (tmp_path / "direct" / "schema.json").read_text()
    )


def test_files_say_what_the_sessions_are(toy: Path, tmp_path: Path) -> None:
    fleet = lay_fleet(toy, tmp_path / "laid", FleetSpec(seed=8))
    with (tmp_path / "laid" / "charger_1_1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == fleet.steps
    sessions = fleet.sessions
    plugged = np.array([row["electric_vehicle_charger_state"] == "1" for row in rows])
    expected = np.zeros(fleet.steps, bool)
    for s in range(len(sessions)):
        begin, end = int(sessions.arrival[s]), min(int(sessions.departure[s]), fleet.steps)
        expected[begin:end] = True
        assert float(rows[begin]["electric_vehicle_current_soc"]) == pytest.approx(100 * sessions.arrival_soc[s])
        if begin > 0:
            before = rows[begin - 1]
            assert before["electric_vehicle_charger_state"] == "2"
            assert float(before["electric_vehicle_estimated_soc_arrival"]) == pytest.approx(100 * sessions.arrival_soc[s])
        if end < fleet.steps:
            assert rows[end - 1]["electric_vehicle_departure_time"] == "0"
    np.testing.assert_array_equal(plugged, expected)


def test_a_spec_survives_json() -> None:
    spec = replace(HARD, required_soc=(0.5, 0.7))
    assert FleetSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"v2g_share": -0.1}, "v2g_share is -0.1; give a number from 0 up to 1"),
        ({"building_share": 0.0}, "building_share is 0.0; give a number above 0"),
        ({"seed": 1.5}, "seed is 1.5; give a whole number"),
        ({"seed": True}, "seed is True"),
        ({"seed": -1}, "seed is -1"),
        ({"chargers_per_building": 5}, "chargers_per_building is 5; give a whole number from 1 to 4"),
        ({"charger_powers_kw": [[7.4, 0.5], [11.0, 0.4]]}, r"charger_powers_kw add up to 0.9"),
        ({"charger_powers_kw": [[7.4, 1.5], [11.0, -0.5]]}, "share of 7.4 in charger_powers_kw is 1.5"),
        ({"charger_powers_kw": 7.4}, "give pairs of a value and its share"),
        ({"charger_powers_kw": [["fast", 1]]}, "give two numbers"),
        ({"battery_capacities_kwh": [[600.0, 1.0]]}, "A value of battery_capacities_kwh is 600.0"),
        ({"required_soc": [0.9, 0.7]}, "required_soc is 0.9 to 0.7"),
        ({"required_soc": [0.8, 1.0]}, r"up to\s+0.95"),
        ({"distance_km": float("nan")}, "distance_km is nan"),
        ({"weekday_arrival": {"mean_h": 18}}, "weekday_arrival has mean_h; give earliest_h"),
        (
            {"weekday_arrival": {"mean_h": 18, "std_h": 2, "earliest_h": 11, "latest_h": 14}},
            "may leave at 13 h but have to be back by 14 h",
        ),
        (
            {"weekday_arrival": {"mean_h": 18, "std_h": 0.1, "earliest_h": 1, "latest_h": 3}},
            "have no share of a distribution around 18 h",
        ),
        ({"weekday_arrival": {"mean_h": 18, "std_h": 2, "earliest_h": "x", "latest_h": 3}}, "give whole hours"),
        ({"charger_power": 7}, "A fleet has no charger_power; it has battery_capacities_kwh"),
    ],
)
def test_mistakes_are_said_in_a_sentence(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FleetSpec.from_dict(fields)


def test_places_and_data_that_can_not_be_used_are_refused(toy: Path, tmp_path: Path) -> None:
    lay_fleet(toy, tmp_path / "laid", FleetSpec())
    with pytest.raises(DatasetError, match="is there already; choose another folder"):
        lay_fleet(toy, tmp_path / "laid", FleetSpec())
    lay_fleet(toy, tmp_path / "laid", FleetSpec(seed=1), force=True)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("years of work")
    with pytest.raises(DatasetError, match="holds other things than a data set"):
        lay_fleet(toy, tmp_path / "thesis", FleetSpec(), force=True)
    with pytest.raises(DatasetError, match="lies in the data set"):
        lay_fleet(toy, toy / "inside", FleetSpec())
    with pytest.raises(DatasetError, match=r"No schema\.json can be read"):
        lay_fleet(tmp_path / "nothing", tmp_path / "new", FleetSpec())
    assert not (tmp_path / "new").exists()
    for hour, day_type, message in (
        ([1, 2, 25], [1, 1, 1], "hour is 25 at row 2"),
        ([1, 2], [1, 9], "day_type is 9"),
        ([], [], "hour is empty"),
    ):
        with pytest.raises(DatasetError, match=message):
            Calendar.of(hour, day_type)
