"""What the API answers about observations: a checked question to the body that goes back."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from rllib_citylearn.env.thermostats import DEVICES
from rllib_citylearn.errors import FeatureError
from rllib_citylearn.export.runtime import Answer
from serve.bodies import OwnQuestion, Question, read_own_question, read_question
from serve.metrics import Metrics
from serve.models import Model, ServedCommunity
from serve.problems import ProblemError

_SHOWN = 50
"""Clipped values that an answer lists; all are counted."""


class Answerer:
    """Answers questions to the policies of communities.

    Args:
        metrics: where it is counted.
        most: observations that a request may hold.
    """

    def __init__(self, metrics: Metrics, most: int) -> None:
        self._metrics = metrics
        self._most = most

    def predict(self, community: ServedCommunity, model: Model, body: bytes) -> dict[str, Any]:
        """The simple form: arrays in, arrays out."""
        question = read_question(body, model, self._most, arrays_only=True)
        answer = self._ask(model, question, hints=False)
        self._count(community, model, question, answer, hints=False)
        content: dict[str, Any] = {"actions": answer.values if question.nested else answer.values[0]}
        if answer.states:
            content["state"] = answer.states if question.nested else answer.states[0]
        return content

    def actions(self, community: ServedCommunity, model: Model, body: bytes) -> dict[str, Any]:
        """Actions of all buildings."""
        return self._full(community, model, body, "actions")

    def hints(self, community: ServedCommunity, model: Model, body: bytes) -> dict[str, Any]:
        """The coordinator's hints to all buildings."""
        return self._full(community, model, body, "hints")

    def action(self, community: ServedCommunity, model: Model, building: str, body: bytes) -> dict[str, Any]:
        """The action of a building that acts for itself."""
        question = read_own_question(body, model, building)
        actions, state, forgotten = _own(model, building, question)
        agent = model.building(building).agent
        clipped = model.building(building).community.clipped([question.row])
        self._metrics.answered(community.name, model, 1)
        self._metrics.clipped(community.name, clipped)
        self._metrics.forgotten(community.name, int(forgotten))
        content: dict[str, Any] = {
            "actions": dict(zip(agent.actions, actions, strict=True)) if question.named else actions,
            "model": model.facts,
        }
        if state is not None:
            content["state"] = state
        notes = ["no hint: the building acts on what it sees alone"] if question.hint is None and _has_hints(model) else []
        if forgotten:
            notes.append("the state was of another building or policy: it begins without a memory")
        return content | _remarks(model, clipped, {building: "; ".join(notes)} if notes else {})

    def _full(self, community: ServedCommunity, model: Model, body: bytes, what: str) -> dict[str, Any]:
        hints = what == "hints"
        question = read_question(body, model, self._most)
        answer = self._ask(model, question, hints=hints)
        clipped = self._count(community, model, question, answer, hints=hints)
        write = model.named.by_building if hints else model.named.actions
        values = [write(rows) for rows in answer.values] if question.named else answer.values
        content: dict[str, Any] = {what: values if question.nested else values[0], "model": model.facts}
        if answer.states:
            content["state"] = answer.states if question.nested and not question.sequence else answer.states[0]
        if answer.forgotten:
            content["forgotten"] = answer.forgotten
        return content | _remarks(model, clipped, _silent(model, question, hints=hints))

    @staticmethod
    def _ask(model: Model, question: Question, *, hints: bool) -> Answer:
        try:
            if hints:
                if question.sequence:
                    raise FeatureError("sequence is for actions; ask for the hints of one hour after the other.")
                return model.runtime.hints(question.batch, question.states)
            return _left_alone(
                model, question, model.runtime.predict(question.batch, question.states, sequence=question.sequence)
            )
        except FeatureError as error:
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error

    def _count(
        self, community: ServedCommunity, model: Model, question: Question, answer: Answer, *, hints: bool
    ) -> list[tuple[str, str, float]]:
        metrics, name = self._metrics, community.name
        serving = model.label == community.serving  # other versions may have other ranges
        metrics.answered(name, model, len(question.batch))
        clipped = []
        for rows in question.batch:
            clipped += model.runtime.clipped(rows)
            if None in rows:
                metrics.silent(name, _unheard(model, rows))
            if serving:
                metrics.drift.see(name, model.runtime.community, rows)
        if clipped:
            metrics.clipped(name, clipped)
        if answer.forgotten:
            metrics.forgotten(name, len(answer.forgotten))
        if not hints and not question.sequence:
            community.recorder.see(question.batch[0], question.states[0] if question.states else None)
        return clipped


def _own(model: Model, building: str, question: OwnQuestion) -> tuple[list[float], str | None, bool]:
    """Actions, state, and whether the state that came was another's."""
    from rllib_citylearn.env.memory_format import OtherMemoryError

    runtime = model.building(building)
    try:
        try:
            return (*runtime.act(question.row, question.hint, question.state), False)
        except OtherMemoryError:
            return (*runtime.act(question.row, question.hint, None), True)
    except FeatureError as error:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error


def _left_alone(model: Model, question: Question, answer: Answer) -> Answer:
    """The same, with null for heating and cooling devices of silent buildings: zero would switch them off."""
    if not any(None in rows for rows in question.batch):
        return answer
    values: list[list[Any]] = [
        [
            [None if row is None and name in DEVICES else value for name, value in zip(agent.actions, actions, strict=True)]
            for agent, row, actions in zip(model.runtime.community.agents, rows, given, strict=True)
        ]
        for rows, given in zip(question.batch, answer.values, strict=True)
    ]
    return replace(answer, values=values)


def _has_hints(model: Model) -> bool:
    return model.runtime.networks.hint_size > 0


def _unheard(model: Model, rows: Any) -> list[str]:
    return [name for name, row in zip(model.runtime.building_names, rows, strict=True) if row is None]


def _silent(model: Model, question: Question, *, hints: bool) -> dict[str, str]:
    """Buildings that some observation lacks, with what became of them."""
    what = "not heard of: no hint for it" if hints else "not heard of: left as without control"
    names = {name for rows in question.batch if None in rows for name in _unheard(model, rows)}
    return {name: what for name in model.runtime.building_names if name in names}


def _remarks(model: Model, clipped: list[tuple[str, str, float]], degraded: dict[str, str]) -> dict[str, Any]:
    """What an operator should know of an answer, as far as there is anything."""
    remarks: dict[str, Any] = {}
    if degraded:
        remarks["degraded"] = degraded
    if clipped:
        feature = model.runtime.community.feature
        remarks["clipped_values"] = len(clipped)
        remarks["clipped"] = [
            {"building": building, "feature": name, "value": value, "low": feature(name).low, "high": feature(name).high}
            for building, name, value in clipped[:_SHOWN]
        ]
    return remarks
