"""Images, built once for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundles import write_small_bundle
from tests.container import base
from tests.container.engine import Engine, why_not
from tests.container.pip_settings import pip_options

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    reason = why_not()
    if reason is not None:
        pytest.skip(f"no containers can be run here: {reason}")
    return Engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="session")
def build_options(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a build needs on this machine; the base image is there then, or a stand-in for it."""
    options = pip_options(tmp_path_factory.mktemp("pip"))
    name = base.base_of(ROOT / "docker" / "serve.Dockerfile")
    if engine.exists(name):
        return options
    stand_in = base.stand_in_of(name)
    if not engine.exists(stand_in) and (reason := base.why_not()) is not None:
        pytest.skip(f"there is neither {name} here nor a stand-in for it: {reason}")
    base.make(engine, stand_in)
    return [*options, "--build-arg", f"BASE={stand_in}"]


@pytest.fixture(scope="session")
def serve_image(engine: Engine, build_options: list[str]) -> Iterator[str]:
    tag = "localhost/citylearn-test-serve"
    said = ["--build-arg", "REVISION=0123abc", "--build-arg", "SOURCE=https://git.example.org/citylearn"]
    options = [*build_options, *said]
    engine.build(tag, ROOT, ROOT / "docker" / "serve.Dockerfile", *options)
    yield tag
    engine.remove_image(tag)


@pytest.fixture(scope="session")
def train_image(engine: Engine, build_options: list[str]) -> Iterator[str]:
    tag = "localhost/citylearn-test-train"
    done = engine.build(tag, ROOT, ROOT / "docker" / "train.Dockerfile", *build_options, check=False)
    if done.returncode and "pip found no CPU build of torch" in done.stderr + done.stdout:
        pytest.skip("pip is configured with no index that has CPU builds of torch")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    yield tag
    engine.remove_image(tag)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle whose policy has memory, readable by everybody, as a mounted volume is."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    write_small_bundle(folder, memory=True)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder
