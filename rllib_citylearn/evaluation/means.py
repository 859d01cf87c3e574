"""Totals of a contender, as means over its random seeds and training runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from rllib_citylearn.evaluation.contender import Contender
from rllib_citylearn.evaluation.totals import Totals


def mean_totals(contender: Contender) -> Totals:
    """Of the district under the contender."""
    return _mean([evaluation.totals.district for evaluation in contender.all])


def mean_reference(contender: Contender) -> Totals:
    """Of the same district without control."""
    return _mean([evaluation.no_control.district for evaluation in contender.all])


def mean_missing_kwh(contender: Contender) -> float | None:
    """Energy missing at all departures of an episode; None where no vehicle left."""
    judged = [e.departures.judge().missing_kwh for e in contender.all if e.departures is not None]
    return float(np.mean(judged)) if judged else None


def mean_comfort(contender: Contender, name: str) -> float | None:
    """Share of the occupied time; None unless every evaluation has it."""
    known = [e.comfort[name] for e in contender.all if e.comfort is not None and name in e.comfort]
    return float(np.mean(known)) if known and len(known) == len(contender.all) else None


def _mean(totals: Sequence[Totals]) -> Totals:
    return Totals(**{field.name: float(np.mean([getattr(one, field.name) for one in totals])) for field in fields(Totals)})
