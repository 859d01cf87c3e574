"""Which buildings of a data set make up a community."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from rllib_citylearn.errors import ConfigError

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


def positions(text: str) -> list[tuple[str, int, int]]:
    """The parts of ``1-5,7``, each as it is written with its first and last position.

    Raises:
        ConfigError: something is written that is no range.
    """
    found = []
    for part in (part.strip() for part in text.split(",")):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise ConfigError(
                f"{part!r} in the buildings {text!r} is neither a position nor a range of positions; "
                "write for example 1-5,7."
            )
        found.append((part, int(match[1]), int(match[2] or match[1])))
    return found


def select_buildings(text: str, names: Sequence[str]) -> list[str]:
    """Names of the buildings that ``text`` picks by position, each once and in the data set's order.

    Args:
        text: positions and ranges of positions from 1, with commas between: ``1-5,7``.
        names: all buildings of the data set, in its order.

    Raises:
        ConfigError: what is written is no range, or lies outside the data set.
    """
    picked: set[int] = set()
    for part, first, last in positions(text):
        if not 1 <= first <= last <= len(names):
            raise ConfigError(
                f"{part!r} in the buildings {text!r} does not fit the data set, which has the positions 1 to "
                f"{len(names)} ({names[0]} to {names[-1]}); give positions within it, the lower one first."
            )
        picked.update(range(first, last + 1))
    return [name for position, name in enumerate(names, start=1) if position in picked]


def named_buildings(wanted: Sequence[str], names: Sequence[str]) -> list[str]:
    """The buildings ``wanted``, each once and in the data set's order.

    Args:
        wanted: names of buildings.
        names: all buildings of the data set, in its order.

    Raises:
        ConfigError: no building at all, or one that the data set doesn't have; says which one is nearest.
    """
    unknown = sorted(set(wanted) - set(names))
    if not unknown and wanted:
        return [name for name in names if name in set(wanted)]
    near = {name: get_close_matches(name, names, n=1) for name in unknown}
    guesses = "; ".join(f"nearest to {name!r} is {found[0]!r}" for name, found in near.items() if found)
    raise ConfigError(
        f"Buildings {unknown or 'none'} were asked for, but the data set has {', '.join(names)}. "
        f"Name at least one of these{f' ({guesses})' if guesses else ''}."
    )


def community_buildings(
    buildings: Sequence[str] | str | None, held_out: Sequence[str] | str | None, names: Sequence[str]
) -> list[str]:
    """Names of a community's buildings, in the data set's order.

    Args:
        buildings: names, or positions as text (``1-5,7``); None is all of them.
        held_out: those of them to leave out, in the same forms; None leaves none out.
        names: all buildings of the data set, in its order.

    Raises:
        ConfigError: buildings that the data set doesn't have, held-out ones that weren't among the others, or none left.
    """
    kept = list(names) if buildings is None else _either(buildings, names)
    if held_out is None:
        return kept
    left_out = _either(held_out, names)
    strangers = [name for name in left_out if name not in kept]
    if strangers:
        raise ConfigError(
            f"{', '.join(strangers)} can't be held out: the community has the buildings {', '.join(kept)}. Name some."
        )
    if len(left_out) == len(kept):
        raise ConfigError(f"All of the buildings {', '.join(kept)} are held out; leave at least one to train on.")
    return [name for name in kept if name not in left_out]


def _either(wanted: Sequence[str] | str, names: Sequence[str]) -> list[str]:
    return select_buildings(wanted, names) if isinstance(wanted, str) else named_buildings(wanted, names)
