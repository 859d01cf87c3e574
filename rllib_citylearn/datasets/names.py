"""The data sets this project knows by name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

ARCHIVE_RANDOM_SEEDS = {
    **{f"citylearn_challenge_2020_climate_zone_{zone}": 2020 for zone in (1, 2, 3, 4)},
    "citylearn_challenge_2021": 2021,
    **{f"citylearn_challenge_2022_phase_{phase}": 2022 for phase in ("1", "2", "3", "all")},
    "citylearn_challenge_2023_phase_1": 2023,
    "citylearn_challenge_2023_phase_2_local_evaluation": 2023,
    **{f"citylearn_challenge_2023_phase_2_online_evaluation_{part}": 2023 for part in (1, 2, 3)},
    **{f"citylearn_challenge_2023_phase_3_{part}": 2023 for part in (1, 2, 3)},
    "baeda_3dem": 2023,
}
"""Data sets that the archive holds and the upgrade brings to the current format, with the ``random_seed`` that the
current format gives them. CityLearn draws from it what a schema leaves out, the battery curves above all.

``baeda_3dem`` was never published in the current format. It is upgraded by the rules for the sets of 2023, which are of its
kind, and gets their seed, from which CityLearn 3.0.2 draws its tanks' efficiencies; CityLearn 2.1.2 took 1 for these."""

DOWNLOAD_ONLY = ("citylearn_challenge_2022_phase_all_plus_evs",)
"""Data sets that only CityLearn's own download has; it may have more, under names that are not listed here."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


def is_name(text: str) -> bool:
    """Whether ``text`` can be a data set's name, so that it is safe as the name of a folder and in an address."""
    return _NAME.fullmatch(text) is not None and ".." not in text


def known_names() -> list[str]:
    """Every name listed here, sorted."""
    return sorted({*ARCHIVE_RANDOM_SEEDS, *DOWNLOAD_ONLY})


def nearest(name: str, names: Iterable[str]) -> str | None:
    """What was probably meant by ``name``; None if nothing comes close."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return matches[0] if matches else None


def suggestion(name: str, names: Iterable[str]) -> str:
    """A sentence that names what was probably meant; empty if nothing comes close."""
    meant = nearest(name, names)
    return "" if meant is None else f" Did you mean {meant}?"
