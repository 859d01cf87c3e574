"""The plain MADDPG that ours is measured against has to be one."""

from __future__ import annotations

import numpy as np
import torch

from rllib_citylearn.algorithm.plain_maddpg import PlainMADDPG

N, D, A, ROWS = 3, 4, 2, 64


def batch(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    rows = {name: random.uniform(-1, 1, (ROWS, N, D)).astype(np.float32) for name in ("obs", "new_obs")}
    rows["actions"] = random.uniform(-1, 1, (ROWS, N, A)).astype(np.float32)
    rows["rewards"] = -np.square(rows["actions"][:, :, 0] - 0.5)
    return rows


def plain(**options: float) -> PlainMADDPG:
    torch.manual_seed(0)
    return PlainMADDPG(N, D, A, 32, **options)


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_an_agents_reward_reaches_its_own_networks_alone():
    one, other = plain(), plain()
    rows, changed = batch(), batch()
    changed["rewards"] = changed["rewards"].copy()
    changed["rewards"][:, 1] += 3.0
    one.update(rows)  # once: after it, critics know of each other through what the targets do
    other.update(changed)
    for i in range(N):
        same = i != 1
        assert torch.equal(weights(one.critics[i]), weights(other.critics[i])) == same
        assert torch.equal(weights(one.actors[i]), weights(other.actors[i])) == same


def test_a_batch_an_agent_teaches_it_what_the_same_batch_for_all_does():
    separate, shared, alone = plain(), plain(), plain()
    batches = [batch(k) for k in range(N)]
    separate.update(*batches)
    shared.update(batches[1])
    alone.update(batches[1], batches[1], batches[1])
    for networks in ("actors", "critics"):
        assert torch.equal(weights(getattr(alone, networks)), weights(getattr(shared, networks)))
        pairs = zip(getattr(separate, networks), getattr(shared, networks), strict=True)
        assert [torch.equal(weights(one), weights(other)) for one, other in pairs] == [False, True, False]


def test_critics_and_actors_learn_what_pays():
    learner = plain(gamma=0.0, actor_lr=1e-3, critic_lr=1e-2)
    losses = [learner.update(batch(k)) for k in range(200)]
    assert (np.mean(losses[-10:], 0) < 0.1 * np.mean(losses[:5], 0)).all()
    actions = learner.act(torch.from_numpy(batch(1000)["obs"]))[..., 0]
    assert (actions - 0.5).abs().mean() < 0.2


def test_the_critics_target_is_the_reward_and_the_target_networks_value():
    # With frozen networks and targets that never move, a reward shifted by a constant shifts the error by it.
    learner = plain(gamma=0.9, actor_lr=0.0, critic_lr=0.0, tau=0.0)
    rows = batch()
    with torch.no_grad():
        joint = [
            torch.cat([torch.from_numpy(rows[seen]).flatten(1), actions.flatten(1)], 1)
            for seen, actions in (
                ("obs", torch.from_numpy(rows["actions"])),
                ("new_obs", learner.act(torch.from_numpy(rows["new_obs"]))),
            )
        ]
        wanted = [
            (torch.from_numpy(rows["rewards"][:, i]) + 0.9 * critic(joint[1]).squeeze(1) - critic(joint[0]).squeeze(1))
            .square()
            .mean()
            for i, critic in enumerate(learner.critics)
        ]
    assert np.allclose(learner.update(rows), torch.stack(wanted), rtol=1e-4)
