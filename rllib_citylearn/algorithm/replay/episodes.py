"""RLlib's multi-agent episodes as joint fragments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.algorithm.fragments import JointFragment
from rllib_citylearn.errors import TrainingError
from rllib_citylearn.modules.layout import JointLayout

Singles = npt.NDArray[np.float32]


def episode_fragment(episode: Any, layout: JointLayout) -> JointFragment:
    """The steps of a ``MultiAgentEpisode`` (chunk) as a fragment of one copy, without engine states.

    Raises:
        TrainingError: agents that did not act in every step, or of which only some are told the parts of their reward.
    """
    steps = len(episode)
    observations = np.zeros((steps + 1, *layout.observation_mask.shape), np.float32)
    actions = np.zeros((steps, *layout.action_mask.shape), np.float32)
    for i, agent in enumerate(layout.agents):
        of_agent = episode.agent_episodes[agent]
        if len(of_agent) != steps:
            raise TrainingError(
                f"{agent} acted in {len(of_agent)} of {steps} steps; joint replay needs every agent to act in every step. "
                "Give agents that rest a zero observation instead."
            )
        layout.place_observation(agent, i, np.stack(of_agent.get_observations(slice(0, steps + 1))), observations)
        layout.place_action(agent, i, np.stack(of_agent.get_actions(slice(0, steps))), actions)
    building, district = _rewards(episode, layout, steps)
    terminated = np.zeros((steps, 1), bool)
    # RLlib also calls an episode terminated whose agents are all done, if only because time was up; values go on there.
    terminated[-1] = bool(episode.is_terminated) and not episode.is_truncated
    return JointFragment(
        observations=observations[:, None],
        actions=actions[:, None],
        building_rewards=building[:, None],
        district_reward=district[:, None],
        terminated=terminated,
        states=np.zeros((steps, 1, 0), np.float32),
    )


def _rewards(episode: Any, layout: JointLayout, steps: int) -> tuple[Singles, Singles]:
    """Buildings' ``[T, N]`` and district's ``[T]`` rewards.

    In an environment that names no parts each agent's reward is its own part: their mean is the same team reward, and a
    value for each has more to learn from than their sum.
    """
    agents = [episode.agent_episodes[agent] for agent in layout.agents]
    infos = [agent.get_infos(slice(1, steps + 1)) for agent in agents]
    named = [all("building_reward" in info and "district_reward" in info for info in of_agent) for of_agent in infos]
    if any(named) and not all(named):
        without = layout.agents[named.index(False)]
        raise TrainingError(
            f"The infos of {without} lack building_reward or district_reward, which other agents' infos have; give them to "
            "all agents in every step, or to none."
        )
    if all(named):
        building = np.array([[info["building_reward"] for info in of_agent] for of_agent in infos], np.float32).T
        return building, np.array([info["district_reward"] for info in infos[0]], np.float32)
    rewards = np.array([agent.get_rewards(slice(0, steps)) for agent in agents], np.float32)
    return rewards.T, np.zeros(steps, np.float32)
