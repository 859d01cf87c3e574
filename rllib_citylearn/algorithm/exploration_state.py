"""Where the random numbers of a run's runners stand, which RLlib's checkpoints hold of the local runner only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

EXPLORATION = "exploration"
"""Component of a runner's state: where its random numbers and its noise stand."""

Identity = tuple[int, bool]


def identity(runner: Any) -> Identity:
    """Which of the run's runners this is: its number, and whether it evaluates."""
    return int(runner.worker_index or 0), bool(runner.config.in_evaluation)


def of_runner(runner: Any, state: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a runner's state that ``runner`` itself has saved; None if it was another.

    Random numbers are those of one runner. RLlib hands the state of a training runner to those of evaluation too, and after
    a restart there may be more runners than there were: these keep their own.
    """
    exploration: dict[str, Any] | None = state.get(EXPLORATION)
    return exploration if exploration is not None and exploration["runner"] == identity(runner) else None


def exploration_states(group: Any) -> list[dict[str, Any]]:
    """The exploration states of all runners of an ``EnvRunnerGroup`` that have an environment."""
    states = group.foreach_env_runner(_get)
    return [state for state in states if EXPLORATION in state]


def restore_exploration_states(group: Any, states: Sequence[dict[str, Any]]) -> None:
    """Give every runner of an ``EnvRunnerGroup`` its own state back; runners that were not there begin as they would."""
    group.foreach_env_runner(_Set(states))


def _get(runner: Any) -> dict[str, Any]:
    state = runner.get_state(components=[EXPLORATION])
    return {key: value for key, value in state.items() if key == EXPLORATION}


class _Set:
    """Hands every runner all states; it takes its own. A class, because it travels to other processes."""

    def __init__(self, states: Sequence[dict[str, Any]]) -> None:
        self.states = list(states)

    def __call__(self, runner: Any) -> None:
        for state in self.states:
            runner.set_state(state)
