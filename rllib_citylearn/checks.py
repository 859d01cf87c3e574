"""Values that people wrote (YAML) against the annotations of a dataclass.

What does not fit is refused in a sentence that names the key, what was given and what was expected. Known annotations are
``bool, int, float, str, None, Any``, unions of them, ``tuple``, ``Sequence``, ``Mapping[str, ...]`` and dataclasses.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from rllib_citylearn.errors import ConfigError

T = TypeVar("T")

_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", NoneType: "null"}


def from_mapping(kind: type[T], values: Any, where: str = "", *, whole: str = "The preset") -> T:
    """An instance of the dataclass ``kind`` with the keys of ``values``; an empty section (None) has no keys.

    Args:
        kind: the dataclass.
        values: what was given.
        where: the section's name, which messages put before the key.
        whole: what a message calls that which has no section's name.

    Raises:
        ConfigError: unknown or missing keys, values of other types, or values that ``kind`` itself refuses.
    """
    hints = get_type_hints(kind)
    declared = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    checked = checked_keys({name: hints[name] for name in declared}, values, where, whole=whole)
    for name, field in declared.items():
        if name not in checked and field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{_join(where, name)} is missing; expected {_expected(hints[name])}.")
    try:
        return kind(**checked)
    except ConfigError as error:
        raise ConfigError(within(where, str(error), declared)) from error


def within(where: str, sentence: str, keys: Collection[str]) -> str:
    """``sentence`` about something in the section ``where``, whose name is put before the key if it begins with one."""
    key = re.split(r"\W", sentence, maxsplit=1)[0]
    return _join(where, sentence) if not where or key in keys else f"{where}: {sentence}"


def checked_keys(kinds: Mapping[str, Any], values: Any, where: str, *, whole: str = "The preset") -> dict[str, Any]:
    """``values`` with every value checked against the annotation of its key; other keys are refused by name."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where or whole} is {_given(values)}; expected keys ({', '.join(sorted(kinds))}).")
    for key in values:
        if key not in kinds:
            raise ConfigError(f"{where or whole} has no key {key!r}.{nearest(key, kinds)}")
    return {key: checked(_join(where, key), value, kinds[key]) for key, value in values.items()}


def checked(where: str, value: Any, kind: Any, expected: str | None = None) -> Any:
    """``value`` as the annotation ``kind`` has it (lists become tuples where it says so), or a ``ConfigError``."""
    expected = expected or _expected(kind)
    if kind is Any:
        return value
    if get_origin(kind) in (Union, UnionType):
        alike = [option for option in get_args(kind) if _shape(option) is _shape_of(value)]
        if len(alike) == 1:
            return checked(where, value, alike[0], expected)
    elif is_dataclass(kind) and isinstance(kind, type):
        return from_mapping(kind, value, where)
    elif _shape(kind) is Mapping and (value is None or isinstance(value, Mapping)):
        return {
            checked(f"A key of {where}", key, str): checked(_join(where, key), entry, get_args(kind)[1])
            for key, entry in (value or {}).items()
        }
    elif _shape(kind) is Sequence and _shape_of(value) is Sequence:
        entries, anything = _entries(kind, len(value))
        if anything or len(entries) == len(value):
            made = (checked(f"{where}[{i}]", entry, entries[i]) for i, entry in enumerate(value))
            return tuple(made) if get_origin(kind) is tuple or isinstance(value, tuple) else list(made)
    elif value in get_args(kind) if get_origin(kind) is Literal else is_scalar(value, kind):
        return value
    raise ConfigError(f"{where} is {_given(value)}; expected {expected}.{_hint(value, kind)}")


def nearest(name: object, known: Collection[str]) -> str:
    """A sentence that suggests the known name nearest to ``name``, or lists them all; begins with a space."""
    near = difflib.get_close_matches(str(name), known, 1)
    if near:
        return f" Did you mean {near[0]!r}?"
    return f" Known are {', '.join(sorted(known))}." if known else " It has none."


def is_scalar(value: Any, kind: Any) -> bool:
    """Whether ``value`` is what ``bool``, ``int``, ``float`` (finite) or ``str`` means; numpy's numbers are numbers."""
    if isinstance(value, bool):  # which Python takes for a whole number
        return kind is bool
    if kind is float and isinstance(value, float | np.floating):
        return math.isfinite(value)
    if kind in (int, float):
        return isinstance(value, int | np.integer)
    return kind in _WORDS and isinstance(value, kind)


def _entries(kind: Any, length: int) -> tuple[tuple[Any, ...], bool]:
    """The annotations of a list's entries, and whether it may have any length."""
    arguments = get_args(kind)
    if get_origin(kind) is tuple and arguments[-1] is not Ellipsis:
        return arguments, False
    return (arguments[0],) * length, True


def _shape(kind: Any) -> Any:
    """``Sequence``, ``Mapping``, None or, for single values, ``object``."""
    origin = get_origin(kind)
    if origin is Mapping or is_dataclass(kind):
        return Mapping
    if origin in (tuple, Sequence):
        return Sequence
    return None if kind is NoneType else object


def _shape_of(value: Any) -> Any:
    if isinstance(value, (list, tuple, range)):
        return Sequence
    return Mapping if isinstance(value, Mapping) else None if value is None else object


def _expected(kind: Any) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_expected(option) for option in get_args(kind))
    if _shape(kind) is Sequence:
        entries, anything = _entries(kind, 1)
        return f"a list of {'entries' if anything else f'{len(entries)} entries'}, each {_expected(entries[0])}"
    if get_origin(kind) is Mapping:
        return f"keys, each with {_expected(get_args(kind)[1])}"
    return "keys" if is_dataclass(kind) else "something else"


def _given(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"the text {text}" if isinstance(value, str) else text


def _hint(value: Any, kind: Any) -> str:
    """What to write instead, where that is plain; begins with a space."""
    if kind in (int, float) and isinstance(value, str):
        return _number_hint(value.strip(), kind)
    if kind is int and isinstance(value, float) and value.is_integer():
        return f" Write {int(value)}."
    if kind is str and _shape_of(value) is object:
        return " Put it in quotes if it is meant as text."
    return ""


def _number_hint(text: str, kind: Any) -> str:
    try:
        number = float(text)
    except ValueError:
        return ""
    if not math.isfinite(number):
        return ""
    mantissa, exponential, exponent = text.lower().partition("e")
    if kind is int and number.is_integer():
        return f" Write {int(number)}, without quotes."
    if not exponential:
        return f" Write {text}, without quotes."
    # YAML 1.1, which PyYAML follows, wants a point before the e and a sign after it.
    plain = f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(exponent):+d}"
    return f" Write {plain}: YAML takes a number with an exponent for text unless it has a point and a sign."


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)
