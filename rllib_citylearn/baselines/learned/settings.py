"""What the learning baselines are trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ENVIRONMENT: Mapping[str, Any] = {
    "episode_steps": 336,
    "random_start": True,
    "random_initial_soc": True,
    "memory": True,
    # The weights of the score: a third each for cost, carbon and grid (half ramping, half load factor).
    "reward_weights": {"cost": 0.3333, "carbon": 0.3333, "ramping": 0.1667, "load_factor": 0.1667, "electricity": 0.0},
}
"""The same as in ``tune_configs``."""

_OWN_SHARE: Mapping[str, Any] = {**_ENVIRONMENT, "team_share": 0.0}
"""The same reward, of which each building gets what it earned itself and what the district earned; their mean is the team's.

RLlib's critics see one building, which tells little of a reward that all of them earn together.
"""

RLLIB_PPO: Mapping[str, Any] = {
    "algorithm": "PPO",
    "environment": _OWN_SHARE,
    "copies": 8,
    "hours": 64,
    "model": {"fcnet_hiddens": [64, 64], "fcnet_activation": "tanh", "head_fcnet_hiddens": [], "vf_share_layers": False},
    "training": {
        "train_batch_size_per_learner": 512,
        "minibatch_size": 512,
        "num_epochs": 8,
        "lr": 1e-3,
        "gamma": 0.97,
        "lambda_": 0.9,
        "entropy_coeff": 0.0,
        "vf_clip_param": 1e3,
        "use_kl_loss": False,
        "grad_clip": 1.0,
    },
    "validation_every_s": 30.0,
}

RLLIB_SAC: Mapping[str, Any] = {
    "algorithm": "SAC",
    # Short episodes, since each begins with batteries charged at random, which a policy that does nothing never sees.
    "environment": {**_OWN_SHARE, "episode_steps": 48},
    "copies": 4,
    "hours": 8,
    "model": {
        "fcnet_hiddens": [64, 64],
        "fcnet_activation": "relu",
        "head_fcnet_hiddens": [],
        "fusionnet_hiddens": [64],
    },
    "training": {
        "train_batch_size_per_learner": 128,
        "training_intensity": 64.0,
        "gamma": 0.97,
        "n_step": 1,
        "tau": 0.02,
        "actor_lr": 5e-4,
        "critic_lr": 2e-3,
        "alpha_lr": 1e-3,
        "initial_alpha": 0.02,
        "target_entropy": -2.0,
        "num_steps_sampled_before_learning_starts": 1000,
        "replay_buffer_config": {"type": "MultiAgentEpisodeReplayBuffer", "capacity": 500_000},
    },
    "validation_every_s": 30.0,
}

INDEPENDENT_DDPG: Mapping[str, Any] = {
    "environment": _ENVIRONMENT,
    "model": {
        # The ablation: no hints, and critics from whose values a building's own action is all that is to be learnt.
        "coordinator": "none",
        "critic": "independent",
        "hidden": 64,
        "hint_size": 8,
        "rule": "level",
        "reach": 0.5,
        "noise": "gaussian",
        "noise_sigma": 0.15,
        "noise_sigma_final": 0.15,
    },
    "training": {
        "actor_lr": [[0, 5.0e-4], [300_000, 5.0e-5]],
        "critic_lr": [[0, 1.0e-3], [300_000, 1.0e-4]],
        "gamma": 0.98,
        "n_step": 3,
        "tau": 0.005,
        "model_horizon": 0,
        "policy_delay": 2,
        "rule_weight": [[0, 3.0], [400_000, 0.5]],
        "train_batch_size_per_learner": 64,
        "updates_per_env_step": 0.07,
        "critic_warmup_updates": 3000,
        "warmup_steps": 4096,
        "replay_capacity": 150_000,
    },
    "runners": {"num_env_runners": 0, "num_envs_per_env_runner": 64, "rollout_fragment_length": 8},
    "validation": {"every_minutes": 0.7},
}
"""``tune_configs/classic.yaml`` but for the two keys of the ablation; a test holds them equal."""
