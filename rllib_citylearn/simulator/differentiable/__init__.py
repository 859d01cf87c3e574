"""The engine's physics once more, in torch, so that gradients flow from what happens to the actions that caused it.

``DifferentiableCommunity`` steps E copies of a community as ``FastCommunity`` does; ``State`` is what passes from hour to
hour, ``StateRows`` writes it down as numbers that a replay can keep, and ``Outcome`` is what an hour gives. The kernels
remain the statement of the physics: tests hold the two together.
"""

from __future__ import annotations

from rllib_citylearn.simulator.differentiable.community import DifferentiableCommunity
from rllib_citylearn.simulator.differentiable.outcome import Outcome
from rllib_citylearn.simulator.differentiable.rows import StateRows
from rllib_citylearn.simulator.differentiable.state import State

__all__ = ["DifferentiableCommunity", "Outcome", "State", "StateRows"]
