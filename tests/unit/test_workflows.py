"""The workflows of CI and release: what they call exists, and they have no more rights than they need."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}

VERBS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))

SCOPES = {"actions", "attestations", "contents", "id-token", "packages", "security-events"}


def steps(workflow: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", [])


def faults(workflow: dict[str, Any]) -> list[str]:
    """Everything about a workflow that can't work or could do harm."""
    found = []
    if workflow.get("permissions") != {"contents": "read"}:
        found.append("jobs get more than reading by default")
    if "pull_request_target" in workflow[True]:  # YAML's word for `on`
        found.append("strangers' code would run with rights")
    jobs = workflow["jobs"]
    for name, job in jobs.items():
        if "uses" in job:
            if not (ROOT / job["uses"]).is_file():
                found.append(f"{name}: no workflow {job['uses']}")
            continue
        if "timeout-minutes" not in job:
            found.append(f"{name}: no time limit")
        if not re.fullmatch(r"ubuntu-\d\d\.04", job["runs-on"]):
            found.append(f"{name}: {job['runs-on']} is no version")
        needs = job.get("needs", [])
        found += [f"{name}: needs no job {one}" for one in needs if one not in jobs]
        found += [f"{name}: {scope} is no scope" for scope in set(job.get("permissions", {})) - SCOPES]
        for image in job.get("strategy", {}).get("matrix", {}).get("image", []):
            if not (ROOT / "docker" / f"{image}.Dockerfile").is_file():
                found.append(f"{name}: no docker/{image}.Dockerfile")
    for step in steps(workflow):
        action = step.get("uses", "")
        if action and not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", action):
            found.append(f"{action} has no version")
        if action.startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
            found.append("a checkout leaves its token behind")
        found += _faults_of_command(step.get("run", ""))
    return found


def _faults_of_command(command: str) -> list[str]:
    found = [f"no verb {verb}" for verb in re.findall(r"\bmake ([a-z]+)", command) if verb not in VERBS]
    if "${{" in command:
        found.append(f"a value becomes part of a command: {command}")
    return found


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_can_work_and_has_few_rights(name: str) -> None:
    assert faults(WORKFLOWS[name]) == []


def _first_checkout(workflow: dict[str, Any]) -> dict[str, Any]:
    return next(step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout"))


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def plant(workflow: dict[str, Any]) -> None:
        next(iter(workflow["jobs"].values()))[name] = value

    return plant


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (lambda w: w.pop("permissions"), "more than reading"),
        (lambda w: w.update({True: {"pull_request_target": {}}}), "strangers"),
        (lambda w: _first_checkout(w).update(uses="actions/checkout@main"), "has no version"),
        (lambda w: _first_checkout(w)["with"].pop("persist-credentials"), "token behind"),
        (_set("runs-on", "ubuntu-latest"), "is no version"),
        (_set("timeout-minutes", 5), None),
        (_set("needs", ["tests"]), "needs no job tests"),
        (_set("permissions", {"content": "write"}), "content is no scope"),
        (_set("strategy", {"matrix": {"image": ["server"]}}), "no docker/server.Dockerfile"),
        (_set("steps", [{"run": "make tests"}]), "no verb tests"),
        (_set("steps", [{"run": "echo ${{ github.head_ref }}"}]), "part of a command"),
        (_set("uses", "./.github/workflows/check.yml"), "no workflow"),
        (lambda w: next(iter(w["jobs"].values())).pop("timeout-minutes"), "no time limit"),
    ],
)
def test_mistakes_are_found(plant: Callable[[dict[str, Any]], None], said: str | None) -> None:
    workflow = copy.deepcopy(WORKFLOWS["checks.yml"])
    plant(workflow)
    assert any(said in fault for fault in faults(workflow)) if said else faults(workflow) == []


def test_pull_requests_are_linted_tested_built_and_scanned() -> None:
    checks, images = WORKFLOWS["checks.yml"], WORKFLOWS["images.yml"]
    assert "pull_request" in checks[True]
    assert "pull_request" in images[True]
    assert {"make check", "make test"} <= {step.get("run") for step in steps(checks)}
    scanned = [
        step["with"].get("scanners", "") for step in [*steps(checks), *steps(images)] if "trivy" in step.get("uses", "")
    ]
    assert {kind for one in scanned for kind in one.split(",")} == {"secret", "vuln"}
    assert any("sbom-action" in step.get("uses", "") for step in steps(images))
    watched = images[True]["pull_request"]["paths"]
    for pattern in watched:
        assert (ROOT / pattern.removesuffix("/**")).exists(), pattern


def test_a_release_waits_for_both_and_says_where_it_comes_from() -> None:
    jobs = WORKFLOWS["release.yml"]["jobs"]
    assert set(jobs["package"]["needs"]) == {"checks", "images"}
    assert jobs["publish"]["needs"] == ["package"]
    for job in ("package", "publish"):
        assert any("attest-build-provenance" in step.get("uses", "") for step in jobs[job]["steps"])
    writing = {name for name, job in jobs.items() if "write" in job.get("permissions", {}).values()}
    assert writing == {"package", "publish"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_build_arguments_are_those_of_a_dockerfile(name: str) -> None:
    declared = {
        argument
        for dockerfile in (ROOT / "docker").glob("*.Dockerfile")
        for argument in re.findall(r"^ARG (\w+)", dockerfile.read_text(), flags=re.M)
    }
    for step in steps(WORKFLOWS[name]):
        given = step.get("with", {}).get("build-args", "")
        assert {line.partition("=")[0] for line in given.splitlines()} <= declared


def test_actionlint_finds_nothing() -> None:
    program = shutil.which("actionlint")
    if program is None:
        pytest.skip("actionlint is not installed; its package on PyPI fetches the program from elsewhere")
    done = subprocess.run([program, *map(str, FOLDER.glob("*.yml"))], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout
