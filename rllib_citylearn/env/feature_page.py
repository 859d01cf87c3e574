"""The feature table as Markdown tables (``docs/features.md``)."""

from __future__ import annotations

from rllib_citylearn.env.citylearn_env import is_fitted
from rllib_citylearn.env.feature_table import ACTIONS, FEATURES


def feature_table() -> str:
    """Every feature: name, unit, range, encoding, source, meaning."""
    lines = ["| Name | Unit | Range | Encoding | Source | Meaning |", "|---|---|---|---|---|---|"]
    for feature in FEATURES.values():
        bounds = f"{feature.low:g} to {feature.high:g}{' *' if is_fitted(feature) else ''}"
        encoding = feature.encoding if feature.encoding == "linear" else f"{feature.encoding} ({len(feature.columns)})"
        lines.append(f"| `{feature.name}` | {feature.unit} | {bounds} | {encoding} | {feature.source} | {feature.meaning} |")
    return "\n".join(lines)


def action_table() -> str:
    """Every action: name, unit, meaning."""
    lines = ["| Name | 1.0 stands for | Meaning |", "|---|---|---|"]
    lines += [f"| `{action.name}` | {action.unit} | {action.meaning} |" for action in ACTIONS.values()]
    return "\n".join(lines)
