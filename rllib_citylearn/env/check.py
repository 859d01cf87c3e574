"""Conformance checks that users run on their own data: does this environment keep what learners and scores rely on?

from rllib_citylearn.env import check_env

check_env({"dataset": "path/of/my/data"})
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from rllib_citylearn.env.community_env import CityLearnMultiAgentEnv
from rllib_citylearn.env.config import ENGINES, CommunityEnvConfig
from rllib_citylearn.env.metrics import INFO_KPIS
from rllib_citylearn.env.played import PlayedEpisode, play, random_actions
from rllib_citylearn.env.spaces import fault_of
from rllib_citylearn.env.thermostats import DEVICES
from rllib_citylearn.errors import EnvironmentCheckError, UnsupportedError, UserError

_ROUNDING = 1e-6
_SINGLE_PRECISION = 1e-4  # loads are float32 in CityLearn


class _NotApplicableError(Exception):
    """A check that does not apply."""


@dataclass(frozen=True)
class EnvironmentReport:
    """What ``check_env`` looked at.

    Attributes:
        passed: names of the checks that found nothing.
        skipped: name -> why the check does not apply.
    """

    passed: tuple[str, ...]
    skipped: Mapping[str, str]


@dataclass(frozen=True)
class _Subject:
    """An environment under check.

    Attributes:
        env: with episodes of at most ``steps`` time steps.
        make: the same class with some keys of its config replaced.
        episodes: number of episodes to look at.
        seed: of starts and actions.
    """

    env: CityLearnMultiAgentEnv
    make: Callable[..., CityLearnMultiAgentEnv]
    episodes: int
    seed: int

    def played(self) -> Iterator[PlayedEpisode]:
        """Episodes with random actions."""
        for i in range(self.episodes):
            yield play(self.env, random_actions(self.env, self.seed + i), seed=self.seed + i)


def check_env(
    env: CityLearnMultiAgentEnv | CommunityEnvConfig | Mapping[str, Any],
    *,
    episodes: int = 2,
    steps: int = 48,
    seed: int = 0,
) -> EnvironmentReport:
    """Check an environment; everything that is wrong is said at once.

    Checked are: observations and actions against their spaces; one finite team reward whose parts and terms add up; episodes
    that end by truncation, after their length, and refuse further steps; the same episodes after the same seed; actions
    outside the limits clipped and unusable ones refused; finite infos; spaces and config that can be pickled; equal numbers
    from both engines; no control scoring exactly the reference.

    Args:
        env: an environment, or what its ``env_config`` would be. An environment with longer episodes than ``steps`` is
            checked by another one of its class with shorter ones.
        episodes: how many episodes of random actions to play, at least 1.
        steps: length of these episodes in time steps, at least 2.
        seed: of starts and actions.

    Returns:
        which checks passed, and which do not apply.

    Raises:
        EnvironmentCheckError: lists every fault.
        UserError: the environment can't be built at all.
    """
    subject = _subject(env, episodes, steps, seed)
    passed, skipped, faults = [], {}, []
    for name, check in CHECKS.items():
        try:
            # One sentence a fault: the same one again in the next step says nothing new.
            found = list(dict.fromkeys(check(subject)))
        except _NotApplicableError as reason:
            skipped[name] = str(reason)
            continue
        except Exception as error:  # noqa: BLE001
            # An environment under check may raise anything, which is a finding.
            found = [f"it raised {type(error).__name__}: {error}"]
        faults += [f"{name}: {fault}" for fault in found]
        if not found:
            passed.append(name)
    if faults:
        lines = "\n".join(f"- {fault}" for fault in faults)
        raise EnvironmentCheckError(f"The environment breaks {len(faults)} of the rules it is checked for:\n{lines}")
    return EnvironmentReport(tuple(passed), skipped)


def _subject(env: Any, episodes: int, steps: int, seed: int) -> _Subject:
    if isinstance(env, CityLearnMultiAgentEnv):
        kind, config = type(env), env.config
    else:
        kind = CityLearnMultiAgentEnv
        config = env if isinstance(env, CommunityEnvConfig) else CommunityEnvConfig.from_dict(env)
        env = None
    if config.episode_steps is None or config.episode_steps > steps:
        config = replace(config, episode_steps=steps)
        env = None

    def make(**changes: Any) -> CityLearnMultiAgentEnv:
        return kind({**asdict(config), **changes})

    return _Subject(make() if env is None else env, make, episodes, seed)


def _spaces(subject: _Subject) -> Iterator[str]:
    env = subject.env
    if not set(env.observation_spaces) == set(env.action_spaces) == set(env.possible_agents):
        yield (
            f"agents are {sorted(env.possible_agents)}, but observation spaces are of {sorted(env.observation_spaces)} "
            f"and action spaces of {sorted(env.action_spaces)}"
        )
        return
    for episode in subject.played():
        for observation in episode.observations:
            if set(observation) != set(episode.agents):
                yield f"observations are of {sorted(observation)}, but {sorted(episode.agents)} act"
                continue
            for agent, value in observation.items():
                fault = fault_of(env.observation_spaces[agent], value)
                if fault:
                    yield f"the observation of {agent} {fault}"


def _reward(subject: _Subject) -> Iterator[str]:
    weights, share = asdict(subject.env.reward.weights), subject.env.config.team_share
    for episode in subject.played():
        for rewards, infos in zip(episode.rewards, episode.infos, strict=True):
            if set(rewards) != set(episode.agents):
                yield f"rewards are of {sorted(rewards)}, but {sorted(episode.agents)} act"
                continue
            team = float(np.mean(list(rewards.values())))
            if not np.isfinite(team) or (share == 1.0 and len(set(rewards.values())) != 1):
                yield "agents get different rewards or such that are no finite numbers; a team has one"
                continue
            info = next(iter(infos.values()))
            parts = info.get("building_rewards") or {agent: own["building_reward"] for agent, own in infos.items()}
            if share < 1.0 and not subject.env.config.central_agent:
                own = {agent: parts[agent] + info["district_reward"] for agent in infos}
                mixed = [share * team + (1.0 - share) * own[agent] - rewards[agent] for agent in infos]
                if max(map(abs, mixed)) > _ROUNDING * max(1.0, abs(team)):
                    yield f"a reward is not {share:g} of the team's and {1.0 - share:g} of the agent's own"
            total = np.mean(list(parts.values())) + info["district_reward"]
            if abs(total - team) > _ROUNDING * max(1.0, abs(team)):
                yield "the reward is not the mean of building_reward plus district_reward"
            weighted = sum(weights[name] * value for name, value in info["terms"].items())
            if abs(weighted - team) > _ROUNDING * max(1.0, abs(team)):
                yield "the reward is not the weighted sum of its terms"


def _ends(subject: _Subject) -> Iterator[str]:
    env = subject.env
    for episode in subject.played():
        if any(any(flags.values()) for flags in episode.terminated):
            yield "an agent terminated; communities go on living, their episodes are truncated"
        ended = [bool(flags.get("__all__")) for flags in episode.truncated]
        length = env.vector.episode_steps
        if ended != [False] * (length - 1) + [True]:
            yield f"an episode of {length} steps was truncated after {ended.index(True) + 1 if True in ended else 'none'}"
            continue
        if not next(iter(episode.infos[-1].values())).get(INFO_KPIS):
            yield f"info[{INFO_KPIS!r}] with the episode's KPIs is missing from the last step"
        try:
            env.step(random_actions(env, subject.seed)())
            yield "a step after the end of the episode was taken; it has to be refused"
        except UserError:
            pass


def _seeds(subject: _Subject) -> Iterator[str]:
    # Several, so that every community plays and some play again: a seed is of all that follows.
    episodes = len(subject.env.communities.vectors) + 2
    first, second = (list(_after(subject, [None] * episodes)) for _ in range(2))
    for i, (one, two) in enumerate(zip(first, second, strict=True), start=1):
        difference = one.difference(two)
        if difference:
            yield f"the same seed and actions gave another episode (number {i} after the seed): {difference}"


def _after(subject: _Subject, starts: Sequence[int | None], still: bool = False) -> Iterator[PlayedEpisode]:
    """The episodes that follow the seed, one for each of ``starts``: with random actions or, if ``still``, no control."""
    env = subject.env
    choose = env.no_control if still else random_actions(env, 1)
    for i, start in enumerate(starts):
        yield play(env, choose, seed=None if i else subject.seed, start=start)


def _actions(subject: _Subject) -> Iterator[str]:
    env = subject.env
    ends = []
    for factor in (1.0, 10.0):
        env.reset(seed=subject.seed)
        ends.append(env.step({agent: env.action_spaces[agent].high * factor for agent in env.agents}))
    one, other = (PlayedEpisode.of(env, end) for end in ends)
    if one.difference(other):
        yield f"actions outside the space are not clipped to it: {one.difference(other)}"
    able = [agent for agent in env.agents if env.action_spaces[agent].shape[0]]
    if not able:
        return
    for what, wrong in (
        ("an action that is no number", lambda agent: np.full(env.action_spaces[agent].shape, np.nan)),
        ("an action of another length", lambda agent: np.zeros(env.action_spaces[agent].shape[0] + 1)),
        ("a missing action", None),
    ):
        env.reset(seed=subject.seed)
        actions = random_actions(env, subject.seed)()
        agent = able[-1]
        del actions[agent]
        if wrong is not None:
            actions[agent] = wrong(agent)
        try:
            env.step(actions)
            yield f"{what} was taken; it has to be refused"
        except UserError:
            pass


def _infos(subject: _Subject) -> Iterator[str]:
    for episode in subject.played():
        for infos in episode.infos:
            if set(infos) != set(episode.agents):
                yield f"infos are of {sorted(infos)}, but {sorted(episode.agents)} act"
            for agent, info in infos.items():
                for key, value in _numbers(info, "info"):
                    if not np.isfinite(value):
                        yield f"{key} of {agent} is no finite number"


def _numbers(value: Any, key: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for name, entry in value.items():
            yield from _numbers(entry, f"{key}[{name!r}]")
    elif isinstance(value, (int, float, np.number)):
        yield key, float(value)


def _pickling(subject: _Subject) -> Iterator[str]:
    env = subject.env
    for what, value in (
        ("config", env.config),
        ("observation_spaces", env.observation_spaces),
        ("action_spaces", env.action_spaces),
    ):
        if pickle.loads(pickle.dumps(value)) != value:
            yield f"{what} is another one after pickling"


def _engines(subject: _Subject) -> Iterator[str]:
    episodes = []
    for engine in ENGINES:
        try:
            env = subject.make(engine=engine)
        except UnsupportedError as error:
            raise _NotApplicableError(str(error)) from error
        episodes.append(play(env, random_actions(env, subject.seed), seed=subject.seed))
    difference = episodes[0].difference(episodes[1], _ROUNDING)
    if difference:
        yield f"the engines {' and '.join(ENGINES)} disagree: {difference}"


def _no_control(subject: _Subject) -> Iterator[str]:
    env = subject.env
    if any(set(vector.features.actions) & DEVICES for vector in env.communities.vectors):
        raise _NotApplicableError(
            "Heating and cooling devices are off at zero; the reference leaves them to their thermostats."
        )
    # From where the reference starts: a vehicle that is plugged in already may have been charged before in the data. After a
    # seed every community has a turn, each time in the same order.
    starts = []
    for i in range(len(env.communities.vectors)):
        env.reset(seed=None if i else subject.seed)
        starts.append(int(env.vector.first_step))
    for episode in _after(subject, starts, still=True):
        if max(abs(value) for rewards in episode.rewards for value in rewards.values()) > _SINGLE_PRECISION * 10:
            yield "hours without control are rewarded; the reference of the reward is another community"
        kpis = next(iter(episode.infos[-1].values())).get("episode", {})
        if not all(abs(value - 1.0) < _SINGLE_PRECISION for name, value in kpis.items() if name != "discomfort"):
            yield f"an episode without control has the KPIs {kpis} relative to no control; all have to be 1"


CHECKS: dict[str, Callable[[_Subject], Iterator[str]]] = {
    "spaces": _spaces,
    "reward": _reward,
    "end of episodes": _ends,
    "seeds": _seeds,
    "actions": _actions,
    "infos": _infos,
    "pickling": _pickling,
    "engines": _engines,
    "no control": _no_control,
}
"""Every check by its name: the faults it finds, each a sentence."""
