"""What ``model_config`` may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_type_hints

from rllib_citylearn.checks import checked_keys
from rllib_citylearn.errors import ConfigError

CoordinatorKind = Literal["attention+mean-field", "attention", "mean-field", "means", "none"]
RuleName = Literal["net-zero", "level", "none"]
GuardName = Literal["departures", "one-way", "none"]


@dataclass(frozen=True)
class CommunityModuleConfig:
    """Sizes and kinds of the networks, and the exploration noise; the keys of ``model_config``.

    Attributes:
        hidden: width of the actor's hidden layers and of the critic's first (>= 1); its second is a quarter as wide,
            but 32 at least.
        coordinator: what gives every building its hint: attention over the buildings and their mean field, one of the two,
            or nothing learnt: ``means`` broadcasts the district's means of all observation columns, and with ``none`` a
            building acts on its own observation alone.
        hint_size: numbers in a learnt hint (>= 1); of no account without a coordinator or with ``means``.
        coordinator_width: width of the coordinator's embedding (>= 1); the heads divide it.
        heads: of the attention: how many mixes of the others a building sees (>= 1).
        actors: one set of weights for all buildings (``shared``), or one for each (``separate``), which fixes their number.
        critic: one that sees all buildings (``attention``), or one in which a building's value comes from its own
            observation and action alone (``independent``), as in independent DDPG.
        rule: the controller that the actor corrects where the community has batteries: ``net-zero`` brings a building's own
            net load to zero, ``level`` to the mean of its base load over 24 hours (needs memory features); both charge
            vehicles to what their drivers ask for and start appliances at once. ``none`` starts from the middle of the
            actions' limits.
        guard: what the actor can't do to vehicles: with ``departures`` a charger always does as much as lets full power in
            the hours that are left get the vehicle ready for its driver; with ``one-way`` it never discharges either;
            ``none`` leaves everything to the actor. It looks after chargers whose vehicles and powers are observed.
        reach: how far the actor can move an action from the rule's, in units of the action's half range, in (0, 2].
        average_policy: whether validation, evaluation and bundles act by the slowly following copy of the policy, its mean
            over about the last ``policy_delay`` / ``tau`` gradient steps, in place of the policy itself, which large steps
            throw about.
        hint_dropout: share of training samples whose hints are zeroed, so that actors manage without coordinator, [0, 1).
        noise: ``ou`` is correlated from step to step (Ornstein-Uhlenbeck), ``gaussian`` is not.
        noise_theta: pull of the correlated noise towards zero, per time step, (0, 1].
        noise_sigma: standard deviation drawn per time step at the start of training, in action units (>= 0).
        noise_sigma_final: the same after ``noise_anneal_steps`` (>= 0), in action units.
        noise_anneal_steps: environment steps over which the noise falls from ``noise_sigma`` to ``noise_sigma_final``
            (>= 1).
    """

    hidden: int = 64
    coordinator: CoordinatorKind = "attention+mean-field"
    hint_size: int = 8
    coordinator_width: int = 32
    heads: int = 2
    actors: Literal["shared", "separate"] = "shared"
    critic: Literal["attention", "independent"] = "attention"
    rule: RuleName = "net-zero"
    guard: GuardName = "departures"
    reach: float = 1.0
    average_policy: bool = False
    hint_dropout: float = 0.1
    noise: Literal["ou", "gaussian"] = "ou"
    noise_theta: float = 0.15
    noise_sigma: float = 0.1
    noise_sigma_final: float = 0.02
    noise_anneal_steps: int = 20_000

    def __post_init__(self) -> None:
        checked_keys(
            get_type_hints(CommunityModuleConfig), {field.name: getattr(self, field.name) for field in fields(self)}, ""
        )
        if self.coordinator not in ("means", "none") and self.hint_size < 1:
            raise ConfigError(
                f"hint_size is {self.hint_size} with the coordinator {self.coordinator!r}; give hints at least one number, "
                "or set coordinator to 'none'."
            )
        checks = {
            "hidden": self.hidden >= 1,
            "coordinator_width": self.coordinator_width >= 1 and self.coordinator_width % max(self.heads, 1) == 0,
            "heads": self.heads >= 1,
            "hint_size": self.hint_size >= 0,
            "reach": 0 < self.reach <= 2,
            "hint_dropout": 0 <= self.hint_dropout < 1,
            "noise_theta": 0 < self.noise_theta <= 1,
            "noise_sigma": self.noise_sigma >= 0,
            "noise_sigma_final": self.noise_sigma_final >= 0,
            "noise_anneal_steps": self.noise_anneal_steps >= 1,
        }
        wrong = [f"{name}={getattr(self, name)}" for name, fine in checks.items() if not fine]
        if wrong:
            raise ConfigError(f"The model config has {', '.join(wrong)}; see CommunityModuleConfig for the ranges.")

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> CommunityModuleConfig:
        """The config in RLlib's ``model_config``; keys that RLlib itself adds are left aside, others are refused."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(key for key in config if key not in known and not key.startswith(("vf_", "fcnet_")))
        if unknown:
            raise ConfigError(
                f"model_config has no key {', '.join(map(repr, unknown))}; it knows {', '.join(sorted(known))}."
            )
        return cls(**{key: value for key, value in config.items() if key in known})
