"""``rllib-citylearn bundle``: check a policy bundle, say what is in it, make one of several."""

from __future__ import annotations

import argparse
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.cli.json_output import write_result

if TYPE_CHECKING:
    from rllib_citylearn.export.bundle import Bundle


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "bundle",
        help="check a policy bundle, say what is in it, make one of several",
        description="Check a policy bundle, say what is in it, or make one of several policies that were trained alike.",
    )
    parser.set_defaults(run=run)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser(
        "verify",
        help="compare all files with their checksums and the networks with the manifest, and run them once",
        description=(
            "Compare every file of a bundle with its checksum and the networks with the manifest, and run the policy once. "
            "Exit status 2 and a sentence say what is wrong."
        ),
    )
    show = actions.add_parser("show", help="say what a policy sees and sets, how it was trained and what it reached")
    for action in (verify, show):
        action.add_argument("bundle", type=Path, metavar="BUNDLE", help="the bundle's folder")
    ensemble = actions.add_parser(
        "ensemble",
        help="make a bundle whose actions are the mean of several policies' actions",
        description=(
            "Make a bundle whose actions are the mean of several policies' actions. They are trained on the same buildings, "
            "with other seeds, say; on hours and buildings that none of them knows their mean is better than they are."
        ),
    )
    ensemble.add_argument("members", type=Path, metavar="BUNDLE", nargs="+", help="the members' folders, two or more")
    ensemble.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    ensemble.add_argument("--name", help="the policy's name (default: the new folder's)")
    for action in (verify, show, ensemble):
        action.add_argument("--json", metavar="FILE", help="write the result as JSON; - for standard output")
    verify.set_defaults(run_action=_verify)
    show.set_defaults(run_action=_show)
    ensemble.set_defaults(run_action=_ensemble)


def run(args: argparse.Namespace) -> int:
    """Run the chosen action; returns the exit status."""
    status: int = args.run_action(args)
    return status


def _verify(args: argparse.Namespace) -> int:
    from rllib_citylearn.export import PolicyRuntime, read_bundle

    bundle = read_bundle(args.bundle)
    PolicyRuntime(bundle)  # runs the policy once
    if args.json != "-":
        print(f"{args.bundle} is whole and runs: policy {bundle.manifest.name!r}, SHA-256 {bundle.sha256}")
    write_result(args.json, {"bundle": str(args.bundle), "name": bundle.manifest.name, "sha256": bundle.sha256})
    return 0


def _show(args: argparse.Namespace) -> int:
    from rllib_citylearn.export import read_bundle

    bundle = read_bundle(args.bundle)
    if args.json != "-":
        for what, text in _facts(bundle):
            print(textwrap.fill(text, 110, initial_indent=f"{what:<13}", subsequent_indent=" " * 13))
    write_result(args.json, {"sha256": bundle.sha256, **bundle.manifest.to_dict()})
    return 0


def _facts(bundle: Bundle) -> list[tuple[str, str]]:
    """What a person wants to know of a bundle, with a name for each."""
    from rllib_citylearn.export.manifest import MEMBERS

    manifest = bundle.manifest
    community, training = manifest.community, manifest.training
    names = [agent.name for agent in community.agents]
    data = training.get("data") or {}
    facts = [
        ("name", manifest.name),
        ("created", manifest.created),
        ("sha256", bundle.sha256),
        ("buildings", f"{len(names)}: {', '.join(names)}"),
        ("actions", ", ".join(community.actions)),
        ("sees", ", ".join(feature.name for feature in community.features if feature.source == "measured")),
        ("remembers", ", ".join(community.memory) or "nothing"),
        (
            "hint",
            f"{manifest.hint_size} numbers" if manifest.hint_size else "none: a building acts on what it sees alone",
        ),
        ("data", f"{data.get('name', 'not recorded')} (SHA-256 {data.get('sha256', 'not recorded')})"),
        ("made by", training.get("command") or "not recorded"),
    ]
    facts += [("member", f"{one['name']} (SHA-256 {one['sha256']})") for one in training.get(MEMBERS, ())]
    return facts + [("KPI", f"{name} {value:.4g}") for name, value in manifest.kpis.items() if value is not None]


def _ensemble(args: argparse.Namespace) -> int:
    from rllib_citylearn.export import read_bundle, write_bundle
    from rllib_citylearn.export.ensemble import combine

    name = args.name or args.out.resolve().name
    words = ["rllib-citylearn", "bundle", "ensemble", *map(str, args.members), "--out", str(args.out)]
    command = shlex.join(words + (["--name", args.name] if args.name else []))
    manifest, models = combine([read_bundle(path) for path in args.members], name=name, command=command)
    bundle = write_bundle(args.out, manifest=manifest, models=models)
    if args.json != "-":
        print(f"Bundle {name!r} of {len(args.members)} policies: {args.out}")
    write_result(args.json, {"bundle": str(args.out), "name": name, "sha256": bundle.sha256})
    return 0
