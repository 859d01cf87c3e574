"""BenchMARL's PettingZoo task with the environment taken from mpe2: PettingZoo itself no longer has it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from benchmarl.environments.pettingzoo.common import PettingZooClass
from torchrl.envs.libs.pettingzoo import PettingZooWrapper

from benchmarks.peers.spread import EPISODE_STEPS, make_env


class Spread(PettingZooClass):
    """simple_spread; its critic reads the environment's state, which is all agents' observations."""

    def __init__(self) -> None:
        super().__init__("SIMPLE_SPREAD", {"max_cycles": EPISODE_STEPS})

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], PettingZooWrapper]:
        """What makes an environment; each has a seed of its own, where BenchMARL's task gives all the same one."""
        number = itertools.count()
        return lambda: PettingZooWrapper(
            make_env(), return_state=True, device=device, seed=1_000 * ((seed or 0) + 1) + next(number)
        )
