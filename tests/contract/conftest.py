"""Bundles that are served, written once, and logs as they were before each test."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from rllib_citylearn.export import PolicyRuntime
from serve.asgi import PolicyApp
from tests.bundles import write_small_bundle
from tests.contract.asking import app_of, runtime_of


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles by what they are: plain, remembering, without hints, and shifted (the plain one with a bias)."""
    folder = tmp_path_factory.mktemp("bundles")
    write_small_bundle(folder / "plain")
    write_small_bundle(folder / "remembering", memory=True)
    write_small_bundle(folder / "without-hints", hints=False)
    write_small_bundle(folder / "shifted", name="shifted", bias=0.5)
    return folder


@pytest.fixture
def app(bundles: Path) -> PolicyApp:
    """A server of the plain bundle."""
    return app_of(bundles / "plain")


@pytest.fixture(scope="session")
def plain(bundles: Path) -> PolicyRuntime:
    """The plain bundle's policy, to compare with."""
    return runtime_of(bundles / "plain")


@pytest.fixture(scope="session")
def remembering(bundles: Path) -> PolicyRuntime:
    """The policy with memory, to compare with."""
    return runtime_of(bundles / "remembering")


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Servers let their loggers write JSON and pass nothing on; other tests want to see what they write."""
    logger = logging.getLogger("serve")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate = before[:2]
    logger.setLevel(before[2])
