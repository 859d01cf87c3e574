"""Making data sets out of numbers, sources and places that can't be used: a sentence each, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

from rllib_citylearn.datasets.fleets import FleetSpec
from rllib_citylearn.datasets.synthetic import SyntheticSpec
from rllib_citylearn.errors import ConfigError

HUGE = 10**400
HOURS = {"mean_h": 8.0, "std_h": 1.0, "earliest_h": 5, "latest_h": 13}


@pytest.mark.parametrize("spec", [SyntheticSpec, FleetSpec])
def test_seeds_are_those_that_citylearn_takes(spec: Any) -> None:
    assert spec(seed=2**32 - 1).seed == 2**32 - 1
    with pytest.raises(ConfigError, match="seed is 4294967296; give a whole number from 0 to 4294967295"):
        spec(seed=2**32)


@pytest.mark.parametrize(
    "fields",
    [
        {"distance_km": 1e-300},
        {"distance_km": HUGE},
        {"distance_std_km": HUGE},
        {"distance_km": True},
        {"seed": True},
        {"required_soc": [0.5, HUGE]},
        {"required_soc": [0.5, True]},
        {"charger_powers_kw": [[True, 1.0]]},
        {"charger_powers_kw": [[7.4, True]]},
        {"battery_capacities_kwh": [[HUGE, 1.0]]},
        {"weekday_departure": {**HOURS, "earliest_h": True}},
        {"weekday_departure": {**HOURS, "mean_h": True}},
        {"weekday_departure": {**HOURS, "std_h": HUGE}},
    ],
)
def test_numbers_that_a_fleet_cannot_have(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="give"):
        FleetSpec.from_dict(fields)
