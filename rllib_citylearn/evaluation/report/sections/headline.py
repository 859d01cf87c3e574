"""The one sentence and the few numbers that stand above everything."""

from __future__ import annotations

from rllib_citylearn.baselines import BASELINES
from rllib_citylearn.evaluation.comparison import NO_CONTROL
from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.means import mean_reference, mean_totals
from rllib_citylearn.evaluation.report.cast import Cast
from rllib_citylearn.evaluation.report.document import Block, Paragraph, Strong, Text, Tile, Tiles
from rllib_citylearn.evaluation.totals import Totals
from rllib_citylearn.evaluation.words import amount, change, number, percent

_TILED = (("bill", "", "cost"), ("emissions", " kg", "carbon_kg"), ("highest peak", " kW", "peak_kw"))
"""Totals among the numbers that count: what they are called, their unit, and the attribute of ``Totals``."""


def headline(cast: Cast, where: str = "") -> tuple[Block, ...]:
    """What the shown contender reached, against no control, the best rule and what is possible.

    Args:
        cast: the parts in the community.
        where: what the community is called, where the report has several.
    """
    sentence = _sentence(cast)
    parts = (sentence,) if isinstance(sentence, str) else sentence
    opening = (f"{where}: ",) if where else ()
    return (Paragraph((*opening, *parts), "lead"), *_tiles(cast), *_warning(cast))


def _sentence(cast: Cast) -> Text:
    best = cast.shown
    if best.score is None:
        scored = [c for c in cast.community.ranked if c.score is not None]
        if not scored:
            return "No controller has a score in this window; the reasons stand below the table of scores."
        return (Strong(cast.label(best)), " has no score in this window; the reasons stand below the table of scores.")
    if best.name == NO_CONTROL:
        return "Only no control was evaluated, whose score is 1 by definition."
    saved = 100.0 * (1.0 - best.score)
    direction = "below" if saved >= 0.0 else "above"
    text = f" scores {number(best.score, 3)}, {number(abs(saved), 1)}% {direction} no control"
    if cast.serves:
        text += ", which serves nobody"
    rule = cast.rule
    if best.name not in BASELINES and rule is not None and rule.score is not None:
        kind = "the best rule that serves drivers" if rule.served() is not None else "the best rule"
        text += f"; {kind}, {cast.label(rule)}, scores {number(rule.score, 3)}"
        if cast.planner is not None and cast.planner.score is not None:
            text += f", model predictive control ({cast.label(cast.planner)}) {number(cast.planner.score, 3)}"
    elif best.name in BASELINES and best.name != NO_CONTROL:
        text += "; no learned policy took part"
        planner = cast.planner
        if planner is not None and planner is not best and planner.score is not None:
            text += f", and model predictive control ({cast.label(planner)}) scores {number(planner.score, 3)}"
    share = cast.community.share_of_possible(best.name)
    if share is not None and best is not cast.bound:
        text += f". It reaches {percent(share, 0)} of what perfect foresight saves"
    return (Strong(cast.label(best)), f"{text}.", *_against_plug_in(cast))


def _against_plug_in(cast: Cast) -> tuple[str, ...]:
    """The comparison that counts where drivers or appliances are served."""
    best, usual = cast.shown, cast.plug_in
    if usual is None or best is usual:
        return ()
    ours, theirs = mean_totals(best), mean_totals(usual)
    text = (
        f" Against use on arrival ({cast.label(usual)}) its bill changes by {change(ours.cost, theirs.cost)} and its "
        f"highest peak by {change(ours.peak_kw, theirs.peak_kw)}"
    )
    met, usually = best.served(), usual.served()
    if met is not None and usually is not None:
        alike = percent(met) == percent(usually)
        text += f", with {percent(met)} of departures met {'by both' if alike else f'instead of {percent(usually)}'}"
    return (f"{text}.",)


def _tiles(cast: Cast) -> tuple[Tiles, ...]:
    best = cast.shown
    if best.name == NO_CONTROL:
        return ()
    against, reference = _reference(cast, best)
    totals = mean_totals(best)
    tiles = []
    if best.score is not None:
        interval = best.interval
        remark = "no control is 1, lower is better"
        if interval is not None:
            remark = f"95% interval {number(interval.low, 3)} to {number(interval.high, 3)}; no control is 1"
        tiles.append(Tile(number(best.score, 3), "score", remark))
    for name, unit, attribute in _TILED:
        value, over = getattr(totals, attribute), getattr(reference, attribute)
        if over > 0.0:
            tiles.append(Tile(change(value, over), name, f"{amount(value)}{unit} instead of {amount(over)}{unit} {against}"))
    met = best.served()
    if met is not None:
        tiles.append(Tile(percent(met), "departures met", "vehicles that left with the charge asked for"))
    share = cast.community.share_of_possible(best.name)
    if share is not None and best is not cast.bound:
        tiles.append(Tile(percent(share, 0), "of the possible", "share of the saving of perfect foresight"))
    return (Tiles(tuple(tiles)),)


def _reference(cast: Cast, best: Contender) -> tuple[str, Totals]:
    """What the tiles compare with: use on arrival where that is the fair one, no control otherwise."""
    if cast.plug_in is not None and cast.plug_in is not best:
        return f"under {cast.label(cast.plug_in)}", mean_totals(cast.plug_in)
    return "without control", mean_reference(best)


def _warning(cast: Cast) -> tuple[Paragraph, ...]:
    if not cast.serves:
        return ()
    text = (
        "Without control no vehicle is ever charged and no appliance is started, so everybody who serves people costs more "
        "than 1, and the score alone says nothing of who is better. "
    )
    if cast.plug_in is None:
        text += (
            "The fair comparison, charging at full power on arrival (plug-in), did not take part; evaluate it beside to see "
            "what control is worth."
        )
    else:
        text += "The fair comparison is charging at full power on arrival (plug-in), with the departures met beside it."
    return (Paragraph(text, "note"),)
