"""The workflows of CI and release: what they call exists, and they have no more rights than they need."""

from __future__ import annotations

import copy
import json
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
        for image in images(job):
            if not (ROOT / "docker" / f"{image}.Dockerfile").is_file():
                found.append(f"{name}: no docker/{image}.Dockerfile")
        found += [f"{name}: {fault}" for fault in _faults_of_history(job)]
    for step in steps(workflow):
        found += [*_faults_of_action(step.get("uses", ""), step.get("with", {})), *_faults_of_command(step)]
    return found


def images(job: dict[str, Any]) -> set[str]:
    """Those of a job's matrix: a list, an expression with lists in it, or entries."""
    matrix = job.get("strategy", {}).get("matrix", {})
    listed = matrix.get("image", [])
    if isinstance(listed, str):
        listed = [image for part in re.findall(r"\[[^]]*]", listed) for image in json.loads(part)]
    return {*listed, *(entry["image"] for entry in matrix.get("include", []) if "image" in entry)}


def _faults_of_history(job: dict[str, Any]) -> list[str]:
    fetched = any(step.get("with", {}).get("fetch-depth") == 0 for step in job["steps"])
    scanned = any(re.search(r'gitleaks"? git\b', step.get("run", "")) for step in job["steps"])
    if fetched != scanned:
        return ["the history is fetched, and nothing reads it" if fetched else "a history is read that is not fetched"]
    return []


def _faults_of_action(action: str, given: dict[str, Any]) -> list[str]:
    found = []
    if action and not re.fullmatch(r"[\w-]+/[\w-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", action):
        found.append(f"{action} has no version")
    elif action and not action.startswith("actions/") and "@v" in action:
        found.append(f"{action} is whatever its owner, or who takes its place, puts under that tag")
    if action.startswith("actions/checkout@") and given.get("persist-credentials") is not False:
        found.append("a checkout leaves its token behind")
    names = (str(given.get(key, "")) for key in ("tags", "images", "subject-name"))
    if any(re.search(r"\$\{\{ *github\.repository", name) for name in names):
        found.append("an image's name may have capitals")
    if given.get("load") and "TORCH=cpu" not in given.get("build-args", ""):
        found.append("there is no room for CUDA's libraries")
    return found


def _faults_of_command(step: dict[str, Any]) -> list[str]:
    command = step.get("run", "")
    found = [f"no verb {verb}" for verb in re.findall(r"\bmake ([a-z]+)", command) if verb not in VERBS]
    if "${{" in command:
        found.append(f"a value becomes part of a command: {command}")
    if "sudo" in command:
        kept = {name for names in re.findall(r"--preserve-env=([\w,]+)", command) for name in names.split(",")}
        found += [f"sudo drops {name}" for name in set(step.get("env", {})) - kept]
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
        (lambda w: _first_checkout(w).update(uses="docker/login-action@v3"), "whatever its owner"),
        (lambda w: _first_checkout(w).update(uses="docker/login-action@v3.7.0"), "whatever its owner"),
        (lambda w: _first_checkout(w)["with"].pop("persist-credentials"), "token behind"),
        (lambda w: _first_checkout(w)["with"].update({"fetch-depth": 0}), "nothing reads it"),
        (lambda w: w["jobs"]["secrets"]["steps"].pop(), "nothing reads it"),
        (lambda w: w["jobs"]["secrets"]["steps"][0]["with"].pop("fetch-depth"), "is not fetched"),
        (lambda w: _first_checkout(w)["with"].update(tags="ghcr.io/${{ github.repository }}-serve:1.0.0"), "capitals"),
        (lambda w: _first_checkout(w)["with"].update({"load": True, "build-args": "TORCH=cuda"}), "no room"),
        (_set("runs-on", "ubuntu-latest"), "is no version"),
        (_set("timeout-minutes", 5), None),
        (_set("needs", ["tests"]), "needs no job tests"),
        (_set("permissions", {"content": "write"}), "content is no scope"),
        (_set("strategy", {"matrix": {"image": ["server"]}}), "no docker/server.Dockerfile"),
        (
            _set(
                "strategy", {"matrix": {"image": "${{ fromJSON(github.ref == 'a' && '[\"serve\"]' || '[\"trainer\"]') }}"}}
            ),
            "trainer",
        ),
        (_set("strategy", {"matrix": {"include": [{"image": "train"}, {"image": "gpu"}]}}), "no docker/gpu.Dockerfile"),
        (
            _set("steps", [{"run": "sudo make containers", "env": {"PIP_EXTRA_INDEX_URL": "https://a.example"}}]),
            "sudo drops",
        ),
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
    assert any("gitleaks" in step.get("run", "") for step in steps(checks))
    assert any("sbom-action" in step.get("uses", "") for step in steps(images))
    watched = images[True]["pull_request"]["paths"]
    for pattern in watched:
        assert (ROOT / pattern.removesuffix("/**")).exists(), pattern


