"""Data sets: from a name or a path to a checked local folder in CityLearn 3.0.2's format.

    from rllib_citylearn.datasets import resolve

    source = resolve("citylearn_challenge_2022_phase_all")
    env = make_citylearn_env(source.folder)

Names are imported on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rllib_citylearn.lazy import lazy_names

if TYPE_CHECKING:
    from rllib_citylearn.datasets.checks.check import check_dataset
    from rllib_citylearn.datasets.checks.finding import Finding
    from rllib_citylearn.datasets.content import folder_sha256
    from rllib_citylearn.datasets.description import describe_dataset
    from rllib_citylearn.datasets.schema import check_folder, check_schema_version
    from rllib_citylearn.datasets.source import DatasetSource, find_folder, list_datasets, resolve
    from rllib_citylearn.datasets.upgrade import upgrade_folder

_HOME = {
    "DatasetSource": "rllib_citylearn.datasets.source",
    "Finding": "rllib_citylearn.datasets.checks.finding",
    "check_dataset": "rllib_citylearn.datasets.checks.check",
    "check_folder": "rllib_citylearn.datasets.schema",
    "check_schema_version": "rllib_citylearn.datasets.schema",
    "describe_dataset": "rllib_citylearn.datasets.description",
    "find_folder": "rllib_citylearn.datasets.source",
    "folder_sha256": "rllib_citylearn.datasets.content",
    "list_datasets": "rllib_citylearn.datasets.source",
    "resolve": "rllib_citylearn.datasets.source",
    "upgrade_folder": "rllib_citylearn.datasets.upgrade",
}

__all__ = [
    "DatasetSource",
    "Finding",
    "check_dataset",
    "check_folder",
    "check_schema_version",
    "describe_dataset",
    "find_folder",
    "folder_sha256",
    "list_datasets",
    "resolve",
    "upgrade_folder",
]

__getattr__ = lazy_names(__name__, _HOME)
