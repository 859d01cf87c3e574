"""Which Ray a command means, and whose token it takes."""

from __future__ import annotations

import os

import pytest

from rllib_citylearn.cluster.connection import cluster_address, cluster_session
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import prepare_environment


@pytest.mark.parametrize(
    ("given", "variable", "meant"),
    [
        (None, None, None),
        (None, "", None),
        (None, "head:6379", "head:6379"),
        ("auto", None, "auto"),
        ("auto", "head:6379", "head:6379"),
        ("other:6379", "head:6379", "other:6379"),
        ("local", "head:6379", None),
        (None, "local", None),
    ],
)
def test_the_option_goes_before_the_variable(
    given: str | None, variable: str | None, meant: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable is not None:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    assert cluster_address(given) == meant


@pytest.mark.parametrize("cluster", [False, True])
def test_only_a_local_ray_gets_a_token_of_its_own(cluster: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    prepare_environment(cluster=cluster)
    assert ("RAY_AUTH_TOKEN" in os.environ) is not cluster
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        os.environ.pop(name, None)  # so that monkeypatch puts back what was there


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265"])
def test_protocols_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"has a protocol.*`ray job submit"), cluster_session(address):
        pass


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "head:0", "head:70000"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is not one of a Ray cluster"), cluster_session(address):
        pass


def test_a_name_that_nobody_has_is_said() -> None:
    with (
        pytest.raises(ConfigError, match="No Ray cluster answers at no-such-host"),
        cluster_session("no-such-host.invalid:6379"),
    ):
        pass
