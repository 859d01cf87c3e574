"""Names that several parts of the algorithm share: the module's id, batch columns and metrics."""

COMMUNITY = "community"
"""Id of the one module that stands for all agents."""

BUILDING_REWARDS = "building_rewards"
"""Batch column ``[B, N]``: the part of the team reward that belongs to each building."""

DISTRICT_REWARD = "district_reward"
"""Batch column ``[B]``: the part that belongs to nobody alone."""

DISCOUNT = "discount"
"""Batch column ``[B]``: what the value of the next observation counts; zero after a termination."""


def community_of_agent(agent_id: object, episode: object = None, **kwargs: object) -> str:
    """Policy mapping: every agent belongs to the community. A module-level function, because episodes carry it."""
    return COMMUNITY
