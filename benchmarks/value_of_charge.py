"""What a kWh more in batteries, or in vehicles that are plugged in, is worth: by simulation, and by a run's critics.

    python benchmarks/value_of_charge.py runs/NAME/best

A policy that learns through simulated hours is told by its critics what is left after the last of them. Where they find a
kWh dearer than it is, the policy hoards; where cheaper, it sells out. Prints JSON: ``simulated`` is the difference that a
tenth more charge makes to the discounted rewards of the following ``--hours``, by the same policy, over the kWh that were
given; ``critics`` the difference that it makes to each critic's value now; ``value`` what both say of the state itself, for
which hours after the last are missing in ``simulated``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from rllib_citylearn.env.config import CommunityEnvConfig
    from rllib_citylearn.modules.community_module import CommunityRLModule
    from rllib_citylearn.simulator.differentiable import State

GIVEN = 0.1
"""State of charge that is added, as far as there is room."""

RUN_IN = 41
"""Hours that the policy plays before: charge is then its own doing, and episodes are not yet over."""


def measure(
    module: CommunityRLModule,
    config: CommunityEnvConfig,
    *,
    gamma: float,
    hours: int,
    rows: int,
    seed: int,
    reward_scale: float = 1.0,
) -> dict[str, Any]:
    """Means over ``rows`` places of the data; module and config are a run's, with one community.

    Raises:
        ConfigError: no place has so many hours ahead.
    """
    import numpy as np
    import torch

    from rllib_citylearn.env.members import members
    from rllib_citylearn.env.vector_env import CommunityVectorEnv
    from rllib_citylearn.errors import ConfigError
    from rllib_citylearn.simulator.differentiable import DifferentiableCommunity
    from rllib_citylearn.simulator.differentiable.rows import StateRows

    member = members(config)[0]
    vector = CommunityVectorEnv(member.config, rows, instance=(0,), site=member.site)
    description = vector.engine.community.description  # type: ignore[attr-defined]
    community = DifferentiableCommunity(description, reward=vector.reward.tables)
    packer = StateRows(description)
    mask = torch.from_numpy(description.features.action_mask).float()
    discounts = torch.tensor([gamma**h for h in range(hours)])

    def act(observations: Tensor, state: State | None = None) -> Tensor:
        return module.act(observations, action_mask=mask)

    def simulated(state: State) -> Tensor:
        _, outcome = community.rollout(state, act, hours)
        assert outcome.rewards is not None
        return (discounts[:, None] * outcome.rewards.team).sum(0)

    def said(state: State) -> Tensor:
        values = [critic(state.observations, act(state.observations)) for critic in module.critics]
        return torch.stack([building.mean(-1) + district for building, district in values]) / reward_scale

    with torch.no_grad():
        observed = vector.reset(seed=seed)
        for _ in range(RUN_IN):
            observed = vector.step(act(torch.from_numpy(observed.copy())).numpy()).observations
        packed, seen = torch.from_numpy(packer.pack(vector)), torch.from_numpy(observed.copy())
        vector.close()
        usable = packed[:, 0] <= community.rows - 2 - hours
        if not usable.any():
            raise ConfigError(
                f"None of {rows} places has {hours} hours ahead of it in data of {community.rows}; simulate fewer (--hours)."
            )
        before = packer.unpack(packed[usable], seen[usable], hours=hours + 1, generator=torch.Generator().manual_seed(seed))
        actions = act(before.observations)

        def after_an_hour(state: State) -> State:  # in which both do the same, so that only the charge is another
            following, _ = community.rollout(state, lambda observations, state: actions, 1)
            return following

        base = after_an_hour(before)
        plugged = torch.zeros_like(before.vehicle_soc, dtype=torch.bool)
        connected = description.tables.presence.connected[before.row.numpy()]
        for e, charger in zip(*np.nonzero(connected >= 0), strict=True):
            plugged[e, connected[e, charger]] = True
        more = {
            "batteries": replace(before, battery_soc=(before.battery_soc + GIVEN).clamp(max=1.0)),
            "vehicles": replace(
                before,
                vehicle_soc=torch.where(plugged, (before.vehicle_soc + GIVEN).clamp(max=1.0), before.vehicle_soc),
            ),
        }
        worth, value = simulated(base), said(base)
        result: dict[str, Any] = {
            "rows": len(worth),
            "hours": hours,
            "value": {"simulated": float(worth.mean()), "critics": value.mean(1).tolist()},
        }
        for name, state in more.items():
            charged = after_an_hour(state)
            # What that hour drew, and so the ramp that follows it, stays as it was.
            given = replace(
                base, battery_soc=charged.battery_soc, vehicle_soc=charged.vehicle_soc, observations=charged.observations
            )
            kwh = (given.battery_soc * given.battery_capacity_kwh - base.battery_soc * base.battery_capacity_kwh).sum() + (
                given.vehicle_soc * given.vehicle_capacity_kwh - base.vehicle_soc * base.vehicle_capacity_kwh
            ).sum()
            if kwh > 0.0:
                result[name] = {
                    "kwh": float(kwh) / len(worth),
                    "simulated": float((simulated(given) - worth).sum() / kwh),
                    "critics": ((said(given) - value).sum(1) / kwh).tolist(),
                }
    return result


def of_checkpoint(checkpoint: Path, *, hours: int, rows: int, seed: int) -> Mapping[str, Any]:
    """``measure`` the policy of a checkpoint on the community that it was trained on."""
    from rllib_citylearn.algorithm.preset import Preset
    from rllib_citylearn.errors import CheckpointError
    from rllib_citylearn.export.checkpoint import load_module, read_run

    run = read_run(checkpoint)
    if "preset" not in run:
        raise CheckpointError(
            f"The checkpoint {checkpoint} does not say what it was trained on; give one that `train` wrote."
        )
    preset = Preset.from_dict(run["preset"])
    config = preset.config()
    return measure(
        load_module(checkpoint),
        preset.environment,
        gamma=config.gamma,
        hours=hours,
        rows=rows,
        seed=seed,
        reward_scale=config.reward_scale,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="folder of a run's checkpoint, as runs/NAME/best")
    parser.add_argument("--hours", type=int, default=96, help="hours that are simulated (default: 96)")
    parser.add_argument("--rows", type=int, default=64, help="places of the data to start at (default: 64)")
    parser.add_argument("--seed", type=int, default=1, help="of the places (default: 1)")
    args = parser.parse_args()
    print(json.dumps(of_checkpoint(args.checkpoint, hours=args.hours, rows=args.rows, seed=args.seed), indent=2))


if __name__ == "__main__":
    main()
