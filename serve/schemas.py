"""What the endpoint accepts and returns, and the checks in between."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec

from rllib_citylearn.env.features import CommunityFeatures
from rllib_citylearn.errors import ConfigError, FeatureError
from rllib_citylearn.export.runtime import check_rows
from serve.problems import ProblemError

Rows = list[list[float]]

FIELD = "observations"
MEMORY = "memory"


@dataclass(frozen=True)
class Request:
    """A checked body of ``POST /predict``.

    Attributes:
        batch: the observations of B communities.
        memories: what each of them remembers, unchecked; None where it begins afresh. None as a whole: not in the body.
        nested: whether the body held a batch, or a single community without the list around it.
    """

    batch: list[Rows]
    memories: list[Any] | None
    nested: bool


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a deployment's ``user_config`` may say.

    Attributes:
        bundle: folder of the policy bundle, at the same path on every node.
        max_body_bytes: largest request body, in bytes; a larger one is refused unread.
    """

    bundle: str
    max_body_bytes: int = 1 << 20


class Actions(msgspec.Struct):
    """Answer to ``POST /predict``: CityLearn's actions, nested like the observations of the request.

    Attributes:
        actions: one row a building.
        memory: to be sent back with the next observations; left out by policies without memory.
    """

    actions: list[Any]
    memory: Any = msgspec.UNSET


def settings(config: Any) -> Settings:
    """Read a deployment's configuration.

    Raises:
        ConfigError: unknown, missing or wrong settings.
    """
    try:
        result = msgspec.convert(config, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"The policy server's configuration can't be used ({error}); give 'bundle', the path of a policy bundle, and "
            "optionally 'max_body_bytes'."
        ) from error
    if result.max_body_bytes < 1:
        raise ConfigError(f"'max_body_bytes' is {result.max_body_bytes}; give a number of bytes of at least 1.")
    return result


def read_request(body: bytes, community: CommunityFeatures) -> Request:
    """Decode and check the body of ``POST /predict``.

    Args:
        body: the JSON text.
        community: the feature table that the observations have to fit.

    Raises:
        ProblemError: 400 for what is not JSON, 422 for JSON that does not fit; the detail names the place.
    """
    document, flaw = _decode(body)
    request = _checked(document, community)
    if flaw:
        raise _invalid(flaw)
    return request


def _checked(document: Any, community: CommunityFeatures) -> Request:
    if not isinstance(document, dict):
        raise _unprocessable(f'The body is not a JSON object; expected {{"{FIELD}": [[...], ...]}}.')
    if FIELD not in document:
        raise _unprocessable(f"The body has no field '{FIELD}'; expected {{\"{FIELD}\": [[...], ...]}}.")
    known = (FIELD, MEMORY) if community.memory else (FIELD,)
    # A client that hands back whatever memory it got has none to hand back here.
    unknown = [name for name in document if name not in known and (name != MEMORY or document[name] is not None)]
    if unknown:
        expected = " and ".join(f"'{name}'" for name in known)
        raise _unprocessable(f"The body has the unknown field {ascii(unknown[0])[:60]}; expected is only {expected}.")
    observations = document[FIELD]
    is_batch = _is_batch(observations)
    try:
        if not is_batch:
            check_rows(community, observations, FIELD)
            return Request([observations], _memories(document, 1, nested=False), nested=False)
        for index, rows in enumerate(observations):
            check_rows(community, rows, f"{FIELD}[{index}]")
    except FeatureError as error:
        raise _unprocessable(str(error)) from error
    return Request(observations, _memories(document, len(observations), nested=True), nested=True)


def _memories(document: dict[str, Any], count: int, *, nested: bool) -> list[Any] | None:
    """The memory of each community in the body; null stands for none, as if it were left out."""
    memory = document.get(MEMORY)
    if memory is None:
        return None
    if not nested:
        return [memory]
    if not isinstance(memory, list) or len(memory) != count:
        raise _unprocessable(
            f"'{MEMORY}' is not a list of {count}, one for each of the {count} observations; send the list of the last "
            "answer, with null where a community begins afresh."
        )
    return memory


def _is_batch(observations: Any) -> bool:
    """A batch has lists where single observations have numbers. The first that decides does, so errors name a place."""
    if not isinstance(observations, list):
        return False
    for rows in observations:
        if isinstance(rows, list) and rows:
            return isinstance(rows[0], list)
    return False


def _decode(body: bytes) -> tuple[Any, str]:
    """The decoded body, and why it is not valid JSON ("" where it is).

    Python's own parser reads NaN, Infinity and 1e999, which many clients write although JSON has no such numbers. What
    it makes of them is only used to say which feature holds one: a body with a flaw is refused in any case.
    """
    if not body.strip():
        raise ProblemError(HTTPStatus.BAD_REQUEST, f'The body is empty; expected {{"{FIELD}": [[...], ...]}}.')
    try:
        return msgspec.json.decode(body), ""
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        flaw = ascii(str(error))[1:-1]
    try:
        return json.loads(body), flaw
    except (ValueError, RecursionError) as error:
        raise _invalid(flaw) from error


def _invalid(flaw: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, f"The body is not valid JSON: {flaw}.")


def _unprocessable(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
