"""An episode as callbacks and metrics see it, without its hours."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass
class CommunityEpisode:
    """One episode of one copy of a community, with the names that RLlib's episodes have.

    Attributes:
        agent_ids: the N buildings.
        id_: a name that no other episode has.
        env_t: hours played.
        is_truncated: whether it has ended; a community goes on living, so none ever terminates.
        custom_data: for callbacks, to keep something with the episode.
    """

    agent_ids: Sequence[str]
    id_: str = field(default_factory=lambda: uuid.uuid4().hex)
    env_t: int = 0
    is_truncated: bool = False
    is_terminated: bool = False
    custom_data: dict[str, Any] = field(default_factory=dict)
    _team_return: float = 0.0
    _info: Mapping[str, Any] = field(default_factory=dict)
    _begun_s: float = field(default_factory=time.perf_counter)
    _latest_s: float = field(default_factory=time.perf_counter)

    def note(self, env_t: int, team_return: float, info: Mapping[str, Any], ended: bool) -> None:
        """Take down where the episode stands.

        Args:
            env_t: hours played.
            team_return: team rewards so far, summed over hours.
            info: of the last hour.
            ended: whether that was the last one.
        """
        self.env_t, self._team_return, self._info, self.is_truncated = env_t, team_return, info, ended
        self._latest_s = time.perf_counter()

    def __len__(self) -> int:
        """Hours played."""
        return self.env_t

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.is_truncated or self.is_terminated

    def get_return(self) -> float:
        """Rewards summed over hours and agents, as RLlib counts them: N times the team's return."""
        return self._team_return * len(self.agent_ids)

    def get_agent_return(self) -> float:
        """Rewards of any one agent summed over hours: the team's return."""
        return self._team_return

    def get_infos(self, index: int = -1) -> Mapping[str, Any]:
        """The info of the last hour, the only one that is kept.

        Raises:
            IndexError: another hour is asked for.
        """
        if index != -1:
            raise IndexError(f"An episode of the vector runner keeps the info of its last hour (-1), not that of {index}.")
        return self._info

    def get_duration_s(self) -> float:
        """Seconds from its start to its last hour."""
        return self._latest_s - self._begun_s
