"""How much memory a comparison takes: what one evaluation leaves behind, and a comparison of many with its report.

    python benchmarks/comparison_memory.py --buildings 1000 --contenders 10

Prints JSON. One controller (``net-zero``) runs through a made-up community in a process of its own, as ``compare`` runs
them; ``simulation_peak_gb`` is that process's peak, with CityLearn's environment (``citylearn_env_gb``) and the engine's
tables. Its evaluation comes to this process as often as there are contenders, under as many names; they are compared and a
report is written. ``comparison_peak_gb`` is this process's peak after that, ``evaluation_mb`` the size of one evaluation,
and ``trajectory_mb`` what it would be with the whole trajectory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import pickle
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

LIMIT_GB = 3.0
"""What comparing ten contenders on 1,000 buildings over a year may take beside the simulations."""


def simulate(folder: Path) -> tuple[bytes, dict[str, float]]:
    """Run one controller in a process of its own: its pickled evaluation, and what that took."""
    from rllib_citylearn.env.citylearn_env import make_citylearn_env
    from rllib_citylearn.evaluation import BaselineSpec, evaluate

    env = make_citylearn_env(folder)
    env_gb = peak_gb()
    del env
    (result,) = evaluate([BaselineSpec("net-zero")], folder, processes=1)
    whole_mb, slim = len(pickle.dumps(result, protocol=5)) / 2**20, pickle.dumps(replace(result, kept=None), protocol=5)
    return slim, {"citylearn_env_gb": env_gb, "simulation_peak_gb": peak_gb(), "trajectory_mb": whole_mb}


def peak_gb() -> float:
    """Most memory this process has had, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(buildings: int, days: int, contenders: int) -> dict[str, Any]:
    """Compare as many contenders on one community.

    Args:
        buildings, days: of the community, a third of whose homes have vehicles.
        contenders: how many evaluations are held at once.
    """
    from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
    from rllib_citylearn.evaluation import Comparison, write_report

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        context = multiprocessing.get_context("spawn")
        spec = SyntheticSpec(buildings=buildings, days=days, seed=1, vehicle_share=0.3)
        with ProcessPoolExecutor(1, context) as pool:
            pool.submit(make_community, spec, data).result()
            content, taken = pool.submit(simulate, data).result()
        names = ["net-zero", *(f"policy-{k}" for k in range(1, contenders))]
        evaluations = [replace(pickle.loads(content), policy=name) for name in names]
        comparison = Comparison.of(evaluations)
        held_gb = peak_gb()
        write_report(Path(folder) / "report", comparison, command="benchmark", data={"name": "made up"})
    return {
        "buildings": buildings,
        "days": days,
        "contenders": contenders,
        "evaluation_mb": round(len(content) / 2**20, 2),
        **{name: round(value, 2) for name, value in taken.items()},
        "held_peak_gb": round(held_gb, 2),
        "comparison_peak_gb": round(peak_gb(), 2),
        "limit_gb": LIMIT_GB,
        "within_limit": peak_gb() <= LIMIT_GB,
    }


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description="Measure how much memory a comparison takes.")
    parser.add_argument("--buildings", type=int, default=100, help="how many (default: %(default)s)")
    parser.add_argument("--days", type=int, default=365, help="length of the data (default: %(default)s)")
    parser.add_argument("--contenders", type=int, default=10, help="how many (default: %(default)s)")
    args = parser.parse_args()
    print(json.dumps(measure(args.buildings, args.days, args.contenders), indent=2))


if __name__ == "__main__":
    main()
