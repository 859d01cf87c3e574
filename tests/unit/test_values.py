"""Targets and losses of values, against their sums written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rllib_citylearn.algorithm.losses import (
    Value,
    critic_loss,
    policy_loss,
    returns_to_go,
    smaller_value,
    td_errors,
    td_target,
)

H, B, N = 5, 4, 3


def value(seed: int, *lead: int) -> Value:
    generator = torch.Generator().manual_seed(seed)
    return Value(
        torch.randn(*lead, N, generator=generator, dtype=torch.float64),
        torch.randn(*lead, generator=generator, dtype=torch.float64),
    )


def test_returns_to_go_are_discounted_sums_up_to_the_final_value():
    rewards, final, gamma = value(0, H, B), value(1, B), 0.9
    returns = returns_to_go(rewards, final, gamma)
    for h in range(H):
        building = sum(gamma ** (k - h) * rewards.building[k] for k in range(h, H)) + gamma ** (H - h) * final.building
        district = sum(gamma ** (k - h) * rewards.district[k] for k in range(h, H)) + gamma ** (H - h) * final.district
        torch.testing.assert_close(returns.building[h], building)
        torch.testing.assert_close(returns.district[h], district)


def test_returns_keep_their_digits_where_networks_compute_with_half_of_them():
    rewards, final = (Value(*(part.float() for part in one)) for one in (value(0, H, B), value(1, B)))
    exact = returns_to_go(rewards, final, 0.9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = returns_to_go(rewards, final, 0.9)
    assert torch.equal(half.building, exact.building)
    assert torch.equal(half.district, exact.district)


def test_one_simulated_hour_is_a_temporal_difference():
    reward, following = value(2, B), value(3, B)
    one = returns_to_go(Value(reward.building[None], reward.district[None]), following, 0.97)
    other = td_target(reward, torch.full((B,), 0.97, dtype=torch.float64), following)
    torch.testing.assert_close(one.building[0], other.building)
    torch.testing.assert_close(one.district[0], other.district)


def test_nothing_follows_a_termination():
    reward = value(4, B)
    target = td_target(reward, torch.zeros(B, dtype=torch.float64), value(5, B))
    torch.testing.assert_close(target.building, reward.building)
    torch.testing.assert_close(target.district, reward.district)


def test_all_parts_come_from_the_critic_with_the_smaller_team_value():
    estimates = value(10, B), value(7, B)
    critics = [lambda o, a, p, v=v: (v.building, v.district) for v in estimates]
    chosen = smaller_value(critics, torch.zeros(B, N, 1), torch.zeros(B, N, 1))
    teams = torch.stack([v.team() for v in estimates])
    which = teams.argmin(0)
    assert 0 < which.sum() < B  # each is the smaller one somewhere
    for b, k in enumerate(which.tolist()):
        assert torch.equal(chosen.building[b], estimates[k].building[b])
        assert chosen.district[b] == estimates[k].district[b]


def huber(x: float) -> float:
    return 0.5 * x * x if abs(x) < 1 else abs(x) - 0.5


@pytest.mark.parametrize("present", [None, torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 0], [1, 0, 1]]).bool()])
@pytest.mark.parametrize("importance", [None, torch.tensor([0.5, 1.0, 0.2, 0.9], dtype=torch.float64)])
@pytest.mark.parametrize("kind", ["decomposed", "monolithic", "independent"])
def test_critic_loss_is_the_sum_written_out(kind, importance, present):
    estimate, target = value(8, B), value(9, B)
    loss = critic_loss(
        estimate,
        target,
        decompose=kind == "decomposed",
        independent=kind == "independent",
        present=present,
        importance=importance,
    )
    total = 0.0
    for b in range(B):
        there = [n for n in range(N) if present is None or present[b, n]]
        team = np.mean([float(target.building[b, n]) for n in there]) + float(target.district[b])
        mine = np.mean([float(estimate.building[b, n]) for n in there]) + float(estimate.district[b])
        if kind == "decomposed":
            row = np.mean([huber(float(estimate.building[b, n] - target.building[b, n])) for n in there])
            row += huber(float(estimate.district[b] - target.district[b]))
        elif kind == "monolithic":
            row = huber(mine - team)
        else:
            row = np.mean([huber(float(estimate.building[b, n]) - team) for n in there])
        total += row * (1.0 if importance is None else float(importance[b])) / B
        assert float(td_errors(estimate, target, present)[b]) == pytest.approx(abs(mine - team))
    assert float(loss) == pytest.approx(total)


def test_the_policy_climbs_whatever_the_scale_of_its_objective():
    objective = torch.tensor([1.0, 4.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(policy_loss(objective, objective), objective)
    assert (gradient < 0).all()
    larger = (100.0 * objective.detach()).requires_grad_()
    (same,) = torch.autograd.grad(policy_loss(larger, larger), larger)
    torch.testing.assert_close(gradient, 100.0 * same)


def test_an_objective_without_spread_gives_a_finite_loss():
    assert torch.isfinite(policy_loss(torch.full((4,), 2.0), torch.full((4,), 2.0)))
