"""Shipped presets, trained as a user would."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rllib_citylearn.cli.main import main

PRESETS = Path(__file__).parents[1] / "tune_configs"


def trained_report(preset: str, seed: int, data: Path, runs: Path) -> dict[str, Any]:
    """What the run's ``report.json`` says."""
    command = ["train", str(PRESETS / f"{preset}.yaml"), "--data", str(data), "--seed", str(seed)]
    assert main([*command, "--runs", str(runs), "--name", preset]) == 0
    report: dict[str, Any] = json.loads((runs / preset / "report.json").read_text())
    return report
