"""What a trial takes of the machines."""

from __future__ import annotations

from typing import Any

from rllib_citylearn.algorithm.preset import Preset
from rllib_citylearn.errors import ConfigError


def bundles(preset: Preset) -> list[dict[str, float]]:
    """Cores and GPUs of a trial's processes, in RLlib's order: the trial itself, runners, validation's runners, learners."""
    config = preset.config()
    gpus = float(config.num_gpus_per_learner)
    learners = config.num_learners
    itself = {"CPU": 1.0} | ({"GPU": gpus} if gpus and not learners else {})
    runners = config.num_env_runners + config.evaluation_num_env_runners
    learner = {"GPU": gpus} if gpus else {"CPU": 1.0}
    return [itself, *({"CPU": 1.0} for _ in range(runners)), *(dict(learner) for _ in range(learners))]


def total(parts: list[dict[str, float]]) -> dict[str, float]:
    """Sum of cores and GPUs."""
    return {name: sum(part.get(name, 0.0) for part in parts) for name in ("CPU", "GPU")}


def placement(preset: Preset) -> Any:
    """The same for Tune; runners are spread over the machines as far as there are any."""
    from ray import tune

    return tune.PlacementGroupFactory(bundles(preset), strategy="SPREAD")


def room(parts: list[dict[str, float]]) -> int:
    """How many trials run side by side on the machines of this Ray.

    Args:
        parts: of a trial.

    Raises:
        ConfigError: not even one.
    """
    import ray

    needed, there = total(parts), ray.cluster_resources()
    fitting = [int(there.get(name, 0.0) // amount) for name, amount in needed.items() if amount]
    if not min(fitting):
        asked = " and ".join(f"{amount:g} {name}" for name, amount in needed.items() if amount)
        raise ConfigError(
            f"A trial takes {asked}, and all machines together have {there.get('CPU', 0.0):g} CPU and "
            f"{there.get('GPU', 0.0):g} GPU; lower runners.num_env_runners, runners.num_learners or "
            "runners.num_gpus_per_learner (under fixed, in a search)."
        )
    return min(fitting)
