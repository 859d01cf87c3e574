"""CityLearn 2.x's washing machines as CityLearn 3's deferrable appliances.

A washing machine was a table with a row a time step: the window that is open (first and last time step at which a cycle may
start) and the cycle's energy, kWh a time step. One cycle ran a window, if it was asked for while the window was open. An
appliance is the same as two short tables: the cycles' profiles, and for each cycle when it may start and has to be done.
``docs/decisions/0006-washing-machines.md`` says what is kept and what changes.
"""

from __future__ import annotations

import ast
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path, PurePosixPath
from typing import Any

_COLUMNS = ("wm_start_time_step", "wm_end_time_step", "load_profile")
_CLOSED = -1
_MACHINES, _APPLIANCES = "washing_machines", "deferrable_appliances"
_NAMES: Mapping[str, tuple[str, ...]] = {
    "washing_machine": ("deferrable_appliance",),
    "washing_machine_start_time_step": (
        "deferrable_appliance_pending",
        "deferrable_appliance_running",
        "deferrable_appliance_can_start",
        "deferrable_appliance_earliest_start_time_step",
    ),
    "washing_machine_end_time_step": (
        "deferrable_appliance_latest_start_time_step",
        "deferrable_appliance_hours_until_latest_start",
    ),
    "washing_machine_load_profile": (
        "deferrable_appliance_cycle_duration_steps",
        "deferrable_appliance_cycle_energy_kwh",
        "deferrable_appliance_cycle_peak_power_kw",
    ),
}
"""What each action and observation of a machine is called now; others of theirs have no counterpart."""

ALWAYS_WANTED = 1.0
"""Priority of every cycle: 2.x knew none."""


@dataclass(frozen=True)
class Cycle:
    """One run that is asked for.

    Attributes:
        earliest, latest: first and last time step at which it may start.
        energy_kwh: what it draws, a value a time step.
    """

    earliest: int
    latest: int
    energy_kwh: tuple[float, ...]

    @property
    def deadline(self) -> int:
        """Time step in which it is done if it starts as late as it may."""
        return self.latest + len(self.energy_kwh) - 1


class _UnfaithfulError(Exception):
    """A machine that no appliance can stand for; the message says why."""


def has_washing_machines(description: Mapping[str, Any]) -> bool:
    """Whether a schema mentions washing machines as CityLearn 2.x described them."""
    names = [*description.get("observations", {}), *description.get("actions", {})]
    buildings = description["buildings"].values()
    return any(_is_of_machine(name) for name in names) or any(building.get(_MACHINES) for building in buildings)


def _is_of_machine(name: str) -> bool:
    """Whether an observation or action is a washing machine's."""
    return name == "washing_machine" or name.startswith("washing_machine_")


def machine_files(description: Mapping[str, Any]) -> set[str]:
    """Names of the files that describe washing machines in CityLearn 2.x's format."""
    return {
        str(machine.get("washing_machine_energy_simulation"))
        for building in description["buildings"].values()
        for machine in (building.get(_MACHINES) or {}).values()
    }


