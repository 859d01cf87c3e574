"""Time series of a made-up place and of the homes in it: plausible shapes with noise, no measurement of anything.

Clear-sky irradiance follows Haurwitz (1945), "Insolation in relation to cloudiness and cloud density", with the sun's
declination after Cooper (1969); everything else is a shape chosen by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

LATITUDE_DEG = 40.0
PREDICTED_H = (6, 12, 24)
"""How far ahead the three predictions of CityLearn's sets look."""

_MONTH_ENDS = np.cumsum([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True)
class Hours:
    """T hours from a Monday, the 1st of January, on; every array is ``[T]``.

    Attributes:
        month: 1 to 12.
        hour: 1 to 24, each the end of its hour.
        day_type: 1 = Monday to 7 = Sunday.
        day: day of the year, 0 to 364.
        noon_h: middle of the hour, h after midnight.
    """

    month: Whole
    hour: Whole
    day_type: Whole
    day: Whole
    noon_h: Doubles

    @classmethod
    def of(cls, days: int) -> Hours:
        """The hours of so many days; years have 365."""
        row = np.arange(24 * days)
        day = row // 24 % 365
        return cls(
            month=np.searchsorted(_MONTH_ENDS, day, side="right") + 1,
            hour=row % 24 + 1,
            day_type=row // 24 % 7 + 1,
            day=day,
            noon_h=(row % 24).astype(np.float64) + 0.5,
        )

    @property
    def weekend(self) -> npt.NDArray[np.bool_]:
        """Whether it is Saturday or Sunday."""
        return self.day_type >= 6

    def bump(self, at_h: float, width_h: float) -> Doubles:
        """A bell over the hours of every day, 1 at its top."""
        away = (self.noon_h - at_h + 12.0) % 24.0 - 12.0
        bell: Doubles = np.exp(-0.5 * (away / width_h) ** 2)
        return bell


@dataclass(frozen=True)
class Place:
    """What all homes share; every array is ``[T]``.

    Attributes:
        temperature_c: outdoor air.
        humidity_percent: outdoor air.
        direct_w_m2, diffuse_w_m2: irradiance, of the beam and on the horizontal.
        global_w_m2: irradiance on the horizontal.
        price: currency/kWh.
        carbon: kgCO2/kWh.
    """

    temperature_c: Doubles
    humidity_percent: Doubles
    direct_w_m2: Doubles
    diffuse_w_m2: Doubles
    global_w_m2: Doubles
    price: Doubles
    carbon: Doubles


def draw_place(hours: Hours, random: np.random.Generator) -> Place:
    """Weather, tariff and grid of one place."""
    steps = len(hours.hour)
    season = np.cos(2.0 * np.pi * (hours.day - 20) / 365.0)
    spells = wander(random, steps, hold_h=60.0)
    clearness = np.clip(0.75 - 0.12 * season + 0.28 * wander(random, steps, hold_h=8.0), 0.15, 1.0)
    height = sun_height(hours)
    clear_sky = np.where(height > 0.0, 1098.0 * height * np.exp(-0.057 / np.maximum(height, 1e-3)), 0.0)
    total = clear_sky * clearness
    diffuse = total * np.clip(1.0 - 0.8 * clearness, 0.12, 1.0)
    # A beam along the horizon would be infinitely strong on this reckoning
    direct = np.where(height > 0.05, np.minimum((total - diffuse) / np.maximum(height, 0.05), 1000.0), 0.0)
    swing = 2.0 + 5.0 * clearness
    temperature = 12.0 - 10.0 * season - swing * np.cos(2.0 * np.pi * (hours.noon_h - 3.0) / 24.0) + 3.0 * spells
    humidity = np.clip(
        95.0 - 35.0 * clearness - 0.6 * (temperature - 12.0) + 4.0 * random.standard_normal(steps), 15.0, 100.0
    )
    evening = (hours.hour > 16) & (hours.hour <= 21)
    day = (hours.hour > 6) & (hours.hour <= 22)
    price = np.where(evening & ~hours.weekend, 0.42, np.where(day, 0.27, 0.18))
    sun = np.minimum(total / 900.0, 1.0)
    carbon = np.clip(0.33 - 0.16 * sun + 0.09 * hours.bump(19.5, 2.5) + 0.04 * wander(random, steps, hold_h=30.0), 0.03, 0.9)
    return Place(temperature, humidity, direct, diffuse, total, price, carbon)


def sun_height(hours: Hours) -> Doubles:
    """Sine of the sun's elevation in the middle of each hour, ``[T]``."""
    latitude = np.radians(LATITUDE_DEG)
    declination = np.radians(23.45) * np.sin(2.0 * np.pi * (284 + hours.day + 1) / 365.0)
    angle = np.radians(15.0 * (hours.noon_h - 12.0))
    height: Doubles = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(angle)
    return height


def wander(random: np.random.Generator, steps: int, hold_h: float) -> Doubles:
    """First-order autoregressive series of mean 0 and standard deviation 1 that forgets within ``hold_h`` hours, ``[T]``."""
    keep = float(np.exp(-1.0 / hold_h))
    shocks = (random.standard_normal(steps) * np.sqrt(1.0 - keep**2)).tolist()
    value, series = float(random.standard_normal()), []
    for shock in shocks:
        value = keep * value + shock
        series.append(value)
    return np.array(series)


def load_kwh(hours: Hours, random: np.random.Generator) -> Doubles:
    """Appliances and light of one home, kWh an hour, ``[T]``: some 2 to 7 MWh a year."""
    shift = random.normal(0.0, 0.7)
    awake = hours.bump(7.5 + shift, 1.3) * np.where(hours.weekend, 0.5, 1.0)
    evening = hours.bump(19.5 + 0.5 * shift, 2.4)
    midday = hours.bump(13.0, 2.8) * np.where(hours.weekend, 1.0, random.uniform(0.2, 0.8))
    shape = random.uniform(0.15, 0.3) + random.uniform(0.3, 0.7) * awake + random.uniform(0.7, 1.2) * evening + 0.4 * midday
    season = 1.0 + random.uniform(0.05, 0.2) * np.cos(2.0 * np.pi * (hours.day - 10) / 365.0)
    habits = np.repeat(np.exp(0.2 * random.standard_normal(len(shape) // 24)), 24)
    noise = np.exp(0.35 * random.standard_normal(len(shape)) - 0.06)
    load: Doubles = random.lognormal(-0.65, 0.3) * shape * season * habits * noise
    return load


def solar_w_per_kw(hours: Hours, place: Place, random: np.random.Generator) -> Doubles:
    """Output of a home's photovoltaic array, W for each kW of peak power, ``[T]``.

    Roofs look another way than the horizontal: they gain or lose, and see more of the morning or of the evening.
    """
    tilt, turn = random.uniform(0.85, 1.1), random.normal(0.0, 0.04)
    output = 0.86 * tilt * place.global_w_m2 * (1.0 + turn * (hours.noon_h - 12.0))
    return np.clip(output * (1.0 - 0.004 * np.maximum(place.temperature_c - 10.0, 0.0)), 0.0, 1000.0)


def hot_water_kwh(hours: Hours, random: np.random.Generator) -> Doubles:
    """Heat for hot water of one home, kWh an hour, ``[T]``: many hours with none."""
    wanted = 0.9 * hours.bump(7.0, 1.2) + 0.7 * hours.bump(20.0, 1.8) + 0.08
    drawn = random.random(len(wanted)) < np.minimum(wanted, 0.9)
    heat: Doubles = np.where(drawn, random.gamma(2.0, random.uniform(0.25, 0.5), len(wanted)), 0.0)
    return np.minimum(heat, 3.0)


def space_heat_kwh(place: Place, hours: Hours, random: np.random.Generator) -> tuple[Doubles, Doubles]:
    """Heating and cooling of one home, kWh an hour, ``[T]`` each; never both in one hour."""
    loss_kw_per_k = random.uniform(0.1, 0.22)
    habits = 0.8 + 0.3 * hours.bump(19.0, 4.0) + 0.05 * random.standard_normal(len(hours.hour))
    heating = loss_kw_per_k * np.maximum(15.5 - place.temperature_c, 0.0) * np.maximum(habits, 0.3)
    cooling = 0.8 * loss_kw_per_k * np.maximum(place.temperature_c - 23.0, 0.0) * np.maximum(habits, 0.3)
    return heating, cooling


def predicted(series: Doubles, hours_ahead: int, random: np.random.Generator, error: float) -> Doubles:
    """The value so many hours ahead with a relative error (its standard deviation), ``[T]``; the end repeats itself."""
    ahead = np.concatenate([series[hours_ahead:], series[len(series) - min(hours_ahead, len(series)) :]])[: len(series)]
    forecast: Doubles = ahead * (1.0 + error * random.standard_normal(len(series)))
    return forecast
