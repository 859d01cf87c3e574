"""Noise on the actions of an exploring policy, with a random generator of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rllib_citylearn.modules.config import CommunityModuleConfig


class ExplorationNoise:
    """Ornstein-Uhlenbeck (Lillicrap et al. 2016, sec. 3) or uncorrelated Gaussian noise, annealed linearly.

    Draws never come from torch's global generator: the same seed gives the same noise whatever else the process draws.
    Until ``seed`` is called they follow from the seed that torch was given.

    Args:
        settings: kind, sizes and annealing.
    """

    def __init__(self, settings: CommunityModuleConfig) -> None:
        self._settings = settings
        self._pull = settings.noise_theta if settings.noise == "ou" else 1.0
        self._noise = torch.zeros(0)
        # On the CPU wherever the policy is, so that the same seed gives the same noise there too.
        self._generator = torch.Generator().manual_seed(torch.initial_seed())

    def sigma(self, t: int) -> float:
        """Standard deviation drawn in a time step after ``t`` environment steps."""
        first, final = self._settings.noise_sigma, self._settings.noise_sigma_final
        return first + (final - first) * min(1.0, t / self._settings.noise_anneal_steps)

    def step(self, like: Tensor, t: int, reset: Tensor | None = None) -> Tensor:
        """The next time step's noise.

        Args:
            like: actions ``[B, N, A]``, whose shape and device the noise takes. Another shape than before starts it anew.
            t: environment steps so far.
            reset: bool ``[B]``: where an episode has begun, in which noise starts from zero.
        """
        if self._noise.shape != like.shape:
            self._noise = torch.zeros(like.shape)
        if reset is not None:
            self._noise = self._noise.masked_fill(reset.cpu()[:, None, None], 0.0)  # the last one is the caller's
        drawn = torch.randn(like.shape, generator=self._generator)
        self._noise = (1.0 - self._pull) * self._noise + self.sigma(t) * drawn
        return self._noise.to(like)

    def seed(self, seed: int) -> None:
        """Make the noise from here on the same as after the same seed before."""
        self._generator.manual_seed(seed)
        self._noise = torch.zeros(0)

    def state(self) -> dict[str, Any]:
        """Where noise and generator stand, as arrays."""
        return {"noise": self._noise.numpy().copy(), "generator": self._generator.get_state().numpy()}

    def set_state(self, state: dict[str, Any]) -> None:
        """The inverse of ``state``."""
        self._noise = torch.as_tensor(state["noise"]).clone()
        self._generator.set_state(torch.as_tensor(state["generator"]))
