"""Drift of vehicles that are away: factors by which their charge changes, drawn before an episode starts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from rllib_citylearn.simulator.description import CommunityDescription
from rllib_citylearn.simulator.differentiable.state import State
from rllib_citylearn.simulator.parameters import Floats
from rllib_citylearn.simulator.presence import DRIFT_AN_HOUR, DRIFT_BOUNDS


def drawn_drift(
    description: CommunityDescription,
    rows: npt.NDArray[np.int64],
    seeds: Sequence[int] | npt.NDArray[np.int64] | None,
    hours: int,
) -> Floats:
    """Factors of episodes that start at ``rows`` ``[E]``, as CityLearn draws them.

    Args:
        description: the community.
        rows: of its data.
        seeds: one an episode; None is what ``FastCommunity.reset`` takes by default.
        hours: for how many hours.

    Returns:
        ``[E, hours, V]``, of which the first act at the start of the row after ``rows``; NaN where a vehicle doesn't drift.
        Without hours where there are no vehicles.
    """
    vehicles = len(description.parameters.vehicles)
    if not vehicles:
        return np.zeros((len(rows), 0, 0))
    factors = np.full((len(rows), hours, vehicles), np.nan)
    own = np.broadcast_to(np.asarray(description.parameters.random_seed + 1 if seeds is None else seeds), rows.shape)
    for e, (row, seed) in enumerate(zip(rows, own, strict=True)):
        drawn = description.tables.presence.drift(int(row), hours + 1, int(seed))[1:]
        factors[e, : len(drawn)] = drawn
    return factors


def fresh_drift(
    drifts: torch.Tensor, row: torch.Tensor, hours: int, dtype: torch.dtype, generator: torch.Generator | None
) -> torch.Tensor:
    """Factors for communities in mid-episode, of the same distribution as CityLearn's but other draws.

    Args:
        drifts: whether a vehicle drifts at a row, bool ``[T, V]``.
        row: where the communities stand, ``[E]``.
        hours: for how many hours.
        dtype: of the factors.
        generator: on the device of ``row``; None is torch's own.

    Returns:
        ``[E, hours, V]``, of which the first act at the start of the row after ``row``; NaN where a vehicle doesn't drift.
        Without hours where there are no vehicles.
    """
    rows, vehicles = drifts.shape
    if not vehicles:
        return torch.zeros(len(row), 0, 0, dtype=dtype, device=row.device)
    at = row.unsqueeze(1) + torch.arange(1, hours + 1, device=row.device)
    drawn = torch.empty(len(row), hours, vehicles, dtype=dtype, device=row.device)
    drawn.normal_(1.0, DRIFT_AN_HOUR, generator=generator).clamp_(*DRIFT_BOUNDS)
    return torch.where(drifts[at.clamp(max=rows - 1)], drawn, torch.nan)  # in the last row nothing drifts


def drift_at(state: State, row: torch.Tensor) -> torch.Tensor | None:
    """Factors ``[E, V]`` that act at the start of ``row`` ``[E]``; NaN beyond those known, None where none are."""
    known = state.drift.shape[1]
    if not known:
        return None
    at = row - state.drift_row
    factors = state.drift[torch.arange(len(at), device=at.device), at.clamp(0, known - 1)]
    return torch.where((at < known).unsqueeze(1), factors, torch.nan)
