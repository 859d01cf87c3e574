"""A control loop: every hour the community's measurements go to a policy server, and what comes back is set.

The community is a simulated one here; the loop would be the same at a real one. In one terminal, then in another:

    rllib-citylearn serve bundles/quick/bundle
    python examples/control_loop.py
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rllib_citylearn.client import PolicyClient
from rllib_citylearn.datasets import resolve
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.env.feature_table import table_names
from rllib_citylearn.errors import UserError
from rllib_citylearn.evaluation import district_kpis
from rllib_citylearn.evaluation.simulation import simulate

SHOWN = {
    "cost": "cost_total",
    "carbon": "carbon_emissions_total",
    "daily peak": "daily_peak_average",
    "highest peak": "all_time_peak_average",
}


def control(client: PolicyClient, env: Any) -> list[str]:
    """Control a CityLearn community to the end of its data.

    Returns:
        Of the hours without an answer, in which everything rested, the reasons.
    """
    env.reset()
    names = [building.name for building in env.buildings]
    features = [table_names(row) for row in env.observation_names]
    settings = [table_names(row) for row in env.action_names]
    reasons = []
    simulation = simulate("fast", env)
    while not simulation.done:
        measured = {
            name: dict(zip(row, values, strict=True))
            for name, row, values in zip(names, features, simulation.observe(), strict=True)
        }
        answer = client.act(measured)
        if answer.reason is not None:
            reasons.append(answer.reason)
        simulation.step(
            [[answer.actions[name][action] for action in row] for name, row in zip(names, settings, strict=True)]
        )
    simulation.finish()
    return reasons


def main() -> None:
    """Print what the policy is worth."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the policy server")
    parser.add_argument("--community", default="default", help="its name at the server")
    parser.add_argument("--token-file", help="a file of the server's bearer token")
    parser.add_argument("--data", default="citylearn_challenge_2022_phase_all", help="the data set that the policy is for")
    parser.add_argument("--hours", type=int, default=168, help="hours to simulate")
    args = parser.parse_args()
    with PolicyClient(args.url, args.community, token_file=args.token_file) as client:
        client.community()  # from here on the client knows how to rest
        env = make_citylearn_env(resolve(args.data).folder, window=(0, args.hours))
        reasons = control(client, env)
    kpis = district_kpis(env)
    print("              no control   with the policy")
    for name, kpi in SHOWN.items():
        value = kpis[kpi]
        print(f"{name:14s}{1.0:10.3f}{'      no value' if value is None else f'{value:18.3f}'}")
    print(f"{args.hours - len(reasons)} of {args.hours} hours were answered.{' ' + reasons[-1] if reasons else ''}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
