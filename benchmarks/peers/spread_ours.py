"""Cooperative MADDPG on simple_spread, through RLlib's PettingZoo wrapper and the stock runner.

python -m benchmarks.peers.spread_ours --coordinator off --seed 0
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from benchmarks.peers.run import Result, demand, finish, measured, parser
from benchmarks.peers.settings import SETTINGS
from benchmarks.peers.spread import Act, Joint, make_env
from rllib_citylearn.local_ray import prepare_environment, quiet

if TYPE_CHECKING:
    from rllib_citylearn.algorithm import CooperativeMADDPGConfig


def spread(config: dict[str, Any]) -> Any:
    """The task as an RLlib environment."""
    from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

    return ParallelPettingZooEnv(make_env())


def model_config(coordinator: bool, steps: int) -> dict[str, Any]:
    """Of the community module; its actions span [-1, 1], so noise counts twice what it does in the environment's units."""
    return {
        "hidden": SETTINGS.hidden,
        "coordinator": "attention+mean-field" if coordinator else "none",
        "hint_dropout": 0.0,
        "noise": "gaussian",  # the peer's only kind
        "noise_sigma": 2 * SETTINGS.noise,
        "noise_sigma_final": 2 * SETTINGS.noise_final,
        "noise_anneal_steps": max(1, int(SETTINGS.noise_anneal_share * steps)),
    }


def build_config(coordinator: bool, steps: int, seed: int) -> CooperativeMADDPGConfig:
    """Everything that is set; the rest is the algorithm's own default."""
    from rllib_citylearn.algorithm import CooperativeMADDPGConfig

    return (
        CooperativeMADDPGConfig()
        .environment("simple_spread")
        .env_runners(
            num_env_runners=0,
            num_envs_per_env_runner=SETTINGS.envs,
            rollout_fragment_length=SETTINGS.round_steps // SETTINGS.envs,
        )
        .training(
            actor_lr=SETTINGS.learning_rate,
            critic_lr=SETTINGS.learning_rate,
            gamma=SETTINGS.gamma,
            tau=SETTINGS.tau,
            train_batch_size_per_learner=SETTINGS.batch,
            replay_capacity=SETTINGS.replay,
            warmup_steps=SETTINGS.warmup_steps,
            updates_per_env_step=SETTINGS.updates_per_step,
            critic_warmup_updates=200,
            target_noise=0.0,
            policy_delay=1,
        )
        .rl_module(model_config=model_config(coordinator, steps))
        .debugging(seed=seed, log_level="ERROR")
    )


def train(coordinator: bool, steps: int, seed: int) -> Act:
    """Train for ``steps`` environment steps; returns the policy."""
    prepare_environment()
    import ray
    import torch
    from ray.tune.registry import register_env

    quiet()
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    torch.set_num_threads(1)
    register_env("simple_spread", spread)
    algorithm = build_config(coordinator, steps, seed).build_algo()
    try:
        while algorithm.train()["env_steps"] < steps:
            pass
        module = algorithm.learner_group._learner.community.cpu()
    finally:
        algorithm.stop()

    def act(observations: Joint) -> Joint:
        with torch.no_grad():
            actions: Joint = module.layout.unsquash(module.act(torch.from_numpy(observations)).numpy())
        return actions

    return act


def run(options: argparse.Namespace) -> Result:
    """One run."""
    demand("ray", "mpe2")
    coordinator = options.coordinator == "on"
    name = f"rllib_citylearn, coordinator {options.coordinator}"
    packages = ("ray", "torch", "mpe2", "pettingzoo")
    return measured(name, options, lambda: train(coordinator, options.steps, options.seed), packages)


if __name__ == "__main__":
    arguments = parser(__doc__ or "")
    arguments.add_argument(
        "--coordinator", choices=("on", "off"), default="off", help="whether agents get hints about each other when they act"
    )
    given = arguments.parse_args()
    finish(lambda: run(given), given.json)
