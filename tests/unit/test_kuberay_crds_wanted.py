"""Missing CRDs are a reason to skip, but where they are required; what CI fetches is what tests have been run with."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import yaml

from tests.k8s.crds import FOLDER, REQUIRED, why_skip

ROOT = Path(__file__).resolve().parents[2]
JOB = yaml.safe_load((ROOT / ".github" / "workflows" / "checks.yml").read_text())["jobs"]["test"]
SUMS = dict(reversed(line.split()) for line in (ROOT / "tests" / "k8s" / "crds.sha256").read_text().splitlines())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SUMS:
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("environment", [{}, {"CI": "true"}, {REQUIRED: ""}])
def test_missing_ones_are_a_reason_to_skip(folder: Path, environment: dict[str, str]) -> None:
    assert why_skip(folder, environment) is None
    assert "rayclusters, rayjobs, rayservices are not in" in str(why_skip(folder / "nowhere", environment))
    (folder / "ray.io_rayjobs.yaml").unlink()
    assert "CRDs of rayjobs are not in" in str(why_skip(folder, environment))


def test_where_they_are_required_missing_ones_are_an_error(folder: Path) -> None:
    assert why_skip(folder, {REQUIRED: "yes"}) is None
    (folder / "ray.io_rayjobs.yaml").unlink()
    with pytest.raises(FileNotFoundError, match=f"CRDs of rayjobs are not in .* and {REQUIRED} is set; put them there"):
        why_skip(folder, {REQUIRED: "yes"})


def test_ci_requires_them_and_puts_them_where_tests_look() -> None:
    assert JOB["env"] == {REQUIRED: "yes"}
    (step,) = [step for step in JOB["steps"] if "tests/k8s/crds.sha256" in step.get("run", "")]
    assert JOB["steps"].index(step) < [step.get("run") for step in JOB["steps"]].index("make test")
    version = step["env"]["VERSION"]
    assert f"../shared/kuberay-crds-{version}" == f"../{FOLDER.relative_to(ROOT.parent)}"
    assert 'folder="../shared/kuberay-crds-$VERSION"' in step["run"]
    (kinds,) = re.findall(r"for kind in ([\w ]+);", step["run"])
    assert {f"ray.io_{kind}.yaml" for kind in kinds.split()} == set(SUMS)
    assert f"KubeRay {version.rpartition('.')[0]}" in (ROOT / "docs" / "deploy.md").read_text()


def test_sums_are_those_of_what_tests_have_been_run_with() -> None:
    if (reason := why_skip(FOLDER, {})) is not None:
        pytest.skip(reason)
    assert {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in SUMS} == SUMS
