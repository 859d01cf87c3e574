"""When energy is moved: by the price of electricity, and by the hour of the day."""

from __future__ import annotations

from typing import Any

import numpy as np

from rllib_citylearn.evaluation.course import Course
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Absent, Picture
from rllib_citylearn.evaluation.report.figures.devices import flexible_names
from rllib_citylearn.evaluation.report.style import INK, MUTED, Size, dress, legend, new_figure, patch
from rllib_citylearn.evaluation.response import Response
from rllib_citylearn.evaluation.words import amount, listed

_CHARGE, _DISCHARGE, _VEHICLES, _BACK = "#0072b2", "#56b4e9", "#d55e00", "#e69f00"


def price_labels(response: Response) -> list[str]:
    """What stands below each class of prices."""
    return [amount(low) if low == high else f"{amount(low)} to\n{amount(high)}" for low, high in response.bounds]


def hour_labels(response: Response) -> list[str]:
    """What stands below each hour."""
    return [f"{hour:.0f}" for hour, _ in response.bounds]


def price_picture(cast: Cast, prefix: str) -> Picture | Absent:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    course = cast.evaluation.course
    if not course.moved:
        return Absent(f"{cast.label(cast.shown)} moves no energy, so there is nothing to show by price or hour of the day.")
    prices, hours, priced = course.by_price, course.by_hour, course.priced

    def draw(size: Size) -> Any:
        tall = (230 if prices is not None else 0) + 300 + (90 if priced else 0)
        figure = new_figure(size, tall if size.narrow else 370)
        if prices is None:
            below: Any = figure
        elif size.narrow:
            above, below = figure.subfigures(2, 1, height_ratios=(1.0, 1.6))
        else:
            above, below = figure.subfigures(1, 2, width_ratios=(1.0, 1.7))
        if prices is not None:
            axes = above.add_subplot()
            _bars(axes, prices, price_labels(prices), "Mean power (kW) by price (currency/kWh)")
        panels = below.subplots(2, 1, height_ratios=(1.0, 3.2), sharex=True) if priced else [below.add_subplot()]
        if priced:
            dress(panels[0], "Mean price by hour of the day (currency/kWh)")
            panels[0].stairs(hours.price, np.arange(len(hours.price) + 1) - 0.5, baseline=None, color=INK, lw=1.5)
            panels[0].set_ylim(0.0, 1.15 * float(hours.price.max()))
            panels[0].tick_params(labelbottom=False)
        _bars(panels[-1], hours, hour_labels(hours), "Mean power (kW) by hour of the day")
        clock = hour_labels(hours)
        every = 3 if len(clock) > 12 else 1
        panels[-1].set_xticks(range(0, len(clock), every), labels=[f"{hour}h" for hour in clock[::every]])
        legend(figure, _entries(course), size)
        return figure

    return Picture(
        name=f"{prefix}prices",
        title="When energy is moved",
        caption=_caption(cast, prices, hours, priced=priced),
        alt="Bars of mean power charged and discharged, by price level and by hour of the day.",
        draw=draw,
    )


def _bars(axes: Any, response: Response, labels: list[str], title: str) -> None:
    dress(axes, title)
    places = np.arange(len(labels))
    for low, height, colour in (
        (np.zeros(len(places)), response.charge_kw, _CHARGE),
        (response.charge_kw, response.vehicles_kw, _VEHICLES),
        (np.zeros(len(places)), response.discharge_kw, _DISCHARGE),
        (response.discharge_kw, response.back_kw, _BACK),
    ):
        if np.abs(height).max() > 1e-9:
            axes.bar(places, height, bottom=low, color=colour, width=0.78)
    axes.axhline(0.0, color=MUTED, linewidth=0.7)
    axes.set_xticks(places, labels=labels)


def _entries(course: Course) -> list[tuple[str, Any]]:
    names, moved = listed(flexible_names(course.day) or ["storage"]), course.moved
    entries = [
        (f"{names} charge", _CHARGE, moved.charge),
        (f"{names} discharge", _DISCHARGE, moved.discharge),
        ("vehicles charge", _VEHICLES, moved.vehicles),
        ("vehicles give back", _BACK, moved.back),
    ]
    return [(name, patch(colour)) for name, colour, there in entries if there]


def _caption(cast: Cast, prices: Response | None, hours: Response, *, priced: bool) -> str:
    who = cast.label(cast.shown)
    parts = []
    if prices is not None:
        labels = price_labels(prices)
        low, high = (label.replace("\n", " ") for label in (labels[0], labels[-1]))
        nets = (prices.charge_kw + prices.discharge_kw, prices.vehicles_kw + prices.back_kw)
        parts.append(
            f"Where electricity is cheapest ({low}), storage under {who} {_flow(nets[0][0])} on average; where it is "
            f"dearest ({high}), it {_flow(nets[0][-1])}."
        )
        if np.abs(nets[1]).max() > 1e-6:
            parts.append(
                f"Vehicles take {amount(float(nets[1][0]))} kW at the lowest price and {amount(float(nets[1][-1]))} kW at "
                "the highest."
            )
    elif priced:
        parts.append("There is one price all the time, so nothing can be shown by price.")
    else:
        parts.append("The data has no prices, so nothing can be shown by price.")
    total = hours.charge_kw + hours.discharge_kw + hours.vehicles_kw + hours.back_kw
    most, least, clock = int(total.argmax()), int(total.argmin()), hour_labels(hours)
    parts.append(
        f"By the clock, most is drawn at {clock[most]}h ({amount(float(total[most]))} kW) and "
        f"{'most given' if total[least] < 0.0 else 'least drawn'} at {clock[least]}h "
        f"({amount(abs(float(total[least])))} kW)."
    )
    return " ".join(parts)


def _flow(kw: float) -> str:
    """What a mean power means, in words."""
    if abs(kw) < 5e-4:
        return "neither draws nor gives"
    return f"draws {amount(float(kw))} kW" if kw > 0.0 else f"gives {amount(abs(float(kw)))} kW"
