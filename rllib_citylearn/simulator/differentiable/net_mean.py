"""The mean net load of the last 24 hours, which buildings remember (``env/net_memory.py``), with gradients.

The memory of the engines rounds every net load to 0.1 Wh; here hours that are simulated are not rounded, so that gradients
are those of the mean.
"""

from __future__ import annotations

import numpy as np
import torch

from rllib_citylearn.env.memory_columns import whole
from rllib_citylearn.env.memory_format import HOURS, SCALE
from rllib_citylearn.env.reward import RewardTables
from rllib_citylearn.simulator.differentiable.constants import Constants


class RunningMean:
    """Follows a rollout.

    Args:
        history: net loads of the 24 hours before it, the latest last, kWh, ``[E, 24, N]``.
    """

    def __init__(self, history: torch.Tensor) -> None:
        self._net = list(history.unbind(1))
        self._sum = history.sum(1)

    def add(self, net_kwh: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """The mean ``[E, N]`` with another hour's net loads ``[E, N]``; ``share`` ``[E, 1]`` is one over the hours seen."""
        self._sum = self._sum + (net_kwh - self._net[-HOURS])
        self._net.append(net_kwh)
        return self._sum * share

    def history(self) -> torch.Tensor:
        """The last 24 net loads, ``[E, 24, N]``."""
        return torch.stack(self._net[-HOURS:], 1)


class NetReference(Constants):
    """What episodes that begin remember: the 24 hours before, without control.

    Args:
        reward: its reference is the community without control; None lets no episode begin.
        rows: of the data, T.
        dtype: of the values.
    """

    def __init__(self, reward: RewardTables | None, rows: int, dtype: torch.dtype) -> None:
        super().__init__(dtype)
        share = 1.0 / np.minimum(np.arange(1, rows + 1), HOURS)
        self.keep("share", share[:, None])  # [T, 1]
        self.known = reward is not None
        if reward is not None:
            net = np.concatenate([reward.reference_net[:1], reward.reference_net])  # the first row shows its own
            padded = np.concatenate([np.zeros((HOURS - 1, net.shape[1])), whole(net) / SCALE])
            self.keep("net", padded)

    def start(self, row: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """Net loads ``[E, 24, N]`` before ``row`` ``[E]``; the data's first row remembers what is seen there, ``[E, N]``."""
        history = self.net[row.unsqueeze(1) + torch.arange(HOURS, device=row.device)]
        rounded = (first.float().double() * SCALE).round() / SCALE
        history[:, -1] = torch.where((row == 0).unsqueeze(1), rounded.to(history.dtype), history[:, -1])
        return history

    def mean(self, row: torch.Tensor, history: torch.Tensor) -> torch.Tensor:
        """Of ``history`` ``[E, 24, N]`` at ``row`` ``[E]``, over the hours seen, ``[E, N]``."""
        return history.sum(1) * self.share.index_select(0, row)
