"""Names that several parts of the algorithm share: the module's id, batch columns and metrics."""

COMMUNITY = "community"
"""Id of the one module that stands for all agents."""

BUILDING_REWARDS = "building_rewards"
"""Batch column ``[B, N]``: the part of the team reward that belongs to each building."""

DISTRICT_REWARD = "district_reward"
"""Batch column ``[B]``: the part that belongs to nobody alone."""

DISCOUNT = "discount"
"""Batch column ``[B]``: what the value of the next observation counts; zero after a termination."""

STATES = "states"
"""Batch column ``[B, S]``: where the engine stood, packed (``simulator.differentiable.rows``)."""

COMMUNITY_INDEX = "community_index"
"""Batch column, int ``[B]``: which of the run's communities a row is of."""

PRESENT = "present"
"""Batch column, bool ``[B, N]``: which rows of the joint arrays hold a building; without it, all."""

ACTION_MASK = "action_mask"
"""Batch column ``[B, N, A]``: 1 where a building has the action; without it, the module's own."""

IMPORTANCE = "importance"
"""Batch column ``[B]``: weight of a row's error, for rows that were not drawn uniformly."""

IS_DEMONSTRATION = "is_demonstration"
"""Batch column, bool ``[B]``: which rows were played by a controller that is known to be good; without it, none."""

TD_ERRORS = "td_errors"
"""Metric ``[B]``: how wrong the critics were about each row of a batch, in the batch's order."""

SHARE_DONE = "share_done"
"""Beside the counts of steps that a learner is told with an update: how much of the run is done, 0 to 1."""


def community_of_agent(agent_id: object, episode: object = None, **kwargs: object) -> str:
    """Policy mapping: every agent belongs to the community. A module-level function, because episodes carry it."""
    return COMMUNITY
