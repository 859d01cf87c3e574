"""What travels from runners to the replay: some hours of several communities, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class JointFragment:
    """T consecutive hours of E copies of one community; no episode begins within them.

    Attributes:
        observations: at the start of each hour and at the end of the last, ``[T + 1, E, N, D]``.
        actions: normalised to [-1, 1], ``[T, E, N, A]``.
        building_rewards: the part of the team reward that belongs to each building, ``[T, E, N]``; its mean over buildings
            plus
        district_reward: ``[T, E]`` is the team reward.
        terminated: whether an episode terminated (not: was truncated) with this hour, bool ``[T, E]``.
        states: where the engine stood at the start of each hour, packed, ``[T, E, S]``; S = 0 if nobody simulates on.
        community: which of the run's communities this is.
    """

    observations: Singles
    actions: Singles
    building_rewards: Singles
    district_reward: Singles
    terminated: npt.NDArray[np.bool_]
    states: Singles
    community: int = 0

    def __len__(self) -> int:
        """Number of hours T."""
        return len(self.actions)

    def env_steps(self) -> int:
        """Environment steps: hours times copies."""
        return int(self.district_reward.size)

    def agent_steps(self) -> int:
        """Steps of all buildings."""
        return int(self.building_rewards.size)
