"""Images that manifests name are built by `make images` and published by a release, under names that a registry takes."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
RELEASE = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())


def named() -> set[str]:
    """Our images in k8s/ and compose.yaml, with the tags that kustomizations put in."""
    found = set()
    for file in (ROOT / "docker" / "compose.yaml", *(ROOT / "k8s").rglob("*.yaml")):
        text = file.read_text()
        found |= set(re.findall(r"image: (rllib-citylearn-\S+)", text))
        if file.name == "kustomization.yaml":
            entries = yaml.safe_load(text).get("images", [])
            found |= {
                f"{one['name']}:{one['newTag']}" for one in entries if one["name"].startswith("rllib-") and "newTag" in one
            }
    return found


def built(*arguments: str) -> dict[str, str]:
    """What `make images` would run, by tag."""
    command = ["make", "--dry-run", "--no-print-directory", "images", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return {line.split(" -t ")[1].split()[0]: line for line in done.stdout.splitlines()}


def published(release: dict[str, Any], folder: Path) -> dict[str, dict[str, str]]:
    """Entries of the release's matrix, by the image that its own command names for a repository of `Some-Owner`."""
    job = release["jobs"]["publish"]
    (step,) = [step for step in job["steps"] if step.get("id") == "named"]
    (push,) = [step for step in job["steps"] if step.get("id") == "push"]
    found = {}
    for entry in job["strategy"]["matrix"]["include"]:
        output = folder / "output"
        output.write_text("")
        given = {"GITHUB_OUTPUT": str(output), "GITHUB_REPOSITORY_OWNER": "Some-Owner", "GITHUB_REF_NAME": f"v{VERSION}"}
        for name, value in step["env"].items():
            (key,) = re.findall(r"^\$\{\{ matrix\.(\w+) \}\}$", value)
            given[name] = entry.get(key, "")
        subprocess.run(["bash", "-euo", "pipefail", "-c", step["run"]], env={**os.environ, **given}, check=True, timeout=60)
        values = dict(line.split("=", 1) for line in output.read_text().splitlines())
        name = re.sub(
            r"\$\{\{ steps\.named\.outputs\.(\w+) \}\}", lambda one, said=values: said[one[1]], push["with"]["tags"]
        )
        found[name] = entry | values
    return found


def faults(release: dict[str, Any], folder: Path) -> list[str]:
    """What of the release's images is not as manifests have it."""
    images = published(release, folder)
    missing = named() - {image.rpartition("/")[2] for image in images}
    found = [f"nobody publishes {image}" for image in sorted(missing)]
    for image, entry in images.items():
        if image != image.lower():
            found.append(f"no registry takes {image}")
        if entry["image"] == "train" and (entry.get("torch") == "cuda") != image.endswith("-gpu"):
            found.append(f"{image} has the other build of torch")
        if entry["version"] != VERSION:
            found.append(f"{image} says that it is {entry['version']}")
    return found


def test_a_release_publishes_what_manifests_name(tmp_path: Path) -> None:
    assert f"rllib-citylearn-train:{VERSION}-gpu" in named()
    assert faults(RELEASE, tmp_path) == []
    arguments = next(step for step in RELEASE["jobs"]["publish"]["steps"] if step.get("id") == "push")["with"]["build-args"]
    assert "TORCH=${{ matrix.torch }}\n" in arguments
    assert "PIP_EXTRA_INDEX_URL=${{ matrix.torch == 'cpu' && vars.TORCH_CPU_INDEX || '' }}" in arguments
    attested = RELEASE["jobs"]["publish"]["steps"][-1]["with"]["subject-name"]
    assert attested == "${{ steps.named.outputs.name }}"


def _entries(workflow: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = workflow["jobs"]["publish"]["strategy"]["matrix"]["include"]
    return found


def _rewrite(before: str, after: str) -> Callable[[dict[str, Any]], None]:
    def plant(workflow: dict[str, Any]) -> None:
        (step,) = [step for step in workflow["jobs"]["publish"]["steps"] if step.get("id") == "named"]
        assert before in step["run"]
        step["run"] = step["run"].replace(before, after)

    return plant


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (lambda w: _entries(w).pop(), f"nobody publishes rllib-citylearn-train:{VERSION}-gpu"),
        (lambda w: _entries(w)[1].update(torch="cuda"), "has the other build of torch"),
        (lambda w: _entries(w)[2].update(torch="cpu"), "has the other build of torch"),
        (_rewrite(",,", ""), "no registry takes"),
        (_rewrite("rllib-citylearn-", "rllib_citylearn-"), "nobody publishes rllib-citylearn-serve"),
        (_rewrite("version=$version", "version=$version$ADDED"), "says that it is"),
    ],
)
def test_mistakes_are_found(plant: Callable[[dict[str, Any]], None], said: str, tmp_path: Path) -> None:
    release = copy.deepcopy(RELEASE)
    plant(release)
    assert any(said in fault for fault in faults(release, tmp_path)), faults(release, tmp_path)


def test_make_builds_what_manifests_name() -> None:
    every = built("IMAGES=serve train train-gpu", "TORCH_CPU_INDEX=https://wheels.example/cpu")
    assert set(every) >= named()
    assert set(built()) == {f"rllib-citylearn-serve:{VERSION}", f"rllib-citylearn-train:{VERSION}"}
    with_cuda = {tag for tag, command in every.items() if "--build-arg TORCH=cuda" in command}
    with_index = {
        tag for tag, command in every.items() if "--build-arg PIP_EXTRA_INDEX_URL=https://wheels.example/cpu" in command
    }
    assert with_cuda == {f"rllib-citylearn-train:{VERSION}-gpu"}
    assert with_index == {f"rllib-citylearn-train:{VERSION}"}, "pip would take a CPU build for the CUDA image"
    assert not any("PIP_EXTRA_INDEX_URL" in command for command in built().values())
