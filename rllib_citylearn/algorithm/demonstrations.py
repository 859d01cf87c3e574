"""Demonstrations: what controllers that are known to be good did, as fragments for the replay.

They are kept in replay for good, beside the learner's own experience (Nair et al. 2018, "Overcoming Exploration in
Reinforcement Learning with Demonstrations"). A controller first plays the community's window as in an evaluation. Its
actions are then played once more through the environment that runners step, so that observations, rewards and engine
states are those that runners would have sampled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.algorithm.fragments import JointFragment, Singles
from rllib_citylearn.env.building import Site, build_citylearn
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.members import members
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.progress import Report
from rllib_citylearn.evaluation.rollout import rollout
from rllib_citylearn.evaluation.specs import spec_for
from rllib_citylearn.evaluation.trajectory import Trajectory
from rllib_citylearn.simulator.differentiable.rows import StateRows

States = Callable[[CommunityVectorEnv], Singles]
"""Where the engine stands, packed, ``[E, S]``."""


def demonstrate(
    name: str,
    config: CommunityEnvConfig,
    *,
    instance: Sequence[int] = (),
    community: int = 0,
    states: States | None = None,
    report: Report | None = None,
) -> JointFragment:
    """One run of a controller over the window of the training community.

    Args:
        name: of a baseline, or the folder of a bundle or checkpoint.
        config: the training community, without ``communities``; its window is played from the first step to the last,
            whatever it says of episodes, and batteries begin as the data say.
        instance: as the runners' vector environment was given it, so that the same community is drawn.
        community: which of the run's communities this is.
        states: packs the engine's states, as in the runners; None if nobody simulates on.
        report: told how far the controller is after every step.

    Returns:
        a fragment of one copy and as many hours as an episode over the window has.

    Raises:
        ConfigError: no such controller, or one that leaves devices alone which the policy sets.
        UserError: the controller can't control this community.
    """
    whole = replace(config, episode_steps=None, random_start=False, starts=None, random_initial_soc=False)
    site = Site.of(whole)
    env, _ = build_citylearn(whole, site, instance)
    env.reset()  # vehicles' drift hangs on the count of resets; now it will be that of a vector environment's first episode
    trajectory = rollout(spec_for(name).make(), env, engine=whole.engine, report=report)
    vector = CommunityVectorEnv(whole, 1, instance=instance, site=site)
    actions = normalised_actions(name, trajectory, vector.features)
    try:
        return _played(vector, actions[: vector.episode_steps], community, states)
    finally:
        vector.close()


def demonstrations(config: Any) -> list[JointFragment]:
    """What every controller that ``config.demonstrations`` names does in each of the run's communities.

    Args:
        config: a ``CooperativeMADDPGConfig`` with ``CityLearnMultiAgentEnv``.

    Raises:
        ConfigError: as ``demonstrate``.
    """
    played = CommunityEnvConfig.from_dict(config.env_config)
    shown = [
        demonstrate(name, member.config, instance=(k,), community=k, states=_Packed() if config.model_horizon else None)
        for name in config.demonstrations
        for k, member in enumerate(members(played))
    ]
    widest = max(fragment.states.shape[2] for fragment in shown)
    return [_widened(fragment, widest) for fragment in shown]


def _widened(fragment: JointFragment, states: int) -> JointFragment:
    """The fragment with as many numbers of engine states as the run's largest community has, zeros behind its own."""
    lacking = states - fragment.states.shape[2]
    if not lacking:
        return fragment
    return replace(fragment, states=np.pad(fragment.states, ((0, 0), (0, 0), (0, lacking))))


class _Packed:
    """Packs where one environment's engine stands."""

    def __init__(self) -> None:
        self._rows: StateRows | None = None

    def __call__(self, vector: CommunityVectorEnv) -> Singles:
        if self._rows is None:
            engine: Any = vector.engine
            self._rows = StateRows(engine.community.description)
        return self._rows.pack(vector)


def normalised_actions(name: str, trajectory: Trajectory, features: CommunityFeatures) -> Singles:
    """A controller's actions on the joint grid, in [-1, 1], ``[T, N, A]``; what lies beyond the limits is put onto them.

    Args:
        name: what the message of an error calls the controller.
        trajectory: what it did.
        features: the feature table of the same buildings.

    Raises:
        ConfigError: the controller left something alone that the policy sets.
    """
    nothing = np.full((trajectory.steps, len(features.agents)), np.nan)
    physical = np.stack([trajectory.actions.get(action, nothing) for action in features.actions], -1)
    left = (np.isnan(physical) & features.action_mask).any(0)
    if left.any():
        n, a = np.argwhere(left)[0].tolist()
        raise ConfigError(
            f"{name} can't be a demonstration here: it leaves {features.actions[a]} of {features.agents[n].name} alone, to "
            "its thermostat, but the policy sets it. Choose a controller that sets every action, or deactivate that action "
            "in the data set's schema."
        )
    physical = np.nan_to_num(physical)
    joint = np.clip(np.stack([features.encode_actions(hour) for hour in physical]), -1.0, 1.0)
    rounded = joint.astype(np.float32)
    # Chargers do nothing below their least power, which rules ask for exactly: never round towards zero.
    direction = np.sign(physical)
    short = direction * (joint - rounded) > 0.0
    return np.where(short, np.nextafter(rounded, direction.astype(np.float32)), rounded)


def _played(vector: CommunityVectorEnv, actions: Singles, community: int, states: States | None) -> JointFragment:
    """Play normalised actions ``[T, N, A]`` from the window's first step on and take down what a runner would."""
    hours = len(actions)
    observed: list[npt.NDArray[np.float32]] = [vector.reset(seed=vector.config.random_seed or 0).copy()]
    stood, building, district = [], [], []
    for hour in range(hours):
        stood.append(np.zeros((1, 0), np.float32) if states is None else states(vector).copy())
        step = vector.step(actions[hour][None])
        observed.append(step.observations.copy())
        building.append(step.rewards.building.astype(np.float32))
        district.append(step.rewards.district.astype(np.float32))
    return JointFragment(
        observations=np.stack(observed),
        actions=actions[:, None],
        building_rewards=np.stack(building),
        district_reward=np.stack(district),
        terminated=np.zeros((hours, 1), bool),
        states=np.stack(stood),
        community=community,
    )
