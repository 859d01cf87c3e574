"""A folder that says how controllers did: numbers, pictures, and how they were got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.env.config import CITYLEARN, FAST
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.figures import MOST_LINES, RULE, Week, label, peak_week, soc_week_png, week_png
from rllib_citylearn.evaluation.table import COLUMNS, cells, served_lines, table_rows
from rllib_citylearn.files import write_bytes, write_json, write_text

PACKAGES = ("rllib_citylearn", "citylearn", "ray", "torch", "numpy", "gymnasium")
"""Packages whose versions a report states."""


_SIMULATED = {
    CITYLEARN: "CityLearn itself simulated (engine `citylearn`).",
    FAST: "The compiled engine simulated (engine `fast`), whose results are CityLearn's.",
}


def installed_versions() -> dict[str, str]:
    """Version by name of those of ``PACKAGES`` that are installed."""
    result = {}
    for name in PACKAGES:
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            continue
    return result


def write_report(
    folder: Path,
    comparison: Comparison,
    *,
    command: str,
    data: Any,
    versions: Mapping[str, str] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Path:
    """Write ``figures/``, ``report.md`` and, last, ``report.json`` into ``folder``; each file is whole or not there.

    Args:
        folder: where to; a report that lies there is replaced, other files stay.
        comparison: what was evaluated; its first community is shown.
        command: the command that repeats it.
        data: JSON-ready description of the data set and where it came from.
        versions: version by package; None takes the installed ones.
        training: JSON-ready facts of the training behind the policies (seeds, steps, hours); None where there are none.

    Returns:
        The path of ``report.md``.

    Raises:
        ConfigError: nothing to report, evaluations that can't be compared, or a file where the folder should be.
    """
    evaluations = [contender.shown for contender in comparison.communities[0].contenders]
    _check(folder, evaluations)
    versions = installed_versions() if versions is None else versions
    week = peak_week(evaluations[0].trajectory)
    drawn = policies_to_draw(evaluations)
    load, soc = week_png(evaluations, drawn, week), soc_week_png(evaluations, drawn, week)
    text = _markdown(evaluations, command, data, versions, training, drawn, week, with_soc=soc is not None)
    content = {
        "table": table_rows(evaluations),
        "evaluations": [evaluation.to_dict() for evaluation in evaluations],
        "building_kpis": {evaluation.policy: evaluation.building_kpis for evaluation in evaluations},
        "data": data,
        "command": command,
        "versions": dict(versions),
        "seeds": sorted({evaluation.seed for evaluation in evaluations}),
        "training": training,
    }
    write_bytes(folder / "figures" / "week.png", load)
    if soc is None:
        (folder / "figures" / "soc_week.png").unlink(missing_ok=True)
    else:
        write_bytes(folder / "figures" / "soc_week.png", soc)
    write_text(folder / "report.md", text)
    write_json(folder / "report.json", content)
    return folder / "report.md"


def check_report_folder(folder: Path) -> None:
    """Refuse a place where no folder can be, before hours of simulation.

    Raises:
        ConfigError: there is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder} is a file; give a folder for the report.")


def policies_to_draw(evaluations: Sequence[Evaluation]) -> list[str]:
    """Names of what the figures show beside no control and the rule: policies, or else the best other baseline."""
    ranked = [str(row["policy"]) for row in table_rows(evaluations)]
    policies = [name for name in ranked if name not in BASELINES]
    others = [name for name in ranked if name in BASELINES and name not in ("no-control", RULE)]
    return policies[:MOST_LINES] or others[:1]


def _check(folder: Path, evaluations: Sequence[Evaluation]) -> None:
    if not evaluations:
        raise ConfigError("There is nothing to report: give at least one evaluation.")
    names = [evaluation.policy for evaluation in evaluations]
    if len(set(names)) < len(names):
        raise ConfigError(f"A report needs different names, but these are {', '.join(names)}; evaluate each once.")
    communities = {(e.trajectory.buildings, e.trajectory.window, e.seed) for e in evaluations}
    if len(communities) > 1:
        raise ConfigError(
            "These evaluations are of different buildings, windows or seeds, so they can't stand in one table. "
            "Write a report for each."
        )
    check_report_folder(folder)


