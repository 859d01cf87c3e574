"""Spoils of the schema and of the files as such."""

from __future__ import annotations

from tests.datasets_sound import HOURS
from tests.spoils.changes import (
    B1,
    ID,
    INACTIVE,
    SCHEDULE,
    SCHEMA,
    Spoil,
    both,
    building,
    renamed,
    rows,
    schema,
    text,
)

SCHEMA_SPOILS = [
    Spoil("no-schema", "deleted", lambda folder: (folder / SCHEMA).unlink()),
    Spoil("no-schema", "garbled", lambda folder: (folder / SCHEMA).write_text("{")),
    Spoil("no-schema", "binary", lambda folder: (folder / SCHEMA).write_bytes(b"\xff\xfe")),
    Spoil(
        "old-format", "washing machine", building(lambda b: b.update(washing_machines={"w": {}})), says=("washing_machines",)
    ),
    Spoil("structure", "no end", schema(lambda d: d.pop("simulation_end_time_step")), column="simulation_end_time_step"),
    Spoil("no-seed", "none", schema(lambda d: d.pop("random_seed")), column="random_seed"),
    Spoil(
        *("unknown-key", "typo", building(renamed("inactive_actions", "inactive_action")), SCHEMA),
        *("buildings.Building_1.inactive_action", None, ("Did you mean inactive_actions?",)),
    ),
    Spoil("missing-file", "gone", lambda f: (f / B1).unlink(), column="buildings.Building_1.energy_simulation", says=(B1,)),
    Spoil(
        "missing-file",
        "a list",
        building(lambda b: b.update(pricing=["pricing.csv"])),
        column="buildings.Building_1.pricing",
    ),
    Spoil("missing-file", "unnamed", building(lambda b: b.update(weather=None)), column="buildings.Building_1.weather"),
    Spoil(
        *(
            "unknown-observation",
            "typo",
            schema(lambda d: d["observations"].update(solar_genration={"active": True})),
            SCHEMA,
        ),
        *("observations.solar_genration", None, ("Did you mean solar_generation?",)),
    ),
    Spoil(
        *("unknown-action", "typo", schema(lambda d: renamed("dhw_storage", "dhw_storge")(d["actions"])), SCHEMA),
        *("actions.dhw_storge", None, ("Did you mean dhw_storage?",)),
    ),
    Spoil(
        *("unknown-inactive", "typo", building(lambda b: b.update(inactive_actions=["dhw_storag"])), SCHEMA, INACTIVE),
        *(None, ("Did you mean dhw_storage?",)),
    ),
]

FILE_SPOILS = [
    Spoil("unreadable", "binary", lambda folder: (folder / "pricing.csv").write_bytes(b"\xff\xfe\x00\x80"), "pricing.csv"),
    Spoil("unreadable", "zero bytes", lambda folder: (folder / "pricing.csv").write_bytes(b"a\0b\n1\n"), "pricing.csv"),
    Spoil("unreadable", "empty", lambda folder: (folder / "pricing.csv").write_text(""), "pricing.csv", says=("empty",)),
    Spoil("unreadable", "open quote", text("pricing.csv", lambda lines: ['"', *lines]), "pricing.csv"),
    Spoil(
        *(
            "unreadable",
            "no Parquet",
            both(building(lambda b: b.update(weather="w.parquet")), lambda f: (f / "w.parquet").write_text("no")),
        ),
        *("w.parquet", None, None, ("Parquet",)),
    ),
    Spoil("row-length", "longer", text(B1, lambda x: [*x[:8], x[8] + ",1", *x[9:]]), B1, None, 7, ("don't have 10 values",)),
    Spoil("row-length", "shorter", text(B1, lambda x: [*x[:8], "1,2", *x[9:]]), B1, None, 7, ("with 2",)),
    Spoil(
        "duplicate-column",
        "twice",
        text("pricing.csv", lambda x: [x[0] + ",electricity_pricing", *(r + ",0" for r in x[1:])]),
        "pricing.csv",
    ),
    Spoil(
        "missing-column", "no hour", rows(B1, lambda x: [{k: v for k, v in r.items() if k != "hour"} for r in x]), B1, "hour"
    ),
    Spoil(
        "missing-column",
        "charger",
        rows(SCHEDULE, lambda x: [{k: v for k, v in r.items() if k != ID} for r in x]),
        SCHEDULE,
        ID,
    ),
    Spoil("unknown-column", "extra", rows(B1, lambda x: [{**r, "remark": 1} for r in x]), B1, "remark"),
    Spoil("too-short", "cut", rows("weather.csv", lambda x: x[:-2]), "weather.csv", None, HOURS - 2, (f"0 to {HOURS - 1}",)),
    Spoil("unequal-lengths", "longer", rows("weather.csv", lambda x: [*x, x[0]]), column="simulation_end_time_step"),
]
