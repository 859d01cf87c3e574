"""Cooperative MADDPG for RLlib's new API stack.

Names are imported on first use: the networks read the names of batch columns from here, and the algorithm builds on them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
    from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG

_HOME = {
    "CooperativeMADDPG": "rllib_citylearn.algorithm.maddpg",
    "CooperativeMADDPGConfig": "rllib_citylearn.algorithm.config",
}

__all__ = ["CooperativeMADDPG", "CooperativeMADDPGConfig"]

__getattr__ = lazy_names(__name__, _HOME)
