"""A function with an algorithm in it, run on a cluster whose nodes share the algorithm's runners evenly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from rllib_citylearn.errors import ConfigError, UserError

T = TypeVar("T")

_READY_LIMIT_S = 120.0
"""For the cores that are asked for to be free, or added by an autoscaler."""


def run_spread(function: Callable[..., T], bundles: Sequence[Mapping[str, float]], *arguments: Any) -> T:
    """What ``function(*arguments)`` returns, in a process of the cluster's.

    Ray packs actors onto as few nodes as it can until these are half full, unless they belong to a placement group, whose
    actors RLlib puts where the group has room for each. A driver has none of its own, but a task can.

    Args:
        function: of a module that all nodes have.
        bundles: what each process takes, in RLlib's order: the algorithm itself, its runners, its learners.
        *arguments: can be pickled.

    Raises:
        ConfigError: the cluster does not have the room.
    """
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    group = placement_group([dict(bundle) for bundle in bundles], strategy="SPREAD")
    try:
        if not group.wait(_READY_LIMIT_S):
            raise ConfigError(
                f"The cluster had no room for {len(bundles)} processes within {_READY_LIMIT_S:g} s; ask for fewer runners, "
                "or see with `ray status` what else is running."
            )
        place = PlacementGroupSchedulingStrategy(
            group, placement_group_bundle_index=0, placement_group_capture_child_tasks=True
        )
        task = ray.remote(num_cpus=1, max_retries=0)(function).options(scheduling_strategy=place)
        returned: T = ray.get(task.remote(*arguments))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from error
        raise
    finally:
        remove_placement_group(group)
    return returned
