"""Versions of what made the numbers."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("rllib_citylearn", "citylearn", "ray", "torch", "numpy", "gymnasium")
"""Packages whose versions a report states."""


def installed_versions() -> dict[str, str]:
    """Version by name of those of ``PACKAGES`` that are installed."""
    result = {}
    for name in PACKAGES:
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            continue
    return result
