"""What a fleet of electric vehicles is like: powers, batteries, hours and distances, and where the defaults come from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.env.feature_table import ACTIONS
from rllib_citylearn.errors import ConfigError

MOST_CHARGERS = sum(name.startswith("electric_vehicle_storage_") for name in ACTIONS)
"""Chargers of one building that the feature table has columns for."""

MOST_SEED = 2**32 - 1
"""As for CityLearn's random seed."""

SHORTEST_DISTANCE_KM = 0.1

SHORTEST_TRIP_H = 2
"""A vehicle that leaves is away for at least so many hours: one on its way, one in which it is announced."""

SOURCES: Mapping[str, str] = {
    "hours": (
        "Normal distributions, cut off and rounded to whole hours, chosen to resemble published surveys and not fitted to "
        "their data: home arrivals on weekdays are most frequent between 17 and 19 h (US National Household Travel Survey "
        "2017), and so do residential charging sessions begin (Quiros-Tortos, Ochoa, Lees 2015, a statistical analysis of "
        "the British My Electric Avenue trial). Weekends are later and wider."
    ),
    "driving days": (
        "Mobilitaet in Deutschland finds that about a third (2008) to nearly half (2023) of all cars stay parked on an "
        "average day; the default fleet moves on two days of three."
    ),
    "distance": (
        "Log-normal, an assumption of its shape. The default mean of 55 km on a driving day is about 37 km a day over all "
        "days, 13,500 km a year. It is no figure of a survey: the often quoted 39 km a day of Mobilitaet in Deutschland "
        "2017 are per person and with all means of transport."
    ),
    "consumption": "0.18 kWh/km, in the middle of the usual 0.15 to 0.20 of passenger cars.",
    "chargers": (
        "3.7 and 7.4 kW on one phase with 16 and 32 A, 11 kW on three phases with 16 A. The least power is that of 6 A a "
        "phase, the lowest current of IEC 61851. Their shares are assumptions."
    ),
    "batteries": "Sizes, shares, efficiencies and required charges are assumptions in the range of cars on sale.",
}
"""Where the defaults come from, and how far; goes into every ``fleet.json``."""

Shares = tuple[tuple[float, float], ...]
"""Pairs of a value and its share; the shares add up to 1."""


@dataclass(frozen=True)
class HourDistribution:
    """A time of the day: normal, cut off at whole hours.

    Attributes:
        mean_h: mean before cutting off, h after midnight, 0 to 24.
        std_h: standard deviation before cutting off, h, above 0.
        earliest_h, latest_h: first and last row of the day that it may give, counted by the hour in which the row begins,
            0 to 23.
    """

    mean_h: float
    std_h: float
    earliest_h: int
    latest_h: int

    def shares(self, *, rounded_up: bool) -> npt.NDArray[np.float64]:
        """Probability of each row of a day, ``[24]``.

        Args:
            rounded_up: a time within an hour belongs to the next row, as that of an arrival: the first whole hour that the
                vehicle is there. Else to the row of that hour, as that of a departure: the first hour it is not.
        """
        shift = -1 if rounded_up else 0
        edges = [0.5 * (1.0 + math.erf((h + shift - self.mean_h) / (self.std_h * math.sqrt(2.0)))) for h in range(25)]
        shares = np.diff(np.array(edges))
        hours = np.arange(24)
        shares[(hours < self.earliest_h) | (hours > self.latest_h)] = 0.0
        total = float(shares.sum())
        if total <= 0.0:
            raise ConfigError(
                f"The hours from {self.earliest_h} to {self.latest_h} have no share of a distribution around "
                f"{self.mean_h:g} h with a standard deviation of {self.std_h:g} h; give bounds around the mean."
            )
        return shares / total


