"""What the fast engine can't simulate or take is refused in a sentence that names it, and nothing else changes."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
from rllib_citylearn.errors import ConfigError, EngineError, UserError
from rllib_citylearn.simulator import CommunityDescription, FastCommunity, support

BUILDINGS = ("Building_1", "Building_2")
WINDOW = (0, 50)


def read(folder: Path, change: Callable[[Any], None] | None = None, buildings: tuple[str, ...] = BUILDINGS) -> None:
    env = make_citylearn_env(folder, buildings=buildings, window=WINDOW)
    features = community_features(env)
    if change is not None:
        change(env)
    CommunityDescription.read(env, features)


def copied(source: Path, folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A data set with another schema; its files are linked."""
    schema = json.loads((source / "schema.json").read_text())
    change(schema)
    for file in source.iterdir():
        if file.name != "schema.json":
            (folder / file.name).symlink_to(file)
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder


def limit_service(schema: dict[str, Any]) -> None:
    schema["buildings"]["Building_2"]["charging_constraints"] = {
        "building_limit_kw": 10.0,
        "observations": {"headroom": False, "headroom_export": False, "violation": False},
    }


def shorten_steps(schema: dict[str, Any]) -> None:
    schema["seconds_per_time_step"] = 900


def open_market(schema: dict[str, Any]) -> None:
    schema["community_market"] = {"enabled": True}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (limit_service, r"limits of the electrical service \(Building_2\)"),
        (shorten_steps, r"time steps of 900 s instead of 3600 s"),
        (open_market, r"a community market"),
    ],
)
def test_data_sets_with_unsupported_things_are_refused(
    change: Callable[[dict[str, Any]], None], said: str, challenge_2022: Path, tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=f"{said}.*'citylearn'"):
        read(copied(challenge_2022, tmp_path, change))


def of_another_type(thing: Any) -> None:
    thing.__class__ = type(f"Special{type(thing).__name__}", (type(thing),), {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda env: setattr(env, "central_agent", True), r"a central agent \(community\)"),
        (lambda env: of_another_type(env.buildings[1]), r"buildings of the type SpecialBuilding \(Building_2\)"),
        (lambda env: of_another_type(env.buildings[0].electrical_storage), r"battery of the type SpecialBattery"),
        (lambda env: of_another_type(env.buildings[0].dhw_device), r"dhw_device of the type SpecialElectricHeater"),
        (lambda env: of_another_type(env.buildings[0].cooling_storage), r"cooling_storage of the type SpecialStorageTank"),
        (
            lambda env: setattr(env.buildings[0], "deferrable_appliances", [object()]),
            r"deferrable appliance of the type object",
        ),
    ],
)
def test_unsupported_devices_are_refused(change: Callable[[Any], None], said: str, challenge_2022: Path) -> None:
    env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=WINDOW)
    change(env)
    with pytest.raises(EngineError, match=said):
        support.check_supported(env)


def test_outages_of_buildings_with_chargers_are_refused(ev_data: Path) -> None:
    def cut(env: Any) -> None:
        env.buildings[0].simulate_power_outage = True
        env.buildings[0].stochastic_power_outage = False
        env.buildings[0].energy_simulation.power_outage = np.zeros(WINDOW[1] + 1, np.float32)

    with pytest.raises(EngineError, match=r"power outages of buildings with chargers \(Building_1\)"):
        read(ev_data, cut)


def test_outages_of_buildings_with_appliances_are_refused(appliance_data: Path) -> None:
    env = make_citylearn_env(appliance_data, buildings=BUILDINGS, window=WINDOW)
    env.buildings[0].simulate_power_outage = True
    with pytest.raises(EngineError, match=r"power outages of buildings with deferrable appliances \(Building_1\)"):
        support.check_supported(env)


def test_every_unsupported_thing_is_named_at_once(challenge_2022: Path, tmp_path: Path) -> None:
    def change(schema: dict[str, Any]) -> None:
        limit_service(schema)
        open_market(schema)

    with pytest.raises(EngineError) as refusal:
        read(copied(challenge_2022, tmp_path, change))
    assert "electrical service" in str(refusal.value)
    assert "community market" in str(refusal.value)


@pytest.mark.parametrize(("package", "other"), [("citylearn", "3.1.0"), ("numpy", "2.5.0"), ("numpy", "1.26.4")])
def test_other_versions_are_refused(package: str, other: str, monkeypatch: pytest.MonkeyPatch, challenge_2022: Path) -> None:
    real = importlib.metadata.version
    monkeypatch.setattr(support, "version", lambda name: other if name == package else real(name))
    with pytest.raises(EngineError, match=rf"{package} .*{other} is installed"):
        read(challenge_2022)


@pytest.mark.parametrize(
    ("file", "column", "said"),
    [
        ("pricing.csv", "electricity_pricing", "electricity_pricing of Building_1 is nan at row 20"),
        ("carbon_intensity.csv", "carbon_intensity", "carbon_intensity of Building_1 is nan at row 20"),
        ("weather.csv", "outdoor_relative_humidity", "outdoor_relative_humidity of Building_1"),
    ],
)
def test_missing_values_are_refused_by_name_and_row(
    file: str, column: str, said: str, challenge_2022: Path, tmp_path: Path
) -> None:
    folder = copied(challenge_2022, tmp_path, lambda schema: None)
    data = pd.read_csv(challenge_2022 / file)
    data.loc[20, column] = np.nan
    (folder / file).unlink()
    data.to_csv(folder / file, index=False)
    with pytest.raises(EngineError, match=said):
        read(folder)


