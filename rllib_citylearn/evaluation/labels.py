"""What tables and figures call contenders."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.evaluation.words import clean, shortened

LONGEST_LABEL = 44
"""Characters of a name; where a longer one is cut the whole of it stands below the report."""


def labels_of(names: Sequence[str], longest: int = LONGEST_LABEL) -> dict[str, str]:
    """Short names, all different: of a path its last two parts, or as many as set it apart; the middle of long ones goes.

    Args:
        names: full names.
        longest: characters that fit, but for numbers behind names that would be the same.

    Returns:
        Short names by full ones.
    """
    result: dict[str, str] = {}
    for name in names:
        parts = Path(name).parts
        label = name
        if name not in BASELINES and len(parts) > 2:
            others = [Path(other).parts for other in names if other != name]
            last = (k for k in range(2, len(parts) + 1) if k == len(parts) or all(o[-k:] != parts[-k:] for o in others))
            label = "/".join(parts[-next(last) :])
        label = shortened(clean(label), longest)
        taken = set(result.values())
        again = (f"{label} ({k})" for k in range(2, len(names) + 2))
        result[name] = next(one for one in chain([label], again) if one not in taken)
    return result
