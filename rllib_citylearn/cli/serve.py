"""``rllib-citylearn serve``: a policy bundle behind HTTP on this machine."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rllib_citylearn.errors import ConfigError, UserError

if TYPE_CHECKING:
    from serve.settings import Settings

RUNS = Path("runs")

SHIPPED = Path("bundles") / "full" / "bundle"
"""Comes with the repository; what trained it and what it scores is in the report beside it."""


def add_parser(subparsers: Any) -> None:
    """Add this command to the command line."""
    parser = subparsers.add_parser(
        "serve",
        help="answer HTTP requests with a policy",
        description="Serve a policy bundle with Ray Serve on this machine, until Ctrl-C or SIGTERM.",
    )
    parser.add_argument(
        "bundle",
        type=Path,
        nargs="?",
        metavar="BUNDLE",
        help=f"a policy bundle (default: the newest {RUNS}/*/bundle, or {SHIPPED})",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen at (default: %(default)s)")
    parser.add_argument(
        "--replicas",
        default="1",
        metavar="N|A-B",
        help="processes that answer, or from A to B of them with the load, A may be 0 (default: 1)",
    )
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="bearer tokens that may call, 'NAME TOKEN' a line")
    parser.add_argument(
        "--ingress",
        choices=("haproxy", "python"),
        default="haproxy",
        help="what takes requests in: HAProxy, where Ray brings it, or Ray's own, slower proxy (default: %(default)s)",
    )
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="YAML",
        help="communities, versions, limits and the rest, as in the user_config of serve/config.yaml, instead of BUNDLE",
    )
    parser.add_argument(
        "--check",
        type=Path,
        metavar="YAML",
        help="verify settings, or a Serve config file, and all bundles in it, say what would be served, and end",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal arrives; returns the exit status."""
    if args.check is not None:
        if args.bundle is not None or args.settings is not None:
            raise ConfigError("--check takes one file of settings and serves nothing; leave out BUNDLE and --settings.")
        return _check(args.check)
    from serve.launch import REPLICA_PORTS, serve_locally

    replicas = _replicas(args.replicas, REPLICA_PORTS // 2)
    serve_locally(lambda: _settings(args), args.host, args.port, replicas=replicas, haproxy=args.ingress == "haproxy")
    return 0


def _check(path: Path) -> int:
    from serve.check import check

    for name, community in check(path).items():
        for label, model in community.models.items():
            role = "serves" if label == community.serving else "stands by"
            if community.canary is not None and label == community.canary.version:
                role = f"answers {community.canary.share:.0%}"
            buildings = len(model.runtime.building_names)
            change = model.check.get("mean_change")
            compared = "" if change is None else f"; its actions differ by {change:.2%} of their ranges on recorded inputs"
            print(f"{name}: version {label} ({model.bundle.manifest.name}, {buildings} buildings) {role}{compared}")
    return 0


def _replicas(text: str, largest: int) -> tuple[int, int]:
    """Least and most processes."""
    found = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text)
    least, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not (found and least <= most and 0 < most <= largest):
        raise ConfigError(f"--replicas is {text!r}; give a number from 1 to {largest}, or two, such as 1-3 or 0-3.")
    return least, most


def _settings(args: argparse.Namespace) -> Settings:
    from serve.check import read_settings
    from serve.settings import settings

    if args.settings is None:
        return settings({"bundle": str(_bundle(args.bundle)), **_tokens(args)})
    if args.bundle is not None:
        raise ConfigError("Both a bundle and --settings were given; name the bundle in the settings.")
    return settings({**read_settings(args.settings), **_tokens(args)})


def _tokens(args: argparse.Namespace) -> dict[str, str]:
    return {} if args.tokens is None else {"tokens": str(args.tokens)}


def _bundle(given: Path | None) -> Path:
    bundle = given or newest_bundle(RUNS)
    if bundle is None:
        bundle = shipped_bundle(SHIPPED, RUNS)
        print(f"Nothing was trained here yet; serving {bundle}, which comes with the repository.", flush=True)
    return bundle


def newest_bundle(runs: Path) -> Path | None:
    """The bundle of the run that finished last, if any has: its report is written at the very end."""
    reports = [report for report in runs.glob("*/report.json") if (report.parent / "bundle").is_dir()]
    return max(reports, key=lambda report: report.stat().st_mtime).parent / "bundle" if reports else None


def shipped_bundle(shipped: Path, runs: Path) -> Path:
    """The bundle to serve where nothing was trained.

    Raises:
        UserError: there is none here, as outside a clone of the repository.
    """
    if not shipped.is_dir():
        raise UserError(f"There is no finished run with a policy in {runs}/; run `make train` first, or name a bundle.")
    return shipped
