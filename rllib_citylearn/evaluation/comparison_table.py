"""A comparison as plain text: a table a community."""

from __future__ import annotations

from rllib_citylearn.evaluation.bootstrap import FEWEST
from rllib_citylearn.evaluation.comparison import CommunityComparison, Comparison, Contender
from rllib_citylearn.evaluation.table import COLUMNS, served_lines


def comparison_table(comparison: Comparison) -> str:
    """Tables of all communities, best mean score first, with what has to be said below each."""
    return "\n\n".join("\n".join(_community(community)) for community in comparison.communities)


def _community(community: CommunityComparison) -> list[str]:
    shown = community.contenders[0].shown
    buildings, (first, last) = shown.trajectory.buildings, shown.trajectory.window
    seeds = ", ".join(str(seed) for seed in community.seeds)
    about = f"{len(buildings)} buildings, time steps {first} to {last}, random seed {seeds}"
    lines = [f"{community.label}: {about}" if community.label else about]
    kpis = [column for column in COLUMNS if column.kpi is not None]
    header = ["policy", "score", "95% interval", "worst", "of the possible", *(column.title for column in kpis)]
    body = []
    for contender in community.ranked:
        share = community.share_of_possible(contender.name)
        values = [contender.mean_kpi(column.kpi or "") for column in kpis]
        body.append(
            [
                contender.name,
                _number(contender.score),
                _interval(contender),
                _number(contender.worst),
                "-" if share is None else f"{round(100.0 * share):d}%",
                *(_number(value) for value in values),
            ]
        )
    widths = [max(len(row[i]) for row in [header, *body]) for i in range(len(header))]
    for row in [header, *body]:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    lines += [f"{c.name}: {c.reason}" for c in community.contenders if c.reason is not None]
    lines += [f"{name} did not take part: {reason}" for name, reason in community.refused]
    if all(contender.interval is None for contender in community.contenders):
        lines.append(f"No intervals: they take at least {FEWEST} stretches of 730 hours.")
    lines += served_lines([contender.shown for contender in community.ranked])
    return [*lines, *([community.note] if community.note else [])]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(contender: Contender) -> str:
    interval = contender.interval
    return "-" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
