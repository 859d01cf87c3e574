"""The communities that a config plays: entries of ``communities``, and the variants that are drawn of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rllib_citylearn.env.building import Site, common_table, training_features
from rllib_citylearn.env.config import CommunityEnvConfig
from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import ConfigError


@dataclass(frozen=True)
class Member:
    """One of the communities.

    Attributes:
        config: of this one. Where communities differ in their buildings, it names the ranges, features and actions that all
            of them have in common, so that their arrays have the same columns.
        site: its data.
        place: in ``config.communities``.
    """

    config: CommunityEnvConfig
    site: Site
    place: int


def members(config: CommunityEnvConfig) -> list[Member]:
    """All communities of a config, for every entry of ``communities`` its variants; the data are fetched if need be."""
    parts = config.each()
    sites = [Site.of(part) for part in parts]
    if unlike(config) and None in (config.ranges, config.features, config.actions):
        config = replace(config, **common_table(config, sites))
        parts = config.each()
    return [
        Member(part, site, place)
        for place, (part, site) in enumerate(zip(parts, sites, strict=True))
        for _ in range(max(1, config.variants))
    ]


def member_count(config: CommunityEnvConfig) -> int:
    """How many communities a config has, without a look at any data."""
    return len(config.each()) * max(1, config.variants)


def unlike(config: CommunityEnvConfig) -> bool:
    """Whether communities can differ in their buildings or devices, so that padding has to make their arrays alike."""
    return (
        config.communities is not None
        or config.random_buildings is not None
        or (config.random_fleet is not None and config.padded)
    )


def require_equal_chargers(member: Member, drawn: Iterable[CommunityFeatures]) -> None:
    """Refuse fleets of unlike chargers where every building has spaces of its own, which can't change.

    Raises:
        ConfigError: says which fleets have equal ones.
    """
    tables = [training_features(member.config, member.site), *drawn]
    devices = [[(a.features, a.actions, a.action_low, a.action_high) for a in table.agents] for table in tables]
    if any(one != devices[0] for one in devices):
        raise ConfigError(
            "random_fleet draws chargers that differ from fleet to fleet, and the spaces of agents with them. Set "
            "padded=True, which gives all the same spaces, or building_share 1 and v2g_share 0 or 1."
        )
