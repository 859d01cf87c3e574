"""Spoils of devices, chargers, schedules and appliances."""

from __future__ import annotations

from tests.datasets_sound import VEHICLE
from tests.spoils.changes import (
    ARRIVAL_ROW,
    ARRIVES,
    AT_ARRIVAL,
    B1,
    DEPARTURE,
    ID,
    IN_BATTERY,
    IN_CHARGER,
    INACTIVE,
    REQUIRED,
    SCHEDULE,
    SCHEMA,
    START_ROW,
    STATE,
    Spoil,
    add_appliance,
    add_vehicle,
    both,
    building,
    cell,
    cells,
    charger,
    device,
    rows,
    scaled,
    schema,
    second_charger,
    text,
)

DEVICE_SPOILS = [
    Spoil("device-value", "capacity < 0", device("electrical_storage", capacity=-1), column=IN_BATTERY + "capacity"),
    Spoil("device-value", "no capacity", device("electrical_storage", capacity=None), column=IN_BATTERY + "capacity"),
    Spoil("device-value", "power 0", device("electrical_storage", nominal_power=0), column=IN_BATTERY + "nominal_power"),
    Spoil("device-value", "efficiency", device("electrical_storage", efficiency=1.1), column=IN_BATTERY + "efficiency"),
    Spoil("device-value", "text", device("electrical_storage", efficiency="high"), column=IN_BATTERY + "efficiency"),
    Spoil("device-value", "initial", device("electrical_storage", initial_soc=50), column=IN_BATTERY + "initial_soc"),
    Spoil(
        *("device-value", "curve", device("electrical_storage", power_efficiency_curve=[[0, 0.9], [1, 1.1]]), SCHEMA),
        IN_BATTERY + "power_efficiency_curve",
    ),
    Spoil(
        *(
            "device-value",
            "vehicle",
            schema(lambda d: d["electric_vehicles_def"][VEHICLE]["battery"]["attributes"].pop("nominal_power")),
        ),
        *(SCHEMA, f"electric_vehicles_def.{VEHICLE}.battery.attributes.nominal_power"),
    ),
    Spoil(
        *("device-type", "typo", building(lambda b: b["pv"].update(type="citylearn.energy_model.PVs")), SCHEMA),
        *("buildings.Building_1.pv.type", None, ("Did you mean PV?",)),
    ),
    Spoil(
        "device-type",
        "of another kind",
        building(lambda b: b["pv"].update(type="citylearn.energy_model.Battery")),
        column="buildings.Building_1.pv.type",
    ),
    Spoil(
        "device-type",
        "building",
        building(lambda b: b.update(type="citylearn.building.House")),
        column="buildings.Building_1.type",
    ),
    Spoil("demand-without-device", "no heater", building(lambda b: b.pop("dhw_device")), B1, "dhw_demand", 6),
    Spoil(
        "demand-without-device", "cooling", cell(B1, "cooling_demand", 7, 2), B1, "cooling_demand", 7, ("no cooling_device",)
    ),
    Spoil("battery-missing", "no battery", building(lambda b: b.pop("electrical_storage")), column=INACTIVE),
    Spoil("action-idle", "no tank", building(lambda b: b.pop("dhw_storage")), column=INACTIVE),
]

