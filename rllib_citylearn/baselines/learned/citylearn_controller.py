"""CityLearn's agents that have learnt, as controllers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rllib_citylearn.baselines.learned.citylearn_agent import agent_class, fresh_agent
from rllib_citylearn.baselines.learned.citylearn_state import Arrays, community_of, read_state, restore_state
from rllib_citylearn.errors import CheckpointError

if TYPE_CHECKING:
    from citylearn.citylearn import CityLearnEnv


class CityLearnLearner:
    """Acts with the networks of one of CityLearn's agents, through that agent's own ``predict``.

    Every building has networks of its own, so they fit only the community that they were trained on.

    Args:
        name: what tables and figures call it.
        folder: of the training.
        record: the content of ``learned.json``.
    """

    def __init__(self, name: str, folder: Path, record: Mapping[str, Any]) -> None:
        self.name = name
        self._folder, self._record = folder, record
        self._arrays = read_state(folder)
        self._agent: Any = None

    def reset(self, env: CityLearnEnv) -> None:
        """See ``Controller.reset``; the agent is made anew for ``env``, with what was learnt.

        Raises:
            CheckpointError: the community is another one than the agent was trained on.
        """
        from rllib_citylearn.datasets.content import folder_sha256

        if not isinstance(self._record["community"], dict):
            raise CheckpointError(f"{self._folder} does not say what community {self.name} was trained on. Train anew.")
        here = community_of(env, {"sha256": folder_sha256(Path(env.root_directory))})
        self._require_same(here, self._record["community"])
        agent = fresh_agent(agent_class(self._record["task"]["settings"]), env, self.name)
        self._require_limits(agent, self._arrays)
        restore_state(agent, self._arrays)
        self._agent = agent

    def _require_same(self, here: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
        same_data = here["data"]["sha256"] == trained["data"]["sha256"]
        for what, ours, theirs in (
            ("buildings", here["buildings"], trained["buildings"]),
            ("observations", here["observations"], trained["observations"]),
            ("actions", here["actions"], trained["actions"]),
            ("data", "another set" if not same_data else "", "" if same_data else trained["data"]["name"]),
        ):
            if ours != theirs:
                raise CheckpointError(
                    f"{self.name} in {self._folder} was trained for other {what}: {_shown(theirs)}, not {_shown(ours)}. Its "
                    "networks are each one building's and fit no other; train it on this community."
                )

    def _require_limits(self, agent: Any, arrays: Arrays) -> None:
        for i, (building, space) in enumerate(zip(agent.env.buildings, agent.observation_space, strict=True)):
            known = arrays[f"{i}.observations.low"], arrays[f"{i}.observations.high"]
            if not np.array_equal(known, (space.low, space.high)):
                raise CheckpointError(
                    f"{self.name} in {self._folder} was trained with other devices in {building.name}: what it observes has "
                    "other limits. Evaluate with the random_seed it was trained with, or train it on this community."
                )

    def act(self, observations: list[list[float]]) -> list[list[float]]:
        """See ``Controller.act``."""
        actions = self._agent.predict(observations, deterministic=True)
        return [[float(value) for value in row] for row in actions]


def _shown(value: Any) -> str:
    """A value as it may stand in a sentence."""
    text = ", ".join(str(entry) for entry in value) if isinstance(value, list) else str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."
