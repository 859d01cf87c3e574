"""Chargers and the schedules of the vehicles: what can't be, and what can't be met."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.datasets.checks.columns import (
    ARRIVAL,
    ARRIVAL_SOC,
    CHARGER_COLUMNS,
    CURRENT_SOC,
    DEPARTURE,
    REQUIRED_SOC,
    SESSION,
    STATE,
    VEHICLE,
)
from rllib_citylearn.datasets.checks.dataset import Dataset, number
from rllib_citylearn.datasets.checks.devices import check_class, check_values
from rllib_citylearn.datasets.checks.finding import Findings
from rllib_citylearn.datasets.checks.series import check_titles
from rllib_citylearn.datasets.checks.sessions import (
    ARRIVING,
    AWAY,
    CONNECTED,
    DEFAULT_POWER_KW,
    Schedule,
    Session,
    read_schedules,
)
from rllib_citylearn.datasets.names import suggestion

_POWER_KW, _CAPACITY_KWH = 1000.0, (1.0, 2000.0)
_NONE = (-1.0, -0.1)
_SLACK_KWH = 0.01


def check_vehicles(data: Dataset) -> None:
    """Every charger and its schedule; vehicles at two chargers at once."""
    for (building, charger), entry in data.chargers().items():
        where = f"buildings.{building}.chargers.{charger}"
        check_class(entry.get("type"), f"{where}.type", "citylearn.electric_vehicle_charger", ("Charger",), data.findings)
        table = data.table(entry.get("charger_simulation"))
        if table is not None:
            check_titles(table, (*CHARGER_COLUMNS, SESSION, CURRENT_SOC), CHARGER_COLUMNS, data.findings, others=True)
    schedules = read_schedules(data)
    seen: set[str] = set()
    for schedule in schedules:
        _check_charger(schedule, data.findings)
        if schedule.table.file not in seen:
            seen.add(schedule.table.file)
            _Check(data, schedule).run()
        _check_reach(data, schedule)
    _check_capacities(data)
    _check_two_places(data, schedules)


def _check_charger(schedule: Schedule, findings: Findings) -> None:
    where = f"buildings.{schedule.building}.chargers.{schedule.charger}.attributes"
    attributes = schedule.attributes
    check_values({k: v for k, v in attributes.items() if k.endswith("_curve")}, where, findings)
    if not schedule.power_kw > 0:
        message = f"it is {attributes.get('max_charging_power')!r} kW: no vehicle is ever charged. Give its power."
        findings.add("charger-value", message, column=f"{where}.max_charging_power")
    efficiency = number(attributes.get("efficiency"))
    if efficiency is not None and not 0 < efficiency <= 1:
        message = f"it is {efficiency:g}; expected more than 0 and at most 1. Mend it."
        findings.add("charger-value", message, column=f"{where}.efficiency")
    for way in ("charging", "discharging"):
        least, most = (number(attributes.get(f"{end}_{way}_power")) for end in ("min", "max"))
        if most is not None and most > _POWER_KW:
            message = f"it is {most:g} kW. Expected at most 350 for cars; this looks like W. Divide by 1000."
            findings.add("unit-charger", message, column=f"{where}.max_{way}_power")
        if not 0 <= (least or 0.0) <= (DEFAULT_POWER_KW if most is None else most):
            bounds = " to ".join("CityLearn's own" if x is None else f"{x:g}" for x in (least, most))
            message = f"it is {bounds} kW, lowest to highest. Expected 0 or more, and the second no less. Mend it."
            findings.add("charger-value", message, column=f"{where}.min_{way}_power")


def _check_capacities(data: Dataset) -> None:
    for name, attributes in data.vehicles().items():
        capacity = number(attributes.get("capacity"))
        if capacity is not None and capacity > 0 and not _CAPACITY_KWH[0] <= capacity <= _CAPACITY_KWH[1]:
            unit = "Wh" if capacity > _CAPACITY_KWH[1] else "MWh"
            message = f"it is {capacity:g} kWh. Expected 10 to 150 for cars; this looks like {unit}. Convert it."
            data.findings.add("unit-charger", message, column=f"electric_vehicles_def.{name}.battery.attributes.capacity")


class _Check:
    """The rules of one schedule."""

    def __init__(self, data: Dataset, schedule: Schedule) -> None:
        self.data, self.schedule, self.table = data, schedule, schedule.table

    def run(self) -> None:
        self._states()
        self._vehicles()
        self._times()
        self._charges()

    def _add(self, rule: str, bad: Any, what: str, advice: str, column: str) -> None:
        where: dict[str, Any] = {"file": self.table.file, "column": column, "first": self.table.first}
        self.data.findings.add_rows(rule, np.asarray(bad, bool), what, advice, **where)

    def _states(self) -> None:
        state, missing = self.schedule.state, self.table.missing(STATE)
        whole = ~missing & np.isin(state, np.arange(10))
        # One gap makes the column's numbers 1.0 instead of 1, and CityLearn takes none of those for a state. A gap after the
        # span does no harm, so that only whole files are judged by it.
        is_whole_file = len(state) == self.table.length
        written_otherwise = whole.all() and is_whole_file and self.table.frame[STATE].dtype.kind == "f"
        advice = "Expected 1 (connected), 2 (arriving) or 3 (away) in every row; with one gap or 1.0, CityLearn reads none."
        self._add("charger-state", ~whole | written_otherwise, "it is not written as a whole number", advice, STATE)
        odd = whole & ~np.isin(state, (CONNECTED, ARRIVING, AWAY))
        advice = "Expected 1 (connected), 2 (arriving) or 3 (away); CityLearn takes others for away."
        self._add("charger-state-unknown", odd, "it is another number", advice, STATE)

    def _vehicles(self) -> None:
        schedule, known = self.schedule, self.data.vehicles()
        present = (schedule.state == CONNECTED) | (schedule.state == ARRIVING)
        advice = "Expected a vehicle of the schema's 'electric_vehicles_def'; name it."
        nameless = (schedule.state == CONNECTED) & (schedule.vehicles == "")
        self._add("unknown-vehicle", nameless, "no vehicle is named though one is connected", advice, VEHICLE)
        for name in sorted(set(schedule.vehicles[present].tolist()) - {"", *known}):
            there = present & (schedule.vehicles == name)
            advice = (
                f"The schema's 'electric_vehicles_def' has {_some(list(known))}.{suggestion(name, known)} Mend the name."
            )
            self._add("unknown-vehicle", there, f"it names '{name}', which the schema does not define,", advice, VEHICLE)
        before, was = np.append("", schedule.vehicles[:-1]), np.append(np.nan, schedule.state[:-1])
        other = schedule.connected & np.isin(was, (ARRIVING, AWAY)) & (before != "") & (before != schedule.vehicles)
        other &= np.isnan(schedule.current_soc)
        advice = "Expected the vehicle that the row before announces; CityLearn refuses another one."
        self._add("other-vehicle", other, "it is not the vehicle that was announced", advice, VEHICLE)

    def _times(self) -> None:
        schedule, connected = self.schedule, self.schedule.connected
        for column, times in ((DEPARTURE, schedule.departure), (ARRIVAL, schedule.arrival)):
            self._add("departure", times < 0, "it is negative", "Expected time steps from now; mend it.", column)
        early = schedule.departure < schedule.arrival
        self._add("departure", early, "the departure is before the arrival", "Expected it after; mend it.", DEPARTURE)
        advice = "Controllers can't plan for it; give the time steps until it leaves."
        self._add(
            "no-departure", connected & np.isnan(schedule.departure), "a vehicle is connected without it", advice, DEPARTURE
        )
        goes_on = connected & np.append(False, connected[:-1]) & ~schedule.starts
        earlier = np.append(np.nan, schedule.departure[:-1])
        given = ~np.isnan(earlier) & ~np.isnan(schedule.departure)
        jumps = goes_on & given & (schedule.departure != earlier - 1)
        ends = connected & np.append(~connected[1:] | schedule.starts[1:], False)
        advice = "Expected one less in every row, down to 1 or 0 in the last; controllers rely on it."
        self._add(
            "countdown",
            jumps | (ends & (schedule.departure > 1)),
            "it does not count down to the departure",
            advice,
            DEPARTURE,
        )

    def _charges(self) -> None:
        schedule, connected = self.schedule, self.schedule.connected
        present = connected | (schedule.state == ARRIVING)
        for column in (REQUIRED_SOC, ARRIVAL_SOC, CURRENT_SOC):
            if column not in self.table.columns:
                continue
            values = np.where(present, self.table.numbers(column), np.nan)
            wrong = (values > 100) | ((values < 0) & ~np.isclose(values[:, None], _NONE).any(1))
            self._add(
                "soc-range", wrong, "it is outside 0 to 100%", "Expected percent, or shares of at most 1; mend it.", column
            )
            percent = bool((values > 1).any())
            advice = (
                "CityLearn takes values up to 1 for shares, so it reads 1% as 100%; write 1.01 or use shares throughout."
            )
            self._add("soc-one", (values == 1) & percent, "it is 1 in a column of percentages", advice, column)
        missing = connected & np.isnan(schedule.required_soc)
        self._add(
            "no-required-soc", missing, "a vehicle is connected without it", "Its departures are not judged.", REQUIRED_SOC
        )
        starts = np.flatnonzero(schedule.starts)
        unknown = np.zeros(len(connected), bool)
        unknown[[row for row in starts.tolist() if row > 0 and np.isnan(schedule.soc_at_start(row))]] = True
        advice = "CityLearn then goes on with the charge it had when it left; give it in the row before."
        self._add("no-arrival-soc", unknown, "a session begins without it", advice, ARRIVAL_SOC)


def _check_reach(data: Dataset, schedule: Schedule) -> None:
    """Sessions whose required charge is out of reach even at full power and best efficiency."""
    if schedule.power_kw <= 0:
        return
    hours = data.step_s / 3600
    vehicles = data.vehicles()
    sessions = [s for s in schedule.sessions(vehicles) if s.within and not np.isnan(s.needed_kwh)]
    short = [s for s in sessions if s.needed_kwh > _most_kwh(schedule, s, vehicles, hours) + _SLACK_KWH]
    if not short:
        return
    first = short[0]
    message = (
        f"{len(short)} of {len(sessions)} sessions can't reach their required charge; the first, of {first.vehicle} from "
        f"row {schedule.table.first + first.first}, needs {first.needed_kwh:.1f} kWh in {first.steps * hours:g} h, and "
        f"{schedule.charger} gives at most {_most_kwh(schedule, first, vehicles, hours):.1f}. Ask for less, stay longer, or "
        "give the charger more power."
    )
    rule = "always-out-of-reach" if 2 * len(short) > len(sessions) else "out-of-reach"
    row = schedule.table.first + first.first
    data.findings.add(rule, message, file=schedule.table.file, column=REQUIRED_SOC, row=row)


def _most_kwh(schedule: Schedule, session: Session, vehicles: Any, hours: float) -> float:
    """Energy that a session can bring into the battery at most."""
    limit = number(vehicles[session.vehicle].get("nominal_power"))
    power = schedule.power_kw * schedule.efficiency
    return (power if limit is None else min(power, limit)) * session.steps * hours


def _check_two_places(data: Dataset, schedules: list[Schedule]) -> None:
    """Vehicles that are connected to two chargers in the same time step."""
    rows = max((len(schedule.state) for schedule in schedules), default=0)
    taken: dict[str, tuple[npt.NDArray[np.bool_], str]] = {}
    for schedule in schedules:
        for name in sorted(set(schedule.vehicles[schedule.connected].tolist())):
            here = np.zeros(rows, bool)
            here[: len(schedule.state)] = schedule.connected & (schedule.vehicles == name)
            there, other = taken.get(name, (np.zeros(rows, bool), ""))
            advice = "Expected one place at a time; mend one of the schedules."
            data.findings.add_rows(
                "two-places",
                here & there,
                f"{name} is connected to {schedule.charger} and to {other}",
                advice,
                file=schedule.table.file,
                column=VEHICLE,
                first=schedule.table.first,
            )
            taken[name] = here | there, schedule.charger


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"
