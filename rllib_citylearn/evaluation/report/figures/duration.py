"""How many hours the district draws how much: its load sorted."""

from __future__ import annotations

from typing import Any

import numpy as np

from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Picture
from rllib_citylearn.evaluation.report.figures.week import district_loads
from rllib_citylearn.evaluation.report.style import INK, Size, dress, legend, new_figure, stroke
from rllib_citylearn.evaluation.trajectory import FloatArray
from rllib_citylearn.evaluation.words import amount, counted, listed, percent

TOP = 0.05
"""Share of the time that the second panel shows by itself: where peaks are."""

_POINTS = 400
"""Points of a drawn curve; the first and the last are the highest and the lowest load."""


def duration_curve(load_kw: FloatArray) -> FloatArray:
    """The loads ``[T]`` kW, highest first."""
    result: FloatArray = np.sort(load_kw)[::-1]
    return result


def share_above(load_kw: FloatArray, limit_kw: float) -> float:
    """Share of the time with more than ``limit_kw``."""
    return float((load_kw > limit_kw).mean())


def duration_picture(cast: Cast, prefix: str) -> Picture:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    lines = district_loads(cast)
    curves = [(name, duration_curve(load), look) for name, load, look in lines]

    def draw(size: Size) -> Any:
        figure = new_figure(size, 520 if size.narrow else 330)
        panels = figure.subplots(2, 1) if size.narrow else figure.subplots(1, 2, width_ratios=(1.5, 1.0))
        for axes, share, title in zip(panels, (1.0, TOP), ("District load (kW), all the time", _TITLE), strict=True):
            dress(axes, title)
            for _, curve, look in curves:
                shares, values = _drawn(curve, share)
                axes.plot(100.0 * shares, values, **look.line)
            axes.set_xlim(0.0, 100.0 * share)
            axes.set_xlabel("share of the time with at least that load (%)", fontsize=size.small_pt)
        panels[0].axhline(0.0, color=INK, linewidth=0.7)
        legend(figure, [(name, stroke(look)) for name, _, look in lines], size)
        return figure

    return Picture(
        name=f"{prefix}duration",
        title="Load-duration curve",
        caption=_caption(cast, lines),
        alt=f"Sorted loads of the district under {listed([name for name, *_ in lines])}.",
        draw=draw,
    )


_TITLE = f"The highest {100 * TOP:.0f}% of it"


def _drawn(curve: FloatArray, share: float) -> tuple[FloatArray, FloatArray]:
    """Shares of the time from 0 to ``share``, and the loads that are reached or exceeded during them."""
    shares = np.linspace(0.0, share, _POINTS)
    places = np.minimum((shares * len(curve)).astype(int), len(curve) - 1)
    return shares, curve[places]


def _caption(cast: Cast, lines: list[tuple[str, FloatArray, Any]]) -> str:
    (_, before, _), (name, after, _) = lines[0], lines[-1]
    steps = len(before)
    limit = float(np.quantile(before, 1.0 - 0.01))
    if len(lines) == 1:
        return f"One hundredth of the time the district draws more than {amount(limit)} kW."
    above, hour = share_above(after, limit), cast.evaluation.course.seconds_per_time_step == 3600.0
    unit = "hour" if hour else "time step"
    hours = f"{counted(round(above * steps), unit)} of {steps:,}"
    exports, exported = percent(float((after < 0.0).mean())), percent(float((before < 0.0).mean()))
    exporting = f" It exports {exports} of the time instead of {exported}." if exports != exported else ""
    return (
        f"The load that is exceeded 1% of the time without control, {amount(limit)} kW, is exceeded "
        f"{percent(above, 2)} of the time ({hours}) under {name}.{exporting}"
    )
