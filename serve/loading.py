"""New configurations: every policy verified, run and compared on recorded inputs before it answers anybody."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from rllib_citylearn.errors import BundleError, ConfigError, FeatureError
from serve.bodies import read_question
from serve.models import Model, ServedCommunity, load, require_same_community, require_same_memory
from serve.problems import ProblemError
from serve.recorder import KEPT, Recorded, Recorder
from serve.settings import Community, Settings

_WARM = 20
"""Runs of a policy before it answers; their times are part of its check."""

log = logging.getLogger(__name__)


def load_communities(settings: Settings, before: Mapping[str, ServedCommunity]) -> dict[str, ServedCommunity]:
    """Everything that a configuration asks for, ready to answer. Takes seconds; call it in another thread.

    Args:
        settings: the new configuration.
        before: what is served now; policies of the same content are taken over, with the inputs that were recorded.

    Raises:
        BundleError: a policy is damaged, does not run, or acts too differently from the one before.
        ConfigError: a bundle or a file of recorded inputs can't be read.
    """
    return {name: _load(name, wanted, before.get(name)) for name, wanted in settings.served.items()}


def _load(name: str, wanted: Community, before: ServedCommunity | None) -> ServedCommunity:
    known = {model.bundle.sha256: model for model in before.models.values()} if before is not None else {}
    models = {label: load(label, folder, known) for label, folder in wanted.versions.items()}
    require_same_community(name, models)
    if wanted.canary is not None:
        require_same_memory(name, models[wanted.serving], models[wanted.canary.version])
    if before is not None and not _alike(before, models):
        before = None  # other buildings: there is nothing to compare with
    now = None if before is None else before.models[before.serving]
    recorder = Recorder() if before is None else before.recorder
    inputs = [*_from_file(wanted.recorded, models[wanted.serving]), *recorder][-2 * KEPT :]
    for label in {wanted.serving, *([wanted.canary.version] if wanted.canary is not None else [])}:
        model = models[label]
        # A canary with the version beside it, wherever and whenever a replica starts.
        other = now if label == wanted.serving else models[wanted.serving]
        if other is None or model.bundle.sha256 != other.bundle.sha256:
            model.check = _check(name, model, other, inputs, wanted.largest_change)
    return ServedCommunity(name, models, wanted.serving, wanted.canary, recorder)


def _alike(before: ServedCommunity, models: Mapping[str, Model]) -> bool:
    """Whether inputs that were recorded fit the new policies too."""
    try:
        require_same_community(before.name, {"": before.models[before.serving], **models})
    except BundleError:
        return False
    return True


def _check(
    name: str, model: Model, now: Model | None, inputs: list[Recorded], largest: float | None
) -> dict[str, float | int | None]:
    """Run a policy that is about to answer, and compare it with the one that answers now."""
    # Policies are for one thread at a time, and the event loop's may be at work with these two.
    model, served = _copy(model), None if now is None else _copy(now)
    times = []
    for _ in range(_WARM):
        started = time.perf_counter()
        model.runtime.actions(model.runtime.example())
        times.append(time.perf_counter() - started)
    changes: list[float] = []
    if served is not None:
        changes = [_change(model, _answer(model, one), _answer(served, one)) for one in inputs]
    change = float(np.mean(changes)) if changes else None
    label = "" if now is None else now.label
    if largest is not None and change is not None and change > largest:
        raise BundleError(
            f"Version {model.label} of {name} acts otherwise than version {label} by {change:.3f} of an action's range, "
            f"as a mean over {len(changes)} recorded inputs; allowed is {largest:g}. Look at the policy, or raise "
            "largest_change."
        )
    check = {"median_run_ms": 1e3 * float(np.median(times)), "recorded_inputs": len(inputs), "mean_change": change}
    log.info("%s: version %s is ready: %s", name, model.label, json.dumps(check))
    return check


def _copy(model: Model) -> Model:
    return Model(model.label, model.bundle)


def _answer(model: Model, one: Recorded) -> list[list[float]]:
    """A policy's actions; a state of another policy's counts for none."""
    return model.runtime.predict([one.rows], [one.state]).values[0]


def _change(model: Model, actions: list[list[float]], reference: list[list[float]]) -> float:
    """Mean distance of two answers, in shares of each action's range."""
    distances = [
        abs(one - other) / (high - low)
        for agent, row, others in zip(model.runtime.community.agents, actions, reference, strict=True)
        for one, other, low, high in zip(row, others, agent.action_low, agent.action_high, strict=True)
    ]
    return float(np.mean(distances)) if distances else 0.0


def _from_file(path: str | None, model: Model) -> list[Recorded]:
    """Inputs from a file of JSON lines, bodies for ``actions``."""
    if path is None:
        return []
    model = _copy(model)
    try:
        lines = Path(path).read_bytes().splitlines()
    except (OSError, ValueError) as error:  # such as a path with a zero byte
        raise ConfigError(f"The recorded inputs in {path} can't be read ({error}).") from error
    inputs = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            question = read_question(line, model, most=KEPT)
            state = None
            for index, rows in enumerate(question.batch):
                if index == 0 or not question.sequence:
                    state = question.states[index] if question.states else None
                inputs.append(Recorded(rows, state))
                state = next(iter(model.runtime.predict([rows], [state]).states), None)
        except (ProblemError, FeatureError) as error:
            raise ConfigError(f"Line {number} of the recorded inputs in {path} does not fit the policy: {error}") from error
    return inputs
