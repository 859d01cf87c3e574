"""The official data set with electric vehicles, in a form that CityLearn 3.0.2 reads."""

from __future__ import annotations

import json
from pathlib import Path

NAME = "citylearn_challenge_2022_phase_all_plus_evs"


def without_washing_machines(datasets: Path, folder: Path) -> Path:
    """Make ``folder`` the EV data set less its washing machines, whose format CityLearn 3 refuses.

    Args:
        datasets: folder of the official data sets.
        folder: an empty folder; the data files are linked, not copied.
    """
    source = datasets / NAME
    schema = json.loads((source / "schema.json").read_text())
    for building in schema["buildings"].values():
        building.pop("washing_machines", None)
        building["inactive_actions"] = [name for name in building.get("inactive_actions", []) if "washing" not in name]
    schema["observations"] = {name: given for name, given in schema["observations"].items() if "washing" not in name}
    schema["actions"].pop("washing_machine", None)
    for file in source.iterdir():
        if file.name != "schema.json":
            (folder / file.name).symlink_to(file)
    (folder / "schema.json").write_text(json.dumps(schema))
    return folder
