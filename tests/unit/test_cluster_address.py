"""Which Ray a command means, and whose token it takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest
import ray

from rllib_citylearn.cli import main
from rllib_citylearn.cluster.connection import cluster_address, cluster_session
from rllib_citylearn.errors import ConfigError
from rllib_citylearn.local_ray import prepare_environment


@pytest.fixture
def unconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a command's process, whatever Ray other tests here have started."""
    monkeypatch.setattr(ray, "is_initialized", lambda: False)


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


class _Command:
    """A command that says whether it was given a token."""

    def __init__(self, options: Sequence[str]) -> None:
        self.options = options

    def add_parser(self, subparsers: Any) -> None:
        parser = subparsers.add_parser("say")
        for option in self.options:
            parser.add_argument(option)
        parser.set_defaults(run=lambda args: int("RAY_AUTH_TOKEN" in os.environ))


@pytest.mark.parametrize(
    ("options", "arguments", "has_token"),
    [
        ([], [], True),
        (["--address"], [], False),
        (["--address"], ["--address", "auto"], False),
        (["--address"], ["--address", "local"], True),
    ],
)
def test_commands_that_join_no_cluster_keep_their_token_whatever_the_variable_says(
    options: list[str], arguments: list[str], has_token: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(main, "COMMANDS", (_Command(options),))
    assert main.main(["say", *arguments]) == has_token
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        os.environ.pop(name, None)  # so that monkeypatch puts back what was there


@pytest.mark.parametrize("address", ["ray://head:10001", "http://head:8265"])
@pytest.mark.usefixtures("unconnected")
def test_protocols_are_refused(address: str) -> None:
    with pytest.raises(ConfigError, match=r"has a protocol.*`ray job submit"), cluster_session(address):
        pass


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:port", "head:0", "head:70000"])
@pytest.mark.usefixtures("unconnected")
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is not one of a Ray cluster"), cluster_session(address):
        pass


@pytest.mark.usefixtures("unconnected")
def test_a_name_that_nobody_has_is_said() -> None:
    with (
        pytest.raises(ConfigError, match="No Ray cluster answers at no-such-host"),
        cluster_session("no-such-host.invalid:6379"),
    ):
        pass
