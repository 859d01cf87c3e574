"""What a deployment's ``user_config`` may say: communities and their policies, limits, tokens, logs."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from rllib_citylearn.errors import ConfigError

DEFAULT = "default"
"""Name of the community where the configuration names only a bundle."""

ONLY = "current"
"""Label of the version of that bundle."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,62}")


class Canary(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A version that answers some of the requests.

    Attributes:
        version: its label.
        share: of the requests, within [0, 1].
    """

    version: str
    share: float


class Community(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One community and the versions of its policy.

    Attributes:
        versions: folders of policy bundles by label, at the same path on every node.
        serving: label of the version that answers.
        canary: another version that answers a share of the requests.
        recorded: a file of inputs (JSON lines, bodies for ``actions``) that a new version is compared on before it answers.
        largest_change: how far its actions may be from those of the version before, as the mean share of an action's range
            over recorded inputs; None does not ask.
    """

    versions: dict[str, str]
    serving: str
    canary: Canary | None = None
    recorded: str | None = None
    largest_change: float | None = None


_SLOWEST = 0.001
"""Fewest requests a second that a limit may allow."""


class Limits(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a replica takes.

    Attributes:
        body_bytes: largest request body; a larger one is refused unread.
        batch: most observations in a request.
        concurrent: most requests at a time, slow bodies aside; more get 503 with Retry-After.
        body_seconds: longest that a client may take to send a body.
        requests_per_second: of each token (or of all clients without one), over seconds; more get 429. None is no limit.
    """

    body_bytes: int = 1 << 20
    batch: int = 256
    concurrent: int = 64
    body_seconds: float = 10.0
    requests_per_second: float | None = None


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a deployment's ``user_config`` may say.

    Attributes:
        bundle: folder of the one policy bundle to serve, for the community ``default``.
        communities: or several communities by name.
        limits: see ``Limits``.
        tokens: a file of bearer tokens, one ``NAME TOKEN`` a line; without it, everybody who reaches the port is answered.
        metrics_need_token: whether ``/metrics`` asks for a token too.
        cors_origins: origins whose pages may call this server from a browser.
        access_log: whether every request is logged, not only those that fail.
        traces: URL of an OpenTelemetry collector (OTLP over HTTP) that gets a span for every request.
    """

    bundle: str | None = None
    communities: dict[str, Community] | None = None
    limits: Limits = Limits()
    tokens: str | None = None
    metrics_need_token: bool = False
    cors_origins: list[str] = []
    access_log: bool = False
    traces: str | None = None

    @property
    def served(self) -> dict[str, Community]:
        """All communities by name."""
        if self.communities is not None:
            return self.communities
        return {DEFAULT: Community(versions={ONLY: self.bundle or ""}, serving=ONLY)}


def settings(config: Any) -> Settings:
    """Read a deployment's configuration.

    Raises:
        ConfigError: unknown, missing or wrong settings.
    """
    try:
        result = msgspec.convert(config, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"The policy server's configuration can't be used ({error}); give 'bundle', the path of a policy bundle, or "
            "'communities', and what else serve/settings.py describes."
        ) from error
    wrong = [sentence for sentence, fine in _checks(result).items() if not fine]
    if wrong:
        raise ConfigError(f"The policy server's configuration can't be used: {'; '.join(wrong)}.")
    return result


def _checks(settings: Settings) -> dict[str, bool]:
    """What has to hold, by the sentence that is said where it does not."""
    limits = settings.limits
    checks = {
        "give either 'bundle' or 'communities', not both and not neither": (settings.bundle is None)
        != (settings.communities is None),
        "'bundle' is empty; give the path of a policy bundle": settings.bundle != "",
        "'communities' is empty; give at least one": settings.communities != {},
        f"'limits.body_bytes' is {limits.body_bytes}; give a number of bytes of at least 1": limits.body_bytes >= 1,
        f"'limits.batch' is {limits.batch}; give at least 1": limits.batch >= 1,
        f"'limits.concurrent' is {limits.concurrent}; give at least 1": limits.concurrent >= 1,
        f"'limits.body_seconds' is {limits.body_seconds}; give a number above 0": limits.body_seconds > 0,
        f"'limits.requests_per_second' is {limits.requests_per_second}; give at least {_SLOWEST:g}, or leave it out": (
            limits.requests_per_second is None or limits.requests_per_second >= _SLOWEST
        ),
        "'metrics_need_token' asks for tokens, but 'tokens' names no file of them": not settings.metrics_need_token
        or settings.tokens is not None,
    }
    if settings.traces is not None:
        checks[f"'traces' is {settings.traces!a}; give a URL such as http://collector:4318/v1/traces"] = (
            re.fullmatch(r"https?://[!-~]+", settings.traces) is not None
        )
    for origin in settings.cors_origins:
        checks[f"'cors_origins' has {origin!a}; give origins such as https://example.org, or *"] = (
            origin == "*" or re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", origin) is not None
        )
    for name, community in (settings.communities or {}).items():
        checks |= _community_checks(name, community)
    return checks


def _community_checks(name: str, community: Community) -> dict[str, bool]:
    labels = ", ".join(community.versions) or "none"
    canary = community.canary
    checks = {
        f"the community {name!a} has a name that can't stand in a URL; use letters, digits and . _ ~ -": (
            _NAME.fullmatch(name) is not None
        ),
        f"the community {name!a} is to serve {community.serving!a}, which is none of its versions ({labels})": (
            community.serving in community.versions
        ),
        f"'largest_change' of {name!a} is {community.largest_change}; give a share within (0, 1]": (
            community.largest_change is None or 0 < community.largest_change <= 1
        ),
    }
    for label, bundle in community.versions.items():
        checks[f"the version {label!a} of {name!a} has a label that can't stand in a URL"] = (
            _NAME.fullmatch(label) is not None
        )
        checks[f"the version {label!a} of {name!a} names no bundle"] = bool(bundle)
    if canary is not None:
        checks[f"the canary of {name!a} is {canary.version!a}, which is none of its versions ({labels})"] = (
            canary.version in community.versions
        )
        checks[f"the canary's share in {name!a} is {canary.share}; give a number within [0, 1]"] = 0 <= canary.share <= 1
    return checks