VEHICLE_SPOILS = [
    Spoil("charger-value", "no power", charger(max_charging_power=0), column=IN_CHARGER + "max_charging_power"),
    Spoil("charger-value", "minimum", charger(min_charging_power=11), column=IN_CHARGER + "min_charging_power"),
    Spoil("charger-value", "efficiency", charger(efficiency=1.2), column=IN_CHARGER + "efficiency"),
    Spoil("charger-state", "gap", cell(SCHEDULE, STATE, 10, ""), SCHEDULE, STATE, 10, ("reads none",)),
    Spoil("charger-state", "1.0", scaled(SCHEDULE, STATE, 1.0), SCHEDULE, STATE, 0, ("192 of 192 rows",)),
    Spoil("charger-state", "text", cell(SCHEDULE, STATE, 10, "away"), SCHEDULE, STATE, 10),
    Spoil(
        "charger-value",
        "negative minimum",
        charger(min_discharging_power=-1, max_discharging_power=None),
        column=IN_CHARGER + "min_discharging_power",
    ),
    Spoil("charger-state-unknown", "0", cell(SCHEDULE, STATE, 10, 0), SCHEDULE, STATE, 10),
    Spoil(
        *("unknown-vehicle", "typo", text(SCHEDULE, lambda x: [line.replace(VEHICLE, "Vehicel_1") for line in x])),
        *(SCHEDULE, ID, 0, (f"Did you mean {VEHICLE}?", "112 of 192 rows")),
    ),
    Spoil("two-places", "copied charger", second_charger, "charger_1_1.csv", ID, 0, (VEHICLE,)),
    Spoil(
        "other-vehicle",
        "announced",
        both(schema(add_vehicle), cell(SCHEDULE, ID, ARRIVAL_ROW, "Vehicle_2")),
        SCHEDULE,
        ID,
        START_ROW,
    ),
    Spoil(
        *("departure", "before arrival", both(cell(SCHEDULE, ARRIVES, 40, 3), cell(SCHEDULE, DEPARTURE, 40, 1))),
        *(SCHEDULE, DEPARTURE, 40),
    ),
    Spoil("departure", "negative", cell(SCHEDULE, ARRIVES, ARRIVAL_ROW, -4), SCHEDULE, ARRIVES, ARRIVAL_ROW),
    Spoil(
        "no-departure",
        "one night",
        cells(SCHEDULE, DEPARTURE, dict.fromkeys(range(START_ROW, 55), "")),
        SCHEDULE,
        DEPARTURE,
        START_ROW,
    ),
    Spoil("countdown", "jump", cell(SCHEDULE, DEPARTURE, 45, 20), SCHEDULE, DEPARTURE, 45, ("2 of 192 rows",)),
    Spoil("countdown", "leaves early", rows(SCHEDULE, lambda x: [*x[:50], *[x[10]] * 5, *x[55:]]), SCHEDULE, DEPARTURE, 49),
    Spoil("soc-range", "120%", cell(SCHEDULE, REQUIRED, 45, 120), SCHEDULE, REQUIRED, 45),
    Spoil("soc-one", "1%", cell(SCHEDULE, AT_ARRIVAL, ARRIVAL_ROW, 1), SCHEDULE, AT_ARRIVAL, ARRIVAL_ROW),
    Spoil("no-required-soc", "one hour", cell(SCHEDULE, REQUIRED, 45, ""), SCHEDULE, REQUIRED, 45),
    Spoil("no-arrival-soc", "one evening", cell(SCHEDULE, AT_ARRIVAL, ARRIVAL_ROW, ""), SCHEDULE, AT_ARRIVAL, START_ROW),
    Spoil(
        *(
            "out-of-reach",
            "one night",
            both(charger(max_charging_power=2.0, max_discharging_power=2.0), cell(SCHEDULE, AT_ARRIVAL, ARRIVAL_ROW, 5)),
        ),
        *(SCHEDULE, REQUIRED, START_ROW, ("1 of 7 sessions", "needs 30.0 kWh in 13 h", "24.7")),
    ),
    Spoil("always-out-of-reach", "weak", charger(max_charging_power=1.0), SCHEDULE, REQUIRED, 18, ("7 of 7 sessions",)),
]

APPLIANCE_SPOILS = [
    Spoil("appliance", title, lambda folder, cycle=cycle: add_appliance(folder, **cycle), "cycles.csv", column, 1)
    for title, column, cycle in (
        ("unknown profile", "profile_id", {"profile_id": "fast"}),
        ("swapped", "latest_start_time_step", {"latest_start_time_step": 29}),
        ("too late", "deadline_time_step", {"deadline_time_step": 34}),
        ("overlap", "earliest_start_time_step", {"earliest_start_time_step": 15}),
    )
]
