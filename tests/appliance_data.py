"""Communities with more deferrable appliances than any official set has: busy schedules, several in a building."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rllib_citylearn.env.appliance_features import QUANTITIES

OWNERS = {"Building_2": ("dish_washer", "dryer_2"), "Building_5": ("running", "pending_3", "none_left")}
"""Appliances by building; ``none_left`` has two cycles at the start of the data and no more."""


def schedule(rng: np.random.Generator, hours: int, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Profiles of one to twelve hours, and cycles that follow each other closely, some with slack after the last start."""
    lengths = [1, 2, 3, 5, 12]
    profiles: list[dict[str, Any]] = []
    for i, length in enumerate(lengths):
        energy = rng.uniform(0.0, 2.0, length).astype(np.float32)
        if i == 1:
            energy[:] = 0.0  # an appliance that draws nothing has no load factor
        total, listed = float(np.sum(energy)), energy.tolist()
        profiles.append({"profile_id": f"p{i}", "duration_steps": length, "total_energy_kwh": total, "load_profile": listed})
    cycles: list[dict[str, Any]] = []
    t = int(rng.integers(0, 4))
    while t < hours + 30 and not (name == "none_left" and len(cycles) == 2):
        i = int(rng.integers(len(lengths)))
        latest = t + int(rng.integers(0, 8))
        deadline = latest + lengths[i] - 1 + int(rng.integers(0, 3))
        cycles.append(
            {
                "cycle_id": f"c{len(cycles)}",
                "profile_id": f"p{i}",
                "earliest_start_time_step": t,
                "latest_start_time_step": latest,
                "deadline_time_step": deadline,
                "priority": round(float(rng.random()), 3),
                "must_run": bool(rng.integers(2)),
            }
        )
        t = deadline + 1 + int(rng.integers(0, 4))
    return pd.DataFrame(profiles), pd.DataFrame(cycles)


def with_appliances(source: Path, folder: Path, hours: int, seed: int = 0) -> Path:
    """Make ``folder`` the data set ``source`` with the appliances in ``OWNERS`` and all their observations.

    Args:
        source: a data set in the current format; its files are linked.
        folder: an empty folder.
        hours: how much of the data gets cycles.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    schema = json.loads((source / "schema.json").read_text())
    for file in source.iterdir():
        if file.name != "schema.json":
            (folder / file.name).symlink_to(file)
    for building, names in OWNERS.items():
        appliances: dict[str, Any] = {}
        for i, name in enumerate(names):
            files = {kind: f"{building}_{name}_{kind}.csv" for kind in ("profiles", "schedule")}
            for kind, table in zip(files.values(), schedule(rng, hours, name), strict=True):
                table.to_csv(folder / kind, index=False)
            appliances[name] = {
                "type": "citylearn.energy_model.DeferrableAppliance",
                "cycle_profiles_file": files["profiles"],
                "flexibility_schedule_file": files["schedule"],
                "attributes": {"trigger_threshold": (0.5, 0.0, 1.0)[i]},
            }
        schema["buildings"][building]["deferrable_appliances"] = appliances
    shown = {"active": True, "shared_in_central_agent": False}
    schema["observations"] |= {f"deferrable_appliance_{quantity}": shown for quantity in QUANTITIES}
    schema["actions"]["deferrable_appliance"] = {"active": True}
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder
