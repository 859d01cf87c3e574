"""When energy is moved: by the price of electricity, and by the hour of the day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Absent, Picture
from rllib_citylearn.evaluation.report.figures.devices import flexible_kwh, flexible_names
from rllib_citylearn.evaluation.report.style import INK, MUTED, Size, dress, legend, new_figure, patch
from rllib_citylearn.evaluation.report.words import amount, listed
from rllib_citylearn.evaluation.trajectory import FloatArray, Trajectory

MOST_LEVELS = 6
"""Prices that are shown each by itself; more are put into ``_BINS`` classes with about as many hours each."""

_BINS = 5
_CHARGE, _DISCHARGE, _VEHICLES, _BACK = "#0072b2", "#56b4e9", "#d55e00", "#e69f00"


@dataclass(frozen=True)
class Response:
    """Mean power of the whole district in G classes of time.

    Attributes:
        labels: of the classes.
        share: of the buildings' time steps in each, ``[G]``.
        price: mean price, currency/kWh, ``[G]``.
        charge_kw, discharge_kw: of what stores or shifts energy, ``[G]``; the second is negative.
        vehicles_kw, back_kw: of vehicles, charged and given back, ``[G]``; the second is negative.
    """

    labels: tuple[str, ...]
    share: FloatArray
    price: FloatArray
    charge_kw: FloatArray
    discharge_kw: FloatArray
    vehicles_kw: FloatArray
    back_kw: FloatArray


def by_price(trajectory: Trajectory) -> Response | None:
    """By price, lowest first; None where there is but one price."""
    prices = np.round(trajectory.price, 6)
    levels = np.unique(prices)
    if len(levels) < 2:
        return None
    if len(levels) <= MOST_LEVELS:
        return _response(trajectory, np.searchsorted(levels, prices), [amount(float(level)) for level in levels])
    edges = np.unique(np.quantile(prices, np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
    groups = np.searchsorted(edges, prices, side="left")
    found, groups = np.unique(groups, return_inverse=True)
    groups = groups.reshape(prices.shape)
    bounds = [(prices[groups == g].min(), prices[groups == g].max()) for g in range(len(found))]
    return _response(trajectory, groups, [_range(float(low), float(high)) for low, high in bounds])


def _range(low: float, high: float) -> str:
    return amount(low) if low == high else f"{amount(low)} to\n{amount(high)}"


def by_hour(trajectory: Trajectory) -> Response:
    """By hour of the day, as the data counts it, 24 being midnight."""
    hours, groups = np.unique(trajectory.hour % 24, return_inverse=True)
    every = np.repeat(groups[:, None], len(trajectory.buildings), axis=1)
    return _response(trajectory, every, [str(hour) for hour in hours])


def _response(trajectory: Trajectory, groups: npt.NDArray[np.intp], labels: list[str]) -> Response:
    """Means over the buildings' time steps in each group ``[T, N]``, times the number of buildings."""
    count = np.bincount(groups.ravel(), minlength=len(labels))
    per_hour = len(trajectory.buildings) * 3600.0 / trajectory.seconds_per_time_step

    def means(values: FloatArray) -> FloatArray:
        result: FloatArray = np.bincount(groups.ravel(), values.ravel(), minlength=len(labels)) / count
        return result

    moved, vehicles = flexible_kwh(trajectory), trajectory.charging_kwh
    return Response(
        labels=tuple(labels),
        share=count / groups.size,
        price=means(trajectory.price),
        charge_kw=per_hour * means(np.maximum(moved, 0.0)),
        discharge_kw=per_hour * means(np.minimum(moved, 0.0)),
        vehicles_kw=per_hour * means(np.maximum(vehicles, 0.0)),
        back_kw=per_hour * means(np.minimum(vehicles, 0.0)),
    )


