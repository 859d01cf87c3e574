"""``rllib-citylearn export``: a checkpoint becomes a policy bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "export",
        help="turn a checkpoint into a policy bundle",
        description="Turn a checkpoint into a policy bundle: ONNX networks, a manifest and checksums; no pickle.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="the folder that training printed")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="the folder to make; an older bundle is replaced")
    parser.add_argument("--name", help="the policy's name (default: the run's)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export; returns the exit status."""
    from rllib_citylearn.export.checkpoint import export_checkpoint

    bundle = export_checkpoint(args.checkpoint, args.bundle, name=args.name)
    community = bundle.manifest.community
    print(f"Bundle {bundle.manifest.name!r} for {len(community.agents)} buildings: {args.bundle}")
    return 0
