"""What enters a build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.container.engine import Engine

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.container


def test_nothing_enters_a_build_but_the_package_and_what_installs_it(engine: Engine, tmp_path: Path) -> None:
    """Among a clone's files and some that a developer's folder has besides."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--shared", str(ROOT), str(clone)], check=True, capture_output=True)
    for path in (".dockerignore",):
        (clone / path).write_bytes((ROOT / path).read_bytes())
    strays = (
        *(".venv/bin/python", "runs/mine/bundle/actor.onnx", "docker/secrets/tokens", ".env", "serve/__pycache__/app.pyc"),
        *("rllib_citylearn/datasets/__pycache__/a.cpython-311.pyc", "data/big.csv", "rllib_citylearn.egg-info/PKG-INFO"),
    )
    for stray in strays:
        (clone / stray).parent.mkdir(parents=True, exist_ok=True)
        (clone / stray).write_text("stray")
    file = tmp_path / "Dockerfile"
    file.write_text("FROM scratch\nCOPY . /\n")
    tag = "localhost/citylearn-test-context"
    try:
        engine.build(tag, clone, file)
        archive = tmp_path / "context.tar"
        engine.podman("save", "--format", "oci-dir", "--output", str(archive), tag)
        names: set[str] = set()
        for blob in (archive / "blobs" / "sha256").iterdir():
            listed = subprocess.run(["tar", "-tf", str(blob)], capture_output=True, text=True)
            if listed.returncode == 0:
                names |= {name for name in listed.stdout.splitlines() if not name.endswith("/")}
    finally:
        engine.podman("image", "rm", "--force", tag, check=False)
    assert "serve/app.py" in names
    assert "tune_configs/quick.yaml" in names
    assert not names & set(strays)
    tops = {name.partition("/")[0] for name in names}
    wanted = {
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "rllib_citylearn",
        "serve",
        "tune_configs",
        "docker",
    }
    assert tops == wanted
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert {n for n in names if n.startswith(("rllib_citylearn/", "serve/"))} <= set(tracked)
