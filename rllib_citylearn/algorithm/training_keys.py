"""What the section ``training`` of a preset may say."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from ray.rllib.algorithms.algorithm_config import NotProvided

from rllib_citylearn.algorithm.schedules import Schedule
from rllib_citylearn.errors import ConfigError

_RLLIBS = ("gamma", "grad_clip", "grad_clip_by", "train_batch_size_per_learner")
"""Keys of ``AlgorithmConfig.training`` that this algorithm uses."""

_IDLE: Mapping[str, str] = {
    "lr": "set actor_lr and critic_lr",
    "optimizer": "set actor_optimiser, actor_lr and critic_lr",
    "num_epochs": "set updates_per_env_step",
    "num_sgd_iter": "set updates_per_env_step",
    "minibatch_size": "set train_batch_size_per_learner",
    "train_batch_size": "set train_batch_size_per_learner",
    "shuffle_batch_per_epoch": "batches are drawn from the replay at random already",
    "model": "set the preset's section `model`",
}
"""Keys of RLlib's that other algorithms know, and what to set instead."""


def refuse_idle(training: Mapping[str, Any]) -> None:
    """Refuse keys that RLlib would take and this algorithm never looks at.

    Args:
        training: a preset's section of that name, or arguments of ``AlgorithmConfig.training``.

    Raises:
        ConfigError: names the key and what to set instead.
    """
    for name, instead in _IDLE.items():
        if name in training:
            raise ConfigError(f"training.{name} is RLlib's and does nothing here; {instead}, and leave it out.")


def training_defaults() -> dict[str, Any]:
    """What the algorithm does where the section ``training`` says nothing, by key."""
    from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig  # which checks itself with these

    config = CooperativeMADDPGConfig()
    return {name: getattr(config, name) for name in training_kinds()}


def training_kinds() -> dict[str, Any]:
    """Annotations of the keys of ``training``: the types of the defaults, where those are plain values."""
    from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig  # which checks itself with these

    kinds: dict[str, Any] = dict.fromkeys(("actor_lr", "critic_lr", "rule_weight"), Schedule) | {
        "grad_clip": float | None,
        "demonstrations": Sequence[str],
    }
    config = CooperativeMADDPGConfig()
    own = [
        name
        for name, parameter in inspect.signature(CooperativeMADDPGConfig.training).parameters.items()
        if parameter.default is NotProvided
    ]
    for name in (*own, *_RLLIBS):
        default = getattr(config, name)
        kinds.setdefault(name, type(default) if isinstance(default, (bool, int, float, str)) else Any)
    return kinds
