"""The communities that one environment plays in, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.members import members, require_equal_chargers
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.env.views import CentralView, OwnView, PaddedView, View, shared_features


class CommunityPool:
    """One or more communities, all of them built at the start and kept: CityLearn's data of each stay in memory.

    Args:
        config: what there is to play.
        turn, turns: see ``CommunityVectorEnv``.
        instance: numbers that tell this environment from others, for what is drawn.

    Attributes:
        vectors: the communities, one episode each: for every entry of ``config.communities`` its variants.
        members: for each of ``vectors``, the place in ``config.communities`` that it comes from.
    """

    def __init__(self, config: CommunityEnvConfig, *, turn: int = 0, turns: int = 1, instance: Sequence[int] = ()) -> None:
        self._takes_turns = config.communities is not None or config.random_buildings is not None
        self._draws_fleets = config.random_fleet is not None
        played = members(config)
        self._first = played[0]
        self.members = [member.place for member in played]
        self.vectors = [
            CommunityVectorEnv(member.config, turn=turn, turns=turns, instance=(*instance, k), site=member.site)
            for k, member in enumerate(played)
        ]
        self._random = np.random.default_rng()
        self._order: list[int] = []

    def seed(self, seed: int) -> None:
        """Make what follows the same as after the same seed before: the order of turns and all communities' episodes."""
        for k, vector in enumerate(self.vectors):
            vector.seed([seed, k])
        self._random = np.random.default_rng([seed, len(self.vectors)])
        self._order = []

    def next(self) -> int:
        """Which of ``vectors`` plays the next episode: all of them in a random order, then all in another."""
        if not self._order:
            self._order = self._random.permutation(len(self.vectors)).tolist()
        return self._order.pop()

    def view(self) -> View:
        """How agents see these communities."""
        config, first = self._first.config, self.vectors[0]
        if config.padded:
            tables = [vector.features for vector in self.vectors]
            return PaddedView(
                tables,
                features=config.features,
                actions=config.actions,
                slots=self._takes_turns,
                alike=not self._draws_fleets,
            )
        if self._draws_fleets:
            require_equal_chargers(self._first, [vector.features for vector in self.vectors])
        if config.central_agent:
            return CentralView(first.features, shared_features(first.features, first.citylearn.buildings))
        return OwnView(first.features)

    def close(self) -> None:
        """Release CityLearn."""
        for vector in self.vectors:
            vector.close()
