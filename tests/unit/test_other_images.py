"""docker/others.py: which images of other projects CI has to scan."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def ask(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "docker/others.py"], cwd=root, capture_output=True, text=True, timeout=60)


def images(value: Any) -> Iterator[str]:
    """Every value of a key `image`, however deep."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "image" and isinstance(item, str):
                yield item
            yield from images(item)
    elif isinstance(value, list):
        for item in value:
            yield from images(item)


def test_it_names_all_that_compose_and_manifests_run_but_ours() -> None:
    files = [ROOT / "docker" / "compose.yaml", *(ROOT / "k8s").rglob("*.yaml")]
    found = {image for file in files for document in yaml.safe_load_all(file.read_text()) for image in images(document)}
    expected = {image for image in found if not image.startswith("rllib-citylearn-")}
    assert {image.rpartition("/")[2].partition(":")[0] for image in expected} >= {"redis", "prometheus", "grafana"}
    assert json.loads(ask(ROOT).stdout) == sorted(expected)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("docker", "k8s/base"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "docker" / "others.py", tmp_path / "docker")
    (tmp_path / "docker" / "compose.yaml").write_text("services:\n  policy:\n    image: rllib-citylearn-serve:0.1.0\n")
    return tmp_path


def test_however_they_are_written(root: Path) -> None:
    lines = [
        "containers:",
        '- image: "ghcr.io/a/b:1.2.3@sha256:00"',
        "- name: c",
        "  image:   quay.io/d/e:1  # why",
        "#  image: f.io/g:2",
    ]
    (root / "k8s" / "base" / "a.yaml").write_text("\n".join(lines))
    assert json.loads(ask(root).stdout) == ["ghcr.io/a/b:1.2.3@sha256:00", "quay.io/d/e:1"]


@pytest.mark.parametrize("image", ["redis:7.2.5", "library/redis:7.2.5"])
def test_one_without_a_registry_is_refused(root: Path, image: str) -> None:
    """A scanner would look for it elsewhere than some nodes do."""
    (root / "k8s" / "base" / "a.yaml").write_text(f"image: {image}\n")
    done = ask(root)
    assert done.returncode == 1
    assert f"k8s/base/a.yaml names the image {image} without its registry" in done.stderr