def _markdown(
    evaluations: Sequence[Evaluation],
    command: str,
    data: Any,
    versions: Mapping[str, str],
    training: Mapping[str, Any] | None,
    drawn: Sequence[str],
    week: Week,
    *,
    with_soc: bool,
) -> str:
    trajectory = evaluations[0].trajectory
    first, last = trajectory.window
    days = trajectory.steps / trajectory.steps_per_day
    lines = ["# Evaluation", "", *_headline(evaluations), ""]
    lines += [
        f"{len(trajectory.buildings)} buildings ({', '.join(trajectory.buildings)}), time steps {first} to {last} "
        f"({days:.1f} days), seed {evaluations[0].seed}.",
        "",
        "## KPIs",
        "",
        "Every number is divided by that of the same community without control: 1 is no better and no worse, "
        "lower is better.",
        "",
        *_markdown_table(evaluations),
        "",
    ]
    lines += [f"- **{column.title}**: {column.meaning}." for column in COLUMNS]
    lines += [f"- {e.policy} has no score: {e.score.reason}" for e in evaluations if e.score.reason is not None]
    if not trajectory.price.any():
        lines.append("- The data has no electricity prices, so **cost** is 1 for everyone and says nothing.")
    if any("electric_vehicle" in name for evaluation in evaluations for name in evaluation.trajectory.actions):
        lines.append("- Without control no vehicle is ever charged, so whoever serves drivers pays more than 1.")
    lines += [f"- {line}" for line in served_lines(evaluations)]
    lines += ["", "## One week", "", "![District net load over one week](figures/week.png)", ""]
    lines += [_caption(evaluations, drawn, week), ""]
    if with_soc:
        lines += ["![Mean state of charge over the same week](figures/soc_week.png)", ""]
        lines += ["Mean state of charge of the batteries in the same week.", ""]
    lines += ["## How it was measured", "", "```", command, "```", ""]
    lines += [
        "Each controller ran through the window once. "
        + " ".join(_SIMULATED[engine] for engine in sorted({evaluation.engine for evaluation in evaluations}))
        + " CityLearn computed the KPIs (`CityLearnEnv.evaluate()`, district level).",
        "",
        f"- Data: {_inline(data)}",
        f"- Versions: {', '.join(f'{name} {number}' for name, number in versions.items())}",
    ]
    if training is not None:
        facts = {name: value for name, value in training.items() if not isinstance(value, Mapping)}
        lines.append(f"- Training: {_inline(facts)}")
    return "\n".join(lines) + "\n"


def _headline(evaluations: Sequence[Evaluation]) -> list[str]:
    """One sentence on the best policy, or the best baseline where there is no policy."""
    scored = [e for e in evaluations if e.score.score is not None]
    if not scored:
        return ["No controller has a score in this window; the reasons stand below the table."]
    ranked = sorted(scored, key=lambda e: e.score.score or 0.0)
    best = next((e for e in ranked if e.policy not in BASELINES), ranked[0])
    saved = 100.0 * (1.0 - (best.score.score or 0.0))
    change = f"{saved:.1f}% below" if saved >= 0 else f"{-saved:.1f}% above"
    rules = [e for e in ranked if e.policy in BASELINES and e.policy not in ("no-control", best.policy)]
    beside = f"; the best rule, {rules[0].policy}, scores {rules[0].score.score:.3f}" if rules else ""
    return [f"**{label(best.policy)}** scores {best.score.score:.3f}, {change} no control{beside}."]


def _markdown_table(evaluations: Sequence[Evaluation]) -> list[str]:
    lines = [
        "| policy | " + " | ".join(column.title for column in COLUMNS) + " |",
        "|---|" + "---:|" * len(COLUMNS),
    ]
    for row in table_rows(evaluations):
        name = str(row["policy"])
        shown = name if name in BASELINES else f"**{name}**"
        lines.append(f"| {shown} | " + " | ".join(cells(row)) + " |")
    return lines


def _caption(evaluations: Sequence[Evaluation], drawn: Sequence[str], week: Week) -> str:
    trajectory = evaluations[0].trajectory
    names = ["no control"]
    names += [RULE] if any(e.policy == RULE for e in evaluations) else []
    names += [label(name) for name in drawn]
    return (
        f"Net load of the district under {', '.join(names)}, in the seven days around the highest peak without control "
        f"({week.describe(trajectory)}): the hardest stretch of the window, not a typical one."
    )


def _inline(facts: Any) -> str:
    """JSON-ready facts in one line of text."""
    if isinstance(facts, Mapping):
        return "; ".join(f"{name}: {_inline(value)}" for name, value in facts.items())
    if isinstance(facts, list | tuple):
        return ", ".join(_inline(value) for value in facts)
    return str(facts)
