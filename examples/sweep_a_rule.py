"""Sixteen variants of a battery rule through a year of 17 homes, all at once, in seconds.

Each home asks its battery for a share of its own net load. Which share is best for cost, carbon and grid together?

    python examples/sweep_a_rule.py
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from rllib_citylearn.env import CommunityEnvConfig, CommunityVectorEnv
from rllib_citylearn.errors import UserError


def sweep(config: CommunityEnvConfig, shares: np.ndarray) -> list[dict[str, float]]:
    """KPIs of every share over one episode, relative to no control; lower is better."""
    env = CommunityVectorEnv(config, communities=len(shares))
    columns = env.features.columns

    def physical(observations: np.ndarray, name: str) -> np.ndarray:
        """Column ``name`` in physical units, ``[E, N]``."""
        feature = env.features.feature(name)
        return feature.low + (observations[:, :, columns.index(name)] + 1.0) * (feature.high - feature.low) / 2.0

    observations = env.reset()
    power_kw = physical(observations, "electrical_storage_nominal_power")
    while True:
        net_kwh = physical(observations, "non_shiftable_load") - physical(observations, "solar_generation")
        actions = np.clip(-shares[:, None] * net_kwh / power_kw, -1.0, 1.0)
        result = env.step(actions[:, :, None])
        observations = result.observations
        if result.truncated.all():
            return [dict(result.episodes[e]) for e in range(len(shares))]


def main() -> None:
    """Print one line a share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", default="citylearn_challenge_2022_phase_all", help="a data set with batteries in all homes"
    )
    parser.add_argument("--steps", type=int, help="hours to simulate (default: all of the data)")
    args = parser.parse_args()
    shares = np.linspace(0.0, 1.5, 16)
    start = time.perf_counter()
    kpis = sweep(CommunityEnvConfig(dataset=args.data, episode_steps=args.steps), shares)
    print(f"{time.perf_counter() - start:.1f} s, reading the data included")
    print("share   score    cost  carbon  ramping  1-load factor")
    for share, kpi in zip(shares, kpis, strict=True):
        print(
            f"{share:5.1f}{kpi['score']:8.3f}{kpi['cost']:8.3f}{kpi['carbon']:8.3f}{kpi['ramping']:9.3f}"
            f"{kpi['load_factor']:15.3f}"
        )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
