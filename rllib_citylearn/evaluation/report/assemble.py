"""The report's parts in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rllib_citylearn.evaluation.comparison import Comparison
from rllib_citylearn.evaluation.report.cast import Cast, casts_of
from rllib_citylearn.evaluation.report.document import Absent, Block, Bullets, Document, Paragraph, Picture, Section
from rllib_citylearn.evaluation.report.figures.day import day_picture
from rllib_citylearn.evaluation.report.figures.duration import duration_picture
from rllib_citylearn.evaluation.report.figures.heat import heat_picture
from rllib_citylearn.evaluation.report.figures.learning import learning_picture
from rllib_citylearn.evaluation.report.figures.prices import price_picture
from rllib_citylearn.evaluation.report.figures.scores import score_picture
from rllib_citylearn.evaluation.report.figures.seasons import seasons_picture
from rllib_citylearn.evaluation.report.figures.service import service_picture
from rllib_citylearn.evaluation.report.figures.week import week_picture
from rllib_citylearn.evaluation.report.sections.buildings import buildings_table
from rllib_citylearn.evaluation.report.sections.headline import headline
from rllib_citylearn.evaluation.report.sections.months import months_table
from rllib_citylearn.evaluation.report.sections.provenance import provenance_blocks, training_facts
from rllib_citylearn.evaluation.report.sections.remarks import remarks
from rllib_citylearn.evaluation.report.sections.scores import community_words, definitions, difference_blocks, kpi_blocks
from rllib_citylearn.evaluation.report.sections.totals import totals_blocks
from rllib_citylearn.evaluation.report.setting import Setting


def document_of(comparison: Comparison, setting: Setting) -> Document:
    """The whole report; nothing is drawn yet."""
    casts = casts_of(comparison)
    if len(casts) == 1:
        sections = [Section("Community", "community", (Paragraph(community_words(casts[0])),)), *_parts(casts[0], "", "")]
    else:
        sections = [
            Section(
                _title(cast),
                f"community-{place}",
                (Paragraph(community_words(cast)), *(headline(cast) if place > 1 else ())),
                tuple(_parts(cast, "" if place == 1 else f"community-{place}-", f"community-{place}-")),
            )
            for place, cast in enumerate(casts, 1)
        ]
    if setting.training is not None or setting.progress_csv is not None:
        blocks = [_block(learning_picture(setting.progress_csv))]
        if setting.training is not None:
            blocks.append(training_facts(setting.training))
        sections.append(Section("Training", "training", tuple(blocks)))
    sections.append(Section("What the numbers mean", "meaning", (definitions(),)))
    sections.append(Section("How it was measured", "measured", provenance_blocks(casts, setting)))
    first = headline(casts[0], _title(casts[0]) if len(casts) > 1 else "")
    return Document(_heading(setting.data), first, tuple(sections))


def _heading(data: Any) -> str:
    name = data.get("name") if isinstance(data, Mapping) else data
    return f"Evaluation on {name}" if isinstance(name, str) and name.strip() else "Evaluation"


def _title(cast: Cast) -> str:
    label = cast.community.label or "Community"
    return label[0].upper() + label[1:]


def _parts(cast: Cast, prefix: str, anchor: str) -> list[Section]:
    """The parts on one community; ``prefix`` stands before names of pictures, ``anchor`` before those of sections."""

    def pictures(*makers: Callable[[Cast, str], Picture | Absent]) -> list[Block]:
        return [_block(make(cast, prefix)) for make in makers]

    months = pictures(seasons_picture)
    if len(cast.evaluation.stretches) > 1:
        months.append(months_table(cast))
    parts = [
        ("Scores", "scores", [*kpi_blocks(cast), *pictures(score_picture)]),
        ("Differences", "differences", list(difference_blocks(cast))),
        ("Currency, kilograms, kilowatts", "totals", list(totals_blocks(cast))),
        ("Load of the district", "load", pictures(week_picture, duration_picture)),
        ("Over the months", "months", months),
        ("What it does", "actions", pictures(day_picture, price_picture)),
        ("Drivers", "drivers", pictures(service_picture)),
        ("Building by building", "buildings", [*pictures(heat_picture), buildings_table(cast)]),
    ]
    noted = remarks(cast)
    if noted:
        parts.append(("What to keep in mind", "remarks", [Bullets(tuple(noted))]))
    return [Section(title, f"{anchor}{name}", tuple(blocks)) for title, name, blocks in parts]


def _block(made: Picture | Absent) -> Block:
    return Paragraph(made.reason) if isinstance(made, Absent) else made
