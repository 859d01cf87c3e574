"""Baselines that need no CityLearn to be checked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rllib_citylearn.baselines import BASELINES, make_baseline
from rllib_citylearn.errors import ConfigError, FeatureError


def community(
    powers_kw: list[float], *, seconds: float = 3600.0, observed: tuple[str, ...] = ("non_shiftable_load", "hour")
) -> Any:
    """As much of an environment as the simple rules read: batteries and a hot-water tank in every building."""
    return SimpleNamespace(
        buildings=[
            SimpleNamespace(
                name=f"Building_{n}",
                electrical_storage=SimpleNamespace(nominal_power=power),
                active_actions=["dhw_storage", "electrical_storage"],
            )
            for n, power in enumerate(powers_kw, start=1)
        ],
        observation_names=[[*observed, "solar_generation"] for _ in powers_kw],
        action_names=[["dhw_storage", "electrical_storage"] for _ in powers_kw],
        seconds_per_time_step=seconds,
    )


@pytest.mark.parametrize("seconds", [3600.0, 900.0])
def test_net_zero_asks_for_what_cancels_the_net_load_or_for_all_there_is(seconds: float) -> None:
    rng = np.random.default_rng(4)
    powers = [5.0, 2.5, 0.1]
    controller = make_baseline("net-zero")
    controller.reset(community(powers, seconds=seconds))
    for _ in range(200):
        rows = [[float(load), 12.0, float(sun)] for load, sun in rng.uniform(0, 6, (3, 2))]
        for power, row, (tank, battery) in zip(powers, rows, controller.act(rows), strict=True):
            net_kwh = row[0] - row[2]
            asked_kwh = battery * power * seconds / 3600.0
            assert tank == 0.0
            assert -1.0 <= battery <= 1.0
            assert np.sign(battery) == -np.sign(net_kwh)
            assert asked_kwh == pytest.approx(-net_kwh) or (abs(battery) == 1.0 and abs(asked_kwh) < abs(net_kwh))


@pytest.mark.parametrize("seconds", [3600.0, 1800.0])
def test_level_asks_for_what_brings_the_net_load_to_its_mean_over_a_day(seconds: float) -> None:
    controller = make_baseline("level")
    controller.reset(community([50.0], seconds=seconds))
    rng, net = np.random.default_rng(4), []
    for _ in range(120):
        load, sun = rng.uniform(0, 6, 2)
        net.append(load - sun)
        ((tank, battery),) = controller.act([[load, 12.0, sun]])
        mean = np.mean(net[-round(24 * 3600 / seconds) :])
        assert tank == 0.0
        assert net[-1] + battery * 50.0 * seconds / 3600.0 == pytest.approx(mean)


def test_level_starts_anew_with_every_episode() -> None:
    controller = make_baseline("level")
    rows = [[[float(load), 12.0, 0.0]] for load in (3.0, 5.0, 1.0)]
    played = []
    for _ in range(2):
        controller.reset(community([5.0]))
        played.append([controller.act(row) for row in rows])
    assert played[0] == played[1]
    assert played[0][0] == [[0.0, 0.0]], "the first hour is its own mean"


def test_net_zero_leaves_a_battery_without_power_alone() -> None:
    controller = make_baseline("net-zero")
    controller.reset(community([0.0]))
    assert controller.act([[3.0, 12.0, 1.0]]) == [[0.0, 0.0]]


def test_net_zero_says_which_observation_it_misses() -> None:
    with pytest.raises(FeatureError, match=r"'non_shiftable_load'.*Building_1"):
        make_baseline("net-zero").reset(community([5.0], observed=("hour",)))


def test_no_control_does_nothing_whatever_it_sees() -> None:
    controller = make_baseline("no-control")
    controller.reset(community([5.0, 5.0]))
    rows = np.random.default_rng(5).normal(size=(2, 3)).tolist()
    assert controller.act(rows) == [[0.0, 0.0], [0.0, 0.0]]


def test_every_baseline_carries_the_name_it_is_found_by() -> None:
    assert [make_baseline(name).name for name in BASELINES] == list(BASELINES)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"optimized-rbc.*Did you mean 'basic-rbc'"):
        make_baseline("basicrbc")
