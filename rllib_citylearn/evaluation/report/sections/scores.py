"""The KPIs of every contender, and the differences that matter."""

from __future__ import annotations

from collections.abc import Sequence

from rllib_citylearn.evaluation.bootstrap import Interval
from rllib_citylearn.evaluation.comparison import BOUND, NO_CONTROL, Difference
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Block, Bullets, Cell, Paragraph, Row, Strong, Table, Text
from rllib_citylearn.evaluation.stretches import TERMS
from rllib_citylearn.evaluation.table import COLUMNS
from rllib_citylearn.evaluation.words import (
    APPLIANCES_COUNT,
    NO_VALUE,
    clean,
    condensed,
    counted,
    listed,
    number,
    percent,
    signed,
)


def kpi_blocks(cast: Cast) -> tuple[Block, ...]:
    """The table, and why something is missing in it."""
    blocks: list[Block] = [
        Paragraph(
            "Every number is divided by that of the same community without control: 1 is no better and no worse, lower is "
            "better."
        ),
        kpi_table(cast),
    ]
    if cast.evaluation.has_appliances:
        blocks.append(Paragraph(APPLIANCES_COUNT))
    intervals = interval_table(cast)
    blocks += [] if intervals is None else [intervals]
    remarks = missing_remarks(cast)
    return (*blocks, *([Bullets(tuple(remarks))] if remarks else []))


def kpi_table(cast: Cast) -> Table:
    """A row a contender, best score first."""
    ranked = cast.community.ranked
    drawn = any(c.interval is not None for c in ranked)
    title = "score (95% interval)" if drawn else "score"
    columns: list[tuple[str, Sequence[str | Cell]]] = [(title, [_score(c) for c in ranked])]
    if any(c.shown.departures is not None for c in ranked):
        columns.append(("departures met", [percent(c.served()) for c in ranked]))
    if any(len(c.all) > 1 for c in ranked):
        columns.append(("worst run", [number(c.worst, 3) for c in ranked]))
    if cast.community.contender(BOUND) is not None:
        columns.append(("of the possible", [percent(cast.community.share_of_possible(c.name), 0) for c in ranked]))
    columns.append(("index5", [number(c.mean_index5(), 3) for c in ranked]))
    columns += [(k.title, [number(c.mean_kpi(k.kpi), 3) for c in ranked]) for k in COLUMNS if k.kpi is not None]
    rows = tuple(
        Row(cast.label(c), tuple(cells[place] for _, cells in columns), strong=c in cast.policies)
        for place, c in enumerate(ranked)
    )
    return Table("KPIs over no control", ("policy", *(title for title, _ in columns)), rows)


def interval_table(cast: Cast) -> Table | None:
    """95% intervals of the score and its terms; None where nobody has one."""
    found = [(c, {"score": c.interval, **c.term_intervals}) for c in cast.community.ranked if c.name != NO_CONTROL]
    rows = [
        Row(cast.label(c), tuple(_ends(interval) for interval in intervals.values()), strong=c in cast.policies)
        for c, intervals in found
        if any(interval is not None for interval in intervals.values())
    ]
    return Table("95% intervals of the score and its terms", ("policy", "score", *TERMS), tuple(rows)) if rows else None


