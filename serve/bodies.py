"""Bodies of requests, decoded and checked: JSON from anybody to what a policy can be asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export.rows import Row, check_rows, shown
from serve.models import Model
from serve.problems import ProblemError

OBSERVATIONS = "observations"
STATE = "state"
COMMON = "common"
SEQUENCE = "sequence"
OBSERVATION = "observation"
HINT = "hint"


@dataclass(frozen=True)
class Question:
    """A checked body about a community.

    Attributes:
        batch: the observations of B communities, or of B hours of one.
        states: what each of them brought, unchecked; None where it begins afresh. None as a whole: none was sent.
        nested: whether the body held a batch, or a single observation without the list around it.
        named: whether buildings and features were given by name, which is how they are answered.
        sequence: whether the batch is consecutive hours of one community.
    """

    batch: list[Sequence[Row]]
    states: list[Any] | None
    nested: bool
    named: bool
    sequence: bool


@dataclass(frozen=True)
class OwnQuestion:
    """A checked body about one building that acts for itself; hint and state are unchecked."""

    row: list[Any]
    hint: Any
    state: Any
    named: bool


def read_question(body: bytes, model: Model, most: int, *, arrays_only: bool = False) -> Question:
    """Decode and check a body with the observations of a community.

    Args:
        body: the JSON text.
        model: whose community the observations have to fit.
        most: observations that a request may hold.
        arrays_only: whether it is of the simple form: arrays and state, nothing else.

    Raises:
        ProblemError: 400 for what is not JSON, 422 for JSON that does not fit; the detail names the place.
    """
    document, flaw = _decoded(body, OBSERVATIONS)
    try:
        question = _question(document, body, model, most, arrays_only)
    except FeatureError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if flaw:
        raise _not_json(flaw)
    return question


def read_own_question(body: bytes, model: Model, building: str) -> OwnQuestion:
    """Decode and check a body with the observation of one building.

    Raises:
        ProblemError: 400 for what is not JSON, 422 for JSON that does not fit.
    """
    document, flaw = _decoded(body, OBSERVATION)
    try:
        _require_fields(document, OBSERVATION, (HINT, STATE))
        observed = document[OBSERVATION]
        named = isinstance(observed, dict)
        if named:
            _require_no_name_twice(body)
            observed = model.named.row(model.building(building).agent, observed, {}, OBSERVATION)
    except FeatureError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
    if flaw:
        raise _not_json(flaw)
    return OwnQuestion(observed, document.get(HINT), document.get(STATE), named)


def _question(document: Any, body: bytes, model: Model, most: int, arrays_only: bool) -> Question:
    _require_fields(document, OBSERVATIONS, (STATE,) if arrays_only else (STATE, COMMON, SEQUENCE))
    observations = document[OBSERVATIONS]
    first = next((one for one in observations if one is not None), None) if isinstance(observations, list) else None
    named = not arrays_only and (isinstance(observations, dict) or isinstance(first, dict))
    if named:
        _require_no_name_twice(body)
    elif document.get(COMMON) is not None:
        raise FeatureError("common belongs to observations by name; leave it out of arrays.")
    nested = isinstance(observations, list) and (named or _is_batch(observations))
    items = observations if nested else [observations]
    if nested and not items:
        raise FeatureError("observations is an empty list; send at least one observation.")
    if len(items) > most:
        raise FeatureError(f"observations has {len(items)} entries; send at most {most} in a request.")
    common = model.named.common(document.get(COMMON)) if named else {}
    batch = []
    for index, item in enumerate(items):
        field = OBSERVATIONS if not nested else f"{OBSERVATIONS}[{index}]"
        rows = model.named.rows(item, common, field) if named else item
        check_rows(model.runtime.community, rows, field, silent=True)
        batch.append(rows)
    sequence = document.get(SEQUENCE, False)
    if not isinstance(sequence, bool):
        raise FeatureError(f"sequence is {shown(sequence)}; expected true or false.")
    if sequence and not nested:
        raise FeatureError("sequence is true, but observations is a single one; send a list of consecutive hours.")
    return Question(batch, _states(document, len(batch), nested and not sequence), nested, named, sequence)


def _require_fields(document: Any, needed: str, others: Sequence[str]) -> None:
    if not isinstance(document, dict):
        raise FeatureError(f'The body is not a JSON object; expected {{"{needed}": ...}}.')
    if needed not in document:
        raise FeatureError(f"The body has no field '{needed}'; expected {{\"{needed}\": ...}}.")
    unknown = [name for name in document if name != needed and name not in others]
    if unknown:
        expected = ", ".join(f"'{name}'" for name in (needed, *others))
        raise FeatureError(f"The body has the unknown field {shown(unknown[0])}; expected are {expected}.")


def _states(document: dict[str, Any], count: int, nested: bool) -> list[Any] | None:
    """The state of each community in the body; null stands for none, as if it were left out."""
    state = document.get(STATE)
    if state is None:
        return None
    if not nested:
        return [state]
    if not isinstance(state, list) or len(state) != count:
        raise FeatureError(
            f"state is {shown(state)}; expected a list of {count}, one for each of the {count} observations: that of the "
            "last answer, with null where a community begins afresh."
        )
    return state


def _is_batch(observations: list[Any]) -> bool:
    """A batch has lists where single observations have numbers. The first that decides does, so errors name a place."""
    entries = (entry for rows in observations if isinstance(rows, list) for entry in rows if entry is not None)
    return isinstance(next(entries, None), list)


def _require_no_name_twice(body: bytes) -> None:
    """Of a name that stands twice in an object, parsers keep the last and say nothing: measurements are lost."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(found)
        if len(content) != len(found):
            ((twice, _),) = Counter(name for name, _ in found).most_common(1)
            raise FeatureError(f"The name {shown(twice)} stands twice in an object; send each building and feature once.")
        return content

    try:
        json.loads(body, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return  # that it is not JSON is said by whoever decoded it first


def _decoded(body: bytes, needed: str) -> tuple[Any, str]:
    """The decoded body, and why it is not valid JSON ("" where it is).

    Python's own parser reads NaN, Infinity and 1e999, which many clients write although JSON has no such numbers. What
    it makes of them is only used to say which feature holds one: a body with a flaw is refused in any case.
    """
    if not body.strip():
        raise ProblemError(HTTPStatus.BAD_REQUEST, f'The body is empty; expected {{"{needed}": ...}}.')
    try:
        return msgspec.json.decode(body), ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        flaw = ascii(str(error))[1:-1]
    try:
        return json.loads(body), flaw
    except (ValueError, RecursionError) as error:
        raise _not_json(flaw) from error


def _not_json(flaw: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON: {flaw}.")
