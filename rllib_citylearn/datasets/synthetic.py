"""Communities of any size out of nothing, for tests and for measuring how things scale.

    from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community

    make_community(SyntheticSpec(buildings=100, days=30, seed=1), folder)

They look like homes in a temperate place, but no number in them was measured: results on them say nothing of real
buildings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn import __version__
from rllib_citylearn.datasets.fleets.calendar import Calendar
from rllib_citylearn.datasets.fleets.laying import add_fleet
from rllib_citylearn.datasets.fleets.spec import FleetSpec
from rllib_citylearn.datasets.synthetic_devices import Home, home_entry, schema_frame
from rllib_citylearn.datasets.synthetic_series import (
    PREDICTED_H,
    Hours,
    Place,
    draw_place,
    hot_water_kwh,
    load_kwh,
    predicted,
    solar_w_per_kw,
    space_heat_kwh,
)
from rllib_citylearn.datasets.target import check_target, new_dataset
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.files import write_json, write_text

SYNTHETIC_FILE = "synthetic.json"
"""Where a made-up community says what it was drawn from."""

_MOST = {"buildings": 100_000, "days": 3650, "seed": 2**32 - 1}
SHARES = ("battery_share", "pv_share", "heat_pump_share", "tank_share", "vehicle_share")


@dataclass(frozen=True)
class SyntheticSpec:
    """A community of made-up homes.

    Attributes:
        buildings: how many, 1 to 100,000.
        days: how many from a Monday, the 1st of January, on, 2 to 3650.
        seed: from which everything is drawn, 0 to 2^32 - 1; also CityLearn's random seed.
        battery_share: share of homes with a battery, 0 to 1. Homes that would have nothing to control get one too.
        pv_share: share with photovoltaics, 0 to 1.
        heat_pump_share: share that heat and cool with heat pumps, 0 to 1; the others take no electricity for it.
        tank_share: share with electric hot water and a tank for it, 0 to 1; those with heat pumps have a heating tank too.
        vehicle_share: share with a charger and a vehicle (the default fleet), 0 to 1.
    """

    buildings: int = 10
    days: int = 365
    seed: int = 0
    battery_share: float = 0.6
    pv_share: float = 0.6
    heat_pump_share: float = 0.4
    tank_share: float = 0.4
    vehicle_share: float = 0.0

    def __post_init__(self) -> None:
        for name, low in (("buildings", 1), ("days", 2), ("seed", 0)):
            value, high = getattr(self, name), _MOST[name]
            whole = isinstance(value, int) and not isinstance(value, bool)
            if not whole or not low <= value <= high:
                raise ConfigError(f"{name} is {value!r}; give a whole number from {low} to {high}.")
        for name in SHARES:
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0.0 <= value <= 1.0:
                raise ConfigError(f"{name} is {value!r}; give a share of the homes, a number from 0 to 1.")


def make_community(spec: SyntheticSpec, target: str | Path, *, force: bool = False) -> Path:
    """Write a community as a data set that CityLearn 3.0.2 and the fast engine read.

    The same spec gives the same bytes.

    Args:
        spec: what it is like.
        target: the folder to make.
        force: replace ``target`` if it is there.

    Returns:
        ``target``.

    Raises:
        DatasetError: the target is there or can't be written.
    """
    target = Path(target)
    check_target(target, force=force)
    # What homes share and each home have random numbers of their own: a larger community has the smaller one's homes.
    hours = Hours.of(spec.days)
    place = draw_place(hours, np.random.default_rng([spec.seed, 0]))
    flags = _draw_devices(spec)
    description = schema_frame(spec.seed, len(hours.hour))
    calendar = [f"{m},{h},{d},0,,,," for m, h, d in zip(hours.month, hours.hour, hours.day_type, strict=True)]
    with new_dataset(target) as folder:
        _write_place(folder, place, np.random.default_rng([spec.seed, 1]))
        for n in range(spec.buildings):
            name, random = f"Building_{n + 1}", np.random.default_rng([spec.seed, 2, n])
            home = _draw_home(hours, place, flags[n], random)
            _write_home(folder / f"{name}.csv", calendar, home)
            description["buildings"][name] = home_entry(name, home, place, random)
        if spec.vehicle_share > 0.0:
            fleet = FleetSpec(seed=spec.seed, building_share=spec.vehicle_share)
            description, _ = add_fleet(folder, description, Calendar.of(hours.hour, hours.day_type), fleet)
        write_json(folder / "schema.json", description)
        write_json(folder / SYNTHETIC_FILE, {"made_by": f"rllib_citylearn {__version__}", "spec": asdict(spec)})
    return target


def _draw_devices(spec: SyntheticSpec) -> npt.NDArray[np.bool_]:
    """Who has a battery, photovoltaics, a heat pump and a hot-water tank: ``[N, 4]``, each in the number asked for."""
    flags = np.zeros((spec.buildings, 4), bool)
    for k, name in enumerate(SHARES[:4]):
        order = np.random.default_rng([spec.seed, 3, k]).permutation(spec.buildings)
        flags[order[: round(getattr(spec, name) * spec.buildings)], k] = True
    flags[:, 0] |= ~flags[:, 3]
    return flags


def _draw_home(hours: Hours, place: Place, flags: Sequence[bool], random: np.random.Generator) -> Home:
    battery, pv, heat_pump, tank = (bool(flag) for flag in flags)
    nothing = np.zeros(len(hours.hour))
    load = load_kwh(hours, random)
    solar = solar_w_per_kw(hours, place, random)
    water = hot_water_kwh(hours, random)
    heating, cooling = space_heat_kwh(place, hours, random)
    return Home(
        load_kwh=load.round(3),
        solar_w_per_kw=solar.round(1) if pv else nothing,
        hot_water_kwh=water.round(3) if tank else nothing,
        heating_kwh=heating.round(3) if heat_pump else nothing,
        cooling_kwh=cooling.round(3) if heat_pump else nothing,
        battery=battery,
        pv=pv,
        heat_pump=heat_pump,
        tank=tank,
    )


def _write_home(path: Path, calendar: Sequence[str], home: Home) -> None:
    titles = (
        "month,hour,day_type,daylight_savings_status,indoor_dry_bulb_temperature,average_unmet_cooling_setpoint_difference,"
        "indoor_relative_humidity,non_shiftable_load,dhw_demand,cooling_demand,heating_demand,solar_generation"
    )
    columns = (home.load_kwh, home.hot_water_kwh, home.cooling_kwh, home.heating_kwh, home.solar_w_per_kw)
    rows = zip(calendar, *(column.tolist() for column in columns), strict=True)
    lines = [f"{c}{load:g},{water:g},{cool:g},{heat:g},{sun:g}" for c, load, water, cool, heat, sun in rows]
    write_text(path, "\n".join([titles, *lines, ""]))


def _write_place(folder: Path, place: Place, random: np.random.Generator) -> None:
    weather: dict[str, Any] = {
        "outdoor_dry_bulb_temperature": (place.temperature_c, 0.03, -40.0, 50.0),
        "outdoor_relative_humidity": (place.humidity_percent, 0.03, 0.0, 100.0),
        "diffuse_solar_irradiance": (place.diffuse_w_m2, 0.05, 0.0, 1200.0),
        "direct_solar_irradiance": (place.direct_w_m2, 0.05, 0.0, 1200.0),
    }
    columns = {name: series for name, (series, *_) in weather.items()}
    for name, (series, error, low, high) in weather.items():
        for k, ahead in enumerate(PREDICTED_H, start=1):
            columns[f"{name}_predicted_{k}"] = predicted(series, ahead, random, error).clip(low, high)
    _write_columns(folder / "weather.csv", columns, digits=1)
    _write_columns(folder / "carbon_intensity.csv", {"carbon_intensity": place.carbon}, digits=4)
    prices = {"electricity_pricing": place.price}
    for k, ahead in enumerate(PREDICTED_H, start=1):
        prices[f"electricity_pricing_predicted_{k}"] = predicted(place.price, ahead, random, 0.0)
    _write_columns(folder / "pricing.csv", prices, digits=4)


def _write_columns(path: Path, columns: dict[str, npt.NDArray[np.float64]], *, digits: int) -> None:
    rows = zip(*((column.round(digits) + 0.0).tolist() for column in columns.values()), strict=True)
    lines = [",".join([f"{value:g}" for value in row]) for row in rows]
    write_text(path, "\n".join([",".join(columns), *lines, ""]))
