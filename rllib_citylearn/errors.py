"""The errors this project raises on purpose.

Each message is a sentence for the person who can act: what was wrong, what was expected, what to do. The command line
prints them without a traceback; anything else that surfaces is a bug and shows one.
"""

from __future__ import annotations


class UserError(Exception):
    """Something the caller can put right; the message says how."""


class DatasetError(UserError):
    """A data set is unknown, unreachable, damaged, or of a format that cannot be used."""


class FeatureError(UserError):
    """Observations or actions that do not fit the feature table."""


class ConfigError(UserError):
    """A configuration that cannot work, said before anything is started."""


class BundleError(UserError):
    """A policy bundle that is incomplete, edited, or of another format version."""


class CheckpointError(UserError):
    """A checkpoint that is incomplete or does not fit what is asked of it."""


class TrainingError(UserError):
    """Training that cannot go on; what was saved before stays."""


class EngineError(UserError):
    """A community that the fast engine can't simulate, or actions and windows that it can't take."""


class UnsupportedError(EngineError):
    """A community with something in it that only CityLearn itself can simulate.

    Args:
        what: what it is and why, in sentences.
        advice: what to do, where the engine can be chosen; who can't choose says something else instead.
    """

    def __init__(self, what: str, advice: str = "") -> None:
        super().__init__(what, advice)
        self.what = what

    def __str__(self) -> str:
        return " ".join(part for part in self.args if part)


class EnvironmentCheckError(UserError):
    """An environment that breaks what learners and evaluations rely on; the message lists everything that was found."""


def said_by(error: Exception) -> str:
    """The sentence of an error of ours, also of one that Ray wraps because another process raised it."""
    cause = getattr(error, "cause", None)
    return str(cause if isinstance(cause, UserError) else error)
