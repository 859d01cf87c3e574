"""The communities that one environment plays in, and whose turn it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rllib_citylearn.env.building import Site, training_features
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.vector_env import CommunityVectorEnv
from rllib_citylearn.env.views import CentralView, OwnView, PaddedView, View, shared_features, widest_ranges


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
        parts = config.each()
        sites = [Site.of(part) for part in parts]
        if config.ranges is None and (config.communities is not None or config.random_buildings is not None):
            ranges = widest_ranges([training_features(part, site) for part, site in zip(parts, sites, strict=True)])
            parts = [replace(part, ranges=ranges) for part in parts]
        self.members = [member for member in range(len(parts)) for _ in range(max(1, config.variants))]
        self.vectors = [
            CommunityVectorEnv(parts[member], turn=turn, turns=turns, instance=(*instance, k), site=sites[member])
            for k, member in enumerate(self.members)
        ]
        self._random = np.random.default_rng()
        self._order: list[int] = []

    def next(self, seed: int | None = None) -> int:
        """Which of ``vectors`` plays the next episode: all of them in a random order, then all in another.

        Args:
            seed: of the orders from here on; None goes on with what there is.
        """
        if seed is not None:
            self._random = np.random.default_rng(seed)
            self._order = []
        if not self._order:
            self._order = self._random.permutation(len(self.vectors)).tolist()
        return self._order.pop()

    def view(self, config: CommunityEnvConfig) -> View:
        """How agents see these communities."""
        first = self.vectors[0]
        if config.padded:
            slots = config.communities is not None or config.random_buildings is not None
            return PaddedView([vector.features for vector in self.vectors], slots=slots)
        if config.central_agent:
            return CentralView(first.features, shared_features(first.features, first.citylearn.buildings))
        return OwnView(first.features)

    def close(self) -> None:
        """Release CityLearn."""
        for vector in self.vectors:
            vector.close()
