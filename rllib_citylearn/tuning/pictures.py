"""Pictures of a search: learning curves and parallel coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rllib_citylearn.tuning.outcome import Outcome, TrialRow
from rllib_citylearn.tuning.search import Search

_BEST, _START, _OTHER = "#0b7a75", "#c1121f", "#9aa5b1"


def draw(outcome: Outcome, search: Search, folder: Path) -> list[Path]:
    """Write ``curves.png`` and ``parallel.png``; none of them where no trial has reported.

    Args:
        outcome: of the search.
        search: the search.
        folder: where they go.
    """
    rows = [row for row in outcome.rows if outcome.metric in row.metrics]
    if not rows:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    made = {folder / "curves.png": _curves(rows, outcome), folder / "parallel.png": _parallel(rows, outcome, search)}
    for path, figure in made.items():
        figure.savefig(path, dpi=120, bbox_inches="tight")
    return list(made)


def _axes(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _style(row: TrialRow, outcome: Outcome) -> dict[str, Any]:
    if row is outcome.best:
        return {"color": _BEST, "linewidth": 2.2, "zorder": 4, "label": f"best ({row.name})"}
    if row is outcome.reference:
        return {"color": _START, "linewidth": 2.2, "zorder": 3, "label": "preset"}
    return {"color": _OTHER, "linewidth": 1.0, "zorder": 2, "alpha": 0.8}


def _curves(rows: Sequence[TrialRow], outcome: Outcome) -> Any:
    figure, axes = _axes(8.0, 4.5)
    for row in rows:
        axes.plot(*np.array(row.curve).reshape(-1, 2).T, marker=".", markersize=4, **_style(row, outcome))
    axes.set_xlabel("minutes of training")
    axes.set_ylabel(f"{outcome.metric}, lower is better")
    axes.legend(frameon=False)
    return figure


def _parallel(rows: Sequence[TrialRow], outcome: Outcome, search: Search) -> Any:
    """One axis for each value that was searched, and one for the metric; a line is a trial."""
    keys = list(search.space)
    figure, axes = _axes(max(6.0, 2.0 * len(keys) + 2.0), 4.5)
    for row in reversed(rows):  # the better ones on top
        heights = [_height(row.values[key], search, key) for key in keys]
        axes.plot(range(len(keys) + 1), [*heights, _of_metric(row, rows, outcome.metric)], **_style(row, outcome))
    for k, key in enumerate(keys):
        for height, text in _ticks(search, key):
            axes.annotate(text, (k, height), fontsize=8, xytext=(4, 0), textcoords="offset points", va="center")
    values = [row.metrics[outcome.metric] for row in rows]
    for height, value in ((0.0, min(values)), (1.0, max(values))):
        axes.annotate(
            f"{value:.4f}", (len(keys), height), fontsize=8, xytext=(4, 0), textcoords="offset points", va="center"
        )
    axes.set_xticks(
        range(len(keys) + 1), [*(key.replace(".", "\n", 1) for key in keys), f"{outcome.metric}\n(lower is better)"]
    )
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for k in range(len(keys) + 1):
        axes.axvline(k, color="black", linewidth=0.8, zorder=1)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=2)
    return figure


def _height(value: Any, search: Search, key: str) -> float:
    """Where a value stands on its axis, 0 to 1."""
    distribution = search.space[key]
    if not distribution.is_range:
        return distribution.values.index(value) / max(1, len(distribution.values) - 1)
    low, high = distribution.values
    if distribution.is_logarithmic:
        return float(np.log(value / low) / np.log(high / low))
    return float((value - low) / (high - low))


def _ticks(search: Search, key: str) -> list[tuple[float, str]]:
    return [
        (_height(value, search, key), f"{value:g}" if isinstance(value, float) else str(value))
        for value in search.space[key].values
    ]


def _of_metric(row: TrialRow, rows: Sequence[TrialRow], metric: str) -> float:
    values = [one.metrics[metric] for one in rows]
    low, high = min(values), max(values)
    return (row.metrics[metric] - low) / (high - low) if high > low else 0.5
