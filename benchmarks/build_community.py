"""How long it takes until a large community can be trained on: written, built by CityLearn, read by the fast engine.

    python benchmarks/build_community.py --buildings 100 --days 365

Prints JSON. ``vector_env_s`` is what a training run waits for: ``CommunityVectorEnv`` builds CityLearn's environment
(``citylearn_env_s``, measured apart before it), the feature table, the no-control reference and the engine's tables. It is
all on one thread; ``vector_env_cpu_s`` is its share of a core, less than what the clock says where others work too. Imports
and compiling the kernels, which happens once on a machine, are not in it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

LIMIT_S = 20.0
"""What a community of 100 buildings over a year may take."""


def measure(buildings: int, days: int, seed: int, steps: int) -> dict[str, Any]:
    """Build a community and step it, and say what took how long.

    Args:
        buildings, days, seed: of the synthetic community, a third of whose homes have vehicles.
        steps: hours to step afterwards, in 8 communities at once.
    """
    import numpy as np

    from rllib_citylearn.datasets.synthetic import SyntheticSpec, make_community
    from rllib_citylearn.env.citylearn_env import make_citylearn_env
    from rllib_citylearn.env.config import CommunityEnvConfig
    from rllib_citylearn.env.vector_env import CommunityVectorEnv
    from rllib_citylearn.simulator.community import load_kernels

    load_kernels()
    import_module("citylearn.citylearn")
    with tempfile.TemporaryDirectory() as folder:
        spec = SyntheticSpec(buildings=buildings, days=days, seed=seed, vehicle_share=0.3)
        made_s, _, data = _timed(lambda: make_community(spec, Path(folder) / "community"))
        citylearn_s, _, _ = _timed(lambda: make_citylearn_env(data))
        vector_s, vector_cpu_s, env = _timed(lambda: CommunityVectorEnv(CommunityEnvConfig(dataset=str(data)), 8))
        env.reset()
        actions = np.zeros((8, *env.features.action_mask.shape), np.float32)
        stepped_s, _, _ = _timed(lambda: [env.step(actions) for _ in range(steps)])
    return {
        "buildings": buildings,
        "days": days,
        "make_community_s": round(made_s, 2),
        "citylearn_env_s": round(citylearn_s, 2),
        "vector_env_s": round(vector_s, 2),
        "vector_env_cpu_s": round(vector_cpu_s, 2),
        "ratio_to_citylearn_env": round(vector_s / citylearn_s, 2),
        "community_steps_per_s": round(8 * steps / stepped_s),
        "limit_s": LIMIT_S,
        "within_limit": vector_s <= LIMIT_S,
    }


def _timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds on the clock, seconds of the processor, and the result of a call."""
    started, worked = time.perf_counter(), time.process_time()
    result = call()
    return time.perf_counter() - started, time.process_time() - worked, result


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description="Measure how long a synthetic community takes to build.")
    parser.add_argument("--buildings", type=int, default=100, help="how many (default: %(default)s)")
    parser.add_argument("--days", type=int, default=365, help="length of the data (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the community (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=200, help="hours to step afterwards (default: %(default)s)")
    args = parser.parse_args()
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[library] = "1"
    print(json.dumps(measure(args.buildings, args.days, args.seed, args.steps), indent=2))


if __name__ == "__main__":
    main()
