"""A data set's description as text for terminals of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

WIDTH = 100
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "holiday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_TANKS = {"cooling": "cold", "heating": "heat", "dhw": "dhw"}


def description_text(description: Mapping[str, Any]) -> str:
    """Several paragraphs: what it is, buildings, series, vehicles, observations and actions.

    Args:
        description: from ``describe_dataset``.
    """
    parts = [_head(description), _buildings(description["buildings"]), _series(description["statistics"])]
    if description["vehicles"]:
        parts.append(_vehicles(description["vehicles"]))
    parts += [
        _list(_counted(len(description[f"{group}s"]), group), description[f"{group}s"])
        for group in ("observation", "action")
    ]
    if description["gaps"]:
        parts.append("\n".join(["gaps", *(_wrapped(gap) for gap in description["gaps"])]))
    return "\n\n".join(parts)


def _head(description: Mapping[str, Any]) -> str:
    span, findings, engine = description["span"], description["findings"], description["engine"]
    first = [_named(_DAYS, span["first_day_type"]), _named(_MONTHS, span["first_month"])]
    begins = f", from a {first[0]} in {first[1]}" if None not in first else ""
    step = span["seconds_per_time_step"]
    each = "1 h" if step == 3600 else f"{step / 60:g} min"
    lines = [
        description["name"],
        f"  folder  {description['folder']}",
        f"  sha256  {description['sha256']}",
        f"  span    {span['time_steps']:,} time steps of {each}, {_number(span['days'])} days{begins}",
        f"  check   {_counted(findings['error'], 'error')}, {_counted(findings['warning'], 'warning')}",
        f"  engine  {engine['runs_on'] or 'none'}",
    ]
    if engine["reason"]:
        lines.append(_wrapped(engine["reason"], "          "))
    return "\n".join(lines)


def _named(names: Sequence[str], number: int | None) -> str | None:
    return names[number - 1] if number is not None and 1 <= number <= len(names) else None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _number(value: float | None) -> str:
    """Three digits that count; never an exponent."""
    if value is None:
        return "?"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value == 0 or abs(value) >= 1e-3 else f"{value:.6f}"


def _buildings(buildings: Mapping[str, Mapping[str, Any]]) -> str:
    """A line a building; columns that nothing would stand in are left out."""
    columns: tuple[tuple[str, str, Callable[[Mapping[str, Any]], str]], ...] = (
        (
            "battery",
            "kWh/kW",
            lambda b: f"{_number(b['battery']['kwh'])}/{_number(b['battery']['kw'])}" if b["battery"] else "",
        ),
        ("PV", "kW", lambda b: "" if b["pv_kw"] is None else _number(b["pv_kw"])),
        *(_device_column(use) for use in ("cooling", "heating", "dhw")),
        ("tanks", "kWh", lambda b: " ".join(f"{_TANKS[use]} {_number(kwh)}" for use, kwh in b["tanks_kwh"].items())),
        ("chargers", "kW", _chargers),
        ("", "appliances", lambda b: str(len(b["deferrable_appliances"]) or "")),
        ("", "dynamics", lambda b: (b["dynamics"] or "").removesuffix("Dynamics")),
        ("", "outages", lambda b: b["outages"] or ""),
        ("load", "MWh/a", lambda b: _number(b["load_kwh_a_year"] / 1000)),
        ("PV", "MWh/a", lambda b: _number(b["pv_kwh_a_year"] / 1000) if b["pv_kw"] else ""),
    )
    shown = [(top, unit, [cell(building) for building in buildings.values()]) for top, unit, cell in columns]
    table = [["", _counted(len(buildings), "building"), *buildings]]
    table += [[top, unit, *cells] for top, unit, cells in shown if any(cells)]
    return _aligned(table)


def _device_column(use: str) -> tuple[str, str, Callable[[Mapping[str, Any]], str]]:
    def cell(building: Mapping[str, Any]) -> str:
        device = building[use]
        if device is None:
            return ""
        kind = {"HeatPump": "HP", "ElectricHeater": "EH"}.get(device["type"], device["type"])
        return f"{kind} {_number(device['kw'])}"

    return use, "kW", cell


def _chargers(building: Mapping[str, Any]) -> str:
    """Powers; + marks chargers that can discharge vehicles too."""
    chargers = building["chargers"].values()
    return " ".join(f"{_number(charger['kw'])}{'+' if charger['v2g_kw'] else ''}" for charger in chargers)


def _aligned(columns: Sequence[Sequence[str]]) -> str:
    """Columns of cells side by side: the first to the left, the others to the right."""
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = []
    for row in zip(*columns, strict=True):
        cells = [f"{c:<{w}}" if i == 0 else f"{c:>{w}}" for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(line for line in lines if line)


def _series(statistics: Mapping[str, Mapping[str, Any]]) -> str:
    columns = [["series", *statistics], ["unit", *(s["unit"] for s in statistics.values())]]
    columns += [[key, *(_number(s[key]) for s in statistics.values())] for key in ("min", "mean", "max")]
    return _aligned(columns)


def _vehicles(vehicles: Mapping[str, Any]) -> str:
    def clock(hour: float | None) -> str:
        return "?" if hour is None else f"{int(hour * 60 + 0.5) // 60 % 24:02d}:{int(hour * 60 + 0.5) % 60:02d}"

    def percent(share: float | None) -> str:
        return "?" if share is None else f"{share:.0%}"

    text = (
        f"{_counted(vehicles['vehicles'], 'vehicle')} at {_counted(vehicles['chargers'], 'charger')}: "
        f"{vehicles['sessions']:,} sessions ({vehicles['sessions_a_day']:.1f} a day). On average they arrive at "
        f"{clock(vehicles['mean_arrival_hour'])} with {percent(vehicles['mean_arrival_soc'])}, leave at "
        f"{clock(vehicles['mean_departure_hour'])} and have to have {percent(vehicles['mean_required_soc'])} then: "
        f"{_number(vehicles['mean_needed_kwh'])} kWh in {_number(vehicles['mean_stay_h'])} h."
    )
    return "\n".join(textwrap.wrap(text, WIDTH))


def _list(title: str, names: Sequence[str]) -> str:
    return f"{title}\n{_wrapped(', '.join(_grouped(names)) or 'none')}"


def _grouped(names: Sequence[str]) -> list[str]:
    """Names without their predictions, whose number is added in brackets."""
    ahead = {name: sum(other.startswith(f"{name}_predicted_") for other in names) for name in names}
    alone = [name for name in names if name.rsplit("_predicted_", 1)[0] not in names or "_predicted_" not in name]
    return [f"{name} (+{ahead[name]} predictions)" if ahead[name] else name for name in alone]


def _wrapped(text: str, indent: str = "  ") -> str:
    return "\n".join(textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False))
