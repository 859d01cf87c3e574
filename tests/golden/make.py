"""Write the golden KPIs anew, by CityLearn's own engine: ``python -m tests.golden.make`` beside the official data sets.

What is written here is what a version of CityLearn, numpy and the data came to; tests hold the fast engine to it. A new file
is a statement that results were meant to change: say why in the commit.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rllib_citylearn.datasets import folder_sha256
from rllib_citylearn.evaluation import BaselineSpec, evaluate
from rllib_citylearn.files import write_text

HERE = Path(__file__).parent
DATASETS = HERE.parents[2] / "shared" / "datasets"


@dataclass(frozen=True)
class Case:
    """One evaluation.

    Attributes:
        name: of its file.
        data: name of the data set.
        policy: of a baseline.
        buildings: names; None for all.
        window: first and last time step.
        seed: CityLearn's.
    """

    name: str
    data: str
    policy: str
    buildings: tuple[str, ...] | None
    window: tuple[int, int]
    seed: int


_2022, _EVS, _2023 = (
    "citylearn_challenge_2022_phase_all",
    "citylearn_challenge_2022_phase_all_plus_evs",
    "citylearn_challenge_2023_phase_1",
)
CASES = (
    Case("2022-net-zero", _2022, "net-zero", ("Building_2", "Building_5", "Building_17"), (1200, 1970), 2022),
    Case("2022-optimized-rbc", _2022, "optimized-rbc", ("Building_2", "Building_5", "Building_17"), (1200, 1970), 7),
    Case("2022-bau", _2022, "bau", None, (0, 240), 2022),
    Case("evs-bau", _EVS, "bau", ("Building_1", "Building_4", "Building_15"), (0, 360), 2022),
    Case("evs-plug-in", _EVS, "plug-in", ("Building_1", "Building_4", "Building_15"), (0, 360), 2022),
    Case("2023-no-control", _2023, "no-control", None, (0, 240), 2023),
)


def kpis_of(case: Case, engine: str, folder: Path) -> dict[str, Any]:
    """What an evaluation says that a golden file holds."""
    (result,) = evaluate(
        [BaselineSpec(case.policy)], folder, engine=engine, buildings=case.buildings, window=case.window, seed=case.seed
    )
    return {
        "score": result.score.score,
        "index5": result.score.index5,
        "district": result.kpis,
        "buildings": result.building_kpis,
        "totals": result.totals.to_dict(),
        "ev": result.ev,
    }


def main() -> None:
    """Write every file."""
    from tests.ev_data import without_washing_machines

    with tempfile.TemporaryDirectory() as temporary:
        for case in CASES:
            folder = DATASETS / case.data
            if case.data == _EVS:
                folder = Path(temporary) / case.name
                folder.mkdir()
                without_washing_machines(DATASETS, folder)
            content = {
                "made_by": "python -m tests.golden.make",
                "engine": "citylearn",
                "versions": {name: version(name) for name in ("citylearn", "numpy")},
                "data_sha256": folder_sha256(DATASETS / case.data),
                "case": asdict(case),
                "result": kpis_of(case, "citylearn", folder),
            }
            write_text(HERE / f"{case.name}.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
            print(case.name, content["result"]["score"], file=sys.stderr)


def differences(found: Any, golden: Any, tolerance: float, where: str = "") -> list[str]:
    """Where two results differ by more than ``tolerance``, relative or absolute, in words."""
    if isinstance(golden, dict) and isinstance(found, dict):
        if found.keys() != golden.keys():
            return [f"{where}: {sorted(found.keys() ^ golden.keys())}"]
        return [line for key in golden for line in differences(found[key], golden[key], tolerance, f"{where}/{key}")]
    if isinstance(golden, float) and isinstance(found, (int, float)):
        close = math.isclose(found, golden, rel_tol=tolerance, abs_tol=tolerance)
        return [] if close else [f"{where}: {found} instead of {golden}"]
    return [] if found == golden else [f"{where}: {found} instead of {golden}"]


if __name__ == "__main__":
    main()
