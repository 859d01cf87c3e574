"""RLlib's one policy for all buildings, apart from RLlib: what a policy bundle is made of."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


class SharedPolicy(nn.Module):
    """The same network for every building, from its own observation to the action it would take without exploration.

    Args:
        layers: of the network, whose output are means and then spreads of the actions.
        squashed: whether ``tanh`` brings means into [-1, 1], as in SAC; otherwise they are clipped to it, as in PPO.

    Attributes:
        hint_size, buildings, coordinator: what bundles ask of any policy (``modules.policy.Policy``): no hints, any number
            of buildings, no coordinator.
    """

    hint_size = 0
    buildings = None
    coordinator = None

    def __init__(self, layers: Sequence[nn.Module], *, squashed: bool) -> None:
        super().__init__()
        self.network = nn.Sequential(*(copy.deepcopy(layer) for layer in layers))
        self._squashed = squashed

    def forward(self, observations: Tensor) -> Tensor:
        """Observations ``[B, N, D]`` to actions ``[B, N, A]`` within [-1, 1]."""
        means, _ = self.network(observations).chunk(2, -1)
        return torch.tanh(means) if self._squashed else means.clamp(-1.0, 1.0)

    @torch.no_grad()
    def act(self, observations: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The same for arrays."""
        actions: npt.NDArray[np.float32] = self(torch.from_numpy(observations)).numpy()
        return actions


def policy_of(module: Any, *, squashed: bool) -> SharedPolicy:
    """A copy of the policy in one of RLlib's default modules for PPO or SAC.

    Args:
        module: the RLModule, which the policy does not share any weights with.
        squashed: see ``SharedPolicy``.
    """
    encoder = module.pi_encoder if hasattr(module, "pi_encoder") else module.encoder.actor_encoder
    return SharedPolicy([*encoder.net.mlp, *module.pi.net.mlp], squashed=squashed)