@dataclass(frozen=True)
class FleetSpec:
    """A fleet of home-charged electric vehicles: one vehicle a charger, plugged in whenever it is at home.

    ``SOURCES`` says where the defaults come from.

    Attributes:
        seed: from which everything is drawn, 0 to 2^32 - 1.
        building_share: share of the buildings that get chargers, above 0 to 1; at least one building does.
        chargers_per_building: chargers (and vehicles) of such a building, 1 to 4.
        charger_powers_kw: powers of the chargers in kW, above 0 to 22, with their shares.
        charger_efficiency: from the building to the battery's terminals, above 0 to 1.
        v2g_share: share of the chargers that can also discharge, with the same power, 0 to 1; each is drawn.
        battery_capacities_kwh: capacities of the vehicles in kWh, 10 to 120, with their shares.
        battery_efficiency: of charging and discharging together, above 0 to 1.
        weekday_departure, weekday_arrival, weekend_departure, weekend_arrival: when vehicles leave and come back;
            holidays (day type 8) count as weekends.
        weekday_use, weekend_use: probability that a vehicle is driven on a day, 0 to 1.
        distance_km: mean distance on a day on which it is driven, km, 0.1 to 1000. A trip for which the battery does not
            suffice is charged for elsewhere.
        distance_std_km: its standard deviation, km, above 0 to 1000.
        consumption_kwh_per_km: what driving takes, kWh/km, above 0 to 1.
        required_soc: lowest and highest state of charge that drivers want when they leave, above ``lowest_soc`` to 0.95;
            each driver wants one of them always, or less when the stay is too short for it.
        lowest_soc: state of charge with which vehicles come home at the least, 0.05 to 0.5.
        margin: share of what could be charged during a stay that is asked for at most, above 0 to 1.
    """

    seed: int = 0
    building_share: float = 0.5
    chargers_per_building: int = 1
    charger_powers_kw: Shares = ((3.7, 0.2), (7.4, 0.5), (11.0, 0.3))
    charger_efficiency: float = 0.95
    v2g_share: float = 0.5
    battery_capacities_kwh: Shares = ((40.0, 0.3), (60.0, 0.45), (80.0, 0.25))
    battery_efficiency: float = 0.95
    weekday_departure: HourDistribution = HourDistribution(7.7, 1.4, 5, 13)
    weekday_arrival: HourDistribution = HourDistribution(17.8, 2.2, 11, 23)
    weekend_departure: HourDistribution = HourDistribution(10.8, 2.4, 6, 18)
    weekend_arrival: HourDistribution = HourDistribution(17.3, 2.9, 9, 23)
    weekday_use: float = 0.7
    weekend_use: float = 0.6
    distance_km: float = 55.0
    distance_std_km: float = 40.0
    consumption_kwh_per_km: float = 0.18
    required_soc: tuple[float, float] = (0.75, 0.95)
    lowest_soc: float = 0.1
    margin: float = 0.9

    def __post_init__(self) -> None:
        self._check_whole_numbers()
        for name in ("v2g_share", "weekday_use", "weekend_use"):
            _check_number(name, getattr(self, name), 0.0, 1.0)
        for name in ("building_share", "charger_efficiency", "battery_efficiency", "consumption_kwh_per_km", "margin"):
            _check_number(name, getattr(self, name), 0.0, 1.0, above=True)
        _check_number("distance_km", self.distance_km, SHORTEST_DISTANCE_KM, 1000.0)
        _check_number("distance_std_km", self.distance_std_km, 0.0, 1000.0, above=True)
        _check_number("lowest_soc", self.lowest_soc, 0.05, 0.5)
        _check_shares("charger_powers_kw", self.charger_powers_kw, 0.0, 22.0)
        _check_shares("battery_capacities_kwh", self.battery_capacities_kwh, 10.0, 120.0)
        low, high = _pair("required_soc", self.required_soc)
        if not self.lowest_soc < low <= high <= 0.95:
            raise ConfigError(
                f"required_soc is {low:g} to {high:g}; give two numbers above lowest_soc ({self.lowest_soc:g}) and up to "
                "0.95, the lower one first."
            )
        self._check_hours()

    def _check_whole_numbers(self) -> None:
        if not _is_whole(self.seed) or not 0 <= self.seed <= MOST_SEED:
            raise ConfigError(f"The fleet's seed is {self.seed!r}; give a whole number from 0 to {MOST_SEED}.")
        chargers = self.chargers_per_building
        if not _is_whole(chargers) or not 1 <= chargers <= MOST_CHARGERS:
            raise ConfigError(
                f"chargers_per_building is {chargers!r}; give a whole number from 1 to {MOST_CHARGERS}, which is what the "
                "feature table has columns for."
            )

    def _check_hours(self) -> None:
        for day in ("weekday", "weekend"):
            leaving, coming = getattr(self, f"{day}_departure"), getattr(self, f"{day}_arrival")
            for name, hours in ((f"{day}_departure", leaving), (f"{day}_arrival", coming)):
                if not isinstance(hours, HourDistribution):
                    raise ConfigError(f"{name} is {hours!r}; give an HourDistribution.")
                _check_number(f"{name}.mean_h", hours.mean_h, 0.0, 24.0)
                _check_number(f"{name}.std_h", hours.std_h, 0.0, 24.0, above=True)
                whole = _is_whole(hours.earliest_h) and _is_whole(hours.latest_h)
                if not (whole and 0 <= hours.earliest_h <= hours.latest_h <= 23):
                    raise ConfigError(
                        f"{name} lies between the hours {hours.earliest_h} and {hours.latest_h}; give whole hours from 0 "
                        "to 23, the earlier one first."
                    )
                hours.shares(rounded_up=name.endswith("arrival"))
            if leaving.latest_h + SHORTEST_TRIP_H > coming.latest_h:
                raise ConfigError(
                    f"On a {day} vehicles may leave at {leaving.latest_h} h but have to be back by {coming.latest_h} h; "
                    f"leave at least {SHORTEST_TRIP_H} h between {day}_departure.latest_h and {day}_arrival.latest_h."
                )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready description from which ``from_dict`` makes an equal spec."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> FleetSpec:
        """The inverse of ``to_dict``; fields that are left out take their defaults.

        Raises:
            ConfigError: an unknown field or a value out of its range.
        """
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise ConfigError(f"A fleet has no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
        return replace(cls(), **{name: _from_json(name, value) for name, value in given.items()})


def _from_json(name: str, value: Any) -> Any:
    """A field's value from what JSON makes of it; what doesn't fit is left for the checks of the spec."""
    if isinstance(value, Mapping):
        hours = {field.name for field in fields(HourDistribution)}
        if set(value) != hours:
            raise ConfigError(f"{name} has {', '.join(sorted(value)) or 'nothing'}; give {', '.join(sorted(hours))}.")
        return HourDistribution(**value)
    if isinstance(value, list):
        return tuple(tuple(item) if isinstance(item, list) else item for item in value)
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    """Whether a float can hold it: JSON knows ``true``, NaN and whole numbers without end."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _check_number(name: str, value: Any, low: float, high: float, *, above: bool = False) -> None:
    if not (_is_number(value) and low <= value <= high and not (above and value <= low)):
        raise ConfigError(f"{name} is {value!r}; give a number {'above' if above else 'from'} {low:g} up to {high:g}.")


def _pair(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, Sequence) or len(value) != 2 or not all(map(_is_number, value)):
        raise ConfigError(f"{name} is {value!r}; give two numbers, the lower one first.")
    return float(value[0]), float(value[1])


def _check_shares(name: str, pairs: Any, low: float, high: float) -> None:
    if not isinstance(pairs, Sequence) or not pairs:
        raise ConfigError(f"{name} is {pairs!r}; give pairs of a value and its share.")
    for pair in pairs:
        value, share = _pair(f"A pair of {name}", pair)
        _check_number(f"A value of {name}", value, low, high, above=low == 0.0)
        _check_number(f"The share of {value:g} in {name}", share, 0.0, 1.0)
    total = sum(share for _, share in pairs)
    if abs(total - 1.0) > 1e-6:
        raise ConfigError(f"The shares of {name} add up to {total:g}; they have to add up to 1.")