@pytest.mark.parametrize("column", ["non_shiftable_load", "solar_generation", "dhw_demand"])
def test_missing_values_of_a_building_are_refused(column: str, challenge_2022: Path, tmp_path: Path) -> None:
    folder = copied(challenge_2022, tmp_path, lambda schema: None)
    data = pd.read_csv(challenge_2022 / "Building_2.csv")
    data[column] = data[column].astype(float)
    data.loc[20, column] = np.nan
    (folder / "Building_2.csv").unlink()
    data.to_csv(folder / "Building_2.csv", index=False)
    with pytest.raises(UserError, match=r"nan|NaN"):  # CityLearn itself refuses some
        read(folder)


@pytest.mark.parametrize("column", ["non_shiftable_load", "solar_generation", "dhw_demand", "cooling_demand"])
def test_missing_values_that_citylearn_lets_through_are_refused(column: str, challenge_2022: Path) -> None:
    def spoil(env: Any) -> None:
        getattr(env.buildings[1].energy_simulation, column)[20] = np.nan

    with pytest.raises(EngineError, match=f"{column} of Building_2 is nan at row 20"):
        read(challenge_2022, spoil)


def test_a_window_outside_the_data_is_refused(challenge_2022: Path) -> None:
    with pytest.raises(ConfigError, match=r"8700\.\.8800"):
        make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=(8700, 8800))


@pytest.fixture
def community(challenge_2022: Path) -> FastCommunity:
    env = make_citylearn_env(challenge_2022, buildings=BUILDINGS, window=WINDOW)
    community = FastCommunity(CommunityDescription.read(env, community_features(env)), 3)
    community.reset(rows=10)
    community.step(np.full((3, 2, 1), 0.5))
    return community


def state(community: FastCommunity) -> dict[str, Any]:
    public = {name: values for name, values in vars(community).items() if not name.startswith("_")}
    return {name: values.copy() for name, values in public.items() if isinstance(values, np.ndarray)}


def assert_refused(community: FastCommunity, refused: Callable[[], Any], said: str) -> None:
    """``refused`` raises an EngineError; the state and everything that follows are as if it had not been tried."""
    before = state(community)
    with pytest.raises(EngineError, match=said):
        refused()
    for name, values in state(community).items():
        assert np.array_equal(values, before[name], equal_nan=True), name
    untouched = FastCommunity(community.description, 3)
    untouched.reset(rows=10)
    untouched.step(np.full((3, 2, 1), 0.5))
    for each in (community, untouched):
        each.step(np.full((3, 2, 1), -0.3))
    for name, values in state(community).items():
        assert np.array_equal(values, getattr(untouched, name), equal_nan=True), name


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (np.zeros((3, 2)), r"shape \(3, 2\).*need \(3, 2, 1\)"),
        (np.zeros((2, 2, 1)), r"shape \(2, 2, 1\).*need \(3, 2, 1\)"),
        (0.0, r"shape \(\).*need \(3, 2, 1\)"),
        ([[[0.0], [0.0]], [[0.0], [0.0]], [[0.0, 1.0], [0.0]]], "electrical_storage"),
        ([[["charge"], [0.0]], [[0.0], [0.0]], [[0.0], [0.0]]], "number"),
        ([[[0.0], [0.0]], [[0.0], [np.nan]], [[0.0], [0.0]]], "Building_2 in community 1 is no"),
        ([[[np.inf], [0.0]], [[0.0], [0.0]], [[0.0], [0.0]]], "finite"),
    ],
    ids=["two axes", "too few communities", "one number", "ragged", "text", "NaN", "infinite"],
)
@pytest.mark.parametrize("physical", [False, True])
def test_actions_that_do_not_fit_are_refused(actions: Any, said: str, physical: bool, community: FastCommunity) -> None:
    step = community.step_physical if physical else community.step
    assert_refused(community, lambda: step(actions), said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"rows": 50}, r"rows \[50, 50, 50\]; the data allows 0 to 49"),
        ({"rows": -1}, r"rows \[-1, -1, -1\]; the data allows 0 to 49"),
        ({"communities": [1], "rows": [60]}, r"rows \[60\]"),
        ({"communities": [3]}, r"\[3\].*there are 3, counted from 0"),
        ({"communities": [-1]}, r"\[-1\]"),
        ({"communities": [0, 1], "rows": [1, 2, 3]}, "rows"),
        ({"communities": [0], "initial_soc": np.zeros((1, 3))}, "initial_soc|state of charge"),
        ({"communities": [0], "initial_soc": np.full((1, 2), np.nan)}, "initial_soc|state of charge"),
        ({"communities": [0], "initial_soc": np.full((1, 2), 1.5)}, "initial_soc|state of charge"),
    ],
    ids=["past", "before", "past for one", "no such", "negative", "rows", "soc shape", "soc NaN", "soc above one"],
)
def test_starts_that_do_not_fit_are_refused(arguments: dict[str, Any], said: str, community: FastCommunity) -> None:
    assert_refused(community, lambda: community.reset(**arguments), said)


def test_stepping_past_the_end_is_refused_until_the_community_is_started_again(community: FastCommunity) -> None:
    community.reset([2], 49)
    actions = np.zeros((3, 2, 1))
    community.step(actions)  # the last hour of community 2
    before = state(community)
    for _ in range(2):
        with pytest.raises(EngineError, match="Community 2 is at row 50, the last of its data; reset it"):
            community.step(actions)
        for name, values in state(community).items():
            assert np.array_equal(values, before[name], equal_nan=True), name
    community.reset([2], 0)
    community.step(actions)
    assert community.clock.tolist() == [13, 13, 1]


@pytest.mark.parametrize("count", [0, -3])
def test_a_batch_of_none_is_refused(count: int, community: FastCommunity) -> None:
    with pytest.raises(EngineError, match=f"{count} communities"):
        FastCommunity(community.description, count)
