"""Learning where the best joint action is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm import CooperativeMADDPGConfig
from tests.envs import MeetingEnv

pytestmark = pytest.mark.usefixtures("ray_session")


def test_agents_learn_to_take_the_others_into_account():
    algorithm = (
        CooperativeMADDPGConfig()
        .environment(MeetingEnv)
        .env_runners(num_env_runners=0, rollout_fragment_length=50)
        .training(
            actor_lr=2e-3,
            critic_lr=4e-3,
            gamma=0.0,
            warmup_steps=500,
            critic_warmup_updates=100,
            train_batch_size_per_learner=128,
            updates_per_env_step=0.5,
            policy_delay=1,
            tau=0.02,
        )
        .reporting(min_sample_timesteps_per_iteration=500)
        .rl_module(model_config={"hidden": 32, "noise_sigma": 0.3, "noise_sigma_final": 0.1, "hint_dropout": 0.0})
        .debugging(seed=0)
    )
    algorithm = algorithm.build_algo()
    x = np.random.default_rng(1).uniform(-0.8, 0.8, (500, MeetingEnv.N))
    best = MeetingEnv.reward(x, MeetingEnv.best(x)).mean()
    # What an agent can reach that knows only its own target: the best guess of the others' is zero.
    alone = max(MeetingEnv.reward(x, c * x).mean() for c in np.linspace(0, 1, 101))
    assert best > alone + 0.01
    try:
        for _ in range(8):
            algorithm.train()
            module = algorithm.learner_group._learner.community
            with torch.no_grad():
                u = module.act(torch.tensor(x, dtype=torch.float32).unsqueeze(-1)).squeeze(-1).numpy()
            reached = MeetingEnv.reward(x, u).mean()
            if reached > best - 0.1 * (best - alone):
                return
    finally:
        algorithm.stop()
    pytest.fail(f"reached {reached:.4f}; the best joint action gives {best:.4f}, ignoring the others {alone:.4f}")
