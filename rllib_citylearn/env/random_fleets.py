"""Fleets of electric vehicles drawn for training: each a data set in the cache, laid over a site's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from rllib_citylearn import __version__
from rllib_citylearn.datasets.cache import locked
from rllib_citylearn.datasets.content import folder_sha256
from rllib_citylearn.datasets.fleets import FleetSpec, lay_fleet
from rllib_citylearn.files import cache_folder


def drawn_fleet(source: Path, fleet: Mapping[str, Any], seeds: Sequence[int] | None) -> Path:
    """The folder of ``source`` with a fleet.

    Args:
        source: folder of the data set.
        fleet: fields of ``FleetSpec``.
        seeds: numbers of zero or more from which, with the fleet's own seed, the drawn one follows; None takes its own.
    """
    spec = FleetSpec.from_dict(fleet)
    if seeds is not None:
        spec = replace(spec, seed=int(np.random.default_rng([spec.seed, *seeds]).integers(2**31)))
    return _laid(source, spec)


def widest_fleet(source: Path, fleet: Mapping[str, Any]) -> Path:
    """The folder of ``source`` with a fleet that has whatever can be drawn: chargers everywhere, all of the highest power.

    Its feature table has the columns and the ranges of all the others.
    """
    spec = FleetSpec.from_dict(fleet)
    power = max(power for power, _ in spec.charger_powers_kw)
    discharging = 1.0 if spec.v2g_share > 0 else 0.0
    return _laid(source, replace(spec, building_share=1.0, charger_powers_kw=((power, 1.0),), v2g_share=discharging))


def _laid(source: Path, spec: FleetSpec) -> Path:
    """Lay the fleet where nobody has before; the folder's name says over which data, by which version and which fleet."""
    inputs = json.dumps([__version__, folder_sha256(source), spec.to_dict()], sort_keys=True)
    name = hashlib.sha256(inputs.encode()).hexdigest()[:24]
    folder = cache_folder() / "fleets" / name
    with locked(cache_folder(), f"fleet-{name}"):  # runners of one run lay the widest fleet at the same time
        if not folder.is_dir():
            lay_fleet(source, folder, spec)
    return folder
