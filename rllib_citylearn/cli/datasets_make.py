"""``rllib-citylearn datasets add-vehicles`` and ``synthesize``: data sets that are made here."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rllib_citylearn.cli.json_output import write_result


def add_actions(actions: Any) -> None:
    """Add these actions to ``rllib-citylearn datasets``."""
    vehicles = actions.add_parser(
        "add-vehicles",
        help="lay a seeded fleet of electric vehicles over a data set",
        description=(
            "Write a data set with chargers and vehicles in some of its buildings; all else stays as it is, and plain "
            "CityLearn reads it. fleet.json in it says where the defaults come from. What is not given here keeps its "
            "default; distributions of hours and shares of powers can be set with --spec."
        ),
    )
    vehicles.add_argument("name", metavar="NAME_OR_PATH", help="the data set's name, or the path of its folder")
    vehicles.add_argument("--chargers-per-building", type=int, metavar="K", help="1 to 4 (default: 1)")
    vehicles.add_argument(
        "--building-share", type=float, metavar="X", help="share of buildings with chargers (default: 0.5)"
    )
    vehicles.add_argument("--v2g-share", type=float, metavar="X", help="share of chargers that discharge too (default: 0.5)")
    vehicles.add_argument("--distance-km", type=float, metavar="KM", help="mean of a day with a trip (default: 55)")
    vehicles.add_argument("--spec", type=Path, metavar="FILE", help="JSON file with fields of FleetSpec, as in fleet.json")
    synthesize = actions.add_parser(
        "synthesize",
        help="make up a community of any size",
        description=(
            "Write a data set of homes that look plausible and were never measured, for tests and for measuring how things "
            "scale. It begins on a Monday, the 1st of January."
        ),
    )
    synthesize.add_argument("--buildings", type=int, metavar="N", help="how many (default: 10)")
    synthesize.add_argument("--days", type=int, metavar="D", help="length of the data (default: 365)")
    for device, what, share in (
        ("battery", "a battery", 0.6),
        ("pv", "photovoltaics", 0.6),
        ("heat-pump", "heat pumps", 0.4),
        ("tank", "a hot-water tank", 0.4),
        ("vehicle", "a vehicle", 0.0),
    ):
        synthesize.add_argument(
            f"--{device}-share", type=float, metavar="X", help=f"share of homes with {what}, 0 to 1 (default: {share:g})"
        )
    for action in (vehicles, synthesize):
        action.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
        action.add_argument("--seed", type=int, metavar="S", help="from which everything is drawn (default: 0)")
        action.add_argument("--force", action="store_true", help="replace a data set that lies in the folder")
        action.add_argument("--json", metavar="FILE", help="write the result as JSON; - for standard output")
    vehicles.set_defaults(run_action=lambda args: _show(args, _add_vehicles(args)))
    synthesize.set_defaults(run_action=lambda args: _show(args, _synthesize(args)))


def _show(args: argparse.Namespace, result: dict[str, Any]) -> int:
    """Say what was made; returns the exit status."""
    if args.json != "-":
        counts = ", ".join(f"{value} {name}" for name, value in result.items() if isinstance(value, int))
        print(f"{counts}: {result['folder']}")
    write_result(args.json, result)
    return 0


def _given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Options that the command line has, by name; the others keep the defaults of what they go to."""
    return {name: getattr(args, name) for name in names if getattr(args, name) is not None}


def _add_vehicles(args: argparse.Namespace) -> dict[str, Any]:
    from rllib_citylearn.datasets import folder_sha256, resolve
    from rllib_citylearn.datasets.fleets import FleetSpec, lay_fleet

    fields = {} if args.spec is None else _read_spec(args.spec)
    fields |= _given(args, "seed", "chargers_per_building", "building_share", "v2g_share", "distance_km")
    spec = FleetSpec.from_dict(fields)
    source = resolve(args.name, report=lambda line: print(line, file=sys.stderr, flush=True))
    fleet = lay_fleet(source.folder, args.out, spec, force=args.force)
    return {
        "folder": str(args.out.resolve()),
        "source": source.describe(),
        "sha256": folder_sha256(args.out),
        "chargers": len(fleet.chargers),
        "vehicles": len(fleet.vehicles),
        "sessions": len(fleet.sessions),
        "spec": spec.to_dict(),
    }


def _read_spec(path: Path) -> dict[str, Any]:
    from rllib_citylearn.errors import ConfigError

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} can't be read ({error.strerror}); give a JSON file with fields of FleetSpec.") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply; give fields of FleetSpec, as in a fleet.json.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}); give fields of FleetSpec, as in a fleet.json.") from error
    # The fleet.json of another data set has them among other things.
    fields = content.get("spec", content) if isinstance(content, dict) else None
    if not isinstance(fields, dict):
        raise ConfigError(f'{path} holds no fields of FleetSpec; give a JSON object such as {{"v2g_share": 0.3}}.')
    return fields


def _synthesize(args: argparse.Namespace) -> dict[str, Any]:
    from dataclasses import asdict

    from rllib_citylearn.datasets import folder_sha256
    from rllib_citylearn.datasets.synthetic import SHARES, SyntheticSpec, make_community

    spec = SyntheticSpec(**_given(args, "buildings", "days", "seed", *SHARES))
    folder = make_community(spec, args.out, force=args.force)
    return {
        "folder": str(folder.resolve()),
        "sha256": folder_sha256(folder),
        "buildings": spec.buildings,
        "days": spec.days,
        "spec": asdict(spec),
    }
