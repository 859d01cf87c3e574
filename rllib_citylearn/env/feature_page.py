"""The feature table as a page of the docs (``docs/features.md``)."""

from __future__ import annotations

from collections.abc import Iterable

from rllib_citylearn.env.features import ACTIONS, FEATURES, Feature

_HEAD = """# Features and actions

Made by `make docs` from `rllib_citylearn/env/features.py`; observation spaces, encoders, bundles and the checks of requests come
from the same table.

A building sees the features that its data set's schema activates, plus its descriptors. Every feature is encoded into columns within
[-1, 1]: *linear* maps the range to [-1, 1]; *periodic* gives cosine and sine; *categories* gives one 0/1 column for each whole number
in the range. Values outside the range are clipped. Ranges marked * are the defaults: energies, powers, prices and carbon intensity
get ranges fitted to the data set, which travel with the policy.
"""


def feature_page() -> str:
    """The page, Markdown."""
    lines = [_HEAD, "## Features", "", *_features(FEATURES.values()), "", "## Actions", "", *_actions()]
    return "\n".join([*lines, ""])


def _features(features: Iterable[Feature]) -> list[str]:
    from rllib_citylearn.env.citylearn_env import FITTED

    rows = ["| Name | Unit | Range | Encoding | Columns | Source | Meaning |", "|---|---|---|---|---|---|---|"]
    for feature in features:
        star = "*" if feature.name in FITTED or feature.source == "descriptor" else ""
        rows.append(
            f"| `{feature.name}` | {feature.unit} | {feature.low:g} to {feature.high:g}{star} | {feature.encoding} | "
            f"{len(feature.columns)} | {feature.source} | {feature.meaning} |"
        )
    return rows


def _actions() -> list[str]:
    rows = ["| Name | 1.0 stands for | Meaning |", "|---|---|---|"]
    return [*rows, *(f"| `{action.name}` | {action.unit} | {action.meaning} |" for action in ACTIONS.values())]
