"""A comparison as plain text: tables a community, no wider than ``WIDTH`` columns where names of policies can be cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill

from rllib_citylearn.evaluation.comparison import CommunityComparison, Comparison
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.labels import labels_of
from rllib_citylearn.evaluation.means import mean_comfort, mean_missing_kwh, mean_totals
from rllib_citylearn.evaluation.score import SCORE_WEIGHTS
from rllib_citylearn.evaluation.table import COLUMNS
from rllib_citylearn.evaluation.words import APPLIANCES_COUNT, amount, counted

WIDTH = 120
LONGEST_NAME = 20
"""Characters of a policy's name; where a longer one is cut the whole of it stands below the tables."""

TOTALS = {
    "bill": "cost",
    "CO2 kg": "carbon_kg",
    "imported kWh": "imported_kwh",
    "exported kWh": "exported_kwh",
    "peak kW": "peak_kw",
}
"""Columns: attributes of ``Totals`` by their headings."""

Columns = Mapping[str, Sequence[str]]


def comparison_table(comparison: Comparison) -> str:
    """Tables of all communities, best mean score first, with what has to be said below each."""
    return "\n\n".join("\n".join(_community(community)) for community in comparison.communities)


def more_tables(community: CommunityComparison, *, kpis: bool = True) -> list[str]:
    """Lines of the tables beside the score: totals, and how people were served where somebody is.

    Args:
        community: who took part.
        kpis: whether the KPIs that are no part of the score stand there, too.
    """
    ranked, labels = community.ranked, _labels(community)
    tables = [{**(_other_kpis(ranked) if kpis else {}), **_totals(ranked)}, _service(ranked)]
    return [line for columns in tables if columns for line in ["", *_aligned([labels[c.name] for c in ranked], columns)]]


def _community(community: CommunityComparison) -> list[str]:
    course = community.contenders[0].shown.course
    first, last = course.window
    seeds = ", ".join(str(seed) for seed in community.seeds)
    about = f"{counted(len(course.buildings), 'building')}, time steps {first} to {last}, random seed {seeds}"
    ranked, labels = community.ranked, _labels(community)
    return [
        f"{community.label}: {about}" if community.label else about,
        *_aligned([labels[c.name] for c in ranked], _scores(community, ranked)),
        *more_tables(community),
        "",
        *(fill(line, WIDTH) for line in [*_remarks(community, labels), *([community.note] if community.note else [])]),
    ]


def _labels(community: CommunityComparison) -> dict[str, str]:
    return labels_of([c.name for c in community.contenders], LONGEST_NAME)


def _scores(community: CommunityComparison, ranked: Sequence[Contender]) -> Columns:
    shares = [community.share_of_possible(c.name) for c in ranked]
    terms = {column.title: column.kpi for column in COLUMNS if column.kpi in SCORE_WEIGHTS}
    return {
        "score": [_number(c.score) for c in ranked],
        "95% interval": [_interval(c) for c in ranked],
        "worst": [_number(c.worst) for c in ranked],
        "of the possible": ["-" if share is None else f"{round(100.0 * share):d}%" for share in shares],
        "index5": [_number(c.mean_index5()) for c in ranked],
        **{title: [_number(c.mean_kpi(kpi or "")) for c in ranked] for title, kpi in terms.items()},
    }


def _other_kpis(ranked: Sequence[Contender]) -> Columns:
    """The KPIs over no control that are no part of the score."""
    others = {c.title: c.kpi for c in COLUMNS if c.kpi is not None and c.kpi not in SCORE_WEIGHTS}
    return {title: [_number(c.mean_kpi(kpi)) for c in ranked] for title, kpi in others.items()}


def _totals(ranked: Sequence[Contender]) -> Columns:
    """The district's sums and peak in their units."""
    totals = [mean_totals(c) for c in ranked]
    return {title: [amount(getattr(one, attribute)) for one in totals] for title, attribute in TOTALS.items()}


def _service(ranked: Sequence[Contender]) -> Columns:
    """Departures and comfort over all seeds and runs; empty where nobody is served."""
    columns: dict[str, Sequence[str]] = {}
    if any(e.departures is not None for c in ranked for e in c.all):
        columns["departures met"] = [_percent(c.served()) for c in ranked]
        missing = [mean_missing_kwh(c) for c in ranked]
        columns["missing kWh"] = ["-" if kwh is None else amount(kwh) for kwh in missing]
    for name in ("cold", "hot"):
        shares = [mean_comfort(c, name) for c in ranked]
        if any(share is not None for share in shares):
            columns[f"too {name}"] = [_percent(share) for share in shares]
    return columns


def _remarks(community: CommunityComparison, labels: Mapping[str, str]) -> list[str]:
    contenders = community.contenders
    lines = [f"{c.name}: {c.reason}" for c in contenders if c.reason is not None]
    lines += [f"{name} did not take part: {reason}" for name, reason in community.refused]
    lines += [f"{r[0].upper()}{r[1:]}." for r in dict.fromkeys(c.no_interval for c in contenders) if r is not None]
    lines += [community.no_share] if community.no_share is not None else []
    lines.append("Bill, CO2, kWh and kW are the district's, in the data's currency; all other numbers are over no control.")
    lines += [APPLIANCES_COUNT] if any(c.shown.has_appliances for c in contenders) else []
    if any(e.departures is not None for c in contenders for e in c.all):
        lines.append("The score does not count departures, and leaving cars uncharged is cheap.")
    if any(e.comfort is not None for c in contenders for e in c.all):
        lines.append("Too cold and too hot are shares of the occupied time outside the comfort band, means over buildings.")
    if any(len(c.all) > 1 for c in contenders):
        lines.append("Numbers are means over all random seeds and training runs.")
    return lines + [f"{short} is {full}" for full, short in labels.items() if short != full]


def _aligned(names: Sequence[str], columns: Columns) -> list[str]:
    """A table: a column of names, and numbers that end below their headings."""
    width = max(len(name) for name in ["policy", *names])
    lines = ["policy".ljust(width), *(name.ljust(width) for name in names)]
    for title, cells in columns.items():
        wide = max(len(cell) for cell in [title, *cells])
        lines = [f"{line}  {cell.rjust(wide)}" for line, cell in zip(lines, [title, *cells], strict=True)]
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100.0 * share:.1f}%"


def _interval(contender: Contender) -> str:
    interval = contender.interval
    return "-" if interval is None else f"{interval.low:.3f} to {interval.high:.3f}"
