"""Fragments cut to what a replay has room for."""

from __future__ import annotations

from rllib_citylearn.algorithm.fragments import JointFragment


def pieces(fragment: JointFragment, room: int) -> list[JointFragment]:
    """A fragment in parts of which each fits into a ring of ``room`` rows; mostly it does so whole."""
    steps, copies = fragment.district_reward.shape
    if copies * (steps + 1) <= room:
        return [fragment]
    hours = min(steps, room - 1)
    together = room // (hours + 1)
    return [
        _part(fragment, slice(t, min(t + hours, steps)), slice(e, e + together))
        for t in range(0, steps, hours)
        for e in range(0, copies, together)
    ]


def _part(fragment: JointFragment, hours: slice, copies: slice) -> JointFragment:
    return JointFragment(
        fragment.observations[hours.start : hours.stop + 1, copies],
        fragment.actions[hours, copies],
        fragment.building_rewards[hours, copies],
        fragment.district_reward[hours, copies],
        fragment.terminated[hours, copies],
        fragment.states[hours, copies],
        fragment.community,
    )
