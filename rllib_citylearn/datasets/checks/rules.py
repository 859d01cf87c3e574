"""The table of rules: the findings' levels, the documentation page and the tests come from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """One kind of finding.

    Attributes:
        name: what findings call it.
        level: of its findings.
        finds: what it finds, without a full stop.
    """

    name: str
    level: Level
    finds: str


def _error(name: str, finds: str) -> Rule:
    return Rule(name, "error", finds)


def _warning(name: str, finds: str) -> Rule:
    return Rule(name, "warning", finds)


_TABLE = (
    # the schema
    _error("no-schema", "no `schema.json`, or one that is not a CityLearn schema"),
    _error("old-format", "a schema in CityLearn 2.x's format; nothing else is checked then"),
    _error("structure", "an entry of the schema that is missing or of the wrong kind"),
    _warning("no-seed", "a schema without `random_seed`, from which CityLearn draws what the schema leaves out"),
    _warning("unknown-key", "an entry of a building whose name is nearly one that CityLearn knows"),
    _error("missing-file", "a file that the schema names, or has to name, and that is not there"),
    _error("unknown-observation", "an active observation that CityLearn does not know"),
    _error("unknown-action", "an active action that CityLearn does not know"),
    _warning("unknown-inactive", "an unknown name among the inactive observations and actions"),
    # files
    _error("unreadable", "a CSV or Parquet file that can't be read"),
    _error("row-length", "rows with more or fewer values than titles"),
    _error("duplicate-column", "two columns of the same name"),
    _error("missing-column", "a column that CityLearn needs, with the nearest one that is there"),
    _error("unknown-column", "a column that CityLearn does not know, which it refuses, with the nearest right name"),
    _error("too-short", "a series that ends before the schema's last time step"),
    _warning("unequal-lengths", "series of different lengths"),
    # values
    _error("not-a-number", "text where numbers are expected"),
    _error("missing-value", "missing values (NaN) in a series that is used"),
    _error("infinite", "infinite values"),
    _error("negative", "negative loads, demands, generation or irradiance"),
    _error("out-of-range", "values outside what is physically or by definition possible"),
    _warning("humidity", "a relative humidity above 100%"),
    _warning("negative-price", "negative prices"),
    _warning("constant", "a series that never changes though it should"),
    _warning("dropout", "single zeros in a series that is never near zero otherwise, as meters give when they fail"),
    _error("heat-and-cold", "cooling and heating demand in the same time step"),
    _error("time-step", "hours that advance by another step than the schema's `seconds_per_time_step`"),
    _warning("time-gap", "a time step that is missing or there twice"),
    _warning("date-order", "a weekday or month that does not follow the one before"),
    _warning("two-midnights", "hours counted both from 0 and to 24"),
    _warning("calendars-differ", "buildings whose calendars are not the same"),
    # units
    _error("unit-temperature", "temperatures in kelvin or degrees Fahrenheit instead of degrees Celsius"),
    _error("unit-irradiance", "irradiance in kW/m2 instead of W/m2"),
    _warning("unit-humidity", "relative humidity as a share instead of in percent"),
    _error("unit-pv", "generation that can't be in W for each kW of photovoltaics (kW, or the whole array's)"),
    _warning("weak-pv", "generation far below what photovoltaics give anywhere"),
    _warning("unit-load", "loads or demands that look like Wh or MWh instead of kWh"),
    _error("unit-carbon", "carbon intensity that can't be in kg/kWh (grams or tonnes)"),
    _warning("unit-price", "prices that look like currency per MWh instead of per kWh"),
    _warning("unit-device", "a battery or a device a thousand times too large or too small for its building"),
    _error("unit-charger", "a charger or a vehicle whose power or capacity looks like W or Wh"),
    # devices
    _error("device-value", "a negative size, an efficiency outside (0, 1], a share outside [0, 1]"),
    _error("device-type", "a building, device or charger of a class that CityLearn does not have, or not for this"),
    _error("demand-without-device", "a cooling, heating or hot-water demand that the building's device can't meet"),
    _error("battery-missing", "an active battery action in a building without a battery, which CityLearn refuses"),
    _warning("action-idle", "an active action for a device that a building does not have"),
    # vehicles
    _error("charger-value", "a charger without power, with a minimum above its maximum, or an impossible efficiency"),
    _error("charger-state", "a charger's state that is no whole number in every row"),
    _warning("charger-state-unknown", "a charger's state that is none of 1 (connected), 2 (arriving) and 3 (away)"),
    _error("unknown-vehicle", "a vehicle that the schema does not define, or a connection without a vehicle"),
    _error("two-places", "a vehicle connected to two chargers at once"),
    _error("other-vehicle", "a vehicle that arrives where another one was announced, which CityLearn refuses"),
    _error("departure", "a departure before the arrival, or a negative time to either"),
    _warning("no-departure", "a connected vehicle without a departure time"),
    _warning("countdown", "times to departure that don't count down, or not to the departure"),
    _error("soc-range", "a required or expected state of charge outside 0 to 100%"),
    _warning("soc-one", "a state of charge of 1 among percentages, which CityLearn reads as 100%"),
    _warning("no-required-soc", "a connected vehicle without a required state of charge"),
    _warning("no-arrival-soc", "an arrival without a state of charge"),
    _warning("out-of-reach", "a required charge that can't be reached until the departure"),
    _error("always-out-of-reach", "a charger at which more than half of the required charges can't be reached"),
    # appliances
    _error("appliance", "a deferrable appliance's cycle with an unknown profile or an impossible time window"),
)

RULES: Mapping[str, Rule] = {rule.name: rule for rule in _TABLE}
"""Every rule by name, in the order of the documentation."""


def rules_table() -> str:
    """The rules as a Markdown table."""
    lines = ["| rule | level | finds |", "|---|---|---|"]
    lines += [f"| `{rule.name}` | {rule.level} | {rule.finds} |" for rule in RULES.values()]
    return "\n".join(lines)
