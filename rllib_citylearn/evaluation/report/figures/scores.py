"""The score and its four terms as bars, with their intervals."""

from __future__ import annotations

from typing import Any

from rllib_citylearn.evaluation.bootstrap import Interval
from rllib_citylearn.evaluation.comparison import NO_CONTROL
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Absent, Picture
from rllib_citylearn.evaluation.report.style import INK, MUTED, Size, dress, new_figure
from rllib_citylearn.evaluation.score import SCORE_WEIGHTS
from rllib_citylearn.evaluation.table import COLUMNS
from rllib_citylearn.evaluation.words import NO_VALUE, listed, number, shortened

MOST_BARS = 12
"""How many contenders are drawn; tables have all of them."""


LONGEST_BAR = 4.0
"""Ratio to no control at which bars are cut, so that the others can be told apart."""


def score_values(contender: Contender) -> dict[str, float | None]:
    """The score and its terms by the titles of the table's columns."""
    terms = {column.title: column.kpi for column in COLUMNS if column.kpi in SCORE_WEIGHTS}
    return {"score": contender.score, **{title: contender.mean_kpi(kpi or "") for title, kpi in terms.items()}}


def score_intervals(contender: Contender) -> dict[str, Interval | None]:
    """Their intervals, by the same titles."""
    return {"score": contender.interval, **contender.term_intervals}


def score_picture(cast: Cast, prefix: str) -> Picture | Absent:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    scored = [c for c in cast.community.ranked if c.score is not None and c.name != NO_CONTROL]
    if not scored:
        return Absent("There are no bars to draw, because no contender but no control has a score.")
    drawn = scored[:MOST_BARS]
    values = [score_values(contender) for contender in drawn]
    intervals = [score_intervals(contender) for contender in drawn]
    titles = list(values[0])
    longest = max(_reach(v, i) for v, i in zip(values, intervals, strict=True))
    highest = min(longest, LONGEST_BAR)

    def draw(size: Size) -> Any:
        rows = len(drawn)
        columns = 2 if size.narrow else len(titles)
        heights = 44 + 24 * rows
        figure = new_figure(size, heights * 3 + 10 if size.narrow else heights + 26)
        if size.narrow:  # the score over the whole width, its terms in pairs below
            grid = figure.add_gridspec(3, columns)
            panels = [figure.add_subplot(grid[0, :])]
            panels += [figure.add_subplot(grid[1 + k // 2, k % 2]) for k in range(len(titles) - 1)]
        else:
            panels = list(figure.subplots(1, columns))
        for k, (axes, title) in enumerate(zip(panels, titles, strict=True)):
            dress(axes, title, grid="x")
            named = k == 0 or (size.narrow and k % 2 == 1)
            bars = list(zip(drawn, [v[title] for v in values], [i[title] for i in intervals], strict=True))
            _bars(axes, cast, bars, highest, named=named, size=size)
        return figure

    return Picture(
        name=f"{prefix}scores",
        title="Score and its terms",
        caption=_caption(cast, drawn, left_out=[cast.label(c) for c in scored[MOST_BARS:]], cut=longest > LONGEST_BAR),
        alt=f"Bars of the score, cost, carbon, ramping and 1 - load factor of {listed([cast.label(c) for c in drawn])}.",
        draw=draw,
    )


def _reach(values: dict[str, float | None], intervals: dict[str, Interval | None]) -> float:
    """The largest number that has to fit."""
    whiskers = [interval.high for interval in intervals.values() if interval is not None]
    return max([1.0, *whiskers, *(value for value in values.values() if value is not None)])


def _bars(
    axes: Any,
    cast: Cast,
    bars: list[tuple[Contender, float | None, Interval | None]],
    highest: float,
    *,
    named: bool,
    size: Size,
) -> None:
    for place, (contender, value, interval) in enumerate(bars):
        if value is None:
            axes.text(0.02, place, NO_VALUE, va="center", color=MUTED, fontsize=size.small_pt)
            continue
        axes.barh(place, min(max(value, 0.0), highest), height=0.62, color=cast.look(contender).colour)
        if interval is not None:
            low, high = (min(bound, highest) for bound in interval.to_list())
            axes.plot([low, high], [place, place], color=INK, linewidth=1.4, solid_capstyle="butt")
            for bound in (low, high):
                axes.plot([bound, bound], [place - 0.14, place + 0.14], color=INK, linewidth=1.4)
        # Beyond every bar and the line at 1, so that nothing crosses the numbers.
        edge = 1.42 * highest
        axes.text(edge, place, number(value, 3), va="center", ha="right", fontsize=size.small_pt, color=INK)
    axes.axvline(1.0, color=cast.looks[NO_CONTROL].colour, linestyle=(0, (4, 2)), linewidth=1.2)
    labels = [shortened(cast.label(contender), 14 if size.narrow else 24) for contender, *_ in bars]
    axes.set_yticks(range(len(bars)), labels=labels if named else [""] * len(bars), color=INK)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.44 * highest)
    axes.set_xticks([0.0, 0.5, 1.0] if highest < 1.6 else [float(k) for k in range(int(highest) + 1)])


def _caption(cast: Cast, drawn: list[Contender], left_out: list[str], *, cut: bool) -> str:
    about = cast.shown if cast.shown in drawn else drawn[0]
    values = score_values(about)
    terms = {title: value for title, value in values.items() if title != "score" and value is not None}
    least, most = min(terms, key=lambda title: terms[title]), max(terms, key=lambda title: terms[title])
    parts = [
        f"Shorter is better; the dashed line at 1 is no control. {cast.label(about)} scores {number(about.score, 3)}: it "
        f"does best in {least} ({number(terms[least], 3)}), and worst in {most} ({number(terms[most], 3)})."
    ]
    if any(contender.interval is not None for contender in drawn):
        parts.append("Whiskers are 95% intervals.")
    if cut:
        parts.append(f"Bars are cut at {LONGEST_BAR:.0f}; the numbers beside them are whole.")
    if left_out:
        parts.append(f"Not drawn, but in the table: {listed(left_out)}.")
    return " ".join(parts)
