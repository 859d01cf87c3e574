"""Which of the policies on the way is kept: the best on stretches of the training data, as in the project's own runs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rllib_citylearn.algorithm.objective import OBJECTIVE, SCORE, mean_kpis
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.env.vector_env import CommunityVectorEnv

if TYPE_CHECKING:
    from rllib_citylearn.baselines.learned.shared_policy import SharedPolicy


class Stretches:
    """Plays policies, without exploration, over all stretches at once.

    Args:
        config: with ``starts``, the stretches.
    """

    def __init__(self, config: CommunityEnvConfig) -> None:
        self._starts = list(config.starts or ())
        self._env = CommunityVectorEnv(config, len(self._starts))

    @property
    def features(self) -> CommunityFeatures:
        """The community's feature table."""
        return self._env.features

    def play(self, policy: SharedPolicy) -> dict[str, float]:
        """Mean KPIs of a policy over the stretches, with the ``objective`` that policies are chosen by.

        Raises:
            ConfigError: a stretch has no score.
        """
        observations = self._env.reset(starts=self._starts)
        while True:
            step = self._env.step(policy.act(observations))
            if step.truncated.all():
                return mean_kpis([step.episodes[e] for e in range(len(self._starts))])
            observations = step.observations

    def close(self) -> None:
        """Release CityLearn."""
        self._env.close()


@dataclass
class Validations:
    """What the policies on the way were worth, and the best of them.

    Attributes:
        stretches: where they are played.
        history: one entry a validation.
        best: a copy of the best policy that had learnt something; None before the first.
    """

    stretches: Stretches
    history: list[dict[str, float]] = field(default_factory=list)
    best: SharedPolicy | None = None
    _lowest: float = float("inf")
    chosen: Mapping[str, Any] = field(default_factory=dict)

    def note(self, policy: SharedPolicy, *, seconds: float, env_steps: int, updates: int) -> None:
        """Validate a policy, and keep it if none was better."""
        kpis = self.stretches.play(policy)
        entry = {
            "seconds": round(seconds, 1),
            "env_steps": env_steps,
            "updates": updates,
            SCORE: kpis[SCORE],
            OBJECTIVE: kpis[OBJECTIVE],
        }
        self.history.append(entry)
        if updates and entry[OBJECTIVE] < self._lowest:
            self._lowest, self.best, self.chosen = entry[OBJECTIVE], copy.deepcopy(policy), entry
