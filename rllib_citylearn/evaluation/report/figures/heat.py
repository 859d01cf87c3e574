"""A heat map: what control changed for every building."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rllib_citylearn.evaluation.evaluation import Evaluation
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Picture
from rllib_citylearn.evaluation.report.style import GRID, INK, Size, new_figure, patch
from rllib_citylearn.evaluation.stretches import NOTHING
from rllib_citylearn.evaluation.totals import Totals
from rllib_citylearn.evaluation.trajectory import FloatArray
from rllib_citylearn.evaluation.words import clean, listed, number, shortened

MEASURES = {"bill": "cost", "CO2": "carbon_kg", "imported": "imported_kwh", "peak": "peak_kw"}
"""Columns of the map: attributes of ``Totals`` by their headings."""

_ROWS_A_BLOCK = 28
"""Buildings below each other; more stand beside them where there is room."""

_BLUE, _WHITE, _ORANGE = (0.02, 0.32, 0.55), (0.97, 0.97, 0.97), (0.76, 0.33, 0.02)


def ratios(evaluation: Evaluation) -> FloatArray:
    """Each building's totals over those without control, ``[N, 4]``; NaN where there was nothing without control."""
    result = np.full((len(evaluation.course.buildings), len(MEASURES)), np.nan)
    for n, name in enumerate(evaluation.course.buildings):
        played, reference = evaluation.totals.buildings[name], evaluation.no_control.buildings[name]
        for k, attribute in enumerate(MEASURES.values()):
            result[n, k] = _ratio(played, reference, attribute)
    return result


def without(evaluation: Evaluation, measure: str) -> list[str]:
    """Buildings without a ratio in a column of the map."""
    column = list(MEASURES).index(measure)
    missing = np.isnan(ratios(evaluation)[:, column])
    return [clean(name) for name, none in zip(evaluation.course.buildings, missing, strict=True) if none]


def heat_picture(cast: Cast, prefix: str) -> Picture:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    values = ratios(cast.evaluation)
    names = [clean(name) for name in cast.evaluation.course.buildings]

    def draw(size: Size) -> Any:
        blocks = 1 if size.narrow else min(3, math.ceil(len(names) / _ROWS_A_BLOCK))
        rows = math.ceil(len(names) / blocks)
        figure = new_figure(size, (120 if size.narrow else 70) + 21 * max(rows, 2))
        panels = figure.subplots(1, blocks, squeeze=False)[0]
        for block, axes in enumerate(panels):
            part = slice(block * rows, (block + 1) * rows)
            _map(axes, names[part], values[part], rows, size)
        swatches = [patch(_colour(ratio), edgecolor=GRID, linewidth=0.8) for ratio in (0.5, 1.0, 1.5)]
        labels = ["half of no control or less", "the same", "half more or beyond"]
        if np.isnan(values).any():
            swatches.append(patch("white", hatch="////", edgecolor="#9aa5b1"))
            labels.append("nothing without control")
        figure.legend(
            swatches, labels, loc="outside upper left", ncols=1 if size.narrow else 4, frameon=False, handlelength=1.4
        )
        return figure

    return Picture(
        name=f"{prefix}buildings",
        title="Ratios to no control",
        caption=_caption(cast, values, names),
        alt=f"A table in colours: bill, CO2, imported energy and peak of {len(names)} buildings over no control.",
        draw=draw,
    )


def _ratio(played: Totals, reference: Totals, attribute: str) -> float:
    over = float(getattr(reference, attribute))
    return float(getattr(played, attribute)) / over if over > NOTHING else math.nan


def _colour(ratio: float) -> str:
    """White for 1, blue below and orange above; half less and half more are the ends."""
    share = min(abs(ratio - 1.0) / 0.5, 1.0)
    end = _BLUE if ratio < 1.0 else _ORANGE
    red, green, blue = ((1.0 - share) * a + share * b for a, b in zip(_WHITE, end, strict=True))
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def _map(axes: Any, names: list[str], values: FloatArray, rows: int, size: Size) -> None:
    from matplotlib.patches import Rectangle

    for n in range(len(names)):
        for k in range(len(MEASURES)):
            ratio = values[n, k]
            if np.isnan(ratio):
                axes.add_patch(Rectangle((k, n), 0.97, 0.94, facecolor="white", hatch="////", edgecolor="#9aa5b1", lw=0))
                continue
            axes.add_patch(Rectangle((k, n), 0.97, 0.94, facecolor=_colour(ratio), lw=0))
            ink = "white" if abs(ratio - 1.0) > 0.28 else INK
            axes.text(k + 0.485, n + 0.5, number(ratio, 2), ha="center", va="center", color=ink, fontsize=size.small_pt)
    axes.set_xlim(0, len(MEASURES))
    axes.set_ylim(rows, 0)
    axes.set_xticks([k + 0.485 for k in range(len(MEASURES))], labels=list(MEASURES))
    axes.set_yticks([n + 0.5 for n in range(len(names))], labels=[shortened(name, 16) for name in names], color=INK)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _caption(cast: Cast, values: FloatArray, names: list[str]) -> str:
    who = cast.label(cast.shown)
    parts = [f"What {who} changes, over no control."]
    bills = values[:, 0]
    known = np.flatnonzero(~np.isnan(bills))
    if len(known) > 1:
        best, worst = known[bills[known].argmin()], known[bills[known].argmax()]
        parts.append(
            f"Bills run from {number(bills[best], 2)} ({names[best]}) to {number(bills[worst], 2)} ({names[worst]}); "
            f"{int((bills[known] < 1.0).sum())} of {len(known)} buildings pay less than without control."
        )
    elif len(known) == 1:
        parts.append(f"The bill of {names[known[0]]} is {number(bills[known[0]], 2)} of that without control.")
    if cast.serves:
        parts.append("Without control no vehicle is charged and no appliance started, so whoever has them pays more here.")
    lacking: dict[str, list[str]] = {}
    for measure, said in (("bill", "bill"), ("CO2", "emissions"), ("imported", "imports"), ("peak", "peak")):
        missing = without(cast.evaluation, measure)
        if missing:
            some = listed(missing) if len(missing) <= 6 else f"{listed(missing[:5])} and {len(missing) - 5} more"
            lacking.setdefault(f"{some} {'has' if len(missing) == 1 else 'have'}", []).append(said)
    parts += [f"Without control {who} no {' and no '.join(said)}." for who, said in lacking.items()]
    return " ".join(parts)
