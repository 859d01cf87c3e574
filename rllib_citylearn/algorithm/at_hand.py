"""A preset's data sets at hand: folders in place of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from rllib_citylearn.datasets import DatasetSource, resolve
from rllib_citylearn.env.config import CommunityEnvConfig


def sources_of(environment: CommunityEnvConfig, say: Callable[[str], None]) -> list[DatasetSource]:
    """The data sets of all communities, fetched if need be.

    Args:
        environment: as the user wrote it.
        say: is told what is being done.

    Raises:
        DatasetError: one of them can't be had.
    """
    return [resolve(part.dataset, report=say) for part in environment.each()]


def with_folders(environment: CommunityEnvConfig, folders: Sequence[str]) -> CommunityEnvConfig:
    """The environment with the folders of its data sets, which every process then reads, in place of their names.

    Args:
        environment: as the user wrote it; records keep the names, which mean something elsewhere.
        folders: of ``environment.each()``.
    """
    if environment.communities is None:
        return replace(environment, dataset=folders[0])
    parts = [{**own, "dataset": folder} for own, folder in zip(environment.communities, folders, strict=True)]
    return replace(environment, communities=parts)
