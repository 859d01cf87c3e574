"""What ``env_config`` may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args

from rllib_citylearn.env.reward import RewardWeights
from rllib_citylearn.errors import ConfigError

EngineName = Literal["fast", "citylearn"]
"""What can simulate: the compiled engine, which gives CityLearn's numbers, or CityLearn itself, which is slow."""

FAST, CITYLEARN = ENGINES = get_args(EngineName)


def check_engine(name: str) -> None:
    """Refuse an engine that there is not.

    Raises:
        ConfigError: it is none of ``ENGINES``.
    """
    if name not in ENGINES:
        nearest = get_close_matches(name, ENGINES, n=1)
        guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ConfigError(f"There is no engine {name!r}; the engines are {' and '.join(ENGINES)}.{guess}")


@dataclass(frozen=True)
class CommunityEnvConfig:
    """A community, its episodes and its reward.

    Attributes:
        dataset: name of a data set, or path of its folder.
        engine: ``fast`` simulates with compiled kernels, ``citylearn`` with CityLearn itself; both give the same numbers.
        buildings: names of the buildings to keep; None keeps all.
        window: first and last time step of the data to visit, both included; None is all of it.
        episode_steps: length of an episode in time steps; None is the whole window.
        random_start: start each episode at a random step of the window (True) or at its beginning (False).
        starts: time steps at which episodes start in turn, instead of either; several runners take turns with them.
        random_initial_soc: fill each battery to a random level at the start of an episode, so that a learner sees the same
            hour with full and empty batteries; for training only, since the energy is a gift that the KPIs contain.
        random_seed: CityLearn's seed for what the schema leaves out; None keeps the schema's.
        reward_weights: weights of the reward's terms by name.
        team_share: how much of every agent's reward is the team's, 0 to 1; the rest is what its own building and the
            district earned. 1 is one team reward for all, 0 individual ones. Their mean is the team's in any case.
        ranges: physical ranges by feature name, as stored with a policy; None fits them to the data.
        memory: whether buildings also see features of what they measured before, forecasts of their load among them.
        forecast_noise: standard deviation of an error added to every forecast, as a share of the feature's range, 0 to 1;
            for training only, so that a policy doesn't trust forecasts that are better here than elsewhere.
    """

    dataset: str = "citylearn_challenge_2022_phase_all"
    engine: EngineName = "fast"
    buildings: Sequence[str] | None = None
    window: tuple[int, int] | None = None
    episode_steps: int | None = None
    random_start: bool = False
    starts: Sequence[int] | None = None
    random_initial_soc: bool = False
    random_seed: int | None = None
    reward_weights: Mapping[str, float] = field(default_factory=lambda: asdict(RewardWeights()))
    team_share: float = 1.0
    ranges: Mapping[str, Sequence[float]] | None = None
    memory: bool = False
    forecast_noise: float = 0.0

    def __post_init__(self) -> None:
        check_engine(self.engine)
        if not 0.0 <= self.team_share <= 1.0:
            raise ConfigError(
                f"team_share is {self.team_share}; give a number from 0 (each agent its own reward) to 1 (one team reward)."
            )
        if not 0.0 <= self.forecast_noise <= 1.0:
            raise ConfigError(
                f"forecast_noise is {self.forecast_noise}; give a share of each forecast's range between 0 and 1."
            )

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> CommunityEnvConfig:
        """A config from RLlib's ``env_config``; unknown keys are refused."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(config) - known)
        if unknown:
            raise ConfigError(f"env_config has no key {', '.join(map(repr, unknown))}; it knows {', '.join(sorted(known))}.")
        values = dict(config)
        if values.get("window") is not None:
            first, last = values["window"]
            values["window"] = (int(first), int(last))
        return cls(**values)
