"""Spoils of the series' values and units."""

from __future__ import annotations

from tests.datasets_sound import HOURS
from tests.spoils.changes import (
    B1,
    B2,
    HEAT_PUMP,
    IN_BATTERY,
    IN_CHARGER,
    INDOORS,
    LOAD,
    PV,
    TEMPERATURE,
    Spoil,
    both,
    building,
    cell,
    cells,
    charger,
    device,
    rows,
    scaled,
    schema,
    see_indoors,
    twice,
)

VALUE_SPOILS = [
    Spoil("not-a-number", "text", cells(B2, "dhw_demand", {4: "much", 9: "x"}), B2, "dhw_demand", 4, ("2 of 192 rows",)),
    Spoil("missing-value", "gap", cell(B2, LOAD, 11, ""), B2, LOAD, 11),
    Spoil("missing-value", "half empty", cell(B1, INDOORS, 5, 21.0), B1, INDOORS, 0),
    *(
        Spoil("missing-value", f"seen{more}", see_indoors(INDOORS + more), B1, INDOORS, 0)
        for more in ("", "_cooling_delta", "_heating_delta")
    ),
    Spoil(
        "infinite",
        "inf",
        cell("carbon_intensity.csv", "carbon_intensity", 3, "inf"),
        "carbon_intensity.csv",
        "carbon_intensity",
        3,
    ),
    Spoil("negative", "PV", cell(B1, PV, 12, -0.5), B1, PV, 12, ("down to -0.5",)),
    Spoil("negative", "load", cell(B1, LOAD, 12, -2), B1, LOAD, 12),
    Spoil("negative", "demand", cell(B1, "dhw_demand", 12, -2), B1, "dhw_demand", 12),
    Spoil("out-of-range", "heat", cell("weather.csv", TEMPERATURE, 8, 99), "weather.csv", TEMPERATURE, 8, ("-60 to 60",)),
    Spoil(
        "out-of-range",
        "sun",
        cell("weather.csv", "direct_solar_irradiance", 8, 1900),
        "weather.csv",
        "direct_solar_irradiance",
        8,
    ),
    Spoil(
        "humidity",
        "wet",
        cell("weather.csv", "outdoor_relative_humidity", 8, 103),
        "weather.csv",
        "outdoor_relative_humidity",
        8,
    ),
    Spoil(
        "negative-price",
        "one hour",
        cell("pricing.csv", "electricity_pricing", 8, -0.05),
        "pricing.csv",
        "electricity_pricing",
        8,
    ),
    Spoil("constant", "load", scaled(B1, LOAD, 0, 0.7), B1, LOAD, says=("0.7 in all 192 rows",)),
    Spoil("constant", "PV", scaled(B1, PV, 0), B1, PV),
    Spoil("constant", "tank's demand", scaled(B1, "dhw_demand", 0), B1, "dhw_demand"),
    Spoil("dropout", "load", cells(B1, LOAD, {50: 0, 51: 0}), B1, LOAD, 50),
    Spoil(
        "dropout",
        "carbon",
        cell("carbon_intensity.csv", "carbon_intensity", 50, 0),
        "carbon_intensity.csv",
        "carbon_intensity",
        50,
    ),
    Spoil(
        "heat-and-cold",
        "one hour",
        both(
            building(lambda b: b.update(cooling_device=HEAT_PUMP, heating_device=HEAT_PUMP)),
            cells(B1, "cooling_demand", {4: 1, 5: 1}),
            cells(B1, "heating_demand", {5: 1, 6: 1}),
        ),
        *(B1, "heating_demand", 5),
    ),
    Spoil("time-step", "900 s", schema(lambda d: d.update(seconds_per_time_step=900)), B1, "hour", None, ("3600 s", "900")),
    Spoil("time-gap", "twice", both(rows(B1, twice), rows(B2, twice)), B1, "hour", 30),
    Spoil(
        *("date-order", "weekday", both(*(cells(file, "day_type", dict.fromkeys(range(48, 72), 1)) for file in (B1, B2)))),
        *(B1, "day_type", 48, ("2 of 192 rows",)),
    ),
    Spoil(
        "date-order",
        "month",
        both(*(cells(f, "month", dict.fromkeys(range(60, HOURS), 7)) for f in (B1, B2))),
        B1,
        "month",
        60,
    ),
    Spoil("two-midnights", "one 0", both(*(cell(f, "hour", 23, 0) for f in (B1, B2))), B1, "hour", 23),
    Spoil("calendars-differ", "month", scaled(B2, "month", 1, 1), B2, "month", 0, (B1,)),
]

UNIT_SPOILS = [
    Spoil(
        "unit-temperature",
        "kelvin",
        scaled("weather.csv", TEMPERATURE, 1, 273.15),
        "weather.csv",
        TEMPERATURE,
        says=("kelvin",),
    ),
    Spoil(
        "unit-temperature",
        "Fahrenheit",
        scaled("weather.csv", TEMPERATURE, 1.8, 32),
        "weather.csv",
        TEMPERATURE,
        says=("Fahrenheit",),
    ),
    Spoil(
        *(
            "unit-irradiance",
            "kW",
            scaled("weather.csv", "direct_solar_irradiance", 0.001),
            "weather.csv",
            "direct_solar_irradiance",
        ),
        *(None, ("kW/m2",)),
    ),
    Spoil(
        "unit-humidity",
        "share",
        scaled("weather.csv", "outdoor_relative_humidity", 0.01),
        "weather.csv",
        "outdoor_relative_humidity",
    ),
    Spoil("unit-pv", "kW", scaled(B1, PV, 0.001), B1, PV, says=("look like kW",)),
    Spoil("unit-pv", "whole array", scaled(B1, PV, 4), B1, PV, says=("whole array",)),
    Spoil("weak-pv", "a twentieth", scaled(B1, PV, 0.05), B1, PV, says=("kWh a year",)),
    Spoil("unit-load", "Wh", scaled(B1, LOAD, 1000), B1, LOAD, says=("look like Wh",)),
    Spoil(
        "unit-carbon",
        "g",
        scaled("carbon_intensity.csv", "carbon_intensity", 1000),
        "carbon_intensity.csv",
        "carbon_intensity",
        says=("g/kWh",),
    ),
    Spoil(
        "unit-carbon",
        "t",
        scaled("carbon_intensity.csv", "carbon_intensity", 0.001),
        "carbon_intensity.csv",
        "carbon_intensity",
        says=("t/kWh",),
    ),
    Spoil(
        "unit-price",
        "MWh",
        scaled("pricing.csv", "electricity_pricing", 1000),
        "pricing.csv",
        "electricity_pricing",
        says=("per MWh",),
    ),
    Spoil(
        "unit-device",
        "capacity in Wh",
        device("electrical_storage", capacity=6400),
        column=IN_BATTERY + "capacity",
        says=("looks like Wh",),
    ),
    Spoil(
        "unit-device",
        "capacity in MWh",
        device("electrical_storage", capacity=0.0001),
        column=IN_BATTERY + "capacity",
        says=("MWh",),
    ),
    Spoil(
        "unit-device", "power in W", device("electrical_storage", nominal_power=5000), column=IN_BATTERY + "nominal_power"
    ),
    Spoil(
        "unit-device", "PV in W", device("pv", nominal_power=4000), column="buildings.Building_1.pv.attributes.nominal_power"
    ),
    Spoil(
        "unit-charger",
        "power in W",
        charger(max_charging_power=7400),
        column=IN_CHARGER + "max_charging_power",
        says=("looks like W",),
    ),
]
