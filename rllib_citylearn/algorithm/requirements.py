"""What a config asks for that the machine or the environment may not have."""

from __future__ import annotations

from typing import Any

import torch

from rllib_citylearn.algorithm.vector_runner import CommunityVectorRunner
from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.specs import spec_for


def require_gpus(config: Any) -> None:
    """Refuse GPUs that are not there, which Ray would wait for without end.

    Args:
        config: an ``AlgorithmConfig``.

    Raises:
        ConfigError: says how many were asked for and how many there are.
    """
    wanted = float(config.num_gpus_per_learner)
    if not wanted:
        return
    if not config.num_learners:
        if not torch.cuda.is_available():
            raise ConfigError(
                f"num_gpus_per_learner is {wanted:g}, but torch finds no GPU on this machine; set it to 0 to learn on the "
                "CPU, or install a torch build for the GPU."
            )
        return
    import ray

    if ray.is_initialized():
        there = float(ray.cluster_resources().get("GPU", 0.0))
        if wanted * config.num_learners > there:
            raise ConfigError(
                f"{config.num_learners} learners with num_gpus_per_learner={wanted:g} need "
                f"{wanted * config.num_learners:g} GPUs, but the Ray cluster has {there:g}; lower one of the two, or add "
                "nodes with GPUs."
            )


def require_model(config: Any) -> None:
    """Refuse to simulate on from where nobody says where the engine stands.

    Args:
        config: an ``AlgorithmConfig`` whose runner has been chosen.

    Raises:
        ConfigError: simulated hours with another environment, runner or engine than the compiled one.
    """
    if config.model_horizon and config.env is not None and not issubclass(config.env_runner_cls, CommunityVectorRunner):
        raise ConfigError(
            f"model_horizon is {config.model_horizon}, but only CityLearnMultiAgentEnv on the engine 'fast', without a "
            "central agent, can be simulated on; set model_horizon to 0 for classic MADDPG, or change env_config."
        )


def require_demonstrators(config: Any) -> None:
    """Refuse demonstrations that nobody can show.

    Args:
        config: an ``AlgorithmConfig``.

    Raises:
        ConfigError: another environment than CityLearn's, or a name that is no baseline, bundle or checkpoint.
        BundleError: a path that holds neither bundle nor checkpoint.
    """
    if not config.demonstrations:
        return
    environment = config.env
    if environment is not None and not (isinstance(environment, type) and issubclass(environment, CityLearnMultiAgentEnv)):
        raise ConfigError(
            f"demonstrations are {', '.join(config.demonstrations)}, but controllers can be shown in CityLearnMultiAgentEnv "
            f"only, and the environment is {environment}; leave demonstrations out."
        )
    for name in config.demonstrations:
        spec_for(name)


def refuse_compiled_learner(config: Any) -> None:
    """Refuse RLlib's way of compiling learners, which would compile a forward pass that ours never makes.

    Args:
        config: an ``AlgorithmConfig``.

    Raises:
        ConfigError: ``torch_compile_learner`` is set.
    """
    if config.torch_compile_learner:
        raise ConfigError(
            "torch_compile_learner is True, but the losses of CooperativeMADDPG call the networks themselves, which RLlib "
            "does not compile; leave it out."
        )
