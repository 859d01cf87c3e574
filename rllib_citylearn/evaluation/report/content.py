"""A report as JSON, for programs."""

from __future__ import annotations

from typing import Any

from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.report.cast import Cast, casts_of
from rllib_citylearn.evaluation.report.document import Document
from rllib_citylearn.evaluation.report.setting import Setting


def content_of(comparison: Comparison, document: Document, setting: Setting) -> dict[str, Any]:
    """What ``report.json`` holds; what was not measured is null, and the reason beside it."""
    evaluations = [e for one in comparison.communities for contender in one.contenders for e in contender.all]
    return {
        "communities": [_community(cast) for cast in casts_of(comparison)],
        "pictures": {picture.name: picture.caption for picture in document.pictures},
        "data": setting.data,
        "command": setting.command,
        "versions": dict(setting.versions),
        "seeds": sorted({evaluation.seed for evaluation in evaluations}),
        "training": setting.training,
    }


def _community(cast: Cast) -> dict[str, Any]:
    """The comparison's own content, and what the shown contender does to every building."""
    shown = cast.evaluation
    return {
        **cast.community.to_dict(),
        "shown": cast.shown.name,
        "building_kpis": {c.name: dict(c.shown.building_kpis) for c in cast.community.contenders},
        "building_totals": {name: totals.to_dict() for name, totals in shown.totals.buildings.items()},
        "no_control_building_totals": {name: totals.to_dict() for name, totals in shown.no_control.buildings.items()},
    }
