"""Validation on buildings that training never sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE

from rllib_citylearn.algorithm.names import COMMUNITY
from rllib_citylearn.algorithm.objective import mean_kpis
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.lockstep import LockstepCommunities
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.export.fit import Fit
from rllib_citylearn.modules.community_module import CommunityRLModule

if TYPE_CHECKING:
    from rllib_citylearn.algorithm.maddpg import CooperativeMADDPG

_WEIGHTS = f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}/{COMMUNITY}"


class HeldOutCommunity:
    """The community of held-out buildings, in this process, for a policy whose own runners have others.

    The networks know no number of buildings, so the policy acts here as an exported one does elsewhere: columns are found by
    name, and what the buildings lack is zero.

    Args:
        config: of the held-out buildings (``CommunityEnvConfig.held_out_config``), with ``starts``, one episode each.
        algorithm: whose policy is validated.
        seed: of vehicles' drift and whatever else is drawn; the same at every validation.

    Raises:
        ConfigError: nothing says where episodes start.
        BundleError: the held-out buildings have no feature or no action in common with those of training.
    """

    def __init__(self, config: CommunityEnvConfig, algorithm: CooperativeMADDPG, seed: int) -> None:
        if not config.starts:
            raise ConfigError("Held-out buildings are validated on given stretches; say where they start (starts).")
        self._seed = seed
        self._communities = LockstepCommunities(config, len(config.starts))
        observation_space, action_space = algorithm.spaces[COMMUNITY]
        self._module = CommunityRLModule(
            observation_space=observation_space,
            action_space=action_space,
            inference_only=True,
            model_config=dict(algorithm.config.model_config),
        )
        trained = self._module.layout.community
        if trained is None:
            raise ConfigError("Only policies of CityLearnMultiAgentEnv can be validated on held-out buildings.")
        self._fit = Fit(trained, self._communities.features)
        self._columns = len(trained.actions)

    @property
    def features(self) -> CommunityFeatures:
        """The held-out buildings' feature table."""
        return self._communities.features

    def validate(self, algorithm: CooperativeMADDPG) -> dict[str, float]:
        """Mean KPIs of the current policy over all stretches, without exploration noise.

        Raises:
            ConfigError: an episode has no score, or the policy is one of separate actors.
        """
        state = algorithm.learner_group.get_state(_WEIGHTS, inference_only=True)
        self._module.set_state(state[COMPONENT_LEARNER][COMPONENT_RL_MODULE][COMMUNITY])
        communities = self._communities
        communities.seed(self._seed)
        communities.reset()
        while True:
            hour = communities.step(self._actions())
            if hour.ended:
                kpis = [episode for step in hour.steps for _, episode in sorted(step.episodes.items())]
                return mean_kpis(kpis)

    def _actions(self) -> np.ndarray:
        """Joint actions ``[E, N, A]`` on the held-out community's grid."""
        joint = torch.from_numpy(self._fit.observations(self._communities.observations))
        everything = torch.ones(*joint.shape[:2], self._columns)
        with torch.no_grad():
            acted = self._module.act(joint, action_mask=everything).numpy()
        chosen: np.ndarray = self._fit.actions(acted) * self.features.action_mask
        return chosen

    def close(self) -> None:
        """Release CityLearn."""
        self._communities.close()
