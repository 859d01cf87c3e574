"""How much memory a replay takes, and whether the machine has it."""

from __future__ import annotations

import os

from rllib_citylearn.errors import ConfigError
from rllib_citylearn.limits import memory_limit

_USABLE = 0.8
"""Share of the machine's memory that a replay may take; networks, runners and the system need the rest."""


def row_bytes(buildings: int, columns: int, actions: int, states: int = 0) -> int:
    """Bytes of one row: a community at one hour.

    Args:
        buildings: number N of buildings.
        columns: number D of a building's observed columns.
        actions: number A of a building's actions.
        states: numbers S of the engine's state.
    """
    singles = buildings * (columns + actions + 1) + 1 + states
    flags, community = 2, 4
    return 4 * singles + flags + community


def memory_bytes() -> int:
    """Memory of the machine, or what a container may use of it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = memory_limit()
    return machine if limit is None else min(machine, limit)


def require_room(capacity: int, bytes_a_row: int) -> None:
    """Refuse a replay that the machine's memory can't hold.

    Memory is only taken as rows are written, so that without this a run would die hours after its start.

    Raises:
        ConfigError: says how many rows it may have.
    """
    usable = int(_USABLE * memory_bytes())
    if capacity * bytes_a_row > usable:
        raise ConfigError(
            f"replay_capacity={capacity} rows of {bytes_a_row / 1e3:,.1f} kB take {capacity * bytes_a_row / 1e9:,.1f} GB, "
            f"but a replay may take {usable / 1e9:,.1f} GB on this machine; use at most {usable // bytes_a_row} rows, fewer "
            "buildings or features, or a machine with more memory."
        )
