"""What users observe as the body of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export.rows import shown

Observations: TypeAlias = Mapping[str, Mapping[str, float] | None] | Sequence[Any]
"""One observation of a community: by building and feature, or one row a building; None for a building that is silent.

Arrays of numpy and others with ``tolist`` are taken as well."""


def is_named(observations: Any) -> bool:
    """Whether an observation is by name; if not, it is taken for rows."""
    return isinstance(observations, Mapping)


def body_of(observations: Any, common: Any, state: str | None) -> bytes:
    """The body of a request for actions or hints.

    What does not fit the community is left to the server, which names the place; it is the one that knows.

    Args:
        observations: see ``Observations``.
        common: measurements that hold for all buildings, by feature; None is none.
        state: that of the last answer; None begins afresh.

    Raises:
        FeatureError: something that is no observation of one community, or can't be written as JSON.
    """
    observed = _plain(observations)
    if not isinstance(observed, (dict, list)):
        raise FeatureError(f"observations is {shown(observed)}; expected an object of buildings, or a list of rows.")
    if isinstance(observed, list) and any(isinstance(row, dict) or _is_grid(row) for row in observed):
        raise FeatureError(
            "observations is a list of several observations; a client acts for one community, one hour after the other. "
            "Give one observation: an object of buildings, or a list of one row of numbers a building."
        )
    content: dict[str, Any] = {"observations": observed}
    if common is not None:
        content["common"] = _plain(common)
    if state is not None:
        content["state"] = state
    try:
        return json.dumps(content, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FeatureError(
            f"observations can't be written as JSON ({error}); give plain numbers by name or in rows."
        ) from error


def _is_grid(row: Any) -> bool:
    return isinstance(row, list) and any(isinstance(entry, list) for entry in row)


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, mappings as dictionaries, numpy's numbers as Python's."""
    if type(value) in (float, int, str):  # nearly all values are
        return value
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value
