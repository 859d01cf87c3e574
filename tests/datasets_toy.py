"""Tiny data sets in CityLearn's old and current format, and a wheel that holds one, for the tests of data sets.

The old and the current one are written down separately: neither comes from the upgrade.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

NAME = "citylearn_challenge_2022_phase_1"
"""A name that the archive has, so that a toy can stand in for it."""

HOURS = 72


def _write(folder: Path, titles: dict[str, list[str]], description: dict[str, object], seed: int) -> Path:
    folder.mkdir(parents=True)
    hours = range(HOURS)
    series = {
        "Building_1.csv": [f"7,{h % 24 + 1},{h // 24 % 7 + 1},{(h * seed) % 11 / 7!r},0.5" for h in hours],
        "weather.csv": [f"{20 + h / 10:.2f},{20.6 + h / 10:.2f}" for h in hours],
        "carbon_intensity.csv": [f"{0.1 + h / 1000!r}" for h in hours],
        "pricing.csv": [f"0.22,0.{20 + h % 5}" for h in hours],
    }
    for name, rows in series.items():
        (folder / name).write_text("\n".join([",".join(titles[name]), *rows]) + "\n")
    (folder / "schema.json").write_text(json.dumps(description))
    return folder


def _building() -> dict[str, object]:
    return {
        "include": True,
        "energy_simulation": "Building_1.csv",
        "weather": "weather.csv",
        "carbon_intensity": "carbon_intensity.csv",
        "pricing": "pricing.csv",
        "inactive_observations": [],
        "inactive_actions": [],
        "electrical_storage": {"type": "citylearn.energy_model.Battery", "attributes": {"capacity": 6.4}},
    }


def _description(observations: dict[str, object]) -> dict[str, object]:
    return {
        "root_directory": None,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": HOURS - 1,
        "observations": observations,
        "actions": {"electrical_storage": {"active": True}},
        "buildings": {"Building_1": _building()},
    }


def write_old(folder: Path, seed: int = 1) -> Path:
    """A set as CityLearn 2.1.2 had it; ``seed`` changes its values."""
    titles = {
        "Building_1.csv": ["Month", "Hour", "Day Type", "Equipment Electric Power [kWh]", "Solar Generation [W/kW]"],
        "weather.csv": ["Outdoor Drybulb Temperature [C]", "6h Prediction Outdoor Drybulb Temperature [C]"],
        "carbon_intensity.csv": ["kg_CO2/kWh"],
        "pricing.csv": ["Electricity Pricing [$/kWh]", "24h Prediction Electricity Pricing [$/kWh]"],
    }
    observations: dict[str, object] = {
        "hour": {"active": True, "shared_in_central_agent": True},
        "outdoor_dry_bulb_temperature_predicted_6h": {"active": True, "shared_in_central_agent": True},
        "electricity_pricing_predicted_24h": {"active": True, "shared_in_central_agent": False},
    }
    return _write(folder, titles, _description(observations), seed)


def write_current(folder: Path, seed: int = 1) -> Path:
    """A set as CityLearn 3.0.2 reads it; ``seed`` changes its values."""
    titles = {
        "Building_1.csv": ["month", "hour", "day_type", "non_shiftable_load", "solar_generation"],
        "weather.csv": ["outdoor_dry_bulb_temperature", "outdoor_dry_bulb_temperature_predicted_1"],
        "carbon_intensity.csv": ["carbon_intensity"],
        "pricing.csv": ["electricity_pricing", "electricity_pricing_predicted_3"],
    }
    observations: dict[str, object] = {
        "hour": {"active": True, "shared_in_central_agent": True},
        "outdoor_dry_bulb_temperature_predicted_1": {"active": True, "shared_in_central_agent": True},
        "electricity_pricing_predicted_3": {"active": True, "shared_in_central_agent": True},
        "hvac_mode": {"active": False, "shared_in_central_agent": False},
        "comfort_band": {"active": False, "shared_in_central_agent": False},
    }
    description = {"random_seed": 2022, **_description(observations)}
    return _write(folder, titles, description, seed)


def write_wheel(folder: Path, old: Path, name: str = NAME, extra: dict[str, str] | None = None) -> Path:
    """A wheel that pip takes for ``citylearn==2.1.2``, holding ``old`` under ``name`` and any ``extra`` members."""
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / "citylearn-2.1.2-py3-none-any.whl"
    info = "citylearn-2.1.2.dist-info"
    members = {f"citylearn/data/{name}/{path.name}": path.read_text() for path in sorted(old.iterdir())}
    members |= extra or {}
    members |= {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: citylearn\nVersion: 2.1.2\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return wheel
