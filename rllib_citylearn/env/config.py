"""What ``env_config`` may say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal, get_args, get_type_hints

from rllib_citylearn.checks import checked_keys, from_mapping, is_scalar, within
from rllib_citylearn.env.limits import ENVIRONMENT, check_limits
from rllib_citylearn.env.reward import RewardWeights
from rllib_citylearn.env.selection import positions
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
        buildings: the buildings to keep: names, or positions as text (``1-5,7``); None keeps all.
        held_out: those of them to leave out, in the same forms, so that they can judge what was learnt on the others
            (``held_out_config``); None leaves none out.
        window: first and last time step of the data to visit, both included; None is all of it. The last two are seen but
            not simulated: CityLearn computes nothing in its last time step, and shows an hour's outcome in the next one.
        episode_steps: length of an episode in time steps; None is the longest that the window allows.
        random_start: start each episode at a random step of the window (True) or at its beginning (False).
        starts: time steps at which episodes start in turn, instead of either; several runners take turns with them.
        random_initial_soc: fill each battery to a random level at the start of an episode, so that a learner sees the same
            hour with full and empty batteries; for training only, since the energy is a gift that the KPIs contain.
        random_seed: CityLearn's seed for what the schema leaves out; None keeps the schema's.
        reward_weights: weights of the reward's terms by name (>= 0); at least one is above 0.
        team_share: how much of every agent's reward is the team's, 0 to 1; the rest is what its own building and the
            district earned. 1 is one team reward for all, 0 individual ones. Their mean is the team's in any case.
        ranges: physical ranges by feature name, as stored with a policy; None fits them to the data.
        features: names of the features that padded agents see, as stored with a policy; None is those that any building has,
            drawn or not.
        actions: names of the actions that padded agents set, likewise.
        memory: whether buildings also see features of what they measured before, forecasts of their load among them.
        forecast_noise: standard deviation of an error added to every forecast in the data, as a share of its range, 0 to 1;
            for training only, so that a policy doesn't trust forecasts that are better here than elsewhere.
        padded: whether every agent sees the joint row, zeros where its building lacks a column, and acts in ``Box(-1, 1)``
            on every joint action, which is ignored where its building lacks it: one policy then fits unlike buildings.
        central_agent: whether one agent, ``community``, sees and sets everything, instead of one agent a building.
        communities: keys that differ from community to community (``dataset``, ``buildings``, ``window``, ...); every
            episode plays in one of them. Needs ``padded``. None is the one community that the other keys say.
        random_buildings: how many of the buildings make up a community, drawn for each runner; needs ``padded``. Where it is
            more than there are, buildings come several times, with other battery curves and what ``load_scaling`` and
            ``load_shift_weeks`` draw for each. None is all of them.
        load_scaling: lowest and highest factor by which each building's load and, apart from it, its photovoltaic
            generation are multiplied, drawn for each runner. None leaves them as they are.
        load_shift_weeks: whole weeks, by up to which each building's load is moved to earlier or later in the window, drawn
            for each runner, so that the same buildings' peaks don't always meet on the same days; weekdays, weather and
            photovoltaic generation stay. None leaves loads where they are.
        random_fleet: fields of ``FleetSpec`` (``rllib_citylearn.datasets.fleets``): for each runner a fleet of electric
            vehicles is drawn and laid over the data set, as a copy of it in the cache folder. Needs ``padded`` unless all
            fleets have the same chargers (``building_share`` 1, ``v2g_share`` 0 or 1). None leaves the vehicles of the data.
        variants: how many communities each runner draws by ``random_buildings``, ``load_scaling``, ``load_shift_weeks`` and
            ``random_fleet``, to play them in random turns; 0 draws none and plays the data as they are, with the fleet of
            ``random_fleet``'s own seed and the same ranges, for evaluation.
    """

    dataset: str = "citylearn_challenge_2022_phase_all"
    engine: EngineName = "fast"
    buildings: Sequence[str] | str | None = None
    held_out: Sequence[str] | str | None = None
    window: tuple[int, int] | None = None
    episode_steps: int | None = None
    random_start: bool = False
    starts: Sequence[int] | None = None
    random_initial_soc: bool = False
    random_seed: int | None = None
    reward_weights: Mapping[str, float] = field(default_factory=lambda: asdict(RewardWeights()))
    team_share: float = 1.0
    ranges: Mapping[str, Sequence[float]] | None = None
    features: Sequence[str] | None = None
    actions: Sequence[str] | None = None
    memory: bool = False
    forecast_noise: float = 0.0
    padded: bool = False
    central_agent: bool = False
    communities: Sequence[Mapping[str, Any]] | None = None
    random_buildings: int | None = None
    load_scaling: tuple[float, float] | None = None
    load_shift_weeks: int | None = None
    random_fleet: Mapping[str, Any] | None = None
    variants: int = 1

    def __post_init__(self) -> None:
        self._check_types()
        check_limits(self, ENVIRONMENT)
        from_mapping(RewardWeights, self.reward_weights, "reward_weights")
        self._check_fleet()
        for text in (self.buildings, self.held_out):
            if isinstance(text, str):
                positions(text)
        self._check_modes()

    def _check_types(self) -> None:
        """Refuse values of other types than the annotations; lists become tuples where those say so."""
        if isinstance(self.engine, str):
            check_engine(self.engine)
        for key in ("buildings", "held_out"):
            value = getattr(self, key)
            entries = value if isinstance(value, (list, tuple, range)) else [value]
            if any(is_scalar(entry, int) for entry in entries):
                text = ",".join(map(str, entries))
                raise ConfigError(f"{key} is {value!r}; expected names, or positions as text. Write {text!r} for positions.")
        if self.communities is not None and not isinstance(self.communities, (list, tuple)):
            raise ConfigError(f"communities is {self.communities!r}; expected a list with the keys of each community.")
        values = {name: getattr(self, name) for name in _annotations()}
        for name, value in checked_keys(_annotations(), values, "").items():
            object.__setattr__(self, name, value)  # the dataclass is frozen

    def _check_fleet(self) -> None:
        if self.random_fleet is None:
            return
        from rllib_citylearn.datasets.fleets import FleetSpec

        try:
            FleetSpec.from_dict(self.random_fleet)
        except ConfigError as error:
            raise ConfigError(f"random_fleet: {error}") from error

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> CommunityEnvConfig:
        """A config from RLlib's ``env_config``; unknown keys are refused."""
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(config) - known)
        if unknown:
            raise ConfigError(f"env_config has no key {', '.join(map(repr, unknown))}; it knows {', '.join(sorted(known))}.")
        return cls(**config)

    @property
    def draws(self) -> bool:
        """Whether an environment draws its buildings or their loads."""
        return self.variants > 0 and any(
            drawn is not None
            for part in self.each()
            for drawn in (part.random_buildings, part.load_scaling, part.load_shift_weeks, part.random_fleet)
        )

    def each(self) -> list[CommunityEnvConfig]:
        """The config of every community, one where ``communities`` is None; where there are several, each of one variant."""
        if self.communities is None:
            return [self]
        shared = replace(self, communities=None, variants=min(self.variants, 1))
        return [self._one(shared, own, f"communities[{i}]") for i, own in enumerate(self.communities)]

    @staticmethod
    def _one(shared: CommunityEnvConfig, own: Mapping[str, Any], where: str) -> CommunityEnvConfig:
        of_communities = {
            "dataset",
            "buildings",
            "held_out",
            "window",
            "starts",
            "random_seed",
            "random_buildings",
            "load_scaling",
            "load_shift_weeks",
        }
        unknown = sorted(set(own) - of_communities)
        if unknown:
            raise ConfigError(
                f"A community of env_config['communities'] has the key {', '.join(map(repr, unknown))}; what can differ "
                f"from one to another is {', '.join(sorted(of_communities))}. Put the rest beside 'communities'."
            )
        try:
            return replace(shared, **own)
        except ConfigError as error:
            raise ConfigError(within(where, str(error), of_communities)) from error

    def held_out_config(self) -> CommunityEnvConfig:
        """The community of the held-out buildings as the data have it, to judge what was learnt on the others.

        Nothing is drawn but the start of an episode, and forecasts are as good as the data's. Ranges, and what padded agents
        see and set, are those of the training buildings, so that a policy finds the spaces that it was trained with. They
        are read from the data, which have to be at hand. Where training draws ``random_buildings``, agents are places here
        too, as many as there are held-out buildings.

        Raises:
            ConfigError: no building is held out, or the config is of several communities.
        """
        from rllib_citylearn.env.building import Site, training_features

        if self.held_out is None or self.communities is not None:
            raise ConfigError(
                "A config of held-out buildings needs 'held_out' and no 'communities'; say which buildings to hold out."
            )
        table = training_features(self, Site.of(self))
        seen, done = self.features, self.actions
        if self.padded:
            seen = tuple(feature.name for feature in table.features) if seen is None else seen
            done = table.actions if done is None else done
        return replace(
            self,
            buildings=self.held_out,
            held_out=None,
            ranges=table.ranges,
            features=seen,
            actions=done,
            random_initial_soc=False,
            forecast_noise=0.0,
            load_scaling=None,
            load_shift_weeks=None,
            variants=0 if self.random_buildings is not None or self.random_fleet is not None else 1,
        )

    def _check_modes(self) -> None:
        """Refuse modes that exclude each other and counts and factors that can't be meant."""
        faults = {
            "padded and central_agent exclude each other; choose one": self.padded and self.central_agent,
            "communities is empty; name at least one, or leave it out": self.communities is not None
            and not self.communities,
            "communities and random_buildings need padded=True, since their buildings differ from episode to episode": (
                not self.padded and (self.communities is not None or self.random_buildings is not None)
            ),
            "features and actions are of padded agents; set padded=True, or leave them out": (
                not self.padded and (self.features is not None or self.actions is not None)
            ),
        }
        found = [sentence for sentence, fault in faults.items() if fault]
        if found:
            raise ConfigError("This env_config can't work: " + "; ".join(found) + ".")
        self.each()  # finishes and checks every community
        if self.variants > 1 and not self.draws:
            raise ConfigError(
                f"variants is {self.variants}, but without load_scaling, load_shift_weeks, random_buildings or random_fleet "
                "they would all be the same; give one of these, or leave variants out."
            )


@cache
def _annotations() -> dict[str, Any]:
    """Types of the config's keys."""
    hints = get_type_hints(CommunityEnvConfig)
    return {entry.name: hints[entry.name] for entry in fields(CommunityEnvConfig)}
