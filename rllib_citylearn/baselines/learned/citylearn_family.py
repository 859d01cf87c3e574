"""CityLearn's learning agents, trained and run by their own code."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from rllib_citylearn.baselines.learned.budget import Budget
from rllib_citylearn.baselines.learned.citylearn_agent import agent_class, fresh_agent
from rllib_citylearn.baselines.learned.citylearn_controller import CityLearnLearner
from rllib_citylearn.baselines.learned.citylearn_state import community_of, write_state
from rllib_citylearn.baselines.learned.family import Family, Learnt, Task
from rllib_citylearn.env.citylearn_env import make_citylearn_env
from rllib_citylearn.errors import ConfigError, TrainingError
from rllib_citylearn.root_logger import root_logger_kept


class _CityLearnFamily:
    """See ``Family``. Agents learn on CityLearn's own environment, from the data set's reward, with CityLearn's defaults."""

    def train(self, task: Task, folder: Path, budget: Budget) -> Learnt:
        """See ``Family.train``."""
        agent, learnt = trained_agent(task, budget)
        write_state(folder, agent)
        return learnt

    def load(self, name: str, folder: Path, record: Mapping[str, Any]) -> CityLearnLearner:
        """See ``Family.load``."""
        return CityLearnLearner(name, folder, record)


FAMILY: Family = _CityLearnFamily()


def trained_agent(task: Task, budget: Budget) -> tuple[Any, Learnt]:
    """One of CityLearn's agents after its own ``learn`` ran until the budget was spent, and how far it got.

    Raises:
        ConfigError: the agent can't learn on this community, or its episodes are too short for it.
        TrainingError: the time was over before it had learnt anything.
    """
    env = make_citylearn_env(
        task.folder, buildings=task.buildings, window=task.window, random_seed=task.random_seed, own_reward=True
    )
    agent = fresh_agent(_budgeted(agent_class(task.settings), budget), env, task.name, task.seed)
    _require_long_enough(agent, task)
    reward = type(env.reward_function)
    budget.start()
    with root_logger_kept(), suppress(_BudgetSpent):
        agent.learn(episodes=sys.maxsize - 1)
    hours = int(agent.time_step)
    _require_learnt(agent, task, budget, hours)
    learnt = Learnt(
        env_steps=hours,
        updates=agent.updates,
        training_s=budget.elapsed_s,
        reward=f"the data set's own, {reward.__module__}.{reward.__name__}",
        policy="the last one",
        community=community_of(env, task.record["data"]),
        facts={"hours_an_episode": _hours(agent)},
    )
    return agent, learnt


class _BudgetSpent(Exception):  # noqa: N818 - nothing went wrong
    """Ends CityLearn's ``learn``, which knows episodes only."""


def _budgeted(kind: type[Any], budget: Budget) -> type[Any]:
    """An agent of CityLearn's that stops learning when the time is over, and counts its gradient steps."""

    class Budgeted(kind):
        """The agent, unchanged but for that."""

        updates = 0

        def update(self, *args: Any, **kwargs: Any) -> None:
            super().update(*args, **kwargs)
            if all(self.normalized):  # from then on it takes gradient steps every hour
                self.updates += self.update_per_time_step
            if budget.spent():
                raise _BudgetSpent

    return Budgeted


def _hours(agent: Any) -> int:
    """Hours that an episode of the agent's environment plays; CityLearn's last time step is not one."""
    return int(agent.env.time_steps) - 1


def _require_long_enough(agent: Any, task: Task) -> None:
    """Refuse episodes after which CityLearn's agents stop exploring before they have seen a batch, and then fail."""
    # MARLISA replays nothing of its first hours, in which it fits its forecasts.
    needed = int(agent.batch_size) + 8
    if _hours(agent) < needed:
        raise ConfigError(
            f"{task.name} explores for one episode and then learns from batches of {agent.batch_size} hours, but the window "
            f"{task.window[0]}..{task.window[1]} has {_hours(agent)}; give it {needed + 1} time steps or more."
        )


def _require_learnt(agent: Any, task: Task, budget: Budget, hours: int) -> None:
    """Refuse an agent whose time was over while it was exploring: without that it can't even act."""
    if all(agent.normalized):
        return
    minutes = budget.elapsed_s / 60.0 / max(hours, 1) * _hours(agent)
    raise TrainingError(
        f"{task.name} plays its first episode of {_hours(agent):,} hours at random and learns nothing in it; it got "
        f"through {hours:,} of them in {budget.minutes:g} minutes. Give it {minutes:.1f} minutes or more, a shorter window "
        "or fewer buildings."
    )
