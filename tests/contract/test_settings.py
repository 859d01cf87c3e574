"""Every setting that can't be used is refused in a sentence that names it; what is left out has its default."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from rllib_citylearn.errors import ConfigError
from serve.settings import Community, Settings, settings

GOOD: dict[str, Any] = {"bundle": "b"}


def community(name: str = "a", **more: Any) -> dict[str, Any]:
    """A configuration of one community with one version."""
    return {"communities": {name: {"versions": {"v1": "b"}, "serving": "v1", **more}}}


WRONG: list[tuple[Any, str]] = [
    ({}, "give either 'bundle' or 'communities', not both and not neither"),
    (GOOD | community(), "give either 'bundle' or 'communities', not both and not neither"),
    ({"bundle": ""}, "'bundle' is empty; give the path of a policy bundle"),
    ({"communities": {}}, "'communities' is empty; give at least one"),
    (GOOD | {"limits": {"body_bytes": 0}}, "'limits.body_bytes' is 0; give a number of bytes of at least 1"),
    (GOOD | {"limits": {"batch": 0}}, "'limits.batch' is 0; give at least 1"),
    (GOOD | {"limits": {"concurrent": -3}}, "'limits.concurrent' is -3; give at least 1"),
    (GOOD | {"limits": {"body_seconds": 0}}, "'limits.body_seconds' is 0.0; give a number above 0"),
    (GOOD | {"limits": {"body_seconds": float("nan")}}, "'limits.body_seconds' is nan; give a number above 0"),
    (
        GOOD | {"limits": {"requests_per_second": 0}},
        "'limits.requests_per_second' is 0.0; give at least 0.001, or leave it out",
    ),
    (GOOD | {"limits": {"requests_per_second": float("nan")}}, "'limits.requests_per_second' is nan"),
    (GOOD | {"limits": {"requests_per_second": 1e-320}}, "give at least 0.001"),
    (GOOD | {"metrics_need_token": True}, "'metrics_need_token' asks for tokens, but 'tokens' names no file of them"),
    *[
        (GOOD | {"cors_origins": [origin]}, f"'cors_origins' has {origin!a}; give origins such as https://example.org, or *")
        for origin in (
            "",
            "example.org",
            "https://example.org/",
            "https://a b",
            "null",
            "ftp://x",
            "https://*",
            "http://\u00e9",
        )
    ],
    (community(""), "the community '' has a name that can't stand in a URL; use letters, digits and . _ ~ -"),
    (community("a/b"), "the community 'a/b' has a name that can't stand in a URL"),
    (community(".."), "the community '..' has a name that can't stand in a URL"),
    (community("\u00e9"), "the community '\\xe9' has a name that can't stand in a URL"),
    (community("x" * 64), "has a name that can't stand in a URL"),
    (community(serving="v2"), "the community 'a' is to serve 'v2', which is none of its versions (v1)"),
    (community(versions={}), "the community 'a' is to serve 'v1', which is none of its versions (none)"),
    (community(largest_change=0), "'largest_change' of 'a' is 0.0; give a share within (0, 1]"),
    (community(largest_change=1.5), "'largest_change' of 'a' is 1.5; give a share within (0, 1]"),
    (community(largest_change=float("nan")), "'largest_change' of 'a' is nan; give a share within (0, 1]"),
    (community(versions={"v1": "b", "a b": "c"}), "the version 'a b' of 'a' has a label that can't stand in a URL"),
    (community(versions={"v1": ""}), "the version 'v1' of 'a' names no bundle"),
    (community(canary={"version": "v2", "share": 0.5}), "the canary of 'a' is 'v2', which is none of its versions (v1)"),
    *[
        (
            community(canary={"version": "v1", "share": share}),
            f"the canary's share in 'a' is {float(share)}; give a number within [0, 1]",
        )
        for share in (-0.1, 1.1, float("nan"), float("inf"))
    ],
    (
        GOOD | {"traces": "collector:4318"},
        "'traces' is 'collector:4318'; give a URL such as http://collector:4318/v1/traces",
    ),
    (GOOD | {"traces": ""}, "'traces' is ''; give a URL"),
    (GOOD | {"bundel": "b"}, "bundel"),
    (GOOD | {"limits": {"bytes": 1}}, "bytes"),
    (GOOD | {"limits": {"batch": True}}, "Expected `int`, got `bool`"),
    (GOOD | {"limits": {"body_bytes": 1.5}}, "Expected `int`, got `float`"),
    (GOOD | {"tokens": 3}, "Expected `str | null`, got `int`"),
    (GOOD | {"cors_origins": "*"}, "Expected `array`, got `str`"),
    (community(canary="v1"), "Expected `object | null`, got `str`"),
    (community(canary={"version": "v1"}), "missing required field `share`"),
    ({"communities": {"a": {"versions": {"v1": "b"}}}}, "missing required field `serving`"),
    ({"communities": {"a": "b"}}, "Expected `object`, got `str`"),
    (None, "Expected `object`, got `null`"),
    ("bundle", "Expected `object`, got `str`"),
    ([], "Expected `object`, got `array`"),
]


@pytest.mark.parametrize(("config", "sentence"), WRONG, ids=range(len(WRONG)))
def test_a_wrong_setting_is_refused_with_its_sentence(config: Any, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(config)
    message = str(caught.value)
    assert message.startswith("The policy server's configuration can't be used")
    assert sentence in message
    assert message.endswith(".")


def test_all_that_is_wrong_is_said_at_once() -> None:
    config = {"bundle": "", "limits": {"batch": 0, "concurrent": 0}, "cors_origins": ["x"], "metrics_need_token": True}
    with pytest.raises(ConfigError) as caught:
        settings(config)
    for what in ("'bundle'", "'limits.batch'", "'limits.concurrent'", "'cors_origins'", "'metrics_need_token'"):
        assert str(caught.value).count(what) == 1


@pytest.mark.parametrize(
    "config",
    [
        GOOD,
        GOOD | {"limits": {"requests_per_second": 0.01, "body_seconds": 1}},
        GOOD | {"tokens": "t", "metrics_need_token": True, "access_log": True},
        GOOD | {"cors_origins": ["*", "https://example.org", "http://localhost:3000", "http://[::1]:80"]},
        GOOD | {"traces": "http://collector:4318/v1/traces"},
        community("North-1.x_y~z", largest_change=1.0, recorded="r", canary={"version": "v1", "share": 1}),
    ],
    ids=range(6),
)
def test_what_fits_is_taken_and_stays_the_same_as_plain_objects(config: dict[str, Any]) -> None:
    """Ray Serve carries settings as plain objects from the builder to each replica."""
    read = settings(config)
    assert settings(msgspec.to_builtins(read)) == read


def test_a_bundle_alone_is_the_community_default() -> None:
    assert settings(GOOD).served == {"default": Community(versions={"current": "b"}, serving="current")}
    assert list(settings(community()).served) == ["a"]


def test_what_is_left_out_is_open_and_bounded() -> None:
    read = settings(GOOD)
    assert read == Settings(bundle="b")
    limits = read.limits
    assert (limits.body_bytes, limits.batch, limits.concurrent, limits.body_seconds) == (1 << 20, 256, 64, 10.0)
    assert limits.requests_per_second is None
    assert (read.tokens, read.cors_origins, read.access_log, read.traces) == (None, [], False, None)
