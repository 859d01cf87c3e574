"""How planning grows with the community: seconds of an hour's decision by MPC, and of perfect foresight over the data.

    python benchmarks/planning.py --buildings 10 30 100

Prints a table and JSON of made-up communities with batteries, PV, tanks and vehicles. ``mpc_ms`` is the mean of an hour's
decision, linear program and all; ``foresight_us`` is one building's one hour in one step of the gradient method. One thread.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any


def measure(buildings: int, days: int, hours: int, steps: int) -> dict[str, Any]:
    """Time both planners on one community.

    Args:
        buildings, days: of the community.
        hours: that MPC decides.
        steps: of the gradient method.
    """
    from rllib_citylearn.baselines import make_baseline
    from rllib_citylearn.baselines.planning.episode_score import EpisodeScore
    from rllib_citylearn.baselines.planning.idle_load import idle_load_kwh
    from rllib_citylearn.baselines.planning.reading import read_storages
    from rllib_citylearn.baselines.planning.year import plan_year
    from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
    from rllib_citylearn.env.citylearn_env import community_features, make_citylearn_env
    from rllib_citylearn.env.thermostats import leave_devices_to_thermostats
    from rllib_citylearn.evaluation.simulation import simulate
    from rllib_citylearn.simulator import CommunityDescription

    with tempfile.TemporaryDirectory() as folder:
        data = make_community(
            SyntheticSpec(buildings=buildings, days=days, seed=1, vehicle_share=0.3), Path(folder) / "data"
        )
        env = make_citylearn_env(data)
        env.reset()
        controller = make_baseline("mpc")
        controller.reset(env)
        simulation = simulate("fast", env)
        decided = 0.0
        for _ in range(hours):
            observed = simulation.observe()
            started = time.perf_counter()
            actions = controller.act(observed)
            decided += time.perf_counter() - started
            simulation.step(actions)
        env = make_citylearn_env(data)
        env.reset()
        leave_devices_to_thermostats(env)
        description = CommunityDescription.of(env, community_features(env))
        tables, rows = read_storages(description), description.tables.rows - 1
    idle = idle_load_kwh(description)[:rows]
    worth = EpisodeScore.of(
        idle, description.tables.price[:rows].astype(float), description.tables.carbon[:rows].astype(float)
    )
    plan_year(tables, idle, worth, steps=1)  # compiled
    started = time.perf_counter()
    plan_year(tables, idle, worth, steps=steps)
    planned = time.perf_counter() - started
    return {
        "buildings": buildings,
        "storages": len(tables),
        "mpc_ms": round(1000.0 * decided / hours, 2),
        "foresight_us": round(1e6 * planned / steps / rows / buildings, 4),
    }


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description="Measure how planning grows with the community.")
    parser.add_argument("--buildings", type=int, nargs="+", default=[10, 30, 100], help="sizes (default: %(default)s)")
    parser.add_argument("--days", type=int, default=30, help="length of the data (default: %(default)s)")
    parser.add_argument("--hours", type=int, default=72, help="that MPC decides (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=100, help="of the gradient method (default: %(default)s)")
    args = parser.parse_args()
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[library] = "1"
    cases = []
    print("buildings  storages  MPC, ms an hour  foresight, us a building-hour and step")
    for buildings in args.buildings:
        case = measure(buildings, args.days, args.hours, args.steps)
        cases.append(case)
        print("{buildings:9,}  {storages:8,}  {mpc_ms:15,.1f}  {foresight_us:38.3f}".format(**case), flush=True)
    print(json.dumps({"cases": cases}))


if __name__ == "__main__":
    main()
