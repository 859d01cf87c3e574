"""How drivers of electric vehicles were served."""

from __future__ import annotations

from typing import Any

import numpy as np

from rllib_citylearn.evaluation.comparison import NO_CONTROL
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.departures import TOLERANCE, DepartureTable
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Absent, Picture
from rllib_citylearn.evaluation.report.style import INK, Size, dress, new_figure
from rllib_citylearn.evaluation.trajectory import FloatArray
from rllib_citylearn.evaluation.words import amount, counted, listed, percent, shortened

MOST_BARS = 12
"""How many contenders are drawn; the table of totals has all of them."""


def missing_kwh(departures: DepartureTable) -> FloatArray:
    """Energy that each departing vehicle lacked, ``[K]`` kWh; zero where the departure counts as met."""
    missing = np.maximum(departures.required_soc - departures.soc, 0.0)
    result: FloatArray = np.where(missing <= TOLERANCE, 0.0, missing * departures.capacity_kwh)
    return result


def share_lacking_more(missing: FloatArray, levels_kwh: FloatArray) -> FloatArray:
    """Share of the departures that lacked more than each of ``levels_kwh`` ``[L]``, ``[L]``."""
    result: FloatArray = (missing[None, :] > levels_kwh[:, None]).mean(1)
    return result


def service_picture(cast: Cast, prefix: str) -> Picture | Absent:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    serving = [c for c in cast.community.ranked if c.shown.departures is not None]
    if not serving:
        return Absent("No vehicle leaves in this window, so there is nothing to say of drivers.")
    drawn = serving[:MOST_BARS]
    lines = [c for c in cast.lines if c in serving] or [c for c in serving if c.name == NO_CONTROL]

    def draw(size: Size) -> Any:
        bars = 46 + 26 * len(drawn)
        figure = new_figure(size, bars + 250 if size.narrow else max(bars, 280))
        panels = (
            figure.subplots(2, 1, height_ratios=(bars, 250)) if size.narrow else figure.subplots(1, 2, width_ratios=(1, 1.2))
        )
        _bars(panels[0], cast, drawn, size)
        _curves(panels[1], cast, lines, size)
        return figure

    return Picture(
        name=f"{prefix}service",
        title="Departures served",
        caption=_caption(cast, serving),
        alt=f"Bars of the share of departures with the required charge under {listed([cast.label(c) for c in drawn])}; "
        "lines of the energy that was missing.",
        draw=draw,
    )


def _bars(axes: Any, cast: Cast, drawn: list[Contender], size: Size) -> None:
    dress(axes, "Departures with the required charge (%)", grid="x")
    for place, contender in enumerate(drawn):
        share = 100.0 * (contender.served() or 0.0)
        axes.barh(place, share, height=0.62, color=cast.look(contender).colour)
        axes.text(124.0, place, f"{share:.1f}", va="center", ha="right", fontsize=size.small_pt, color=INK)
    names = [shortened(cast.label(c), 14 if size.narrow else 24) for c in drawn]
    axes.set_yticks(range(len(drawn)), labels=names, color=INK)
    axes.set_ylim(max(len(drawn), 1 if size.narrow else 6) - 0.4, -0.6)
    axes.set_xlim(0.0, 126.0)
    axes.set_xticks([0, 25, 50, 75, 100])


def _curves(axes: Any, cast: Cast, lines: list[Contender], size: Size) -> None:
    dress(axes, "Departures that lacked more than so much (%)")
    missing = {c.name: missing_kwh(c.shown.departures) for c in lines if c.shown.departures is not None}
    highest = max([1.0, *(float(values.max()) for values in missing.values())])
    levels = np.linspace(0.0, highest, 300)
    top = 1.0
    for contender in lines:
        look = cast.look(contender)
        shares = 100.0 * share_lacking_more(missing[contender.name], levels)
        top = max(top, 1.05 * float(shares.max()))
        axes.plot(levels, shares, **look.line)
    if not any(values.any() for values in missing.values()):
        axes.text(0.5, 0.5, "no departure lacked anything", transform=axes.transAxes, ha="center", fontsize=size.small_pt)
    axes.set_xlabel("missing energy (kWh)", fontsize=size.small_pt)
    axes.set_xlim(0.0, highest)
    axes.set_ylim(0.0, top)


def _caption(cast: Cast, serving: list[Contender]) -> str:
    about = cast.shown if cast.shown in serving else serving[0]
    table = about.shown.departures
    assert table is not None
    missing = missing_kwh(table)
    met, short = about.served(), missing[missing > 0.0]
    text = (
        f"Under {cast.label(about)} {percent(met)} of {counted(len(missing), 'departure')} leave with the charge that was "
        "asked for"
    )
    if len(short):
        text += (
            f"; {counted(len(short), 'vehicle')} lacked {amount(float(np.median(short)))} kWh in the middle and "
            f"{amount(float(short.max()))} kWh at most"
        )
    text += "."
    idle = cast.community.contender(NO_CONTROL)
    if idle is not None and idle in serving and about is not idle:
        text += f" Without control it is {percent(idle.served())}, since no car is charged"
        text += ", which is why no line is drawn for it." if cast.lines else "."
    return text
