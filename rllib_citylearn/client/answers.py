"""What a server answers, checked: a proxy's page or half an answer must not become an action."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rllib_citylearn.client.errors import AnswerError
from rllib_citylearn.client.steps import Reply
from rllib_citylearn.export.rows import is_finite_number


@dataclass(frozen=True)
class Model:
    """Who answered.

    Attributes:
        name: of the policy.
        version: its label at the server.
        sha256: identifies the bundle's content.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Clipped:
    """A measurement outside its range, which the policy saw clipped to it; in the feature's unit."""

    building: str
    feature: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Actions:
    """What to do in this hour.

    Attributes:
        actions: in CityLearn's units, as the observations were given: by building and action, or one row a building.
        model: who answered; None for a fallback.
        degraded: buildings whose answer is not what the policy would do, with the reason.
        clipped: the first of the measurements that lay outside their range.
        clipped_values: how many did.
        forgotten: whether the state was another policy's, so that the memory began afresh.
        fallback: whether these are not a policy's actions, because no usable answer came in time.
        reason: why, a sentence; None for a policy's actions.
        attempts: how often the request was sent.
        request_id: of all those attempts; the server's log has it too.
    """

    actions: Any
    model: Model | None
    degraded: Mapping[str, str]
    clipped: tuple[Clipped, ...]
    clipped_values: int
    forgotten: bool
    fallback: bool
    reason: str | None
    attempts: int
    request_id: str


@dataclass(frozen=True)
class Hints:
    """What the coordinator says to the buildings.

    Attributes:
        hints: H numbers a building, by its name, or in rows as the observations were.
        model, degraded, clipped, clipped_values, forgotten, attempts, request_id: as in ``Actions``.
    """

    hints: Any
    model: Model
    degraded: Mapping[str, str]
    clipped: tuple[Clipped, ...]
    clipped_values: int
    forgotten: bool
    attempts: int
    request_id: str


@dataclass(frozen=True)
class Answer:
    """A checked answer about one observation.

    Attributes:
        values: actions or hints, in the form of the observation.
        state: to be sent with the next observation; None if the policy remembers nothing.
        model, degraded, clipped, clipped_values, forgotten: as in ``Actions``.
    """

    values: Any
    state: str | None
    model: Model
    degraded: Mapping[str, str]
    clipped: tuple[Clipped, ...]
    clipped_values: int
    forgotten: bool


def json_of(reply: Reply) -> Any:
    """The content of a response.

    Raises:
        AnswerError: it is not JSON.
    """
    try:
        return json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        raise AnswerError(f"the answer is not JSON (it begins with {ascii(reply.body[:20])[1:]})") from error


def answer_of(reply: Reply, what: str, *, named: bool) -> Answer:
    """The answer to an observation. Fields that a later server may add are passed over.

    Args:
        reply: with status 200.
        what: ``actions`` or ``hints``.
        named: whether the observation was by name.

    Raises:
        AnswerError: it is something else.
    """
    found = object_of(json_of(reply), "the answer")
    state = found.get("state")
    if state is not None and not isinstance(state, str):
        raise AnswerError("the state of the answer is no text")
    degraded = object_of(found.get("degraded", {}), "degraded")
    clipped = found.get("clipped", [])
    count = found.get("clipped_values", 0)
    if not isinstance(clipped, list) or type(count) is not int:
        raise AnswerError("the clipped values of the answer are no list with its length")
    return Answer(
        _values_of(found.get(what), what, named=named),
        state,
        model_of(found.get("model")),
        {str(name): str(reason) for name, reason in degraded.items()},
        tuple(_clipped_of(entry) for entry in clipped),
        count,
        bool(found.get("forgotten")),
    )


def _values_of(content: Any, what: str, *, named: bool) -> Any:
    if not named:
        if not isinstance(content, list):
            raise AnswerError(f"the {what} of the answer are no list of rows")
        return [_settings_of(row, what) for row in content]
    by_building = object_of(content, what)
    if what == "hints":
        return {name: numbers_of(row, what) for name, row in by_building.items()}
    rows = {name: object_of(row, what) for name, row in by_building.items()}
    for row in rows.values():
        _settings_of(list(row.values()), what)
    return rows


def _settings_of(content: Any, what: str) -> list[float | None]:
    """Numbers, and nulls for devices that are left to their thermostats."""
    if isinstance(content, list):
        numbers_of([value for value in content if value is not None], what)
        return content
    return list(numbers_of(content, what))


def _clipped_of(content: Any) -> Clipped:
    found = object_of(content, "a clipped value")
    building, feature = texts_of([found.get("building"), found.get("feature")], "the place of a clipped value")
    value, low, high = numbers_of([found.get("value"), found.get("low"), found.get("high")], "a clipped value")
    return Clipped(building, feature, value, low, high)


def model_of(content: Any) -> Model:
    """Who answered.

    Raises:
        AnswerError: it does not say.
    """
    found = object_of(content, "the model")
    return Model(*texts_of([found.get("name"), found.get("version"), found.get("sha256")], "the model"))


def object_of(content: Any, what: str) -> dict[str, Any]:
    """An object of the answer.

    Raises:
        AnswerError: it is something else.
    """
    if not isinstance(content, dict):
        raise AnswerError(f"{what} of the answer is no object" if what != "the answer" else "the answer is no object")
    return content


def texts_of(content: Any, what: str) -> tuple[str, ...]:
    """A list of texts.

    Raises:
        AnswerError: it is something else.
    """
    if not isinstance(content, list) or not all(isinstance(text, str) for text in content):
        raise AnswerError(f"{what} in the answer: that is no text")
    return tuple(content)


def numbers_of(content: Any, what: str) -> list[float]:
    """A list of finite numbers.

    Raises:
        AnswerError: it is something else.
    """
    if not isinstance(content, list) or not all(map(is_finite_number, content)):
        raise AnswerError(f"{what} of the answer: not all of them are finite numbers")
    return content
