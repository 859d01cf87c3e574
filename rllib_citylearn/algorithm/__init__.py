"""Cooperative MADDPG for RLlib's new API stack."""

from rllib_citylearn.algorithm.config import CooperativeMADDPGConfig
from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG

__all__ = ["CooperativeMADDPG", "CooperativeMADDPGConfig"]
