"""One learner by itself: precision, what it refuses, what it takes over from a saved state."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch
from ray.rllib.utils.metrics import NUM_ENV_STEPS_SAMPLED_LIFETIME

from rllib_citylearn.algorithm.learner import CooperativeMADDPGLearner
from rllib_citylearn.algorithm.learner_cases import ACTIONS, COLUMNS, Case, config_of, made_up_rows
from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.errors import TrainingError

N, ROWS = 3, 32
CASE = Case("small", N, 16)


def learner(**training: Any) -> CooperativeMADDPGLearner:
    names = [f"Building_{k + 1}" for k in range(N)]
    spaces = tuple(
        gym.spaces.Dict({name: gym.spaces.Box(-1.0, 1.0, (size,), np.float32) for name in names})
        for size in (COLUMNS, ACTIONS)
    )
    config = config_of(CASE, "cpu").training(train_batch_size_per_learner=ROWS, **training)
    torch.manual_seed(0)
    return config.build_learner(spaces={COMMUNITY: spaces})


def update(learner: CooperativeMADDPGLearner, steps: int = 0) -> dict[str, Any]:
    result: dict[str, Any] = learner.update(
        batch=MultiAgentBatch({COMMUNITY: SampleBatch(made_up_rows(N, ROWS))}, env_steps=ROWS),
        timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: steps},
        num_epochs=1,
        minibatch_size=ROWS,
        shuffle_batch_per_epoch=False,
    )
    return result[COMMUNITY]


def test_half_the_bits_lead_to_the_same_losses_and_nearly_the_same_gradients() -> None:
    exact, coarse = learner(), learner(precision="bfloat16")
    found = [update(one) for one in (exact, coarse)]
    for name in ("critic_loss", "actor_loss"):
        one, other = (float(result[name].peek()) for result in found)
        assert other == pytest.approx(one, rel=0.05, abs=0.01)
        assert other != one, "nothing was computed in half the bits"
    gradients = [
        torch.cat([p.grad.flatten() for p in one.community.parameters() if p.grad is not None]) for one in (exact, coarse)
    ]
    assert torch.cosine_similarity(*gradients, dim=0) > 0.99
    # Sums that become returns are not among what is rounded: whole numbers above 256 have no place in bfloat16.
    critic = coarse.community.critics[0]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        critic.building.bias.fill_(1001.0)
        building, district = critic(torch.zeros(1, N, COLUMNS), torch.zeros(1, N, ACTIONS))
    assert building.dtype == district.dtype == torch.float32
    assert (building.mean() - critic.building.bias).abs() < 1.5


def test_a_gradient_that_is_no_number_stops_the_run() -> None:
    one = learner()
    one.community.critics[0].building.bias.register_hook(lambda gradient: gradient * float("nan"))
    before = [p.detach().clone() for p in one.community.parameters()]
    with pytest.raises(TrainingError, match="gradient is not finite after 0 gradient steps"):
        update(one)
    assert all(torch.equal(a, b) for a, b in zip(before, one.community.parameters(), strict=True))


def test_a_state_saved_on_another_kind_of_device_is_taken_over() -> None:
    saved = learner()
    update(saved)
    state = saved.get_state()
    state["random"] = np.zeros(16, np.uint8)  # as a GPU's generator has it
    again = learner()
    again.set_state(state)
    assert all(torch.equal(a, b) for a, b in zip(saved.community.parameters(), again.community.parameters(), strict=True))
    update(again)


@pytest.mark.parametrize("rate", [1e-5, [[0, 1e-5], [1000, 1e-6]]])
def test_a_run_that_goes_on_with_lower_rates_has_them_from_its_first_update(rate: Any) -> None:
    saved, again = learner(actor_lr=[[0, 1e-3], [1000, 1e-3]], critic_lr=1e-3), learner(actor_lr=rate, critic_lr=rate)
    update(saved, steps=500)
    again.set_state(saved.get_state())
    used = []
    for optimiser in again._named_optimizers.values():
        optimiser.register_step_pre_hook(lambda one, *_: used.append(one.param_groups[0]["lr"]))
    update(again, steps=500)
    expected = 1e-5 if isinstance(rate, float) else (1e-5 + 1e-6) / 2
    assert used == [pytest.approx(expected)] * 2
