"""What a policy bundle says about itself: the content of ``manifest.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import BundleError, UserError

FORMAT = "rllib-citylearn-bundle"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
MEMBERS = "ensemble"
"""Key of the members' own records in the training record of an ensemble."""

_KEYS = ("format", "format_version", "name", "created", "community", "hint_size", "training", "kpis")


@dataclass(frozen=True)
class Manifest:
    """What a bundle says about its policy.

    Attributes:
        name: the policy's name, shown by the server and its metrics.
        created: when it was exported, ISO 8601 in UTC (``2026-01-31T12:00:00+00:00``).
        community: the feature table of the community it was trained on.
        hint_size: H, numbers in the coordinator's hint to a building; 0 without a coordinator.
        training: how it came about (data set with hash, config, versions, seeds): any JSON object.
        kpis: key performance indicators by name; None where one is undefined.

    Raises:
        BundleError: a value that the format doesn't allow.
    """

    name: str
    created: str
    community: CommunityFeatures
    hint_size: int
    training: Mapping[str, Any]
    kpis: Mapping[str, float | None]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise BundleError(f"The manifest's 'name' is {self.name!r}; give the policy a name that is not empty.")
        if not isinstance(self.hint_size, int) or isinstance(self.hint_size, bool) or self.hint_size < 0:
            raise BundleError(f"The manifest's 'hint_size' is {self.hint_size!r}; give a whole number of at least 0.")
        if not _is_utc(self.created):
            raise BundleError(
                f"The manifest's 'created' is {self.created!r}; give an ISO 8601 time in UTC, such as "
                "2026-01-31T12:00:00+00:00."
            )
        if not isinstance(self.training, Mapping) or not _is_json(dict(self.training)):
            raise BundleError("The manifest's 'training' is not a JSON object; use text, finite numbers, lists, objects.")
        members = self.training.get(MEMBERS, [])
        if not isinstance(members, list) or not all(
            isinstance(one, Mapping) and isinstance(one.get("name"), str) and isinstance(one.get("sha256"), str)
            for one in members
        ):
            raise BundleError(f"The manifest's {MEMBERS!r} is no list of members, each with its name and sha256.")
        if not isinstance(self.training.get("data"), Mapping | None):
            raise BundleError("The manifest's 'training' has 'data' that is no object; leave it out, or describe the data.")
        if not isinstance(self.kpis, Mapping):
            raise BundleError(f"The manifest's 'kpis' is {self.kpis!r}; give an object of numbers by name.")
        for name, value in self.kpis.items():
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
            if not isinstance(name, str) or not (value is None or is_number):
                raise BundleError(f"The manifest's KPI {name!r} is {value!r}; give a finite number, or null.")

    def to_dict(self) -> dict[str, Any]:
        """The content of ``manifest.json``."""
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "created": self.created,
            "community": self.community.to_dict(),
            "hint_size": self.hint_size,
            "training": dict(self.training),
            "kpis": dict(self.kpis),
        }

    @classmethod
    def from_dict(cls, content: Any) -> Manifest:
        """The inverse of ``to_dict``.

        Raises:
            BundleError: another format or version, missing or unknown keys, or values of the wrong kind.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise BundleError(f"{MANIFEST} does not describe a policy bundle: its 'format' is not {FORMAT!r}.")
        version = content.get("format_version")
        if version != FORMAT_VERSION or isinstance(version, bool):
            raise BundleError(
                f"{MANIFEST} has the format version {version!r}, and this version of rllib_citylearn reads "
                f"{FORMAT_VERSION}. Use the version that wrote the bundle, or export it again."
            )
        missing, unknown = sorted(set(_KEYS) - set(content)), sorted(set(content) - set(_KEYS))
        if missing or unknown:
            raise BundleError(
                f"{MANIFEST} lacks the keys {missing} and has the unknown keys {unknown}; expected are exactly "
                f"{', '.join(_KEYS)}. Export the bundle again."
            )
        try:
            community = CommunityFeatures.from_dict(content["community"])
        except (UserError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(
                f"The 'community' of {MANIFEST} can't be read ({type(error).__name__}: {error}). "
                "Use the version of rllib_citylearn that wrote the bundle, or export it again."
            ) from error
        return cls(
            name=content["name"],
            created=content["created"],
            community=community,
            hint_size=content["hint_size"],
            training=content["training"],
            kpis=content["kpis"],
        )


def _is_utc(text: Any) -> bool:
    if not isinstance(text, str):
        return False
    try:
        return datetime.fromisoformat(text).utcoffset() == timedelta(0)
    except ValueError:
        return False


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value, allow_nan=False)) == value)
    except (TypeError, ValueError):
        return False