def upgrade_washing_machines(
    description: Mapping[str, Any], folder: Path
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """A schema whose washing machines are deferrable appliances.

    Args:
        description: a schema; it is not changed.
        folder: where its files are.

    Returns:
        the new schema; the content of the files it needs, by name; and a sentence for each machine that had to be left out.
    """
    files: dict[str, str] = {}
    left_out: list[str] = []
    buildings = {}
    for name, building in description["buildings"].items():
        machines = building.get(_MACHINES) or {}
        appliances = dict(building.get(_APPLIANCES) or {})
        for machine, settings in machines.items():
            try:
                appliances[machine] = _appliance(settings, folder, files)
            except _UnfaithfulError as reason:
                left_out.append(
                    f"{machine} of {name} is left out of the upgraded data set: {reason}, which no deferrable appliance of "
                    "CityLearn 3.0.2 can stand for."
                )
        kept = {key: value for key, value in building.items() if key not in (_MACHINES, _APPLIANCES)}
        for key in ("inactive_observations", "inactive_actions"):
            if kept.get(key):
                kept[key] = [new for old in kept[key] for new in (_NAMES.get(old, ()) if _is_of_machine(old) else (old,))]
        buildings[name] = kept | ({_APPLIANCES: appliances} if appliances else {})
    used = any(_APPLIANCES in building for building in buildings.values())
    new = {**description, "buildings": buildings}
    for key in ("observations", "actions"):
        new[key] = dict(_renamed(description.get(key, {}), keep=used))
    return new, files, left_out


def _renamed(settings: Mapping[str, Any], *, keep: bool) -> Iterator[tuple[str, Any]]:
    for old, value in settings.items():
        if not _is_of_machine(old):
            yield old, value
        elif keep:
            known = {key: value[key] for key in ("active", "shared_in_central_agent") if key in value}
            yield from ((new, dict(known)) for new in _NAMES.get(old, ()))


def _appliance(settings: Mapping[str, Any], folder: Path, files: dict[str, str]) -> dict[str, Any]:
    """A machine's entry as an appliance's; what it refers to is added to ``files``."""
    source = str(settings.get("washing_machine_energy_simulation"))
    try:
        text = (folder / source).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _UnfaithfulError(f"its file {source} can't be read ({error})") from error
    cycles = list(read_cycles(text))
    _refuse_overlaps(cycles)
    stem = PurePosixPath(source).stem
    profiles, schedule = f"{stem}_cycle_profiles.csv", f"{stem}_flexibility_schedule.csv"
    files[profiles], files[schedule] = _tables(cycles)
    return {
        "type": "citylearn.energy_model.DeferrableAppliance",
        "autosize": False,
        "cycle_profiles_file": profiles,
        "flexibility_schedule_file": schedule,
    }


def read_cycles(text: str) -> Iterator[Cycle]:
    """The cycles of a washing machine's file, in order of time.

    Args:
        text: the file's content.
    """
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows or not set(_COLUMNS) <= set(rows[0]):
        raise _UnfaithfulError(f"its file lacks one of the columns {', '.join(_COLUMNS)}")
    windows = [(_step(row["wm_start_time_step"]), _step(row["wm_end_time_step"])) for row in rows]
    # 2.x allowed one cycle for each stretch of rows with the same window, at any row within it.
    for (first, last), stretch in groupby(range(len(rows)), key=lambda t: windows[t]):
        open_at = [t for t in stretch if first <= t <= last]
        if _CLOSED in (first, last) or not open_at:
            continue
        profiles = {_profile(rows[t]["load_profile"]) for t in open_at}
        if len(profiles) > 1:
            raise _UnfaithfulError(f"what its cycle draws depends on when it starts (time steps {first} to {last})")
        (energy,) = profiles
        if energy:
            yield Cycle(open_at[0], open_at[-1], energy)


def _step(cell: str) -> int:
    try:
        number = float(cell or "nan")
    except ValueError as error:
        raise _UnfaithfulError(f"its file has {cell!r} for a time step") from error
    return _CLOSED if math.isnan(number) else int(number)


def _profile(cell: str) -> tuple[float, ...]:
    """A list of energies, kWh; empty where there is none, which in 2.x started nothing."""
    try:
        values = ast.literal_eval(cell.strip() or "[]")
        energy = tuple(float(value) for value in values)
    except (ValueError, SyntaxError, TypeError) as error:
        raise _UnfaithfulError(f"its file has the load profile {cell!r}, which is no list of numbers") from error
    if any(not math.isfinite(value) or value < 0.0 for value in energy):
        raise _UnfaithfulError(f"its file has the load profile {cell!r} with values that are negative or no numbers")
    return energy


def _refuse_overlaps(cycles: Sequence[Cycle]) -> None:
    for before, after in pairwise(cycles):
        if after.earliest <= before.deadline:
            raise _UnfaithfulError(
                f"a cycle that starts at time step {before.latest} still runs when the next may start, at {after.earliest}"
            )


def _tables(cycles: Sequence[Cycle]) -> tuple[str, str]:
    """Profiles and schedule as CSV."""
    profile_ids: dict[tuple[float, ...], str] = {}
    for cycle in cycles:
        profile_ids.setdefault(cycle.energy_kwh, f"profile_{len(profile_ids) + 1}")
    profiles = [[name, len(kwh), math.fsum(kwh), list(kwh)] for kwh, name in profile_ids.items()]
    schedule = [
        [f"cycle_{i}", profile_ids[c.energy_kwh], c.earliest, c.latest, c.deadline, ALWAYS_WANTED, False]
        for i, c in enumerate(cycles, 1)
    ]
    windows = ["earliest_start_time_step", "latest_start_time_step", "deadline_time_step"]
    return (
        _csv([["profile_id", "duration_steps", "total_energy_kwh", "load_profile"], *profiles]),
        _csv([["cycle_id", "profile_id", *windows, "priority", "must_run"], *schedule]),
    )


def _csv(rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
