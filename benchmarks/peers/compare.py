"""Runs every competitor with every seed, one after the other, and writes the table of docs/peers.md.

    python -m benchmarks.peers.compare --peer-python PEERS_VENV/bin/python docs/peers.md

Results that ``--results`` already holds are not made again, so an interrupted comparison goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from benchmarks.peers.rules import rule_returns
from benchmarks.peers.run import STEPS, Result
from rllib_citylearn.errors import UserError
from rllib_citylearn.files import write_text

OURS = "benchmarks.peers.spread_ours"
PEER = "benchmarks.peers.spread_benchmarl"
COMPETITORS: dict[str, tuple[str, ...]] = {
    "ours-off": (OURS, "--coordinator", "off"),
    "ours-on": (OURS, "--coordinator", "on"),
    "benchmarl": (PEER,),
}
"""Module and options of each, by the name of its files."""

BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->"


def table(results: Sequence[Result], rules: Mapping[str, float]) -> str:
    """The results as Markdown: one line a competitor, best mean first, then commands and versions.

    Args:
        results: runs of at least one competitor, each with the same seeds and steps.
        rules: team return of what learns nothing, by name; shown below.

    Raises:
        UserError: if the competitors' seeds or steps differ, or there is nothing to show.
    """
    runs = _by_name(results)
    titles = ("Competitor", "Mean", "Worst seed", "Best seed", "Spread", "CPU s", "Wall s", "Seeds' returns")
    rows = [titles, tuple("---" if k == 0 else "---:" for k in range(len(titles)))]
    for name in sorted(runs, key=lambda name: -_returns(runs[name]).mean()):
        returns = _returns(runs[name])
        spread = f"{returns.std(ddof=1):.2f}" if len(returns) > 1 else ""
        seconds = (np.mean([run.cpu_seconds for run in runs[name]]), np.mean([run.wall_seconds for run in runs[name]]))
        figures = (returns.mean(), returns.min(), returns.max())
        each = ", ".join(f"{value:.2f}" for value in returns)
        rows.append((name, *(f"{x:.2f}" for x in figures), spread, *(f"{x:.0f}" for x in seconds), each))
    rows += [(name, f"{value:.2f}", *[""] * (len(titles) - 2)) for name, value in rules.items()]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    commands = [f"- {name}: `{run.command}`" for name, of_name in runs.items() for run in of_name[:1]]
    packages = sorted({f"{package} {version}" for run in results for package, version in run.versions.items()})
    steps, seeds = results[0].steps, ", ".join(str(run.seed) for run in next(iter(runs.values())))
    return "\n".join(
        [
            f"{steps:,} environment steps a run, seeds {seeds}; team return, higher is better.",
            "",
            *lines,
            "",
            "The first run of each:",
            "",
            *commands,
            "",
            f"Versions: {', '.join(packages)}.",
            "",
        ]
    )


def _returns(runs: Sequence[Result]) -> np.ndarray:
    return np.array([run.team_return for run in runs])


def _by_name(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The runs of each competitor, in the order of their seeds."""
    runs: dict[str, list[Result]] = {}
    for result in sorted(results, key=lambda result: result.seed):
        runs.setdefault(result.name, []).append(result)
    shapes = {name: [(run.seed, run.steps) for run in of_name] for name, of_name in runs.items()}
    if len({tuple(shape) for shape in shapes.values()}) != 1:
        raise UserError(
            "Competitors have to be compared on the same seeds and steps, but their (seed, steps) are "
            f"{shapes or 'none at all'}; run benchmarks.peers.compare with an empty --results."
        )
    return runs


def page(text: str, results: str) -> str:
    """A page's text with what stands between the two comments replaced by ``results``."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{results}{END}{after}"


def run_all(
    folder: Path, peer_python: str, seeds: Sequence[int], steps: int, competitors: Sequence[str] = tuple(COMPETITORS)
) -> list[Result]:
    """Every competitor with every seed; one JSON a run is kept in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for seed in seeds:
        for file in competitors:
            module, *options = COMPETITORS[file]
            target = folder / f"{file}-{steps}-{seed}.json"
            if not target.exists():
                print(target.stem, "...", file=sys.stderr, flush=True)
                python = peer_python if module == PEER else sys.executable
                _call([python, "-m", module, *options, "--seed", str(seed), "--steps", str(steps), "--json", str(target)])
            results.append(Result(**json.loads(target.read_text(encoding="utf-8"))))
    return results


def _call(command: Sequence[str]) -> None:
    # One thread each: small networks gain nothing from more, and CPU seconds stay comparable.
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    if done.returncode:
        raise UserError(f"{' '.join(command)} ended with status {done.returncode}; what it said stands above.")


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="page whose table is replaced")
    parser.add_argument("--peer-python", required=True, help="python of the peers' virtual environment")
    parser.add_argument("--results", type=Path, default=Path("runs/peers"), help="folder of the runs' JSON")
    parser.add_argument("--seed", type=int, nargs="+", default=[0, 1, 2], help="seeds")
    parser.add_argument("--steps", type=int, default=STEPS, help="environment steps of each run")
    parser.add_argument("--competitors", nargs="+", choices=COMPETITORS, default=[*COMPETITORS], help="who takes part")
    parser.add_argument("--json", type=Path, help="write all results here too, as one JSON")
    given = parser.parse_args()
    try:
        results = run_all(given.results, given.peer_python, given.seed, given.steps, given.competitors)
        text = page(given.page.read_text(encoding="utf-8"), table(results, rule_returns()))
    except UserError as error:
        sys.exit(str(error))
    write_text(given.page, text)
    if given.json:
        write_text(given.json, json.dumps([asdict(result) for result in results], indent=2) + "\n")


if __name__ == "__main__":
    main()