def price_picture(cast: Cast, prefix: str) -> Picture | Absent:
    """See the module's docstring; ``prefix`` stands before the file's name."""
    trajectory = cast.evaluation.trajectory
    moved = np.abs(flexible_kwh(trajectory)).max(initial=0.0) + np.abs(trajectory.charging_kwh).max(initial=0.0)
    if moved < 1e-6:
        return Absent(f"{cast.label(cast.shown)} moves no energy, so there is nothing to show by price or hour of the day.")
    prices, hours = by_price(trajectory), by_hour(trajectory)
    priced = bool(trajectory.price.any())

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
            _bars(axes, prices, "Mean power (kW) by price (currency/kWh)")
        panels = below.subplots(2, 1, height_ratios=(1.0, 3.2), sharex=True) if priced else [below.add_subplot()]
        if priced:
            dress(panels[0], "Mean price by hour of the day (currency/kWh)")
            panels[0].stairs(hours.price, np.arange(len(hours.price) + 1) - 0.5, baseline=None, color=INK, lw=1.5)
            panels[0].set_ylim(0.0, 1.15 * float(hours.price.max()))
            panels[0].tick_params(labelbottom=False)
        _bars(panels[-1], hours, "Mean power (kW) by hour of the day")
        every = 3 if len(hours.labels) > 12 else 1
        panels[-1].set_xticks(range(0, len(hours.labels), every), labels=[f"{h}h" for h in hours.labels[::every]])
        legend(figure, _entries(trajectory), size)
        return figure

    return Picture(
        name=f"{prefix}prices",
        title="When energy is moved",
        caption=_caption(cast, prices, hours, priced=priced),
        alt="Bars of mean power charged and discharged, by price level and by hour of the day.",
        draw=draw,
    )


def _bars(axes: Any, response: Response, title: str) -> None:
    dress(axes, title)
    places = np.arange(len(response.labels))
    for low, height, colour in (
        (np.zeros(len(places)), response.charge_kw, _CHARGE),
        (response.charge_kw, response.vehicles_kw, _VEHICLES),
        (np.zeros(len(places)), response.discharge_kw, _DISCHARGE),
        (response.discharge_kw, response.back_kw, _BACK),
    ):
        if np.abs(height).max() > 1e-9:
            axes.bar(places, height, bottom=low, color=colour, width=0.78)
    axes.axhline(0.0, color=MUTED, linewidth=0.7)
    axes.set_xticks(places, labels=response.labels)


def _entries(trajectory: Trajectory) -> list[tuple[str, Any]]:
    names = listed(flexible_names(trajectory) or ["storage"])
    moved, vehicles = flexible_kwh(trajectory), trajectory.charging_kwh
    entries = [
        (f"{names} charge", _CHARGE, (moved > 1e-6).any()),
        (f"{names} discharge", _DISCHARGE, (moved < -1e-6).any()),
        ("vehicles charge", _VEHICLES, (vehicles > 1e-6).any()),
        ("vehicles give back", _BACK, (vehicles < -1e-6).any()),
    ]
    return [(name, patch(colour)) for name, colour, there in entries if there]


def _caption(cast: Cast, prices: Response | None, hours: Response, *, priced: bool) -> str:
    who = cast.label(cast.shown)
    parts = []
    if prices is not None:
        low, high = (label.replace("\n", " ") for label in (prices.labels[0], prices.labels[-1]))
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
    most, least = int(total.argmax()), int(total.argmin())
    parts.append(
        f"By the clock, most is drawn at {hours.labels[most]}h ({amount(float(total[most]))} kW) and "
        f"{'most given' if total[least] < 0.0 else 'least drawn'} at {hours.labels[least]}h "
        f"({amount(abs(float(total[least])))} kW)."
    )
    return " ".join(parts)


def _flow(kw: float) -> str:
    """What a mean power means, in words."""
    if abs(kw) < 5e-4:
        return "neither draws nor gives"
    return f"draws {amount(float(kw))} kW" if kw > 0.0 else f"gives {amount(abs(float(kw)))} kW"
