"""Joint replay: rows that hold the whole community at one hour, drawn uniformly or by priority."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.replay.joint_replay import JointReplay
    from rllib_citylearn.algorithm.replay.room import row_bytes

__all__ = ["JointReplay", "row_bytes"]

__getattr__ = lazy_names(
    __name__,
    {
        "JointReplay": "rllib_citylearn.algorithm.replay.joint_replay",
        "row_bytes": "rllib_citylearn.algorithm.replay.room",
    },
)