def unnamed(text: str) -> list[str]:
    """Actions by a commit without the version that it is."""
    return [line.strip() for line in text.splitlines() if re.search(r"uses: \S+@[0-9a-f]{40}(?! # v\d+\.\d+\.\d+$)", line)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_commits_of_actions_have_their_version_beside_them(name: str) -> None:
    text = (FOLDER / name).read_text()
    assert unnamed(text) == []
    commits: dict[str, set[str]] = {}
    for action, commit in re.findall(
        r"uses: (\S+)@([0-9a-f]{40} # v\S+)", "".join(map(Path.read_text, FOLDER.glob("*.yml")))
    ):
        commits.setdefault(action, set()).add(commit)
    assert commits
    assert all(len(different) == 1 for different in commits.values()), commits


@pytest.mark.parametrize("comment", ["", " # v3", " v3.7.0"])
def test_a_commit_without_its_version_is_found(comment: str) -> None:
    assert unnamed(f"      - uses: docker/login-action@{'0' * 40}{comment}\n")


def untried(job: dict[str, Any]) -> list[str]:
    """Why a job that tries images does not try those upon the base image that is published."""
    commands = [step.get("run", "") for step in job["steps"]]
    pulled = [i for i, command in enumerate(commands) if "podman pull" in command and "^ARG BASE=" in command]
    tried = [i for i, command in enumerate(commands) if "make containers" in command]
    found = [] if pulled and tried and pulled[0] < tried[0] else ["the base is not there when images are built"]
    return found + ["a stand-in for it can be made" for command in commands if "debootstrap" in command]


def test_what_is_tried_is_what_is_published() -> None:
    job = WORKFLOWS["images.yml"]["jobs"]["try"]
    assert untried(job) == []
    without = {"steps": [step for step in job["steps"] if "podman pull" not in step.get("run", "")]}
    assert untried(without) == ["the base is not there when images are built"]
    late = {"steps": [*without["steps"], *(step for step in job["steps"] if "podman pull" in step.get("run", ""))]}
    assert untried(late) == ["the base is not there when images are built"]
    assert untried({"steps": [{"run": "apt-get install debootstrap"}, *job["steps"]]}) == ["a stand-in for it can be made"]


def test_images_of_others_are_scanned_as_they_are_named_elsewhere() -> None:
    jobs = WORKFLOWS["images.yml"]["jobs"]
    (named,) = [step for step in jobs["others"]["steps"] if step.get("id") == "named"]
    assert "docker/others.py" in named["run"]
    assert jobs["others"]["outputs"] == {"images": "${{ steps.named.outputs.images }}"}
    assert jobs["scan-others"]["strategy"]["matrix"] == {"reference": "${{ fromJSON(needs.others.outputs.images) }}"}
    (scan,) = jobs["scan-others"]["steps"]
    assert scan["with"]["image-ref"] == "${{ matrix.reference }}"
    assert scan["with"]["exit-code"] == "1"


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