def missing_remarks(cast: Cast) -> list[Text]:
    """Why there is no score, no interval, no share of the possible or no KPI, each in a sentence."""
    community = cast.community
    remarks: list[Text] = []
    for contender in community.ranked:
        label = cast.label(contender)
        if contender.reason is not None:
            remarks.append((Strong(label), f" has no score: {contender.reason}"))
        gone = [column.title for column in COLUMNS if column.kpi is not None and contender.mean_kpi(column.kpi) is None]
        if gone and contender.reason is None:
            remarks.append((Strong(label), f": CityLearn gives no finite value for {listed(gone)}."))
    remarks += [(Strong(clean(name)), f" did not take part: {reason}") for name, reason in community.refused]
    remarks += [f"{r[0].upper()}{r[1:]}." for r in dict.fromkeys(c.no_interval for c in community.ranked) if r is not None]
    if any(contender.interval is not None for contender in community.contenders):
        remarks.append(
            "Intervals (95%) of the score and its terms: bootstrap over stretches of 730 hours, random seeds and training "
            "runs, paired between policies."
        )
    bound = community.contender(BOUND)
    if bound is None:
        remarks.append(f"The share of the possible is not known, because perfect foresight ({BOUND}) did not take part.")
    elif community.no_share is not None:
        remarks.append(community.no_share)
    runs = max(len(contender.all) for contender in community.contenders)
    if runs > 1:
        remarks.append(
            f"Numbers are means over the random seeds {listed([str(seed) for seed in community.seeds])} and, of policies "
            f"that were trained several times, over the runs ({counted(runs, 'evaluation')} at most); pictures show the "
            "first seed and the run whose score is in the middle."
        )
    return remarks


def definitions() -> Bullets:
    """What the columns mean."""
    return Bullets(tuple((Strong(column.title), f": {column.meaning}.") for column in COLUMNS))


def difference_blocks(cast: Cast) -> tuple[Block, ...]:
    """Tables of paired differences to the best rule and to model predictive control."""
    blocks: list[Block] = []
    for base in (cast.rule, cast.planner):
        if base is None or base.score is None:
            continue
        table = difference_table(cast, base)
        if table.rows:
            blocks.append(table)
    if not blocks:
        return (
            Paragraph(
                "There is no difference to show: that takes two contenders with a score, one of them a rule or model "
                "predictive control."
            ),
        )
    text = "Score less that of the other one over the same episodes; negative is better."
    if any(contender.interval is not None for contender in cast.community.contenders):
        text += " The share of draws says in how many of the bootstrap's made-up years the policy is the better one."
    return (Paragraph(text), *blocks)


def difference_table(cast: Cast, base: Contender) -> Table:
    """Every other contender's score less that of ``base``."""
    found = [(c, cast.community.difference(c.name, base.name)) for c in cast.community.ranked if c is not base]
    known = [(contender, difference) for contender, difference in found if difference is not None]
    drawn = any(difference.interval is not None for _, difference in known)
    titles = ("policy", f"less {cast.label(base)}", *(("95% interval", "share of draws better") if drawn else ()))
    rows = tuple(
        Row(cast.label(c), (signed(d.mean, 3), *(_drawn(d) if drawn else ())), strong=c in cast.policies) for c, d in known
    )
    return Table(f"Differences to {cast.label(base)}", titles, rows)


def community_words(cast: Cast) -> Text:
    """Whom this is about."""
    course = cast.evaluation.course
    first, last = course.window
    days = course.steps / course.steps_per_day
    names = condensed([clean(name) for name in course.buildings])
    seeds = cast.community.seeds
    seeded = f"random {'seed' if len(seeds) == 1 else 'seeds'} {listed([str(seed) for seed in seeds])}"
    note = f" {cast.community.note}" if cast.community.note else ""
    return (
        f"{counted(len(course.buildings), 'building')} ({names}), time steps {first} to {last} "
        f"({number(days, 1)} days), {seeded}.{note}"
    )


def _score(contender: Contender) -> str | Cell:
    score, interval = number(contender.score, 3), contender.interval
    if contender.name == NO_CONTROL or interval is None:
        return score
    return Cell(score, _ends(interval))


def _ends(interval: Interval | None) -> str:
    return NO_VALUE if interval is None else f"{number(interval.low, 3)} to {number(interval.high, 3)}"


def _drawn(difference: Difference) -> tuple[str, str]:
    interval, share = difference.interval, difference.share_better
    if interval is None or share is None:
        return NO_VALUE, NO_VALUE
    return f"{signed(interval.low, 3)} to {signed(interval.high, 3)}", percent(share, 1)
