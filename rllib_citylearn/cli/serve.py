"""``rllib-citylearn serve``: a policy bundle behind HTTP on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from rllib_citylearn.errors import UserError

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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal arrives; returns the exit status."""
    from serve.launch import serve_locally

    bundle: Path | None = args.bundle or newest_bundle(RUNS)
    if bundle is None:
        bundle = shipped_bundle(SHIPPED, RUNS)
        print(f"Nothing was trained here yet; serving {bundle}, which comes with the repository.", flush=True)
    serve_locally(bundle, args.host, args.port)
    return 0


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
